"""On which port does the web app listen? The one asked for; a taken one moves on to the next."""

from __future__ import annotations

import errno
import socket

from records.errors import SettingError

TRIES = 50


def listen(host: str, port: int) -> tuple[socket.socket, int]:
    """A listening socket and its port, `port` or the first free one after it; port 0 takes any.

    Raises
    ------
    SettingError
        None of the next 50 ports is free, or the host is not one of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in range(port, min(port + TRIES, 65536)):
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, number))
        except OSError as error:
            found.close()
            if error.errno != errno.EADDRINUSE:
                msg = f"Cannot listen on {host}:{number}: {error.strerror}."
                raise SettingError(msg, remedy="Change [web] host or port.", key="web.host", value=host) from error
            continue
        found.listen(128)
        return found, int(found.getsockname()[1])
    msg = f"None of the ports {port} to {port + TRIES - 1} is free on {host}."
    raise SettingError(msg, remedy="Name a free one with --port.", key="web.port", value=port)
