"""Which code made a result: what it depends on, in one digest."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("quant", "desk", "tools", "graphs")
"""Everything that computes or decides; agents' decisions are stored with the run."""
RATES = "desk/market/data/cash_rate.csv"
"""Bundled as well; prices have a digest of their own wherever they go."""
LIBRARIES = ("numba", "numpy", "optuna", "scipy")
"""Those whose choices can enter a result."""


@cache
def code_version() -> str:
    """SHA-256 of our sources, of the cash rates, and of the versions of the numeric libraries."""
    content = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            content.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    content.update((ROOT / RATES).read_bytes() + b"\0")
    for library in LIBRARIES:
        content.update(f"{library} {version(library)}\n".encode())
    return content.hexdigest()
