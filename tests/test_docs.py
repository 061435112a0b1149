"""Documentation that cannot drift: README and CONTRIBUTING are held against the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def commands() -> dict[str, object]:
    """Every command by its full name, e.g. "import events"."""
    from serving.cli import app

    found: dict[str, object] = {}

    def walk(command: object, words: list[str]) -> None:
        children = getattr(command, "commands", None)
        if children:
            for name, child in children.items():
                walk(child, [*words, name])
            if getattr(command, "invoke_without_command", False) and words:
                found[" ".join(words)] = command
        else:
            found[" ".join(words)] = command

    walk(typer.main.get_command(app), [])
    return found


def test_the_two_commands_stand_at_the_top() -> None:
    first = re.search(r"```\n(.*?)```", README, flags=re.S)
    assert first is not None
    assert [line.split("#")[0].strip() for line in first.group(1).strip().splitlines()] == ["make run", "make test"]


def test_every_command_stands_in_the_readme() -> None:
    assert [name for name in commands() if f"`pehle {name}`" not in README] == []


def test_the_readme_names_no_command_that_is_not_there() -> None:
    named = set(re.findall(r"`pehle ([a-z]+(?: [a-z]+)?)`", README))
    assert named - set(commands()) == set()


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_an_example(name: str) -> None:
    text = getattr(commands()[name], "help", None) or ""
    assert f"Example: pehle {name}" in text


def test_the_settings_block_is_every_setting_with_its_default(tmp_path: Path) -> None:
    from serving.settings import Settings, load_settings

    (text,) = blocks("toml")
    written = tomllib.loads(text)
    assert {section: set(values) for section, values in written.items()} == {
        section: {key for key in field.annotation.model_fields if not key.endswith("_file")}  # type: ignore[union-attr]
        for section, field in Settings.model_fields.items()
    }
    file = tmp_path / "pehle.toml"
    file.write_text(text, encoding="utf-8")
    assert load_settings(file, {}).model_dump() == load_settings(None, {}).model_dump()


def test_the_signal_table_is_the_catalog() -> None:
    from features.catalog import catalog

    table = README.split("<!-- signals")[1].split("<!-- end of signals")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", table, flags=re.M)
    assert rows == [(s.name, s.question, s.unit, s.no_data) for s in catalog()]


def test_every_play_stands_in_the_readme() -> None:
    from serving.playbook import load_playbook

    assert [play.name for play in load_playbook().plays if f"`{play.name}`" not in README] == []


def test_every_make_target_in_the_docs_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    texts = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`?make ([a-z-]+)", texts)) - {"a", "the", "one"}
    assert [target for target in named if not re.search(rf"^{target}:", makefile, flags=re.M)] == []


def test_every_file_the_docs_name_exists() -> None:
    texts = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:records|features|training|serving|templates|tests)/[\w/.-]+)`", texts)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_list_of_signals_needs_no_home(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "serving.cli", "--home", str(tmp_path), "features", "list", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)
    assert len(rows) >= 40
    assert set(rows[0]) == {"name", "question", "unit", "family", "no_data"}
    assert list(tmp_path.iterdir()) == []
