"""The house rules a program can hold: what imports do, what the wheel holds, what no file may contain."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("records", "features", "training", "serving", "templates")
MODULES = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in PACKAGES
    for file in (ROOT / package).rglob("*.py")
    # alembic runs its environment and versions itself, in a context an import does not have
    if "migrations" not in file.parts
)
SOURCES = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]


def committed() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def test_importing_every_module_does_nothing(tmp_path: Path) -> None:
    """No file, no output, no environment needed; the working folder stays empty."""
    program = "import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in MODULES)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, serving.cli\n"
        "heavy = {'mlflow','lightgbm','ibis','duckdb','pandas','numpy','sqlalchemy','fastapi','pydantic','rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["serving.web.app", "serving.jobs", "serving.sending", "serving.review"])
def test_the_web_process_starts_without_the_learning_libraries(module: str) -> None:
    program = f"import sys, {module}\nprint(sorted({{'mlflow','lightgbm','sklearn','pandas'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_our_package_names_belong_to_us_alone() -> None:
    for package in PACKAGES:
        assert packages_distributions().get(package, ["pehle"]) == ["pehle"]


def test_the_wheel_holds_our_packages_and_templates_and_nothing_else(tmp_path: Path) -> None:
    program = f"import hatchling.build as b; print(b.build_wheel({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    names = zipfile.ZipFile(tmp_path / done.stdout.strip().splitlines()[-1]).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == set(PACKAGES)
    assert "templates/playbook.toml" in names
    assert any(name.startswith("templates/messages/router_setup/") for name in names)
    assert any(name.startswith("templates/pages/") for name in names)
    assert any(name.startswith("records/migrations/versions/") for name in names)


def test_no_committed_file_names_a_package_index_or_a_machine() -> None:
    forbidden = re.compile(
        r"pypi\.org|pythonhosted|registry\.npmjs|--(extra-)?index-url|/home/[a-z]+/|/root/|/work/" + "main"
    )
    found = []
    for file in committed():
        if file.suffix in (".png", ".parquet") or file == Path(__file__):
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        found += [f"{file.relative_to(ROOT)}: {hit.group()}" for hit in forbidden.finditer(text)]
    assert found == []


def test_nothing_is_pickled() -> None:
    loaders = {"pickle", "cloudpickle", "joblib", "dill", "skops", "shelve"}
    found = []
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{file.name}: {name}" for name in names if name.split(".")[0] in loaders]
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), file
                assert node.value.value is False, file
    assert found == []


def test_only_the_doors_ask_the_clock() -> None:
    doors = {"schedule.py", "shared_options.py"}
    asking = re.compile(r"datetime\.now\(|utcnow\(|date\.today\(|time\.time\(")
    found = [
        str(file.relative_to(ROOT))
        for file in SOURCES
        if file.name not in doors and "web" not in file.parts and asking.search(file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_files_and_functions_stay_readable() -> None:
    """A file over 350 lines or a function over 60 has a second reason to exist.

    A function of three statements is a declaration, such as a family's list of signals, and may be longer.
    """
    long = []
    for file in SOURCES:
        source = file.read_text(encoding="utf-8")
        if source.count("\n") > 350:
            long.append(f"{file.relative_to(ROOT)}: {source.count(chr(10))} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > 60 and len(node.body) > 4:
                    long.append(f"{file.relative_to(ROOT)}: {node.name} has {length} lines")
    assert long == []


def test_no_file_is_named_for_nothing() -> None:
    nothing = {"utils", "helpers", "common", "core", "base", "manager", "misc"}
    assert [str(file) for file in SOURCES if file.stem in nothing] == []


def test_nothing_of_the_simulated_truth_reaches_signals_models_or_messages() -> None:
    """Only the demo may use the simulation at all, and nobody but tests its truth."""
    found = []
    for file in SOURCES:
        place = file.relative_to(ROOT).parts
        if place[:2] == ("records", "simulation"):
            continue
        text = file.read_text(encoding="utf-8")
        if "simulation.truth" in text or "truth()" in text:
            found.append("/".join(place))
        if "records.simulation" in text and place[0] in ("features", "training"):
            found.append("/".join(place))
    assert found == []
