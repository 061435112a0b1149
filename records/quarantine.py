"""Where do rows go that could not be taken, and what does an import report?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

from records.reading import Reject

REPORTED_REJECTS = 1_000  # as many are in the report; all of them are in quarantine

Progress = Callable[[Path, int], None]  # the file and how many of its rows are read


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """accepted + duplicates + rejected are all the rows of the files."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)  # the first ones
    quarantined: list[Path] = field(default_factory=list)  # files with all of them

    def plus(self, other: ImportReport) -> ImportReport:
        """Both together."""
        return ImportReport(
            accepted=self.accepted + other.accepted,
            duplicates=self.duplicates + other.duplicates,
            rejected=self.rejected + other.rejected,
            rejects=(self.rejects + other.rejects)[:REPORTED_REJECTS],
            quarantined=self.quarantined + other.quarantined,
        )


class Quarantine:
    """Where the rejected rows of one file go; a dry run keeps none."""

    def __init__(self, source: Path, folder: Path | None, now: datetime) -> None:
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        self.path = None if folder is None else folder / f"{stamp}-{source.name}.jsonl"
        self.first: list[Reject] = []
        self.count = 0
        self._file: TextIO | None = None

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, reject: Reject) -> None:
        """Keep this row."""
        self.count += 1
        if len(self.first) < REPORTED_REJECTS:
            self.first.append(replace(reject, row=reject.row[:500]))
        if self.path is None:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            number = 2
            while self.path.exists():  # two files of one name, imported at one instant
                self.path = self.path.with_name(f"{self.path.name.removesuffix('.jsonl').split('~')[0]}~{number}.jsonl")
                number += 1
            self._file = self.path.open("w", encoding="utf-8")
        self._file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")

    def report(self, accepted: int, duplicates: int) -> ImportReport:
        """The report of this file."""
        kept = [self.path] if self.path is not None and self.count else []
        return ImportReport(
            accepted=accepted, duplicates=duplicates, rejected=self.count, rejects=self.first, quarantined=kept
        )
