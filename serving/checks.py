"""What was checked before this message was planned, and what will be checked again at the send, in words?"""

from __future__ import annotations

from typing import Any

from serving.decisions import Chosen
from serving.settings import Settings

_CHANNEL = {"email": ("e-mail", "ई-मेल"), "whatsapp": ("WhatsApp", "WhatsApp"), "sms": ("SMS", "SMS")}
_PURPOSE = {"service": ("service messages", "सर्विस के मैसेज"), "promotional": ("offers", "ऑफ़र")}


def checks_of(one: Chosen, settings: Settings) -> list[dict[str, Any]]:
    """Each check as {"en", "hi", "when", "detail"}; `when` is "planned" (done) or "send" (done again then)."""
    channel, purpose = _CHANNEL[one.channel], _PURPOSE[one.play.purpose]
    quiet_until, quiet_from = settings.planning.quiet_until, settings.planning.quiet_from
    hours = f"{quiet_until:%H:%M}", f"{quiet_from:%H:%M}"
    place = one.customer.city or ""
    found = [
        _check(f"Agreed to {channel[0]} for {purpose[0]}", f"{channel[1]} पर {purpose[1]} की सहमति दी है", "planned"),
        _check("Not on the do-not-contact list", "“मैसेज न भेजें” वाली सूची में नहीं", "planned"),
        _last_message(one),
        _check("Every fact in the text found in the data", "मैसेज की हर बात डेटा में मिली", "planned"),
        _check("Still agreed, still true", "सहमति और मैसेज की बात तब भी सही", "send"),
        _check(
            f"Between {hours[0]} and {hours[1]}" + (f" in {place}" if place else ""),
            (f"{place} में " if place else "") + f"{hours[0]} और {hours[1]} के बीच",
            "send",
        ),
    ]
    if not one.play.even_with_open_ticket:
        found.insert(4, _check("No complaint open", "कोई शिकायत खुली नहीं", "send"))
    return found


def _last_message(one: Chosen) -> dict[str, Any]:
    last, limit = one.person.last_message_at, one.play.cool_down_days
    if last is None:
        return _check("Has not heard from us yet", "अब तक हमारा कोई मैसेज नहीं गया", "planned")
    days = max(0, (one.send_at - last).days)
    if not limit:
        return _check(
            f"Last message from us {_days(days)} before; this one may follow at any time",
            f"पिछला मैसेज {days} दिन पहले गया; यह कभी भी जा सकता है",
            "planned",
        )
    return _check(
        f"Last message from us {_days(days)} before; {_days(limit)} {'is' if limit == 1 else 'are'} enough",
        f"पिछला मैसेज {days} दिन पहले गया; नियम {limit} दिन का है",
        "planned",
    )


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _check(en: str, hi: str, when: str, detail: str = "") -> dict[str, Any]:
    return {"en": en, "hi": hi, "when": when, "detail": detail}
