"""A signal is added as CONTRIBUTING says, in a copy: it is computed, checked, said and written into README."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import indent

ROOT = Path(__file__).resolve().parents[1]
SECTION = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Add a signal")[1].split("\n## ")[0]
SIGNAL, REFERENCE = re.findall(r"```python\n(.*?)```", SECTION, flags=re.S)

PROGRAM = """
import sys
from datetime import timedelta
sys.path.insert(0, "tests")
import write_readme_tables
from features.fitted import Fitted
from features.reasons import sentence
from features_logs import CUTOFF, numbered
from test_features_reference import differing, test_every_signal_has_a_slow_reference

write_readme_tables.main()
print(sentence("active_days_21d", 3.0, {}, "en"), "|", sentence("active_days_21d", 3.0, {}, "hi"))
row = {"customer_id": "a", "name": "page_viewed", "properties": "{}"}
row |= dict.fromkeys(("channel", "product", "topic", "amount", "rating"))
at = [CUTOFF - timedelta(days=age) for age in (1, 1, 21, 21.5, 40)]
print(differing(numbered([row | {"occurred_at": one, "received_at": one} for one in at]), CUTOFF, Fitted()))
test_every_signal_has_a_slow_reference(Fitted())
"""


def put(file: Path, after: str, lines: str) -> None:
    """Write these lines and a comma after the only place that has this text, as far to the right as what follows."""
    text = file.read_text(encoding="utf-8")
    assert text.count(after) == 1
    file.write_text(text.replace(after, after + indent(lines.rstrip() + ",\n", " " * 8)), encoding="utf-8")


def run(copy: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)


def test_a_signal_is_added_as_written(tmp_path: Path) -> None:
    assert SIGNAL.count("\n") <= 10
    for folder in ("records", "features", "training", "serving", "templates", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "screens"))
    shutil.copy(ROOT / "README.md", tmp_path)

    put(tmp_path / "features" / "engagement.py", "def _counts() -> list[Signal]:\n    return [\n", SIGNAL)
    missing = run(tmp_path)
    assert missing.returncode == 1
    assert "active_days_21d" in missing.stderr  # the reference that is asked for

    put(tmp_path / "tests" / "reference_engagement.py", "    return found | {\n", REFERENCE)
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Active on 3 of the last 21 days | पिछले 21 में से 3 दिन आए\n[]\n"
    row = "| `active_days_21d` | On how many of the last 21 days were they active? | days | 0 |"
    assert row in (tmp_path / "README.md").read_text(encoding="utf-8")
