"""The numeric core is at hand at once: heavy libraries come when they are needed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "quant").glob("*.py") if path.stem != "__init__")
HEAVY = ("pandas", "scipy.stats", "scipy.optimize", "scipy.cluster", "arch", "optuna", "clarabel")
LIGHT = ("strategy", "scenario", "family", "frozen", "evaluation", "trial", "goal", "errors")
"""Modules of types: what crosses a process or a model boundary, and what the doors need to open."""

PROGRAM = """
import importlib, sys, time
begun = time.perf_counter()
for name in sys.argv[1].split(","):
    importlib.import_module("quant." + name)
print(time.perf_counter() - begun)
print(*sys.modules)
"""


def imported(*modules: str) -> tuple[float, set[str]]:
    """Seconds and loaded modules of a new interpreter that imports these of `quant`."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, ",".join(modules)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},
    )
    seconds, loaded = run.stdout.splitlines()
    return float(seconds), set(loaded.split())


def test_every_module_together_loads_no_heavy_library() -> None:
    imported(*MODULES)  # writes the bytecode
    seconds, loaded = imported(*MODULES)
    assert {f"quant.{name}" for name in MODULES} <= loaded
    assert loaded.isdisjoint(HEAVY), sorted(loaded & set(HEAVY))
    print(f"{len(MODULES)} modules in {seconds:.2f} s")


def test_the_modules_of_types_do_without_numpy() -> None:
    _, loaded = imported(*LIGHT)
    assert loaded.isdisjoint({"numpy", "numba", "scipy"})
