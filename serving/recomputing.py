"""Why did this person get this message, and would it come out the same again? One outreach, recomputed and compared.

The score is made once more from the log as it was known at its cutoff, with the very model that made it: the log may
have grown since, late events may have come, another model may be in use. What differs is named.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection

from records.browsing import find_list, history
from records.errors import InputError, ModelError
from records.outreach import BEFORE, Outreach, find_outreach
from records.people import is_erased
from records.scores import Run, Score, find_run, score_by_id
from serving.binding import why_words_differ
from serving.home import Home
from serving.model_versions import table_in
from serving.playbook import load_playbook
from serving.scoring import reasons_of, run_id_of, topics_of

if TYPE_CHECKING:
    from training.model import Model

Verdict = Literal["same", "differs", "erased", "not scored", "made elsewhere"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing that was looked at again. `same` is None where there is nothing to compare with."""

    part: str
    same: bool | None
    said: str


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What stands behind one message."""

    outreach_id: str
    verdict: Verdict
    customer_id: str = ""
    play: str = ""
    message: str = ""
    channel: str = ""
    language: str = ""
    arm: str = ""
    state: str = ""
    list_id: str = ""
    as_of: datetime | None = None
    model_version: str = ""
    churn_probability: float | None = None
    recomputed: float | None = None
    reasons: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    parts: tuple[Part, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The value `pehle explain --json` prints."""
        return {**asdict(self), "as_of": self.as_of.isoformat() if self.as_of else None}


def explain(home: Home, outreach_id: str) -> Explanation:
    """Everything behind one outreach, recomputed where it can be.

    Raises
    ------
    InputError
        There is no such outreach.
    """
    with home.engine.connect() as connection:
        row = find_outreach(connection, outreach_id)
        if row is None:
            msg = f"There is no outreach {outreach_id!r}."
            raise InputError(msg, remedy="Ids look like O-17; a list shows them: the web app, or pehle review list.")
        if is_erased(connection, row.customer_id):
            return Explanation(outreach_id=outreach_id, verdict="erased", list_id=row.list_id, play=row.play)
        score = score_by_id(connection, row.score_id) if row.score_id else None
        run = find_run(connection, score.run_id) if score else None
        told = _told(connection, row)
    parts = [_words(row), _rules(row)]
    if score is None or run is None:
        verdict: Verdict = "differs" if row.score_id else "not scored"
        if row.score_id:
            parts.insert(0, Part(part="score", same=False, said="the score it was planned with is no longer kept"))
        return Explanation(outreach_id=outreach_id, verdict=verdict, parts=tuple(parts), **told)
    told |= {"as_of": run.as_of, "model_version": run.model_version, "churn_probability": score.churn_probability}
    if table_in(run.model_version):
        said = "imported: how it was made is not known here"
        parts.insert(0, Part(part="score", same=None, said=said))
        return Explanation(outreach_id=outreach_id, verdict="made elsewhere", parts=tuple(parts), **told)
    found, recomputed = _score_again(home, row, score, run)
    same = all(part.same is not False for part in (*found, *parts))
    return Explanation(
        outreach_id=outreach_id,
        verdict="same" if same else "differs",
        recomputed=recomputed,
        parts=(*found, *parts),
        **told,
    )


def _told(connection: Connection, row: Outreach) -> dict[str, Any]:
    """What the records say of it."""
    the_list = find_list(connection, row.list_id)
    moves = [
        f"{step['at']:%Y-%m-%d %H:%M} {step['to_state']} by {step['actor']}"
        for step in history(connection, row.outreach_id)
    ]
    return {
        "customer_id": row.customer_id,
        "play": row.play,
        "message": f"{row.message} {row.message_version[:12]}",
        "channel": row.channel,
        "language": row.language,
        "arm": row.arm,
        "state": row.state,
        "list_id": row.list_id,
        "as_of": the_list.as_of if the_list else None,
        "model_version": the_list.model_version if the_list else "",
        "churn_probability": row.churn_probability,
        "reasons": tuple(str(reason["en"]) for reason in row.reasons),
        "checks": tuple(str(check["en"]) for check in row.checks),
        "history": tuple(moves),
    }


