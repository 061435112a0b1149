"""For whom is which message meant, when, at what price, and how shall we know whether it helped?

`templates/playbook.toml` holds `[nothing]` and one `[[play]]` per rule. A play has

    name, title, why            its id; its name and its reason in one line, en and hi
    message, purpose            folder below templates/messages; "service" or "promotional" (which consent it needs)
    priority                    a person who fits several plays gets the one with the highest
    comparison                  share of people who are not contacted, so that the effect can be measured; 0 = none
    cool_down_days              not to a person who had any message of ours within so many days
    repeat_days                 not to a person who had this play within so many days
    channels, cost_minor        channels in order of preference; what one message costs on each
    offer_minor                 what the thing offered costs on average (a coupon); added to the message's cost
    value_minor                 what one good outcome is worth
    assumed_effect              share of people for whom the message makes the difference, assumed until measured;
                                the product of the two is the value of one outreach
    send_between                local time window of the sending
    expires_hours               not sent later than this after planning
    even_with_open_ticket, even_if_escalated   true lifts the guard that otherwise holds every play back
    trigger                     one or more ways to fit; the first that holds counts, with its latest event
    outcome                     what it is judged by

A trigger either has `nightly = true` (looks at every scored person) or an `event`:

    event, where                the event that sets it off, and filters on it
    key                         the field that says which order, bill or ticket it is about (default event_id):
                                nobody is planned twice for one play and key. Nightly: the date
    after_hours, within_hours   the event is at least, and at most, so old when we plan
    bands                       the person's risk band must be one of these
    because                     {signals, topics, among_first}: a reason that raises the risk comes from a signal
                                whose name matches one of the patterns, OR one of the topics is among the first so
                                many likely ones
    also                        further conditions on the same person's events, all must hold:
        event | events, where   which events are counted
        same                    fields that must equal the trigger event's
        since_trigger = true    counted from the trigger event on; else before or at it
        within_days             counted no further than so many days from the trigger (nightly: from the cutoff)
        at_least, at_most       how many there must be; `at_most = 0` is "unless"
        latest                  filters that the latest counted event must pass
        name                    lends that latest event to the words as facts "<name>.<field>"

A filter names a `field` (a column of the event log, or "properties.<key>") and one test: `is`, `one_of`, `at_least`
or `at_most`; with `times` the number is multiplied by that other field (`at_least = 1.2, times =
"properties.previous_amount"`). A field that is missing passes no test.

An outcome has `kind` "event" (good if it happens within `window_days` of the send), "no_event" (good if it does not)
or "still_active" (good if the person has not left), with `event`, `where`, `same` as above, and `words`: "about 8
`direction` `en`" must read as a sentence, e.g. "about 8 fewer asked about the bill".
"""

from __future__ import annotations

import hashlib
import tomllib
from datetime import time
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from records.errors import WordsError

Language = Literal["en", "hi"]
ChannelName = Literal["email", "whatsapp", "sms"]
Purpose = Literal["service", "promotional"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,47}$")]
FieldName = Annotated[
    str,
    Field(pattern=r"^(event_id|channel|product|topic|amount|currency|rating|properties\.[a-z][a-z0-9_]*)$"),
]
LANGUAGES: tuple[Language, ...] = ("en", "hi")
CHANNELS: tuple[ChannelName, ...] = ("email", "whatsapp", "sms")
FILE = Path(__file__).resolve().parent.parent / "templates" / "playbook.toml"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class InBoth(_Part):
    """One text in both languages."""

    en: str = Field(min_length=2)
    hi: str = Field(min_length=2)

    def __getitem__(self, language: str) -> str:
        return self.hi if language == "hi" else self.en


class Filter(_Part):
    """Does one field of an event pass one test?"""

    field: FieldName
    equals: str | int | float | bool | None = Field(default=None, alias="is")
    one_of: tuple[str, ...] | None = None
    at_least: float | None = None
    at_most: float | None = None
    times: FieldName | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        tests = [t for t in (self.equals, self.one_of, self.at_least, self.at_most) if t is not None]
        if len(tests) != 1:
            raise ValueError("a filter has exactly one of is, one_of, at_least, at_most")
        if self.times and self.at_least is None and self.at_most is None:
            raise ValueError("times goes with at_least or at_most")
        return self


