"""The JSON of each event's `properties`, written for many rows at once. Only what a company's systems would know."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow

from records.simulation.company import PLANS, TOPICS, date_of
from records.simulation.draws import Array
from records.simulation.places import CITIES, LOCALITIES

pa: Any = pyarrow  # its stubs refuse arrays of places from numpy
PAGES = ("home", "product", "plans", "bill", "help", "cancel", "orders")
HOME_PAGE, PRODUCT_PAGE, PLANS_PAGE, BILL_PAGE, HELP_PAGE, CANCEL_PAGE, ORDERS_PAGE = range(7)
METHODS = ("upi", "card", "netbanking", "autopay")
FAIL_REASONS = ("card_expired", "insufficient_funds", "bank_down")
ABOUT = ("support", "delivery", "product")
SERVICES = ("network", "fiber")
LEAVE_REASONS = ("price", "service", "moving")

_COUPON = ', "coupon": true'
Columns = dict[str, Any]
_VISITS = [f'{{"page": "{page}"}}' for page in PAGES] + [
    f'{{"page": "help", "help_topic": "{topic}"}}' for topic in TOPICS
]
_AREAS = [f"{city[0]} {'NSEW'[k]}" for city in CITIES for k in range(LOCALITIES)]


def _pick(choices: list[str], codes: Array) -> Any:
    return pa.array(choices, pa.string()).take(pa.array(codes))


def _rows(*columns: Array) -> Any:
    return zip(*(c.tolist() for c in columns), strict=True)


def page_code(page: Array, topic: Array) -> Array:
    """One number for a page and, on a help page, its topic (−1: none)."""
    return np.where((page == HELP_PAGE) & (topic >= 0), len(PAGES) + topic, page)


def _nothing(c: Columns) -> Any:
    return _pick(["{}"], np.zeros(len(c["who"]), dtype=np.int64))


def _session(c: Columns) -> Any:
    return _pick([f'{{"minutes": {m}}}' for m in range(121)], np.minimum(c["minutes"], 120))


def _page(c: Columns) -> Any:
    return _pick(_VISITS, c["page"])


def _order(c: Columns) -> Any:
    return pa.array(
        [
            f'{{"order_id": "O-{i:07d}-{k}", "items": 1{_COUPON if used else ""}}}'
            for i, k, used in _rows(c["index"], c["number"], c["coupon"])
        ]
    )


def _delivered(c: Columns) -> Any:
    return pa.array(
        [
            f'{{"order_id": "O-{i:07d}-{k}", "promised_at": "{date_of(promised)}T18:00:00Z", "days_late": {late}}}'
            for i, k, promised, late in _rows(c["index"], c["number"], c["promised"], c["days_late"])
        ]
    )


def _missing(c: Columns) -> Any:
    return pa.array([f'{{"order_id": "O-{i:07d}-{k}"}}' for i, k in _rows(c["index"], c["number"])])


def _rupees(paise: int) -> str:
    """Paise as a JSON number of rupees."""
    return f"{paise / 100:.2f}"


def _bill(c: Columns) -> Any:
    out = []
    for i, day, before, plan, rent, extra, off, tax in _rows(
        c["index"], c["day"], c["before"], c["line_plan"], c["line_rent"], c["line_extra"], c["line_off"], c["line_tax"]
    ):
        month, due = date_of(day).isoformat()[:7], date_of(day + 10)
        lines = f'["Plan", {_rupees(plan)}]'
        if rent:
            lines += f', ["Router rent", {_rupees(rent)}]'
        if extra:
            lines += f', ["Extra data and calls", {_rupees(extra)}]'
        if off:
            lines += f', ["Welcome discount", {_rupees(-off)}]'
        previous = _rupees(before) if before else "null"
        out.append(
            f'{{"bill_id": "B-{i:07d}-{month}", "previous_amount": {previous}, "due_at": "{due}T18:00:00Z", '
            f'"month": "{month}", "lines": [{lines}, ["GST 18%", {_rupees(tax)}]]}}'
        )
    return pa.array(out)


def _paid(c: Columns) -> Any:
    return pa.array(
        [
            f'{{"bill_id": "B-{i:07d}-{date_of(day).isoformat()[:7]}", "method": "{METHODS[m]}"}}'
            for i, day, m in _rows(c["index"], c["billed"], c["method"])
        ]
    )


def _failed(c: Columns) -> Any:
    return pa.array(
        [
            f'{{"bill_id": "B-{i:07d}-{date_of(day).isoformat()[:7]}", "reason": "{FAIL_REASONS[r]}"}}'
            for i, day, r in _rows(c["index"], c["billed"], c["reason"])
        ]
    )


def _plan_changed(c: Columns) -> Any:
    return _pick([f'{{"from_plan": "{plan}"}}' for plan in PLANS], c["from_plan"])


def _left(c: Columns) -> Any:
    return _pick(["{}", *(f'{{"reason": "{reason}"}}' for reason in LEAVE_REASONS)], c["reason"] + 1)


def _ticket(c: Columns) -> Any:
    return pa.array(
        [
            f'{{"ticket_id": "T-{i:07d}-{k}", "severity": {s}}}'
            for i, k, s in _rows(c["index"], c["number"], c["severity"])
        ]
    )


def _solved(c: Columns) -> Any:
    return pa.array(
        [f'{{"ticket_id": "T-{i:07d}-{k}", "hours": {h}}}' for i, k, h in _rows(c["index"], c["number"], c["hours"])]
    )


def _rating(c: Columns) -> Any:
    return pa.array(
        [
            f'{{"about": "support", "ticket_id": "T-{i:07d}-{k}"}}' if about == 0 else f'{{"about": "{ABOUT[about]}"}}'
            for i, k, about in _rows(c["index"], c["number"], c["about"])
        ]
    )


def _incident(c: Columns) -> Any:
    services = [f'{{"incident_id": "{c["incident_id"][0]}", "area": "{area}", "service": ' for area in _AREAS]
    if len(set(c["incident_id"])) == 1:
        ends = [f'{head}"{service}"}}' for head in services for service in SERVICES]
        return _pick(ends, c["area"] * len(SERVICES) + c["service"])
    return pa.array(
        [
            f'{{"incident_id": "{which}", "area": "{_AREAS[a]}", "service": "{SERVICES[s]}"}}'
            for which, (a, s) in zip(c["incident_id"], _rows(c["area"], c["service"]), strict=True)
        ]
    )


def _message(c: Columns) -> Any:
    return pa.array(
        [
            f'{{"outreach_id": {json.dumps(o)}, "play": "{p}", "machine": {"true" if m else "false"}}}'
            for o, p, m in zip(c["outreach_id"], c["play"], c["machine"].tolist(), strict=True)
        ]
    )


PROPERTIES: dict[str, Callable[[Columns], Any]] = {
    "subscription_started": _nothing, "product_restocked": _nothing, "wishlist_added": _nothing,
    "social_mention": _nothing, "session_started": _session, "page_viewed": _page, "order_completed": _order,
    "order_delivered": _delivered, "item_missing": _missing, "bill_issued": _bill, "payment_completed": _paid,
    "payment_failed": _failed, "plan_changed": _plan_changed, "subscription_cancelled": _left,
    "support_ticket_opened": _ticket, "support_ticket_solved": _solved, "rating_given": _rating,
    "incident_declared": _incident, "incident_resolved": _incident, "message_sent": _message,
    "message_delivered": _message, "message_opened": _message, "message_clicked": _message,
    "message_replied": _message, "message_unsubscribed": _message,
}  # fmt: skip
