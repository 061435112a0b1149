"""What is true of Saral as a whole: products and their faults, plans and prices, places, outages, stock, seasons.

Everything follows from the seed and the two ends of the history; no customer enters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import numpy as np

from records.simulation.draws import Array, company_chance
from records.simulation.places import CITIES, LOCALITIES

DAY_US = 86_400_000_000
TOPICS = ("network", "billing", "router_setup", "delivery", "payment", "plan_price", "app_login", "returns")
NETWORK, BILLING, ROUTER_SETUP, DELIVERY, PAYMENT, PLAN_PRICE, APP_LOGIN, RETURNS = range(8)
PLANS = ("mobile_199", "mobile_299", "mobile_499", "fiber_599", "fiber_999")
FIRST_FIBER = 3
ROUTER_RENT = 49  # rupees a month with fiber
PLAN_RUPEES = np.array([199, 299, 499, 599, 999], dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Product:
    """One thing in the shop."""

    name: str
    rupees: int
    demand: float  # weight among shop orders
    fault_share: float = 0.0  # share of delivered pieces that bring a ticket
    fault_topic: int = -1
    fault_days: tuple[int, int] = (1, 7)  # after delivery
    runs_out_every: int = 0  # days between two times without stock; 0: always there


PRODUCTS = (
    Product(name="airfiber_router", rupees=2499, demand=0.9, fault_share=0.26, fault_topic=ROUTER_SETUP),
    Product(name="mesh_extender", rupees=1799, demand=0.7, fault_share=0.09, fault_topic=ROUTER_SETUP,
            runs_out_every=97),
    Product(name="phone_a15", rupees=11999, demand=1.0, fault_share=0.02, fault_topic=RETURNS, fault_days=(2, 9),
            runs_out_every=120),
    Product(name="phone_x9", rupees=24999, demand=0.6, fault_share=0.17, fault_topic=RETURNS, fault_days=(2, 12)),
    Product(name="earbuds_s2", rupees=1499, demand=1.5, fault_share=0.07, fault_topic=RETURNS, fault_days=(3, 14),
            runs_out_every=83),
    Product(name="powerbank_20k", rupees=1899, demand=1.2, fault_share=0.01, fault_topic=RETURNS, fault_days=(2, 9)),
    Product(name="smart_bulb", rupees=599, demand=1.1, fault_share=0.05, fault_topic=APP_LOGIN, fault_days=(1, 5)),
    Product(name="tv_stick", rupees=3299, demand=0.9, fault_share=0.11, fault_topic=APP_LOGIN, fault_days=(1, 6),
            runs_out_every=110),
    Product(name="sim_kit", rupees=149, demand=0.4, fault_share=0.05, fault_topic=NETWORK, fault_days=(1, 3)),
    Product(name="sim_replacement", rupees=99, demand=0.5, fault_share=0.03, fault_topic=NETWORK, fault_days=(1, 3)),
)  # fmt: skip
PRODUCT_NAMES = (*(p.name for p in PRODUCTS), *PLANS)
ROUTER = 0
SIM_KIT = 8
FIRST_PLAN = len(PRODUCTS)  # where the plans begin in PRODUCT_NAMES
RUPEES = np.array([p.rupees for p in PRODUCTS], dtype=np.int64)
DEMAND = np.array([p.demand for p in PRODUCTS])
FAULT_SHARE = np.array([p.fault_share for p in PRODUCTS])
FAULT_TOPIC = np.array([p.fault_topic for p in PRODUCTS])
FAULT_FIRST = np.array([p.fault_days[0] for p in PRODUCTS])
FAULT_LAST = np.array([p.fault_days[1] for p in PRODUCTS])

# The evening of Diwali; the month before it is the busiest of the year.
_DIWALI = {2023: date(2023, 11, 12), 2024: date(2024, 11, 1), 2025: date(2025, 10, 20), 2026: date(2026, 11, 8),
           2027: date(2027, 10, 29), 2028: date(2028, 10, 17)}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One outage: where, of what, from when to when (microseconds since 1970)."""

    incident_id: str
    service: str  # "network" (everything) or "fiber"
    areas: Array  # true where it is felt
    declared_us: int
    resolved_us: int

    @property
    def declared_day(self) -> int:
        return self.declared_us // DAY_US

    @property
    def resolved_day(self) -> int:
        return self.resolved_us // DAY_US