class Counted(_Part):
    """How often did something happen to the person, seen from the trigger?"""

    event: Name | None = None
    events: tuple[Name, ...] = ()
    name: Name | None = None
    where: tuple[Filter, ...] = ()
    same: tuple[FieldName, ...] = ()
    since_trigger: bool = False
    within_days: int | None = Field(default=None, ge=1)
    at_least: int | None = Field(default=None, ge=1)
    at_most: int | None = Field(default=None, ge=0)
    latest: tuple[Filter, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.event) == bool(self.events):
            raise ValueError("give either event or events")
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least or at_most")
        if (self.name or self.latest) and self.at_least is None:
            raise ValueError("name and latest need at_least: otherwise there may be no event to look at")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the events that are counted."""
        return (self.event,) if self.event else self.events


class Because(_Part):
    """Is the person at risk for a reason this play can do something about?"""

    signals: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    among_first: int = Field(default=1, ge=1, le=8)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.signals and not self.topics:
            raise ValueError("because needs signals or topics")
        return self


class Trigger(_Part):
    """One way to fit a play."""

    nightly: bool = False
    event: Name | None = None
    where: tuple[Filter, ...] = ()
    key: FieldName = "event_id"
    after_hours: float = Field(default=0, ge=0)
    within_hours: float | None = Field(default=None, gt=0)
    bands: tuple[Literal["high", "medium", "low"], ...] = ()
    because: Because | None = None
    also: tuple[Counted, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.nightly == bool(self.event):
            raise ValueError("give either an event or nightly = true")
        if self.event and self.within_hours is None:
            raise ValueError("an event needs within_hours: old news must not be sent")
        if self.within_hours is not None and self.within_hours <= self.after_hours:
            raise ValueError("within_hours must be greater than after_hours")
        if self.nightly and any(c.since_trigger or c.same for c in self.also):
            raise ValueError("a nightly trigger has no event to count from: use within_days")
        return self


class Escalated(_Part):
    """When has a person just escalated, so that a machine should keep quiet?"""

    event: Name
    where: tuple[Filter, ...] = ()
    within_days: int = Field(ge=1)


class Nothing(_Part):
    """When is no message the right message?"""

    title: InBoth
    escalated: Escalated


class OutcomeWords(InBoth):
    """ "about 8 `direction` `en`" reads as a sentence; `direction` is what good looks like."""

    direction: Literal["more", "fewer"]


class Outcome(_Part):
    """By what is a play judged?"""

    kind: Literal["event", "no_event", "still_active"]
    event: Name | None = None
    where: tuple[Filter, ...] = ()
    same: tuple[FieldName, ...] = ()
    window_days: int = Field(ge=1, le=365)
    words: OutcomeWords

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind == "still_active") == bool(self.event):
            raise ValueError("event and no_event need an event; still_active has none")
        if self.words.direction != ("fewer" if self.kind == "no_event" else "more"):
            raise ValueError('direction is "fewer" for no_event, "more" otherwise')
        return self

    @property
    def topic(self) -> str | None:
        """The topic the outcome event must have, if any."""
        return next((str(f.equals) for f in self.where if f.field == "topic" and f.equals is not None), None)


class Play(_Part):
    """One rule of the playbook; the fields are explained at the top of this file."""

    name: Name
    title: InBoth
    why: InBoth
    message: Name
    purpose: Purpose
    priority: int = Field(ge=0, le=100)
    comparison: float = Field(ge=0, le=0.5)
    cool_down_days: int = Field(ge=0, le=90)
    repeat_days: int = Field(ge=1, le=365)
    channels: tuple[ChannelName, ...] = Field(min_length=1)
    cost_minor: dict[ChannelName, int]
    offer_minor: int = Field(default=0, ge=0)
    value_minor: int = Field(ge=0)
    assumed_effect: float = Field(ge=0, le=1)
    send_between: tuple[time, time]
    expires_hours: int = Field(ge=1, le=240)
    even_with_open_ticket: bool = False
    even_if_escalated: bool = False
    trigger: tuple[Trigger, ...] = Field(min_length=1)
    outcome: Outcome

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if set(self.cost_minor) != set(self.channels):
            raise ValueError("cost_minor must name exactly the channels")
        if any(cost < 0 for cost in self.cost_minor.values()):
            raise ValueError("a cost cannot be negative")
        if self.send_between[0] >= self.send_between[1]:
            raise ValueError("send_between must begin before it ends")
        if self.purpose == "promotional" and (self.send_between[0] < time(10) or self.send_between[1] > time(21)):
            raise ValueError("promotional messages go out between 10:00 and 21:00")
        if self.purpose == "service" and self.offer_minor:
            raise ValueError("a service message sells nothing: make the offer a play of its own")
        return self

    def cost(self, channel: str) -> int:
        """What one outreach on this channel costs, with the thing offered, in minor units."""
        return {str(name): cost for name, cost in self.cost_minor.items()}[channel] + self.offer_minor

    @property
    def value(self) -> int:
        """What one outreach is worth on average, assumed, in minor units."""
        return round(self.value_minor * self.assumed_effect)


class Playbook(_Part):
    """All plays, the most urgent first, and the hash of the file they came from."""

    nothing: Nothing
    plays: tuple[Play, ...] = Field(alias="play", min_length=1)
    version: str = ""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [play.name for play in self.plays]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two plays are called {twice[0]}")
        return self

    def play(self, name: str) -> Play:
        """The play of that name. Raises WordsError naming those there are."""
        for play in self.plays:
            if play.name == name:
                return play
        names = ", ".join(play.name for play in self.plays)
        raise WordsError(f"There is no play called {name!r}.", remedy=f"The playbook has: {names}.", rule="playbook")


def load_playbook(path: Path | None = None) -> Playbook:
    """What does the playbook say? Raises WordsError naming file, play, key, value and what to do."""
    file = FILE if path is None else path
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WordsError(
            f"Cannot read {file}: {error.strerror}.", remedy="Restore the file.", file=str(file)
        ) from error
    return _parse(str(file), content)


@cache
def _parse(file: str, content: bytes) -> Playbook:
    try:
        raw = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WordsError(
            f"{file} is not valid TOML: {error}.", remedy="Mend the line it names.", file=file, rule="playbook"
        ) from error
    try:
        book = Playbook.model_validate(raw)
    except ValidationError as error:
        raise _explained(file, raw, error) from error
    plays = tuple(sorted(book.plays, key=lambda play: (-play.priority, play.name)))
    return book.model_copy(update={"plays": plays, "version": hashlib.sha256(content).hexdigest()})


def _explained(file: str, raw: dict[str, Any], error: ValidationError) -> WordsError:
    """The first thing wrong, in words: which play, which key, what stands there, what should."""
    first = error.errors()[0]
    loc = [part for part in first["loc"] if part != "function-after"]
    play = ""
    if loc[:1] == ["play"] and len(loc) > 1 and isinstance(loc[1], int):
        play = str(raw["play"][loc[1]].get("name", f"number {loc[1] + 1}"))
        loc = loc[2:]
    key = ".".join(str(part) for part in loc) or "(as a whole)"
    where = f"play {play}, key {key}" if play else f"key {key}"
    value = repr(first["input"])
    shown = value if len(value) <= 80 else value[:77] + "…"
    unknown = first["type"] == "extra_forbidden"
    said = first["msg"].removeprefix("Value error, ")
    return WordsError(
        f"{file}: {where}: {'this key is not known' if unknown else said} (found {shown}).",
        remedy="Remove or correct it; the keys are explained in serving/playbook.py.",
        file=file, rule="playbook", play=play, key=key, value=shown,
    )  # fmt: skip
