"""How is an e-mail handed to a mail server, and on which side of the final dot did it fail?

Before the dot has left us, the server certainly has nothing: a failure there may be tried again. From the dot on, only
a clear reply settles it. `smtplib.sendmail` hides which side failed, so the dialogue is spoken step by step.

    reply or fault                          permanent   sent
    cannot connect, greet, sign in          no          no
    4xx, 421 at any stage (also after dot)  no          no
    5xx at any stage (also after dot)       yes         no
    drop or timeout before the dot          no          no
    drop, timeout, nonsense after the dot   yes         unknown
    2xx after the dot                       sent
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from dataclasses import dataclass, field

from records.errors import ChannelError
from serving.channels import Message, Receipt

# RFC 5321 4.5.3.2.6: a shorter wait for the reply after the dot "would typically result in delivery of multiple
# copies".
AFTER_DOT_SECONDS = 600.0
BEFORE_DOT_SECONDS = 60.0
IMPLICIT_TLS_PORT = 465
_ADDRESS = re.compile(r"[!-;=?-~]{1,64}@[A-Za-z0-9.\-]{1,255}")  # printable ASCII without blanks and angle brackets


@dataclass
class Smtp:
    """A mail server, spoken to over one connection that is reused."""

    host: str
    port: int = 587
    user: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = True
    before_dot_seconds: float = BEFORE_DOT_SECONDS
    after_dot_seconds: float = AFTER_DOT_SECONDS
    _open: smtplib.SMTP | None = field(default=None, init=False, repr=False)

    @property
    def live(self) -> bool:
        return True

    def deliver(self, message: Message) -> Receipt:
        """Speak MAIL, RCPT, DATA, the body, the dot. Raises ChannelError by the table above."""
        for name in (message.sender, message.to):
            if not _ADDRESS.fullmatch(name):  # smtplib would make something else of it and send there
                raise ChannelError(f"{name!r} is not an address for an SMTP command.", permanent=True)
        server = self._connection()
        try:
            self._envelope(server, message)
            if server.sock is None:
                raise smtplib.SMTPServerDisconnected("no socket")
            server.sock.sendall(_stuffed(message.raw))
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise ChannelError(
                f"The mail server went away before it had the message: {error}.", permanent=False
            ) from error
        return self._dot(server, message)

    def close(self) -> None:
        """Say goodbye if the server still listens."""
        server, self._open = self._open, None
        if server is not None:
            server.close()

    def _connection(self) -> smtplib.SMTP:
        if self._open is not None:
            return self._open
        try:
            context = ssl.create_default_context()
            if self.port == IMPLICIT_TLS_PORT:
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    self.host, self.port, timeout=self.before_dot_seconds, context=context
                )
            else:
                server = smtplib.SMTP(self.host, self.port, timeout=self.before_dot_seconds)
            server.ehlo_or_helo_if_needed()
            if self.starttls and self.port != IMPLICIT_TLS_PORT:
                server.starttls(context=context)
                server.ehlo()
            if self.user:
                server.login(self.user, self.password)
            if server.sock is not None:  # body and dot are separate writes: without this they wait for each other
                server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, smtplib.SMTPException) as error:
            raise ChannelError(f"No connection to the mail server {self.host}: {error}.", permanent=False) from error
        self._open = server
        return server

    def _envelope(self, server: smtplib.SMTP, message: Message) -> None:
        for step, (code, reply) in (
            ("MAIL", server.mail(message.sender)),
            ("RCPT", server.rcpt(message.to)),
            ("DATA", server.docmd("DATA")),
        ):
            if code == (354 if step == "DATA" else 250) or (step == "RCPT" and code == 251):
                continue
            raise self._refusal(step, code, reply)

    def _dot(self, server: smtplib.SMTP, message: Message) -> Receipt:
        try:
            if server.sock is None:
                raise smtplib.SMTPServerDisconnected("no socket")
            server.sock.settimeout(self.after_dot_seconds)
            server.sock.sendall(b".\r\n")
            code, reply = server.getreply()
            server.sock.settimeout(self.before_dot_seconds)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self.close()
            raise ChannelError(
                f"The mail server did not answer after the message: {error}.", permanent=True, sent="unknown"
            ) from error
        if 200 <= code < 300:
            return Receipt(provider=f"smtp:{self.host}", provider_id=message.outreach_id)
        if 400 <= code < 600:
            raise self._refusal("message", code, reply)
        self.close()
        raise ChannelError(f"The mail server answered {code} {reply!r}.", permanent=True, sent="unknown")

    def _refusal(self, step: str, code: int, reply: bytes) -> ChannelError:
        # After a refusal the dialogue's state is the server's secret: a fresh connection is the safe next step.
        self.close()
        said = reply.decode("utf-8", "replace")[:200]
        return ChannelError(f"The mail server refused ({step}): {code} {said}.", permanent=500 <= code < 600)


def _stuffed(body: bytes) -> bytes:
    """The body with CRLF at its end and leading dots doubled, without the final dot."""
    lines = body if body.endswith(b"\r\n") else body + b"\r\n"
    return (b"\r\n" + lines).replace(b"\r\n.", b"\r\n..")[2:]
