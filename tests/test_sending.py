"""What was approved goes out, at most once; the last check is at the send; nobody vanishes when a sender dies."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import small_company
import sudden_death
from small_company import EVENING, MORNING, SmallCompany, customer_id, event, table
from sqlalchemy import Engine, select, update

from records.browsing import history
from records.database import connect, migrate, set_state
from records.errors import ChannelError, SettingError, StaleData, StateError
from records.events import EventLog
from records.inbox import move_inbox, post_event
from records.outreach import State
from records.paging import Filter
from records.people import Customer, record_consent, record_consents, save_customers, suppress
from records.tables import event_inbox, outreach, provider_messages
from serving.channels import Message, Receipt
from serving.delivery import SendReport
from serving.review import approve
from serving.senders import present
from serving.sending import send_due

LIST = Filter(list_id="L-0001")


@pytest.fixture
def company(engine: Engine, tmp_path: Path) -> SmallCompany:
    return ready(small_company.make(engine, tmp_path))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_company.prepare(tmp_path_factory.mktemp("prepared"), ready)


@pytest.fixture
def small(prepared: Path, tmp_path: Path) -> Iterator[SmallCompany]:
    """The same on SQLite only, for what does not depend on the database."""
    made = small_company.copy_of(prepared, tmp_path)
    yield made
    made.engine.dispose()


def ready(company: SmallCompany) -> SmallCompany:
    """Planned and approved, all five."""
    company.plan()
    approve(company.engine, LIST, "Meera", MORNING, expected=5)
    return company


def send(company: SmallCompany, now: datetime = EVENING, owner: str = "sender", **more: Any) -> SendReport:
    channels = more.pop("channels", None) or company.channels()
    return send_due(company.engine, company.log, company.settings, channels, now, owner, **more)


def of(company: SmallCompany, who: str) -> Any:
    with company.engine.connect() as connection:
        return connection.execute(select(outreach).where(outreach.c.customer_id == customer_id(who))).one()


# ── the ordinary evening ──────────────────────────────────────────────────────────────────────────────────
def test_what_was_approved_goes_out_once_and_comes_back_as_events(company: SmallCompany) -> None:
    report = send(company)

    assert (report.sent, report.refused, report.unknown, report.skipped) == (5, 0, 0, Counter())
    assert len(company.outbox()) == 5
    row = of(company, "asha")
    assert (row.state, row.sent_at, row.fenced_at) == (State.SENT, EVENING, EVENING)
    with company.engine.connect() as connection:
        steps = [move["to_state"] for move in history(connection, row.outreach_id)]
        assert steps == ["planned", "approved", "claimed", "fenced", "sent"]
        found = connection.execute(select(provider_messages).where(provider_messages.c.outreach_id == row.outreach_id))
        assert found.one().provider == "outbox"
    assert move_inbox(company.engine, company.log) == 5
    events = company.log.for_customer(customer_id("asha")).to_pylist()
    assert (events[-1]["name"], events[-1]["channel"]) == ("message_sent", "whatsapp")
    assert row.outreach_id in events[-1]["properties"]

    assert send(company).sent == 0


def test_nothing_goes_out_before_its_time(small: SmallCompany) -> None:
    nine = datetime(2026, 11, 19, 3, 30, tzinfo=UTC)

    assert send(small, now=nine - timedelta(seconds=1)).sent == 0
    assert send(small, now=nine).sent == 1
    assert of(small, "bala").state == State.SENT


def test_only_so_many_go_out_in_a_minute(small: SmallCompany) -> None:
    sending = small.settings.sending.model_copy(update={"max_per_minute": 2})
    small.settings = small.settings.model_copy(update={"sending": sending})

    assert send(small).sent == 2
    assert send(small).sent == 0
    assert send(small, now=EVENING + timedelta(minutes=1)).sent == 2


# ── the last check ────────────────────────────────────────────────────────────────────────────────────────
Change = Callable[[SmallCompany], object]


def happened(who: str, name: str, properties: dict[str, Any] | None = None, **columns: Any) -> Change:
    """A live event of this afternoon, in the inbox only."""

    def change(company: SmallCompany) -> object:
        one = event(who, name, -10, properties, **columns)
        return post_event(company.engine, {**one, "event_id": f"live-{who}-{name}"}, EVENING - timedelta(hours=1))

    return change


def altered(who: str, **values: Any) -> Change:
    """The row was changed behind our back."""

    def change(company: SmallCompany) -> object:
        with company.engine.begin() as connection:
            return connection.execute(
                update(outreach).where(outreach.c.customer_id == customer_id(who)).values(**values)
            )

    return change


def withdrawn(who: str, channel: str) -> Change:
    return lambda company: record_consent(
        company.engine, customer_id(who), channel, "service", False, EVENING - timedelta(minutes=1), "test"
    )


CHANGES: list[tuple[str, str, Change, str]] = [
    ("paid since", "bala", happened("bala", "payment_completed", {"bill_id": "B-bala"}), "not_true_any_more"),
    ("another bill paid", "bala", happened("bala", "payment_completed", {"bill_id": "B-other"}), ""),
    (
        "asked for help since",
        "asha",
        happened("asha", "support_ticket_opened", {"ticket_id": "T-1"}, topic="returns"),
        "open_complaint",
    ),
    ("left since", "chitra", happened("chitra", "subscription_cancelled"), "left"),
    (
        "escalated and solved since",
        "dev",
        lambda company: [
            happened("dev", "support_ticket_opened", {"ticket_id": "T-5", "severity": 3}, topic="billing")(company),
            happened("dev", "support_ticket_solved", {"ticket_id": "T-5"}, topic="billing")(company),
        ],
        "just_escalated",
    ),
    ("changed the plan since", "hari", happened("hari", "plan_changed", product="mobile_199"), "not_true_any_more"),
    ("consent withdrawn", "asha", withdrawn("asha", "whatsapp"), "no_consent"),
    ("consent to another channel withdrawn", "asha", withdrawn("asha", "email"), ""),
    (
        "asked us not to write",
        "asha",
        lambda company: suppress(company.engine, customer_id("asha"), "called", EVENING),
        "do_not_contact",
    ),
    ("put into the comparison group", "dev", altered("dev", arm="holdout"), "held_out"),
    ("its time passed", "asha", altered("asha", expires_at=EVENING), "expired"),
    ("the words changed", "asha", altered("asha", message_version="0" * 64), "words_changed"),
    ("another address", "asha", altered("asha", address="+910000000000"), "words_changed"),
    ("another amount", "bala", altered("bala", variables={"amount": "₹1"}), "words_changed"),
    ("another approval", "asha", altered("asha", approval_hash="0" * 64), "words_changed"),
    ("another channel", "asha", altered("asha", channel="email"), "words_changed"),
    ("an offer called a service message", "hari", altered("hari", purpose="service"), "words_changed"),
    ("another play", "asha", altered("asha", play="payment_help"), "words_changed"),
    ("nobody approved it", "asha", altered("asha", approved_by=None), "not_approved"),
    ("a play that is gone", "asha", altered("asha", play="of_last_year"), "no_play"),
    ("variables that are none", "asha", altered("asha", variables=[1]), "no_words"),
]


@pytest.mark.parametrize(("what", "who", "change", "reason"), CHANGES, ids=[change[0] for change in CHANGES])
def test_the_last_check_is_at_the_send(small: SmallCompany, what: str, who: str, change: Change, reason: str) -> None:
    change(small)

    report = send(small)

    state = of(small, who).state
    if reason == "held_out":  # is not even taken up
        assert (state, report.sent) == (State.APPROVED, 4)
    elif reason:
        assert report.skipped == Counter({reason: 1})
        assert state == (State.EXPIRED if reason == "expired" else State.CANCELLED)
        assert of(small, who).reason
        assert report.sent == 4
    else:
        assert (state, report.sent) == (State.SENT, 5)


def test_what_happens_between_the_look_and_the_fence_is_seen(company: SmallCompany) -> None:
    """Bala pays while the sender is already busy with him."""
    paid = happened("bala", "payment_completed", {"bill_id": "B-bala"})

    def step(name: str, outreach_id: str) -> None:
        if name == "before fence" and outreach_id == of(company, "bala").outreach_id:
            paid(company)

    report = send(company, step=step)

    assert of(company, "bala").state == State.CANCELLED
    assert report.skipped == Counter({"not_true_any_more": 1})
    assert report.sent == 4


def test_also_if_the_event_has_moved_on_to_the_log_meanwhile(company: SmallCompany) -> None:
    def step(name: str, outreach_id: str) -> None:
        if name == "before fence" and outreach_id == of(company, "bala").outreach_id:
            happened("bala", "payment_completed", {"bill_id": "B-bala"})(company)
            move_inbox(company.engine, company.log)

    send(company, step=step)

    assert of(company, "bala").state == State.CANCELLED


def test_a_stop_between_the_claim_and_the_fence_is_obeyed(company: SmallCompany) -> None:
    from serving.feedback import stop

    def step(name: str, outreach_id: str) -> None:
        if name == "before fence" and outreach_id == of(company, "hari").outreach_id:
            stop(company.engine, customer_id("hari"), EVENING, "test")

    send(company, step=step)

    assert of(company, "hari").state == State.CANCELLED
    assert of(company, "hari").reason == "asked us not to write"


def test_in_quiet_hours_a_message_waits_for_the_morning_or_expires(small: SmallCompany) -> None:
    night = datetime(2026, 11, 19, 15, 30, tzinfo=UTC)  # 21:00 in India

    report = send(small, now=night)

    assert (report.sent, report.later) == (0, 5)
    assert of(small, "asha").send_at == datetime(2026, 11, 20, 3, 30, tzinfo=UTC)
    assert of(small, "asha").state == State.QUEUED


def test_nobody_hears_twice_in_the_cool_down_even_from_two_lists(small: SmallCompany) -> None:
    """A second row for Asha, approved like the first, comes due while the first is an hour old."""
    send(small)
    with small.engine.begin() as connection:
        first = (
            connection.execute(select(outreach).where(outreach.c.customer_id == customer_id("asha"))).mappings().one()
        )
        second = {**first, "outreach_id": "O-900", "trigger_key": "another", "state": "approved", "owner": None}
        connection.execute(outreach.insert().values(**{**second, "fenced_at": None, "sent_at": None}))

    report = send(small, now=EVENING + timedelta(minutes=30))

    assert report.skipped == Counter({"not_true_any_more": 1}) or report.skipped == Counter({"heard_from_us": 1})
    assert len(small.outbox()) == 5


def test_the_budget_is_asked_once_more(small: SmallCompany) -> None:
    small.settings = small_company.settings(budget_minor=30)

    report = send(small)

    assert report.sent == 2
    assert report.skipped == Counter({"over_budget": 3})


def test_an_old_log_stops_the_sender(small: SmallCompany) -> None:
    with pytest.raises(StaleData):
        send(small, now=EVENING + timedelta(days=4))
    assert small.outbox() == []


def test_a_simulated_home_cannot_reach_a_real_person(small: SmallCompany) -> None:
    from serving.channels.smtp import Smtp

    set_state(small.engine, "kind", "simulated")
    with pytest.raises(SettingError, match="This home is simulated"):
        send(small, channels={"email": Smtp(host="mail.invalid")})
    assert of(small, "asha").state == State.APPROVED


def test_a_channel_nobody_configured_is_said(small: SmallCompany) -> None:
    report = send(small, channels={"email": small.channels()["email"]})

    assert report.skipped == Counter({"no_channel": 5})


# ── what providers answer ─────────────────────────────────────────────────────────────────────────────────
class Says:
    """A provider that always answers the same."""

    live = False

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0

    def deliver(self, message: Message) -> Receipt:
        self.asked += 1
        raise self.error

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ChannelError("no such number", permanent=True), State.REFUSED),
        (ChannelError("no answer after the dot", permanent=True, sent="unknown"), State.UNKNOWN),
        (ChannelError("no answer", permanent=False, sent="unknown"), State.UNKNOWN),
        (RuntimeError("a mistake in the channel"), State.UNKNOWN),
        (ChannelError("busy", permanent=False), State.QUEUED),
    ],
)
def test_a_refusal_ends_a_doubt_is_shown_and_busy_is_tried_again(
    small: SmallCompany, error: Exception, state: State
) -> None:
    channel = Says(error)
    send(small, channels={"whatsapp": channel})

    row = of(small, "asha")
    assert (row.state, channel.asked) == (state, 5)
    assert row.reason
    later = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
    small.log.append(table([event("indu", "session_started", -24)]))
    send(small, now=later, channels={"whatsapp": channel})
    assert channel.asked == (5 if state != State.QUEUED else 10)


def test_busy_five_times_is_a_refusal(small: SmallCompany) -> None:
    channel = Says(ChannelError("busy", permanent=False))
    with small.engine.begin() as connection:
        connection.execute(update(outreach).values(expires_at=EVENING + timedelta(days=2)))
    small.settings = small_company.settings(quiet_from=clock(23), quiet_until=clock(1))
    now = EVENING
    for _ in range(5):
        send(small, now=now, channels={"whatsapp": channel})
        now = max(of(small, "asha").send_at, now)

    assert of(small, "asha").state == State.REFUSED
    assert channel.asked == 25


def test_one_poisoned_row_does_not_stop_the_others(small: SmallCompany) -> None:
    """A name that may not be printed; its hash is right, the renderer refuses."""
    from serving.rendering import approval_hash

    row = of(small, "asha")
    bad = {**row.variables, "product": "http://evil.example/"}
    bound = approval_hash(
        address_hash=row.address_hash,
        message_version=row.message_version,
        renderer_version=row.renderer_version,
        language=row.language,
        channel=row.channel,
        variables=bad,
    )
    altered("asha", variables=bad, approval_hash=bound)(small)

    report = send(small)

    assert (report.sent, report.skipped) == (4, Counter({"no_words": 1}))
    assert of(small, "asha").state == State.CANCELLED


# ── senders that die ──────────────────────────────────────────────────────────────────────────────────────
def test_two_senders_of_one_name_are_refused(small: SmallCompany) -> None:
    with (
        present(small.log.data, "sender"),
        pytest.raises(StateError, match="A sender called sender is at work already"),
    ):
        send(small)


def test_rows_of_a_living_sender_are_not_touched(small: SmallCompany) -> None:
    """It was stopped for an hour, perhaps; its lock says that it lives."""
    altered("asha", state="fenced", owner="peer", fenced_at=EVENING)(small)
    altered("dev", state="claimed", owner="peer")(small)

    with present(small.log.data, "peer"):
        send(small, owner="other")
        assert (of(small, "asha").state, of(small, "dev").state) == (State.FENCED, State.CLAIMED)

    report = send(small, owner="other")
    assert (of(small, "asha").state, report.unknown) == (State.UNKNOWN, 1)
    assert of(small, "dev").state == State.SENT


def many(folder: Path, url: str, people: int, channel: str) -> None:
    """A company where so many payments failed, planned and approved, all to be written to on one channel."""
    engine = connect(url)
    migrate(engine)
    log = EventLog(folder / "data")
    set_state(engine, "holdout_salt", "salt-1")
    ids = [f"C-{number:05d}" for number in range(people)]
    log.append(
        table([
            event(one, "payment_failed", 5, {"bill_id": f"B-{one}", "reason": "bank_down"}, amount=Decimal(499))
            for one in ids
        ])
    )  # fmt: skip
    save_customers(
        engine,
        [
            Customer(customer_id=one, name="Asha", email=f"{one.lower()}@example.invalid", phone=f"+91{one[2:]}")
            for one in ids
        ],
        MORNING,
    )
    record_consents(
        engine,
        [
            {
                "customer_id": one,
                "channel": channel,
                "purpose": "service",
                "granted": True,
                "at": MORNING,
                "source": "t",
            }
            for one in ids
        ],
    )
    made = SmallCompany(engine=engine, log=log, settings=small_company.settings(), folder=folder)
    planned = made.plan().planned
    assert planned == people
    approve(engine, LIST, "Meera", MORNING, expected=people)
    engine.dispose()


def deaths(folder: Path, url: str, port: int, kills: int, seed: int) -> int:
    """Start senders, two at a time, and see them die; half at a named step, half at a random moment."""
    chance = random.Random(seed)
    died = 0
    running: list[BaseProcess] = []
    for number in range(kills):
        named = number % 2 == 0
        step = sudden_death.STEPS[(number // 2) % len(sudden_death.STEPS)] if named else ""
        count = chance.randint(1, 2)
        process = sudden_death.start(url, folder, f"sender-{number}", port=port, step=step, count=count, limit=2)
        running.append(process)
        if not named:
            time.sleep(chance.uniform(0.02, 0.4))
            process.kill()
        if len(running) == 2 or number == kills - 1:
            for one in running:
                one.join(60)
                died += one.exitcode == -9
            running = []
    last = sudden_death.start(url, folder, "the-last", port=port)
    last.join(120)
    assert last.exitcode == 0
    return died


def judge(folder: Path, url: str, arrived: list[str], died: int) -> Counter[str]:
    """Nobody twice, nobody lost, nothing called sent that did not arrive, no more doubts than deaths."""
    engine = connect(url)
    with engine.connect() as connection:
        states = {
            row.outreach_id: row.state for row in connection.execute(select(outreach.c.outreach_id, outreach.c.state))
        }
        posted = connection.execute(select(event_inbox.c.event_id)).scalars().all()
    engine.dispose()
    attempts = Counter((folder / "attempts").read_text().split())
    count = Counter(states.values())
    assert max(attempts.values()) == 1, "a message was handed over twice"
    assert max(Counter(arrived).values()) == 1, "a message arrived twice"
    assert set(count) <= {State.SENT, State.UNKNOWN}, "a message vanished"
    assert {one for one, state in states.items() if state == State.SENT} <= set(arrived)
    assert count[State.UNKNOWN] <= died
    assert len(posted) == count[State.SENT]
    return count


def test_senders_killed_at_every_step_send_nothing_twice_and_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'pehle.db'}"
    many(tmp_path, url, 60, "whatsapp")

    died = deaths(tmp_path, url, port=0, kills=28, seed=1)

    arrived = [file.stem for file in (tmp_path / "outbox" / "whatsapp").glob("O-*.json")]
    judge(tmp_path, url, arrived, died)
    assert died >= 14  # every other one at a named step, and some of the others


def test_killed_senders_and_a_real_mail_server_send_nothing_twice_and_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'pehle.db'}"
    many(tmp_path, url, 50, "email")
    # Some messages are refused for now, some connections break after the message was kept.
    answers = {7: "451 later", 15: "250 drop", 23: "250 drop", 31: "451 later"}
    here = sudden_death.context()
    port = here.Queue()
    server = here.Process(target=sudden_death.serve_mail, args=(str(tmp_path / "sink"), answers, port), daemon=True)
    server.start()
    try:
        died = deaths(tmp_path, url, port=port.get(timeout=60), kills=20, seed=2)
        arrived = (tmp_path / "sink").read_text().split()
    finally:
        server.kill()
        server.join()

    count = states_of(url)
    assert max(Counter(arrived).values()) == 1
    assert set(count) <= {State.SENT, State.UNKNOWN, State.QUEUED}
    assert count[State.QUEUED] <= 2  # those refused for now wait for their next turn
    assert count[State.UNKNOWN] <= died + 2
    assert count[State.SENT] <= len(arrived) <= count[State.SENT] + count[State.UNKNOWN]
    assert died >= 10


def states_of(url: str) -> Counter[str]:
    engine = connect(url)
    with engine.connect() as connection:
        found = Counter(connection.execute(select(outreach.c.state)).scalars())
    engine.dispose()
    return found


def test_four_senders_at_once_share_the_work(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'pehle.db'}"
    many(tmp_path, url, 150, "whatsapp")

    senders = [sudden_death.start(url, tmp_path, f"sender-{number}") for number in range(4)]
    for sender in senders:
        sender.join(120)

    arrived = [file.stem for file in (tmp_path / "outbox" / "whatsapp").glob("O-*.json")]
    count = judge(tmp_path, url, arrived, died=0)
    assert count[State.SENT] == 150
