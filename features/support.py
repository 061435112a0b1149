"""Support: how often did they need help, with how serious a problem, and was it solved?"""

from __future__ import annotations

from functools import partial
from typing import Any

from features.payments import rose_by_a_tenth
from features.phrases import count_compared, ever, in_window, plain, since, tickets_open
from features.signal import Measure, Signal, change, column, days_since, decayed, per, per_30_days, ratio
from features.things import INCIDENT, SEVERE_TICKET, TICKET

OPENED = ("support_ticket_opened",)
SOLVED = ("support_ticket_solved",)
INCIDENTS = ("incident_declared",)
MISHAPS = (*OPENED, *INCIDENTS, "payment_failed", "item_missing", "order_delivered", "bill_issued")


def went_wrong(t: Any) -> Any:
    """A ticket, an outage, a failed payment, a missing item, a late delivery, or a bill a tenth above the last."""
    by_itself = ~t.name.isin(("order_delivered", "bill_issued"))
    return by_itself | (t.days_late >= 1) | rose_by_a_tenth(t).fill_null(False)


MEASURES: tuple[Measure, ...] = (
    Measure(name="tickets", events=OPENED),
    Measure(name="ticket_days", events=OPENED, day_of="tickets"),
    Measure(name="severe_tickets", events=OPENED, where=lambda t: t.severity >= 3),
    Measure(name="graded_tickets", events=OPENED, where=lambda t: t.severity >= 1),
    Measure(name="severities", events=OPENED, where=lambda t: t.severity >= 1, amount=lambda t: t.severity),
    Measure(name="phone_tickets", events=OPENED, where=lambda t: t.channel == "phone"),
    Measure(name="incidents", events=INCIDENTS),
    Measure(name="mishaps", events=MISHAPS, where=went_wrong),
    Measure(name="mishap_days", events=MISHAPS, day_of="mishaps"),
)

_ticket = partial(Signal, family="support", needs=OPENED, unit="tickets", no_data="0")


def signals() -> tuple[Signal, ...]:
    """Which signals describe support?"""
    return (*_contacts(), *_solving(), *_incidents(), *_mishaps())


def _contacts() -> list[Signal]:
    return [
        *(
            _ticket(
                name=f"tickets_{window}d",
                question=f"How many support tickets in the last {window} days?",
                group="ticket_level",
                value=column(f"tickets_{window}"),
                say=in_window(TICKET, window),
            )
            for window in (14, 30, 60, 90, 180, 365)
        ),
        _ticket(
            name="tickets_ever",
            question="How many support tickets so far?",
            group="ticket_level",
            value=column("tickets_all"),
            say=ever(TICKET),
        ),
        *(
            _ticket(
                name=f"ticket_days_decayed_{half_life}d",
                unit="days",
                group="ticket_level",
                question=f"How many ticket days, each counting half for every {half_life} days of age?",
                value=decayed("ticket_days", half_life),
            )
            for half_life in (30, 90)
        ),
        _ticket(
            name="tickets_per_30d_of_tenure",
            question="How many support tickets per 30 days that we have known them, over the last 90?",
            unit="tickets per 30 days",
            group="ticket_level",
            value=per_30_days("tickets_90"),
        ),
        _ticket(
            name="tickets_change_30d",
            question="How many more tickets in 30 days than in the 30 before?",
            group="ticket_trend",
            value=change("tickets", 30),
            say=count_compared(TICKET, 30, "tickets_30d"),
        ),
        _ticket(
            name="days_since_last_ticket",
            question="How long ago was the last support ticket?",
            unit="days",
            no_data="null: never",
            group="ticket_recency",
            value=days_since("tickets_last"),
            say=since(TICKET),
        ),
        _ticket(
            name="severe_tickets_90d",
            question="How many tickets of the highest severity in 90 days?",
            group="severity",
            value=column("severe_tickets_90"),
            say=in_window(SEVERE_TICKET, 90),
        ),
        _ticket(
            name="mean_severity_180d",
            question="How severe were the tickets of 180 days that say so, from 1 to 3?",
            unit="severity",
            no_data="null: no ticket that says so",
            group="severity",
            value=per("severities_180", "graded_tickets_180"),
        ),
        _ticket(
            name="phone_share_of_tickets_365d",
            question="What share of the tickets of 365 days came by phone?",
            unit="share",
            no_data="null: no ticket",
            group="ticket_channel",
            value=per("phone_tickets_365", "tickets_365"),
        ),
        _ticket(
            name="repeats_of_one_topic_90d",
            question="How many tickets of 90 days had the most frequent topic?",
            group="ticket_repeat",
            value=column("ticket_repeats"),
            say=lambda value, row: (
                plain("{n} tickets on one topic in 90 days", "90 दिन में एक ही बात पर {n} टिकट")(value, row)
                if value >= 2
                else None
            ),
        ),
        _ticket(
            name="ticket_topics_90d",
            question="How many different topics had the tickets of 90 days?",
            unit="topics",
            group="ticket_repeat",
            value=column("ticket_topics"),
        ),
    ]


