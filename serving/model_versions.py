"""Whose model made a score? What the id of a version says: of which definition of leaving, and whether it is ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from records.model_checks import Kind, ModelCheck
from records.scores import Run
from training.definitions import definitions
from training.labels import ChurnOptions, Definition
from training.populations import DEFAULT

IMPORTED = "imported"


def imported_version(table: str, definition: str) -> str:
    """What we call the maker of scores that came in the company's own table.

    >>> imported_version("crm", "default"), imported_version("crm", "prepaid")
    ('imported-crm', 'imported-crm-prepaid')
    """
    return "-".join([IMPORTED, table, *([definition] if definition != DEFAULT else [])])


def table_in(version: str) -> str | None:
    """The company's own table these scores came in; None for a model of ours.

    >>> table_in("imported-crm-prepaid"), table_in("prepaid-3"), table_in("14")
    ('crm', None, None)
    """
    parts = version.split("-")
    return parts[1] if parts[0] == IMPORTED and len(parts) > 1 else None


def definition_in(version: str) -> str:
    """Whose chance of leaving is it? Names of tables and definitions hold no hyphen.

    >>> [definition_in(version) for version in ("14", "prepaid-3", "imported-crm", "imported-crm-prepaid")]
    ['default', 'prepaid', 'default', 'prepaid']
    """
    parts = version.split("-")
    named = parts[2:] if table_in(version) else parts[:-1]
    return named[0] if named else DEFAULT


def churn_of(version: str | None, churn: ChurnOptions) -> Definition:
    """What leaving means where this version made the score; `[churn]` itself where nobody knows, or no longer."""
    found = definitions(churn)
    return found.get(definition_in(version), found[DEFAULT]) if version else found[DEFAULT]


def together(runs: Sequence[Run]) -> str:
    """The versions of one scoring, for people: "3", or "prepaid-2, 3"."""
    return ", ".join(run.model_version for run in runs)


def check_of(run: Run, kind: Kind, figures: Mapping[str, Any] | None, checked_at: datetime) -> ModelCheck:
    """What was found when a scoring was looked at again, under the name of whose model it was."""
    return ModelCheck(
        run_id=run.run_id,
        kind=kind,
        definition=IMPORTED if table_in(run.model_version) else definition_in(run.model_version),
        model_version=run.model_version,
        as_of=run.as_of,
        checked_at=checked_at,
        figures=figures,
    )
