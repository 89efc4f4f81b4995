"""The layout of the repository: where tests live, what they import, how large a package is and how it is described."""

import ast
import pkgutil
import re
from functools import cache
from pathlib import Path

import pytest

from tests.python_names import defined_names

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
SOURCE_FOLDERS = ("quant", "store", "desk", "tools", "prompts", "agents", "graphs", "api", "infra")
FOLDERS_WITHOUT_SOURCE = set("doubles journeys docs bench calibration soak faults cassettes web evals".split())
MOST_FILES = 25
FEWEST_PLACES = 15


def folders_of(*roots: str) -> list[Path]:
    """Folders that hold Python files, which leaves out the caches of folders that were removed."""
    return sorted({file.parent for root in roots for file in (ROOT / root).rglob("*.py")})


def relative(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


@cache
def imports_and_texts(file: Path) -> tuple[list[ast.Import | ast.ImportFrom], list[str]]:
    """The import statements of a file, inside functions too, and its strings."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    imports = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return imports, texts


def imported_modules(file: Path) -> set[str]:
    """Dotted names of the modules of tests/ that a file imports, inside functions too."""
    names: set[str] = set()
    for node in imports_and_texts(file)[0]:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("tests.")}


def is_test_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.name.startswith("test_") and path.with_suffix(".py").is_file()


def places_to_change() -> list[tuple[str, str]]:
    """The rows of the table `I want to change ...` of CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = re.search(r"^\| I want to change[^\n]*\n\|[-| ]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table is not None
    rows = [line.strip("| ").split(" | ") for line in table[1].splitlines()]
    return [(row[0], row[1]) for row in rows]


def test_no_test_file_imports_another_one() -> None:
    imports = {file: [name for name in imported_modules(file) if is_test_module(name)] for file in TESTS.rglob("*.py")}
    assert {file.relative_to(ROOT).as_posix(): names for file, names in imports.items() if names} == {}


def test_each_program_in_a_string_of_a_test_imports_what_exists() -> None:
    """Such programs run in processes of their own, many of them in long tests only."""
    pattern = rf"^\s*from ((?:{'|'.join(SOURCE_FOLDERS)})\.[\w.]+) import ([\w, ]+)$"
    missing: list[str] = []
    for file in TESTS.rglob("*.py"):
        for module, names in re.findall(pattern, "\n".join(imports_and_texts(file)[1]), re.MULTILINE):
            for name in names.split(","):
                try:
                    pkgutil.resolve_name(f"{module}.{name.partition(' as ')[0].strip()}")
                except (ImportError, AttributeError) as error:
                    missing.append(f"{file.relative_to(ROOT)}: {error}")
    assert missing == []


def test_no_test_folder_is_a_package() -> None:
    assert relative(sorted(TESTS.rglob("__init__.py"))) == []


def test_each_test_folder_mirrors_a_source_folder() -> None:
    source = {folder.relative_to(ROOT) for folder in folders_of(*SOURCE_FOLDERS)}
    folders = [folder.relative_to(TESTS) for folder in folders_of("tests") if folder != TESTS]
    assert [
        folder.as_posix()
        for folder in folders
        if folder not in source and folder.parts[0] not in FOLDERS_WITHOUT_SOURCE
    ] == []


def test_no_source_folder_has_too_many_files() -> None:
    sizes = {folder: len(list(folder.glob("*.py"))) for folder in folders_of(*SOURCE_FOLDERS)}
    assert {folder.relative_to(ROOT).as_posix(): n for folder, n in sizes.items() if n > MOST_FILES} == {}


@pytest.mark.parametrize("package", relative([f for f in folders_of(*SOURCE_FOLDERS) if (f / "__init__.py").exists()]))
def test_the_docstring_of_each_package_begins_with_a_paragraph_of_one_sentence(package: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")))
    assert docstring
    summary, _, _ = docstring.partition("\n\n")
    assert summary.endswith(".")
    assert not re.search(r"[.!?]\s+[A-Z]", summary), "more than one sentence"


def test_each_place_to_change_exists() -> None:
    rows = places_to_change()
    assert len(rows) >= FEWEST_PLACES
    missing: list[str] = []
    for change, cell in rows:
        places = re.findall(r"`([\w.-]*[/.][\w./-]*)(?:::([\w.]+))?`", cell)
        assert places, f"no path in the row of {change!r}"
        for path, name in places:
            if not (ROOT / path).exists() or (name and name not in defined_names(ROOT / path)):
                missing.append(f"{path}::{name}" if name else path)
    assert missing == []
