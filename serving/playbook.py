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
    helps_with                  topics it answers, where neither trigger nor outcome names one
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
                                many likely ones and the model is sure enough of it
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
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from records.errors import WordsError
from serving.plays import (
    CHANNELS,
    LANGUAGES,
    Because,
    ChannelName,
    Counted,
    Filter,
    Language,
    Outcome,
    Play,
    Playbook,
    Purpose,
    Trigger,
)

__all__ = [
    "CHANNELS",
    "FILE",
    "LANGUAGES",
    "Because",
    "ChannelName",
    "Counted",
    "Filter",
    "Language",
    "Outcome",
    "Play",
    "Playbook",
    "Purpose",
    "Trigger",
    "load_playbook",
]

FILE = Path(__file__).resolve().parent.parent / "templates" / "playbook.toml"


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
