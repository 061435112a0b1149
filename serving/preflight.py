"""Is what the system must bring there? Run by `make` with the bare system Python, before anything is installed.

Checks Python ≥ 3.11, the venv module and, on Linux, libgomp for LightGBM; names each missing one with its package.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys

OLDEST = (3, 11)


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


if __name__ == "__main__":
    problems = missing()
    for line in problems:
        sys.stderr.write(f"pehle: {line}\n")
    sys.exit(1 if problems else 0)
