"""The simulated company Saral, from its first day on. Everything follows from the seed; no clock is read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from records.errors import InputError, StateError
from records.people import Customer
from records.simulation.campaigns import PastOutreach, as_outreach, past_morning, runs_on
from records.simulation.company import DAY_US, Company, date_of, day_number, moment_of
from records.simulation.contact import PLAYS, Contact, Mail, react
from records.simulation.days import run_day
from records.simulation.draws import Array, Draws
from records.simulation.lives import Lives, begin
from records.simulation.mood import GROUP
from records.simulation.notebook import CHANNELS, Notebook
from records.simulation.people import consents_of, customer_ids, people_of, place_of
from records.simulation.population import Traits, draw_traits
from records.simulation.today import Today
from records.simulation.truth import Truth, find_truth

BLOCK = 20_000  # customers simulated together; the result does not depend on it
_PAST_COLUMNS = 7


class Block:
    """Some customers who are simulated together."""

    def __init__(self, company: Company, index: Array) -> None:
        self.traits: Traits = draw_traits(company, index)
        self.lives: Lives = begin(company, self.traits)
        self.draws = Draws(company.seed, index)
        self.notes = Notebook(index, pa.array(customer_ids(index), pa.string()))

    def today(self, company: Company, day: int) -> Today:
        self.draws.on(day)
        return Today(company, self.traits, self.lives, self.draws, self.notes, day)


class Saral:
    """A telecom company and online shop in India with `customers` customers and `months` of history up to `until`.

    `until` is a UTC midnight. `causal` false cuts the link from hidden states to leaving; `campaigns` false leaves
    out the company's own campaigns of the past two quarters. `truth` is for tests only.
    """

    def __init__(
        self, *, customers: int, until: datetime, seed: int = 2026, months: int = 18, causal: bool = True,
        campaigns: bool = True, block: int = BLOCK,
    ) -> None:  # fmt: skip
        if until.tzinfo is None or until.astimezone(UTC).time() != datetime.min.time():
            raise InputError(f"until is {until.isoformat()}, expected midnight in UTC.", value=until)
        if not 0 < customers < 10_000_000 or months < 1:
            raise InputError(f"{customers} customers over {months} months, expected 1 to 9,999,999 over 1 or more.")
        if block % GROUP:
            raise InputError(f"A block of {block} customers, expected a multiple of {GROUP}.", value=block)
        last = day_number(until)
        self._settings = {"customers": customers, "until": last, "seed": seed, "months": months, "causal": causal,
                          "campaigns": campaigns, "block": block}  # fmt: skip
        self._company = Company(seed=seed, start=_months_before(last, months), until=last)
        self._causal, self._campaigns = causal, campaigns
        self._day = self._company.start
        self._block = block
        self._blocks = [
            Block(self._company, np.arange(first, min(first + block, customers)))
            for first in range(0, customers, block)
        ]
        self._past: list[Array] = []

    @property
    def start(self) -> datetime:
        """The first day of the history."""
        return moment_of(self._company.start)

    @property
    def today(self) -> datetime:
        """The day that happens next."""
        return moment_of(self._day)

    def history(self, upto: datetime | None = None) -> Iterator[pa.Table]:
        """Let time pass until `upto` (default: `until`). Gives canonical events, month by month and block by block.

        Read it to the end: the company stands between two days only when a month is through for all blocks.
        """
        end = self._company.until if upto is None else day_number(upto)
        while self._day < end:
            next_day = min(_month_end(self._day), end)
            for block in self._blocks:
                for day in range(self._day, next_day):
                    self._live(block, day, [])
                table = block.notes.table()
                if len(table):
                    yield table
            self._day = next_day

    def step(self, day: datetime, sent: Sequence[Contact]) -> pa.Table:
        """One more day, in reaction to what was sent. The sending itself is not repeated as an event."""
        number = day_number(day)
        if number != self._day:
            raise StateError(
                f"Asked for {day.date()}, but the next day of the simulation is {self.today.date()}.",
                expected=self.today, found=day,
            )  # fmt: skip
        mails = _sort_contacts(sent, len(self._blocks), self._block, self._settings["customers"])
        for block, mail in zip(self._blocks, mails, strict=True):
            self._live(block, number, mail)
        self._day += 1
        return pa.concat_tables([block.notes.table() for block in self._blocks]).sort_by(
            [("occurred_at", "ascending"), ("event_id", "ascending")]
        )

    def _live(self, block: Block, day: int, mails: Sequence[Mail]) -> None:
        today = block.today(self._company, day)
        for mail in mails:
            react(today, mail, note_sending=False)
            block.lives.contact_day[mail.who] = day
        if self._campaigns and runs_on(self._company, day):
            self._past.extend(past_morning(today))
        run_day(today, causal=self._causal)

    def people(self) -> Iterator[Customer]:
        """Everybody who ever was a customer up to `until`."""
        for block in self._blocks:
            yield from people_of(block.traits, self._company.seed)

    def consents(self) -> Iterator[dict[str, object]]:
        """Consents as they were given, refused and taken back up to today, oldest first per person."""
        for block in self._blocks:
            yield from consents_of(block.traits, block.lives)

    def past_campaigns(self) -> list[PastOutreach]:
        """Everybody on the finished lists of the past two quarters; complete once the history was read."""
        rows = np.concatenate(self._past) if self._past else np.empty((0, _PAST_COLUMNS), dtype=np.int64)
        return as_outreach(rows[np.lexsort((rows[:, 1], rows[:, 0], rows[:, 5] // DAY_US))])

    def save(self, path: Path) -> None:
        """Write everything needed to go on later, whole or not at all."""
        lives = {name: np.concatenate([getattr(block.lives, name) for block in self._blocks]) for name in Lives.names()}
        past = np.concatenate(self._past) if self._past else np.empty((0, _PAST_COLUMNS), dtype=np.int64)
        made = json.dumps({**self._settings, "day": self._day})
        unfinished = path.with_name(path.name + ".unfinished")
        with unfinished.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, made=np.array(made), past=past, **lives)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Go on exactly where `save` stood."""
        with np.load(path, allow_pickle=False) as stored:
            made: dict[str, Any] = json.loads(str(stored["made"]))
            day, until = made.pop("day"), moment_of(made.pop("until"))
            saral = cls(until=until, **made)
            saral._day = day
            saral._past = [stored["past"]]
            lives = {name: stored[name] for name in Lives.names()}
        for k, block in enumerate(saral._blocks):
            part = slice(k * saral._block, (k + 1) * saral._block)
            block.lives = Lives(**{name: values[part].copy() for name, values in lives.items()})
        return saral

    def truth(self) -> Truth:
        """What is really so, for tests only."""
        return find_truth(
            [(block.traits, block.lives) for block in self._blocks], self._company, self._day, self._causal
        )


