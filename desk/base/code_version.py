"""Digest of the code that a result depends on."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("quant", "desk", "tools", "graphs")
"""Folders that compute or decide; the decisions of agents are stored with the run instead."""
RATES = "desk/market/data/cash_rate.csv"
"""Bundled cash rates; prices are not listed because each dataset has its own digest."""
LIBRARIES = ("numba", "numpy", "scipy")
"""Libraries whose version can change a result."""


@cache
def code_version() -> str:
    """SHA-256 of the sources, of the cash rates, and of the versions of the numeric libraries."""
    content = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            content.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    content.update((ROOT / RATES).read_bytes() + b"\0")
    for library in LIBRARIES:
        content.update(f"{library} {version(library)}\n".encode())
    return content.hexdigest()
