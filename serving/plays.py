"""The parts of the playbook as typed, frozen records; `serving.playbook` says what each key means and reads them."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    helps_with: tuple[str, ...] = ()
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

    @property
    def topics(self) -> frozenset[str]:
        """The topics some play helps with: it says so, is chosen for one, or judged by how many ask about it again."""
        said = {topic for play in self.plays for topic in play.helps_with}
        because = {topic for play in self.plays for way in play.trigger if way.because for topic in way.because.topics}
        return frozenset(said | because | {play.outcome.topic for play in self.plays if play.outcome.topic})

    def play(self, name: str) -> Play:
        """The play of that name. Raises WordsError naming those there are."""
        for play in self.plays:
            if play.name == name:
                return play
        names = ", ".join(play.name for play in self.plays)
        raise WordsError(f"There is no play called {name!r}.", remedy=f"The playbook has: {names}.", rule="playbook")
