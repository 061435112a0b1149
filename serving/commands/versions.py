"""The commands about trained versions: `models`, `models promote`, `models rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.commands.shared_options import (
    ByOption,
    HomeOption,
    JsonOption,
    clock_of,
    opened,
    show,
    show_json,
    show_table,
)

models = typer.Typer(
    help="Trained models: list, promote, roll back.\n\nExample: pehle models --json",
    invoke_without_command=True,
    rich_markup_mode=None,
)
if TYPE_CHECKING:
    from training.registry import Registry


@models.callback()
def models_list(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The versions of every definition, newest first, with their figures, which one is in use and since when.

    Example: pehle models --json
    """
    if context.invoked_subcommand is not None:
        return
    from training.registry import Registry

    versions = Registry(opened(home).mlruns).versions()
    if as_json:
        show_json(versions)
        return
    if not versions:
        show("No model yet. Make one with `pehle train`.")
        return
    several = len({v["definition"] for v in versions}) > 1
    head = ["version", "in use as", "since", "by", "created", "log loss", "AUROC", "sha256", "kind and settings"]
    rows = [_line(version) for version in reversed(versions)]
    if several:
        head, rows = ["definition", *head], [[v["definition"], *_line(v)] for v in reversed(versions)]
    show_table([head, *rows])


def _line(version: dict[str, Any]) -> list[str]:
    """One version as the table shows it; since when and by whom only where it is in use."""
    from training.report_words import chosen_words

    in_use = version["alias"] == "champion"
    return [
        version["version"],
        version["alias"] or "",
        str(version["promoted_at"])[:16] if in_use else "",
        str(version["promoted_by"]) if in_use else "",
        str(version["created_at"])[:16],
        _figure(version["metrics"].get("log_loss")),
        _figure(version["metrics"].get("auroc")),
        str(version["model_sha256"])[:12],
        ": ".join(filter(None, [version["kind"], chosen_words(version["chosen"])])),
    ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


@models.command("promote")
def models_promote(version: str, by: ByOption = "operator", home: HomeOption = None) -> None:
    """Put a version in use. The one before can be brought back with `pehle models rollback`.

    Example: pehle models promote 3 --by "Meera Iyer"
    """
    from records.audit import record
    from serving.model_versions import definition_in
    from training.registry import Registry

    place = opened(home)
    registry, now = Registry(place.mlruns), clock_of(place)()
    chosen = registry.resolve(version)[0]
    registry.load(chosen)  # one whose files are gone must not come into use
    registry.promote(chosen, at=now, by=by)
    record(place.engine, now, by, "promote_model", chosen, {})
    show(f"Model {chosen} is in use.{_way_back(registry, definition_in(chosen))}")


@models.command("rollback")
def models_rollback(
    definition: Annotated[
        str, typer.Option(metavar="NAME", help="Whose model: a definition below [churn], or the default one.")
    ] = "default",
    by: ByOption = "operator",
    home: HomeOption = None,
) -> None:
    """Bring back the version that the one in use replaced. Once more goes back one further.

    Example: pehle models rollback
    """
    from records.audit import record
    from records.errors import ModelError
    from training.registry import Registry

    place = opened(home)
    registry, now = Registry(place.mlruns), clock_of(place)()
    there = registry.definitions()
    if there and definition not in there:
        msg = f"there are no models of {definition!r}; there are some of {', '.join(there)}."
        raise ModelError(msg, remedy="Name one: pehle models rollback --definition NAME")
    version = registry.rollback(definition, at=now, by=by)
    record(place.engine, now, by, "rollback_model", version, {"definition": definition})
    others = [one for one in there if one != definition]
    untouched = f" Nothing changed for {', '.join(others)}." if others else ""
    show(f"Model {version} is in use again.{_way_back(registry, definition)}{untouched}")


def _way_back(registry: Registry, definition: str) -> str:
    """What a rollback would do now."""
    from training.populations import DEFAULT
    from training.registry import version_id

    before = registry.replaced(definition)
    named = f" --definition {definition}" if definition != DEFAULT else ""
    return f" `pehle models rollback{named}` would bring back {version_id(before)}." if before is not None else ""