def _words(row: Outreach) -> Part:
    if row.trigger_key.startswith(BEFORE):
        return Part(part="words", same=None, said="sent before Pehle kept the words: there is nothing to compare with")
    differs = why_words_differ(row)
    return Part(part="words", same=differs is None, said=differs or "exactly those it was planned with")


def _rules(row: Outreach) -> Part:
    """Is the play still in the playbook? What set it off stands in its trigger key."""
    known = any(play.name == row.play for play in load_playbook().plays)
    set_off = row.trigger_key.removeprefix(BEFORE).replace(":", " ")
    said = f"{row.play}, set off by {set_off}" if known else f"{row.play} is no longer in the playbook"
    return Part(part="rules", same=known, said=said)


def _score_again(home: Home, row: Outreach, score: Score, run: Run) -> tuple[list[Part], float | None]:
    """Model, data, signals, score, reasons and topics, each against what was stored; and the score made again."""
    from training.registry import Registry
    from training.report_words import chosen_words

    registry = Registry(home.mlruns)
    try:
        version, sha256 = registry.resolve(run.model_version)
        model = registry.load(version)
    except ModelError as error:
        return [Part(part="model", same=False, said=str(error))], None
    same = run_id_of(version, sha256, run.as_of) == run.run_id
    said = f"version {version}, {sha256[:12]}…" if same else f"version {version} is now another model, {sha256[:12]}…"
    chosen = chosen_words(model.settings.get("chosen") or {})
    made = f"{said}; {model.churn.kind}" + (f": {chosen}" if chosen else "")
    parts = [Part(part="model", same=same, said=made), _data(home, model)]
    found, recomputed = _compared(home, model, row, score, run)
    return parts + found, recomputed


def _data(home: Home, model: Model) -> Part:
    """Are the events the model learnt from still the same ones?"""
    recorded = str(model.settings.get("data_sha256", ""))
    until = datetime.fromisoformat(str(model.settings["as_of"]))
    same = home.log.data_sha256(until) == recorded
    what = (
        "are those it learnt from"
        if same
        else "are no longer those it learnt from: some were erased or put in with an earlier date"
    )
    return Part(part="data", same=same, said=f"the events before {until:%Y-%m-%d %H:%M} UTC {what}, {recorded[:12]}…")


def _compared(home: Home, model: Model, row: Outreach, score: Score, run: Run) -> tuple[list[Part], float | None]:
    from serving.scoring import signals_and_scores
    from training.model import row_hashes

    try:
        signals, scores = signals_and_scores(
            home.settings.engine.url, home.log, model, run.as_of, [row.customer_id], rollup=False
        )
        hashes = row_hashes(signals, model.signal_names)
    except ModelError as error:  # this version of Pehle makes other signals
        return [Part(part="signals", same=False, said=str(error))], None
    if not hashes:
        return [Part(part="signals", same=False, said="the log knows nothing of this customer before the cutoff")], None
    probability = float(scores[0])
    # Whoever was scored without reasons was also planned without them.
    wanted = score.reasons or row.reasons
    reasons = reasons_of(model, signals, home.settings.company.currency)[0] if wanted else []
    topics = topics_of(model, signals, home.log)[0]
    count = f"{len(model.signal_names)} signals before {run.as_of:%Y-%m-%d %H:%M} UTC"
    pairs = (
        ("signals", hashes[0] == score.signals_sha256, count),
        ("score", probability == score.churn_probability, f"{score.churn_probability!r}, made again {probability!r}"),
        ("reasons", reasons == score.reasons, f"{len(score.reasons)} kept"),
        ("topics", topics == score.topics, f"{len(score.topics)} kept"),
    )
    return [Part(part=name, same=same, said=said) for name, same, said in pairs], probability
