"""Where Spark or its Java is not there, we say so in a sentence that helps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from features.spark import session
from records.errors import SettingError
from serving.preflight import java_missing


def test_without_spark_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyspark", "pyspark.errors", "pyspark.sql"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SettingError, match=r"'local\[2\]', and Spark is not installed.*pehle\[spark\]"):
        session("local[2]")


def java(folder: Path, version: str) -> None:
    """A program that says what `java -version` says."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("version", "lines"),
    [("17.0.15", []), ("21", []), ("11.0.2", ["is 11"]), ("1.8.0_401", ["is 1."]), ("?", ["none"])],
)
def test_java_must_be_17_or_newer(
    version: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = java_missing()
    assert len(found) == len(lines)
    assert all(part in line for part, line in zip(lines, found, strict=True))


def test_java_is_looked_for_in_java_home_and_else_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    [line] = java_missing()
    assert "there is none" in line
    java(tmp_path, "17")
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert java_missing() == []
