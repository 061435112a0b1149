"""Write the generated parts of README: the signal table and the plays. `make check` holds them against the code."""

from __future__ import annotations

import re
from pathlib import Path

from features.catalog import catalog
from serving.playbook import load_playbook

README = Path(__file__).resolve().parents[1] / "README.md"


def signals() -> str:
    """One row per signal, in the order of the catalog."""
    lines = ["| signal | question | unit | no data |", "| --- | --- | --- | --- |"]
    lines += [f"| `{s.name}` | {s.question} | {s.unit} | {s.no_data} |" for s in catalog()]
    return "\n".join(lines)


def plays() -> str:
    """One row per play: what it is judged by and against how many."""
    lines = ["| play | title | judged by | comparison group |", "| --- | --- | --- | --- |"]
    for play in load_playbook().plays:
        share = f"{play.comparison:.0%}" if play.comparison else "none"
        judged = f"{play.outcome.words.direction} {play.outcome.words.en}"
        lines.append(f"| `{play.name}` | {play.title.en} | {judged} | {share} |")
    return "\n".join(lines)


def main() -> None:
    """Replace what stands between the markers."""
    text = README.read_text(encoding="utf-8")
    for name, table in (("signals", signals()), ("plays", plays())):
        pattern = rf"(<!-- {name}[^\n]*-->\n).*?(<!-- end of {name} -->)"
        text = re.sub(pattern, lambda m, table=table: f"{m[1]}\n{table}\n\n{m[2]}", text, flags=re.S)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
