"""Every error Pehle foresees, as a tree. Nothing else in the project defines an exception.

PehleError                      anything a person can mend; the command line prints it as one line and exits 1
├── HomeError                   there is no home here, or it is not the kind the command needs
├── SettingError                a setting is unknown or has a value we cannot use
├── InputError                  a file, mapping or row from outside cannot be read
├── NotEnoughData               the log is too short or too thin for what was asked
├── ModelError                  a stored model is missing, altered, or made for other signals
├── WordsError                  a message template or the playbook breaks a rule
├── StaleData                   the log is older than `max_staleness_days`
├── StateError                  the row is not in the state the step needs (somebody else was first)
└── ChannelError                a channel could not hand the message on; `permanent` says whether to try again

Each carries its facts as keyword attributes. The message says what happened, the value found, what was
expected, and what to do.
"""

from __future__ import annotations


class PehleError(Exception):
    """Something a person can mend. `remedy` is the next step in plain words; extra facts become attributes."""

    def __init__(self, message: str, *, remedy: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class HomeError(PehleError):
    """There is no home here, or it is not the kind the command needs."""


class SettingError(PehleError):
    """A setting is unknown or has a value we cannot use. Facts: key, value, source."""


class InputError(PehleError):
    """A file, mapping or row from outside cannot be read. Facts: file, line, value."""


class NotEnoughData(PehleError):
    """The log is too short or too thin for what was asked. Facts: found, needed."""


class ModelError(PehleError):
    """A stored model is missing, altered, or made for other signals."""


class WordsError(PehleError):
    """A message template or the playbook breaks a rule. Facts: file, rule."""


class StaleData(PehleError):
    """The log is older than `max_staleness_days`. Facts: last_event, limit_days."""


class StateError(PehleError):
    """The row is not in the state the step needs. Facts: id, expected, found."""


class ChannelError(PehleError):
    """A channel could not hand the message on.

    `permanent` true: trying again cannot help (the address does not exist). `sent` is "no" when the provider
    certainly has nothing, "unknown" when it may have the message: such a row is never tried again by code.
    """

    def __init__(self, message: str, *, permanent: bool, sent: str = "no", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.permanent = permanent
        self.sent = sent