def _months_before(day: int, months: int) -> int:
    date = date_of(day)
    count = date.year * 12 + date.month - 1 - months
    return day_number(datetime(count // 12, count % 12 + 1, min(date.day, 28), tzinfo=UTC))


def _month_end(day: int) -> int:
    date = date_of(day)
    count = date.year * 12 + date.month
    return day_number(datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC))


def _sort_contacts(sent: Sequence[Contact], blocks: int, size: int, customers: int) -> list[list[Mail]]:
    """Contacts by block and play; a second message of one play to one person on one day changes nothing more."""
    groups: list[dict[str, dict[int, Contact]]] = [{play: {} for play in PLAYS} for _ in range(blocks)]
    for contact in sent:
        place = place_of(contact.customer_id)
        if place is None or place >= customers or contact.play not in PLAYS:
            raise InputError(f"No customer {contact.customer_id!r} or no play {contact.play!r} in this company.")
        groups[place // size][contact.play].setdefault(place % size, contact)
    return [[_mail(play, people) for play, people in group.items() if people] for group in groups]


def _mail(play: str, people: dict[int, Contact]) -> Mail:
    contacts = [people[place] for place in sorted(people)]
    micros = [round(c.sent_at.timestamp() * 1_000_000) for c in contacts]
    return Mail(
        play=play,
        who=np.array(sorted(people), dtype=np.int64),
        at=np.array(micros, dtype=np.int64),
        channel=np.array([CHANNELS.index(c.channel) if c.channel in CHANNELS else -1 for c in contacts]),
        hindi=np.array([c.language == "hi" for c in contacts]),
        coupon=np.array([c.coupon for c in contacts]),
        outreach_ids=[c.outreach_id for c in contacts],
    )
