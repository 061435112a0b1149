"""What a mail server answers, or does not answer, decides whether we may ever try again."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from records.errors import ChannelError
from serving.channels import Message, open_channels, reachable
from serving.channels.outbox import Outbox
from serving.channels.smtp import AFTER_DOT_SECONDS, Smtp
from serving.settings import SendingOptions

DROP, STALL = b"(the line goes dead)", b"(no answer)"
STEPS = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot")
FINE = {"greeting": b"220 hi", "EHLO": b"250 hi", "MAIL": b"250 ok", "RCPT": b"250 ok", "DATA": b"354 go on"}
FINE["dot"] = b"250 kept"


def message(**changed: object) -> Message:
    given: dict[str, object] = {
        "outreach_id": "O-1",
        "channel": "email",
        "to": "asha@example.invalid",
        "sender": "hello@saral.invalid",
        "text": "Hello Asha",
        "raw": b"Subject: Hi\r\n\r\nHello\r\n.a line with a dot\r\n..and two\r\nlast",
        "date": datetime(2026, 11, 19, tzinfo=UTC),
    }
    return Message(**(given | changed))  # type: ignore[arg-type]


class Server:
    """A mail server that says what the script tells it, on a port of its own."""

    def __init__(self, script: dict[str, bytes]) -> None:
        self.script = FINE | script
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        self.kept: list[bytes] = []
        self.connections = 0
        self.thread = Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            with line, line.makefile("rb") as reader:
                self._talk(line, reader)

    def _talk(self, line: socket.socket, reader: object) -> None:
        if not self._say(line, "greeting"):
            return
        for raw in reader:  # type: ignore[attr-defined]
            step = raw.split()[0].decode().upper()
            if step == "QUIT":
                return
            if not self._say(line, "MAIL" if step == "RSET" else step):
                return
            if step == "DATA" and self.script["DATA"].startswith(b"354"):
                content = b""
                for part in reader:  # type: ignore[attr-defined]
                    if part == b".\r\n":
                        break
                    content += part
                else:
                    return
                if self.script["dot"][:1] == b"2" or self.script["dot"] == DROP:
                    self.kept.append(content)
                if not self._say(line, "dot"):
                    return

    def _say(self, line: socket.socket, step: str) -> bool:
        answer = self.script[step]
        if answer == DROP:
            return False
        if answer == STALL:
            line.settimeout(3)
            with suppress(OSError):
                line.recv(1)
            return False
        line.sendall(answer + b"\r\n")
        return True


@contextmanager
def server(**script: bytes) -> Iterator[Server]:
    made = Server(script)
    yield made
    made.socket.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept() would keep it listening
    made.socket.close()


def client(port: int) -> Smtp:
    return Smtp(host="127.0.0.1", port=port, starttls=False, before_dot_seconds=1.0, after_dot_seconds=1.0)


REPLIES = [
    # step, answer, permanent, may the server have it?
    ("greeting", b"421 too busy", False, "no"),
    ("greeting", b"554 no service", False, "no"),
    ("greeting", DROP, False, "no"),
    ("greeting", STALL, False, "no"),
    ("EHLO", DROP, False, "no"),
    ("MAIL", b"421 shutting down", False, "no"),
    ("MAIL", b"451 later", False, "no"),
    ("MAIL", b"452 full", False, "no"),
    ("MAIL", b"550 you may not", True, "no"),
    ("MAIL", b"550 5.7.515 not authenticated", True, "no"),
    ("MAIL", DROP, False, "no"),
    ("MAIL", STALL, False, "no"),
    ("RCPT", b"421 shutting down", False, "no"),
    ("RCPT", b"450 greylisted", False, "no"),
    ("RCPT", b"451 4.7.1 try again", False, "no"),
    ("RCPT", b"452 too many", False, "no"),
    ("RCPT", b"550 no such person", True, "no"),
    ("RCPT", b"551 moved", True, "no"),
    ("RCPT", b"552 mailbox full", True, "no"),
    ("RCPT", b"553 bad name", True, "no"),
    ("RCPT", b"550-first line\r\n550 second line", True, "no"),
    ("RCPT", DROP, False, "no"),
    ("DATA", b"421 shutting down", False, "no"),
    ("DATA", b"451 later", False, "no"),
    ("DATA", b"554 no", True, "no"),
    ("DATA", DROP, False, "no"),
    ("DATA", STALL, False, "no"),
    ("dot", b"421 shutting down", False, "no"),
    ("dot", b"450 later", False, "no"),
    ("dot", b"451 4.7.1 later", False, "no"),
    ("dot", b"452 disk full", False, "no"),
    ("dot", b"550 5.7.1 spam", True, "no"),
    ("dot", b"552 too big", True, "no"),
    ("dot", b"554 5.6.0 no", True, "no"),
    ("dot", DROP, True, "unknown"),
    ("dot", STALL, True, "unknown"),
    ("dot", b"what?", True, "unknown"),
    ("dot", b"\xff\xfe\x00", True, "unknown"),
    ("dot", b"354 again", True, "unknown"),
    ("dot", b"100 well", True, "unknown"),
    ("dot", b"25", True, "unknown"),
    ("dot", b"", True, "unknown"),
]


def test_the_table_has_forty_answers() -> None:
    assert len(REPLIES) >= 40


@pytest.mark.parametrize(("step", "answer", "permanent", "sent"), REPLIES)
def test_every_answer_of_a_mail_server_has_its_meaning(step: str, answer: bytes, permanent: bool, sent: str) -> None:
    with server(**{step: answer}) as place, pytest.raises(ChannelError) as refused:
        client(place.port).deliver(message())

    assert (refused.value.permanent, refused.value.sent) == (permanent, sent)


@pytest.mark.parametrize("answer", [b"250 kept", b"250-kept\r\n250 as 12345", b"251 forwarded"])
def test_a_clear_yes_is_a_receipt(answer: bytes) -> None:
    with server(dot=answer) as place:
        ours = client(place.port)
        receipt = ours.deliver(message())
        ours.close()

    assert (receipt.provider, receipt.provider_id) == ("smtp:127.0.0.1", "O-1")


def test_lines_that_begin_with_a_dot_arrive_as_one_message() -> None:
    with server() as place:
        ours = client(place.port)
        ours.deliver(message())
        ours.close()

    assert place.kept == [b"Subject: Hi\r\n\r\nHello\r\n..a line with a dot\r\n...and two\r\nlast\r\n"]


def test_one_connection_serves_many_messages_and_a_refusal_opens_a_new_one() -> None:
    with server() as place:
        ours = client(place.port)
        ours.deliver(message())
        ours.deliver(message(outreach_id="O-2"))
        assert place.connections == 1
        place.script["RCPT"] = b"550 no"
        with pytest.raises(ChannelError):
            ours.deliver(message(outreach_id="O-3"))
        place.script["RCPT"] = b"250 ok"
        ours.deliver(message(outreach_id="O-4"))
        ours.close()
        assert place.connections == 2
        assert len(place.kept) == 3


def test_no_server_at_all_may_be_tried_again() -> None:
    with server() as place:
        port = place.port
    with pytest.raises(ChannelError, match="No connection to the mail server") as refused:
        client(port).deliver(message())
    assert (refused.value.permanent, refused.value.sent) == (False, "no")


def test_line_breaks_in_an_address_do_not_reach_the_server() -> None:
    with server() as place, pytest.raises(ChannelError, match="not an address"):
        client(place.port).deliver(message(to="a@example.invalid>\r\nRCPT TO:<b@example.invalid"))
    assert place.kept == []


def test_we_wait_ten_minutes_for_the_answer_after_the_dot() -> None:
    """A shorter wait makes duplicates (RFC 5321, 4.5.3.2.6)."""
    assert AFTER_DOT_SECONDS >= 600
    assert Smtp(host="mail.invalid").after_dot_seconds >= 600


# ── the outbox ────────────────────────────────────────────────────────────────────────────────────────────
def test_the_outbox_never_writes_a_message_twice(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.deliver(message())

    with pytest.raises(ChannelError, match="in the outbox already") as refused:
        outbox.deliver(message(raw=b"other words"))

    assert refused.value.sent == "unknown"
    assert (tmp_path / "email" / "O-1.eml").read_bytes() == message().raw


def test_of_twenty_at_once_one_writes(tmp_path: Path) -> None:
    def attempt(_: int) -> bool:
        try:
            Outbox(tmp_path).deliver(message())
        except ChannelError:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(20))) == 1
    assert [file.name for file in (tmp_path / "email").iterdir()] == ["O-1.eml"]


def test_a_chat_message_is_readable_by_the_web_app(tmp_path: Path) -> None:
    buttons = ({"label": "बिल देखें", "url": "https://saral.invalid/bill"},)
    receipt = Outbox(tmp_path).deliver(message(channel="whatsapp", text="नमस्ते", buttons=buttons, footer="STOP"))

    found = json.loads((tmp_path / receipt.provider_id).read_text())
    assert (found["text"], found["buttons"][0]["label"], found["footer"]) == ("नमस्ते", "बिल देखें", "STOP")


def test_a_folder_that_cannot_be_written_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "email").write_text("in the way")
    with pytest.raises(ChannelError, match="The outbox cannot be written") as refused:
        Outbox(tmp_path).deliver(message())
    assert (refused.value.permanent, refused.value.sent) == (False, "no")


# ── who gets which ────────────────────────────────────────────────────────────────────────────────────────
LIVE = SendingOptions(smtp_host="mail.saral.invalid")


def test_a_simulated_home_can_only_ever_get_the_outbox(tmp_path: Path) -> None:
    for options in (SendingOptions(), LIVE):
        found = open_channels(options, tmp_path, simulated=True)
        assert set(found) == {"email", "whatsapp", "sms"}
        assert all(isinstance(channel, Outbox) and not channel.live for channel in found.values())


def test_a_real_home_with_a_mail_server_writes_e_mail_only(tmp_path: Path) -> None:
    found = open_channels(LIVE, tmp_path, simulated=False)
    assert {name: channel.live for name, channel in found.items()} == {"email": True}
    assert reachable(LIVE, simulated=False) == ("email",)
    assert reachable(LIVE, simulated=True) == ("email", "whatsapp", "sms")


def test_without_a_mail_server_everything_stays_here(tmp_path: Path) -> None:
    assert not any(channel.live for channel in open_channels(SendingOptions(), tmp_path, simulated=False).values())


def test_the_mail_servers_password_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\n", encoding="utf-8")
    options = SendingOptions(smtp_host="127.0.0.1", smtp_user="pehle", smtp_password_file=file)
    channel = open_channels(options, tmp_path, simulated=False)["email"]
    assert isinstance(channel, Smtp)
    assert channel.password == "correct horse"