def _solving() -> list[Signal]:
    solved = partial(_ticket, needs=SOLVED)
    return [
        solved(
            name="tickets_open",
            question="How many tickets are open now?",
            group="open_ticket",
            value=column("tickets_open"),
            say=tickets_open(),
        ),
        solved(
            name="days_oldest_open_ticket",
            question="For how long has the oldest open ticket been open?",
            unit="days",
            no_data="null: none open",
            group="open_ticket",
            value=days_since("ticket_open_since"),
            say=plain("A ticket has been open for {d} days", "{d} दिन से एक टिकट खुला है"),
        ),
        solved(
            name="mean_hours_to_solve_365d",
            question="How many hours did their tickets of 365 days take to solve?",
            unit="hours",
            no_data="null: none solved",
            group="solving_time",
            value=lambda t: ratio(t.ticket_solving_us, t.tickets_solved) / 3_600_000_000.0,
            say=plain("Tickets took {n} hours to solve on average", "टिकट सुलझने में औसतन {n} घंटे"),
        ),
        solved(
            name="longest_hours_to_solve_365d",
            question="How many hours did the slowest ticket of 365 days take?",
            unit="hours",
            no_data="null: none solved",
            group="solving_time",
            value=lambda t: t.ticket_slowest_us.cast("float64") / 3_600_000_000.0,
            say=plain("Slowest ticket took {n} hours", "एक टिकट सुलझने में {n} घंटे लगे"),
        ),
    ]


def _incidents() -> list[Signal]:
    incident = partial(Signal, family="support", needs=INCIDENTS, group="incident")
    return [
        *(
            incident(
                name=f"incidents_{window}d",
                question=f"How many outages hit their area in {window} days?",
                unit="incidents",
                no_data="0",
                value=column(f"incidents_{window}"),
                say=in_window(INCIDENT, window),
            )
            for window in (30, 90)
        ),
        incident(
            name="days_since_incident",
            question="How long ago was the last outage in their area?",
            unit="days",
            no_data="null: never",
            value=days_since("incidents_last"),
            say=plain("Outage in their area {d} days ago", "{d} दिन पहले इलाक़े में सेवा बंद हुई"),
        ),
    ]


def _mishaps() -> list[Signal]:
    # Each kind is rare, and together they say how the last months went: a few thousand rows cannot learn the sum.
    mishap = partial(Signal, family="support", needs=MISHAPS, unit="days", group="mishaps")
    what = "go wrong (ticket, outage, failed payment, late or missing item, bill up by a tenth)"
    return [
        *(
            mishap(
                name=f"mishap_days_decayed_{half_life}d",
                question=f"On how many days, each counting half for every {half_life} days, did something {what}?",
                no_data="0",
                value=decayed("mishap_days", half_life),
            )
            for half_life in (30, 90)
        ),
        mishap(
            name="days_since_mishap",
            question=f"How long ago did something last {what}?",
            no_data="null: never",
            value=days_since("mishaps_last"),
            say=plain(
                "Ticket, outage, bill or delivery trouble {d} days ago",
                "{d} दिन पहले टिकट, बंद सेवा, बिल या डिलीवरी की दिक़्क़त",
            ),
        ),
    ]
