"""What do customers write? Short texts in English, Hindi and Hinglish, put together from their words."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from records.simulation import words_en, words_hi, words_hinglish
from records.simulation.company import PRODUCT_NAMES, TOPICS
from records.simulation.draws import Array

_BOOKS: tuple[ModuleType, ...] = (words_en, words_hi, words_hinglish)  # in the order of population.STYLES
_SPOKEN = {
    "airfiber_router": "router", "mesh_extender": "extender", "phone_a15": "phone A15", "phone_x9": "phone X9",
    "earbuds_s2": "earbuds", "powerbank_20k": "power bank", "smart_bulb": "smart bulb", "tv_stick": "TV stick",
    "sim_kit": "SIM", "sim_replacement": "SIM",
}  # fmt: skip
_CAPITAL = ("I ", "4G", "UPI", "GST", "Wi-Fi", "TV", "SIM")  # stay so after a greeting
_NO_PRODUCT = {TOPICS.index("router_setup"): "router", TOPICS.index("delivery"): "parcel"}


def _one(choices: Sequence[str], u: float) -> str:
    return choices[min(int(u * len(choices)), len(choices) - 1)]


def ticket_texts(style: Array, topic: Array, product: Array, paise: Array, u: Array) -> list[str]:
    """One text per ticket. `u` is (n, 4): which words, which greeting, which ending, how many days."""
    texts = []
    for s, t, p, amount, (a, b, c, e) in zip(
        style.tolist(), topic.tolist(), product.tolist(), paise.tolist(), u.tolist(), strict=True
    ):
        book = _BOOKS[s]
        thing = _SPOKEN.get(PRODUCT_NAMES[p], "order") if p >= 0 else _NO_PRODUCT.get(t, "order")
        rupees, days = max(amount, 100) // 100, 2 + int(e * 6)
        body = _one(book.TICKETS[TOPICS[t]], a).format(product=thing, rupees=rupees, days=days)
        head, tail = _one(book.HEADS, b), _one(book.TAILS, c)
        if head and not body.startswith(_CAPITAL):
            body = body[0].lower() + body[1:]
        texts.append(f"{head}{body}{tail}")
    return texts


def plain_texts(kind: str, style: Array, u: Array) -> list[str]:
    """Texts of one kind (`PRAISE`, `BLAME`, `REPLIES`, `STOPS`, `MENTIONS_BAD`, `MENTIONS_GOOD`)."""
    return [
        _one(getattr(_BOOKS[s], kind), x).format(days=2 + int(x * 997) % 6)
        for s, x in zip(style.tolist(), u.tolist(), strict=True)
    ]


def rating_texts(style: Array, stars: Array, u: Array) -> list[str | None]:
    """A few words beside every third rating; three stars are given in silence."""
    praise, blame = plain_texts("PRAISE", style, u * 3 % 1), plain_texts("BLAME", style, u * 3 % 1)
    out: list[str | None] = []
    for k, (s, x) in enumerate(zip(stars.tolist(), u.tolist(), strict=True)):
        out.append(None if x > 0.36 or s == 3 else praise[k] if s > 3 else blame[k])
    return out
