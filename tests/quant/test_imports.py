"""Packages and modules of types are light to import; public names of quant resolve on first use."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("quant", "store", "desk", "tools", "prompts", "agents", "graphs", "api")
HEAVY = frozenset({"numpy", "numba", "scipy", "pandas", "langgraph"})
HEAVIER = ("pandas", "scipy.stats", "scipy.optimize", "scipy.cluster", "arch", "clarabel")
"""Libraries that modules of quant import in the functions that use them."""
TYPES = (
    "quant.numeric.errors",
    "quant.numeric.frozen",
    "quant.numeric.measured",
    "quant.strategies.config",
    "quant.strategies.evaluation",
    "quant.strategies.family",
    "quant.strategies.goal",
    "quant.strategies.mandate",
    "quant.strategies.trial",
    "quant.worlds.scenario",
    "desk.figures.figures",
    "desk.optimization.answers",
    "desk.optimization.request",
    "desk.optimization.result",
    "desk.runs.events.live",
)
"""Modules of types that cross a process or model boundary, besides those named `*schemas`."""
LAZY = ("allocate", "luck", "scenario", "tearsheet")

PROGRAM = """
import importlib, sys
heavy = set(sys.argv[1].split(","))
for name in sys.argv[2].split(","):
    importlib.import_module(name)
    for library in sorted(heavy & set(sys.modules)):
        print(f"{name} imports {library}")
    heavy -= set(sys.modules)
"""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(pattern: str) -> list[str]:
    return sorted(module_name(path) for folder in FOLDERS for path in (ROOT / folder).rglob(pattern))


def heavy_imports(modules: list[str], heavy: frozenset[str]) -> list[str]:
    """A line for each library of `heavy` that a new interpreter loads when it imports `modules` in turn."""
    command = [sys.executable, "-c", PROGRAM, ",".join(sorted(heavy)), ",".join(modules)]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


def test_packages_import_no_heavy_library() -> None:
    packages = sources("__init__.py")
    assert {"quant.strategies", "desk.optimization", "api.http", "store.aws"} <= set(packages)
    assert heavy_imports([*packages, *(f"quant.{name}" for name in LAZY)], HEAVY) == []


def test_modules_of_types_import_no_heavy_library() -> None:
    schemas = sources("*schemas.py")
    assert schemas
    assert heavy_imports([*TYPES, *schemas], HEAVY) == []


def test_modules_of_quant_import_only_what_their_kernels_need() -> None:
    modules = [module_name(path) for path in sorted((ROOT / "quant").rglob("*.py"))]
    assert heavy_imports(modules, frozenset(HEAVIER)) == []


EXPORTING = [name for name in sources("*.py") if name in {f"quant.{lazy}" for lazy in LAZY}] + [
    module_name(path) for path in sorted((ROOT / "quant").glob("*/__init__.py"))
]


@pytest.mark.parametrize("name", EXPORTING)
def test_public_names_resolve_to_the_objects_of_their_modules(name: str) -> None:
    module = importlib.import_module(name)
    statements = ast.walk(ast.parse(Path(str(module.__file__)).read_bytes()))
    defined = {
        public: statement.module
        for statement in statements
        if isinstance(statement, ast.ImportFrom) and str(statement.module).startswith("quant.")
        for alias in statement.names
        if alias.name != "lazy_exports"
        for public in (importlib.import_module(str(statement.module)).__all__ if alias.name == "*" else [alias.name])
    }
    assert sorted(defined) == sorted(module.__all__)
    for public, origin in defined.items():
        assert getattr(module, public) is getattr(importlib.import_module(str(origin)), public)


@pytest.mark.parametrize("name", EXPORTING)
def test_an_unknown_name_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'unknown'"):
        _ = importlib.import_module(name).unknown