def day_number(moment: datetime) -> int:
    """Days since 1970 of a UTC moment."""
    return int(moment.timestamp()) // 86_400


def date_of(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def moment_of(day: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)


@dataclass(frozen=True)
class Company:
    """The facts of one Saral. `start` and `until` are days since 1970."""

    seed: int
    start: int
    until: int

    def chance(self, what: str, again: int = 0) -> float:
        return company_chance(self.seed, what, again)

    @cached_property
    def area_badness(self) -> Array:
        """How poor is the network, per area? Around .3 is ordinary; one area in seven is above 1.5."""
        u = np.array([self.chance("area", k) for k in range(len(CITIES) * LOCALITIES)])
        return np.where(u < 0.14, 1.5 + 9.0 * u, 0.15 + 0.45 * u)

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """Two outages: one well inside the history, one declared on its last evening and still open at its end."""
        middle = self.start + int((self.until - self.start) * (0.68 + 0.02 * self.chance("outage day")))
        hour = DAY_US // 24
        return (
            Incident(incident_id="I-1041", service="network", areas=self._cities_hit(0, 4),
                     declared_us=middle * DAY_US + 3 * hour, resolved_us=(middle + 2) * DAY_US + 9 * hour),
            Incident(incident_id="I-1107", service="fiber", areas=self._cities_hit(1, 2),
                     declared_us=(self.until - 1) * DAY_US + 15 * hour + hour // 2,
                     resolved_us=self.until * DAY_US + 14 * hour),
        )  # fmt: skip

    def _cities_hit(self, which: int, count: int) -> Array:
        """Half of them large cities, half small ones."""
        large = np.array([city[3] >= 5 for city in CITIES])
        order = np.argsort([self.chance(f"outage {which}", k) for k in range(len(CITIES))])
        areas = np.zeros(len(CITIES) * LOCALITIES, dtype=bool)
        for city in [*order[large[order]][: count // 2], *order[~large[order]][: count // 2]]:
            areas[city * LOCALITIES : (city + 1) * LOCALITIES] = True
        return areas

    def plan_rupees(self, day: int) -> Array:
        """The monthly price of each plan. It rose twice: early in the second third, and eleven weeks before the end."""
        rupees = PLAN_RUPEES.copy()
        if day >= self.start + int((self.until - self.start) * 0.36):
            rupees += np.array([0, 30, 0, 60, 0])
        if day >= self.until - 77:
            rupees += np.array([40, 0, 60, 0, 150])
        return rupees

    def in_stock(self, day: int) -> Array:
        """Which products can be bought today?"""
        there = np.ones(len(PRODUCTS), dtype=bool)
        for k, product in enumerate(PRODUCTS):
            if product.runs_out_every:
                there[k] = not self._days_out(k, day, product.runs_out_every)
            elif product.name == "powerbank_20k":  # so that the end of the history has a restock
                there[k] = not self.until - 25 <= day < self.until - 1
        return there

    def _days_out(self, product: int, day: int, every: int) -> bool:
        since = (day - self.start + int(every * self.chance("stock", product))) % every
        return since >= every - 16 - int(12 * self.chance("stock gap", product))

    def restocked(self, day: int) -> Array:
        """Which products came back today?"""
        back: Array = np.flatnonzero(self.in_stock(day) & ~self.in_stock(day - 1))
        return back

    def shopping(self, day: int) -> float:
        """How much more than on an ordinary day is bought?"""
        today = date_of(day)
        feast = _DIWALI.get(today.year, date(today.year, 10, 28))
        before = (feast - today).days
        factor = 2.1 if 0 <= before <= 24 else 1.0
        if (today.month == 1 and 19 <= today.day <= 26) or (today.month == 8 and 9 <= today.day <= 15):
            factor = 1.5
        return factor * (1.2 if today.weekday() >= 5 else 0.92)

    def lateness(self, day: int) -> float:
        """The share of parcels that come late when sent today: more in the monsoon and before Diwali."""
        today = date_of(day)
        return 0.11 + 0.06 * (self.shopping(day) > 1.6) + 0.05 * (today.month in (7, 8))
