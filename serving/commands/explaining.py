"""The command that answers for one message: `explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.commands.shared_options import HomeOption, JsonOption, opened, show, show_json, show_table

if TYPE_CHECKING:
    from serving.recomputing import Explanation

VERDICTS = {
    "same": "Recomputed: the same to the bit.",
    "differs": "Recomputed: not the same. What differs:",
    "erased": "Erased: this person asked to be forgotten, so nothing is kept that could be recomputed.",
    "not scored": "Set off by what happened, not by a score.",
    "made elsewhere": "The score was made elsewhere and imported; it cannot be recomputed here.",
}
SAME = {True: "same", False: "DIFFERS", None: ""}


def explain(outreach_id: str, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Model, data, signals, reasons, rules and words behind one message, recomputed and compared.

    Example: pehle explain O-17
    """
    from serving.recomputing import explain as explain_outreach

    found = explain_outreach(opened(home), outreach_id)
    if as_json:
        show_json(found.to_json())
        return
    for line in _lines(found):
        show(line)
    if found.parts:
        show_table([["part", "again", ""], *([part.part, SAME[part.same], part.said] for part in found.parts)])


def _lines(found: Explanation) -> list[str]:
    if found.verdict == "erased":
        return [f"{found.outreach_id}: {found.play}, on list {found.list_id}", VERDICTS["erased"]]
    lines = [
        f"{found.outreach_id}: {found.play} to {found.customer_id} by {found.channel} in {found.language}; "
        f"{found.state}, list {found.list_id}, arm {found.arm}",
        f"words: {found.message}",
    ]
    if found.churn_probability is not None and found.as_of is not None:
        until = f"{found.as_of:%Y-%m-%d %H:%M} UTC"
        lines.append(f"risk {found.churn_probability:.4f} by model {found.model_version}, data until {until}")
    lines += [f"reason: {reason}" for reason in found.reasons]
    lines += [f"checked: {check}" for check in found.checks]
    lines += [f"history: {step}" for step in found.history]
    differing = ", ".join(part.part for part in found.parts if part.same is False)
    lines.append(f"{VERDICTS[found.verdict]}{' ' + differing if found.verdict == 'differs' else ''}")
    return lines
