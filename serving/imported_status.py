"""Which scores made elsewhere are here, and how did they do against what happened?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from records.model_checks import checks, runs_by_version
from serving.home import Home
from serving.model_status import SHOWN_MATURED, Judgement, judgement, newest_json
from serving.model_versions import IMPORTED, churn_of, definition_in, table_in

MOST_CHECKS = 1_000  # of all tables together


@dataclass(frozen=True, kw_only=True)
class ImportedState:
    """The scores of one table of `pehle import scores`, for the people of one definition of leaving."""

    version: str  # "imported-crm"
    table: str
    definition: str
    as_of: datetime  # of the newest of its scorings
    customers: int
    scorings: int
    horizon_days: int
    matured: Sequence[Judgement]  # newest first
    first_known: datetime | None  # when the first of them can be judged; None: some are, or own labels say it
    own_labels: bool  # who left, the company's own labels say: nothing is known before they come

    def to_json(self) -> dict[str, Any]:
        """What `pehle status --json` says of it."""
        return {
            "version": self.version,
            "definition": self.definition,
            "as_of": self.as_of.isoformat().replace("+00:00", "Z"),
            "customers": self.customers,
            "matured": newest_json(self.matured),
            "first_known": self.first_known.isoformat().replace("+00:00", "Z") if self.first_known else None,
        }


def imported_states(home: Home) -> list[ImportedState]:
    """One state per table and definition, by version."""
    with home.engine.connect() as connection:
        every = runs_by_version(connection)
        judged = [judgement(check) for check in checks(connection, "matured", IMPORTED, MOST_CHECKS)]
    found = []
    for version in sorted(every):
        table = table_in(version)
        if table is None:
            continue
        runs, churn = every[version], churn_of(version, home.settings.churn)
        mine = [one for one in judged if one.version == version]
        found.append(
            ImportedState(
                version=version,
                table=table,
                definition=definition_in(version),
                as_of=runs[-1].as_of,
                customers=runs[-1].customers,
                scorings=len(runs),
                horizon_days=churn.horizon_days,
                matured=mine[:SHOWN_MATURED],
                own_labels=churn.definition == "imported",
                first_known=None if mine or churn.definition == "imported" else runs[0].as_of + churn.span,
            )
        )
    return found
