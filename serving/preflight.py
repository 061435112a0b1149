"""Is what the system must bring there? Run by `make` with the bare system Python, before anything is installed.

Checks Python ≥ 3.11, the venv module and, on Linux, libgomp for LightGBM; names each missing one with its package.
With the argument `java` it looks for what Spark needs instead: Java 17 or newer.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys

OLDEST = (3, 11)
OLDEST_JAVA = 17


def missing() -> list[str]:
    """One line for each thing that is not there, with what to install; empty if all is well."""
    lines = []
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:3])
        lines.append(f"Python {found} is too old: 3.11 or newer is needed. Name one with `make PYTHON=python3.12 run`.")
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        lines.append("Python's venv module is missing: install the package python3-venv (Debian, Ubuntu).")
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libgomp.so.1")
        except OSError:
            lines.append(
                "libgomp is missing, LightGBM needs it: install libgomp1 (Debian, Ubuntu) or libgomp (Fedora)."
            )
    return lines


def java_missing() -> list[str]:
    """One line if Spark would find no Java that it can use, looked for as Spark does: JAVA_HOME, then the path."""
    remedy = "Install openjdk-17-jre-headless (Debian, Ubuntu), or point JAVA_HOME at one, and run `make spark` again."
    home = os.environ.get("JAVA_HOME")
    java = os.path.join(home, "bin", "java") if home else shutil.which("java")
    if java is None or not os.path.exists(java):
        return [f"Spark needs Java {OLDEST_JAVA} or newer, and there is none. {remedy}"]
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        found = version[1] if version else "none that runs"
        return [f"Spark needs Java {OLDEST_JAVA} or newer; {java} is {found}. {remedy}"]
    return []


if __name__ == "__main__":
    problems = java_missing() if sys.argv[1:] == ["java"] else missing()
    for line in problems:
        sys.stderr.write(f"pehle: {line}\n")
    sys.exit(1 if problems else 0)
