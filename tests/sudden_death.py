"""Senders that die: run in processes of their own, killed with SIGKILL at a named step or at a random moment.

`fork` from a server that has loaded the program already: each death costs a tenth of a second, not two.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

STEPS = ("claimed", "before fence", "fenced", "delivering", "handed over", "delivered", "recorded")


def context() -> Any:
    """Where senders are started: a process with the program loaded and nothing opened."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["serving.sending", "serving.mime", "duckdb", "pyarrow", "small_company"])
    return made


def start(
    url: str, folder: Path, owner: str, *, port: int = 0, step: str = "", count: int = 1, limit: int = 0
) -> BaseProcess:
    """A sender that kills itself when it reaches `step` for the nth time.

    With a limit it makes one pass over so many messages, so that the next sender finds some too; else it goes on until
    nothing is due.
    """
    arguments = (url, str(folder), owner, port, step, count, limit)
    process: BaseProcess = context().Process(target=_send, args=arguments)
    process.start()
    return process


def _send(url: str, folder: str, owner: str, port: int, step: str, count: int, limit: int) -> None:
    import small_company

    from records.database import connect
    from records.events import EventLog
    from serving.channels import Channel, Message, Receipt
    from serving.channels.outbox import Outbox
    from serving.channels.smtp import Smtp
    from serving.sending import send_due

    left = count

    def reached(name: str, _outreach_id: str) -> None:
        nonlocal left
        if name == step:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    class Watched:
        """The real channel, with an attempt written down before each delivery: the judge counts these."""

        def __init__(self, inner: Channel) -> None:
            self.inner = inner

        @property
        def live(self) -> bool:
            return False

        def deliver(self, message: Message) -> Receipt:
            handle = os.open(Path(folder) / "attempts", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(handle, f"{message.outreach_id}\n".encode())
            os.close(handle)
            reached("delivering", message.outreach_id)
            receipt = self.inner.deliver(message)
            reached("handed over", message.outreach_id)
            return receipt

        def close(self) -> None:
            self.inner.close()

    engine = connect(url)
    log = EventLog(Path(folder) / "data")
    inner: Channel = Smtp(host="127.0.0.1", port=port, starttls=False) if port else Outbox(Path(folder) / "outbox")
    channels: dict[str, Channel] = {name: Watched(inner) for name in ("email", "whatsapp", "sms")}
    now, settings = small_company.EVENING, small_company.settings()
    while True:
        report = send_due(engine, log, settings, channels, now, owner, step=reached, limit=limit or 2_000)
        if limit or not (report.sent or report.later):
            return


def serve_mail(file: str, answers: dict[int, str], ready: Any) -> None:
    """A mail server (aiosmtpd) in a process of its own: each message's id is on disk before the 250 is said."""
    import asyncio
    from email import message_from_bytes

    from aiosmtpd.smtp import SMTP, Envelope, Session

    numbers = iter(range(1, 1_000_000))

    class Keep:
        async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
            found = message_from_bytes(bytes(envelope.content or b""))
            answer = answers.get(next(numbers), "250 kept")
            if answer.startswith("250"):
                handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                os.write(handle, f"{str(found['Message-ID'])[1:].split('@')[0]}\n".encode())
                os.fsync(handle)
                os.close(handle)
            if answer == "250 drop":
                server.transport.close()
            return answer

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made = await loop.create_server(lambda: SMTP(Keep(), hostname="sink.invalid"), "127.0.0.1", 0)
        ready.put(made.sockets[0].getsockname()[1])
        await made.serve_forever()

    asyncio.run(main())
