import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from quant.numeric.compilation import cache_folder, imported_files, writable

ROOT = Path(__file__).parents[3]
PROGRAM = "from quant.numeric.elementary import exp; print(exp(1.0))"
WITHOUT_OVERRIDE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
"""The superuser can write to read-only folders unless it drops these capabilities."""

IMPORTS = {
    "one name": "from core.numeric.exponential import exp",
    "an alias": "from core.numeric.exponential import exp as e  # short",
    "several lines": "from core.numeric.exponential import (\n    exp,  # (the fast one)\n    log,\n)",
    "a continued line": "from core.numeric.exponential import exp, \\\n    log",
    "a module of a package": "from core.numeric import exponential",
    "modules of a package on several lines": "from core.numeric import (\n    errors,\n    exponential as e,\n)",
    "a package that imports it": "from core.numeric import exp",
    "a whole module": "import core.numeric.exponential",
    "modules with aliases": "import math, core.numeric.exponential as e",
    "a relative module": "from ..numeric.exponential import exp",
    "a relative package": "from ..numeric import exponential",
    "a module beside it": "from . import rules",
    "a statement in a function": "def f():\n    from core.numeric.exponential import exp",
}


def package(root: Path, statement: str) -> Path:
    """A package `core` below `root`, whose module `worlds.kernel` consists of `statement`."""
    sources = {
        "core/__init__.py": "",
        "core/numeric/__init__.py": "from core.numeric.exponential import exp",
        "core/numeric/exponential.py": "exp = log = None",
        "core/numeric/errors.py": "",
        "core/worlds/__init__.py": "",
        "core/worlds/rules.py": "from core.numeric.exponential import exp",
        "core/worlds/kernel.py": statement,
    }
    for name, source in sources.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return root / "core/worlds/kernel.py"


@pytest.mark.parametrize("form", IMPORTS)
def test_the_cache_of_a_kernel_changes_with_every_module_that_it_imports(tmp_path: Path, form: str) -> None:
    kernel = package(tmp_path, IMPORTS[form])
    before = cache_folder(kernel, tmp_path)
    exponential = tmp_path / "core/numeric/exponential.py"
    assert exponential in imported_files(kernel, tmp_path)

    other = tmp_path / "other"
    changed = package(other, IMPORTS[form])
    assert cache_folder(changed, other).name == before.name
    again = tmp_path / "again"
    changed = package(again, IMPORTS[form])
    (again / "core/numeric/exponential.py").write_text("exp = log = 0")
    assert cache_folder(changed, again).name != before.name


def test_a_module_that_is_not_imported_does_not_change_the_cache(tmp_path: Path) -> None:
    kernel = package(tmp_path, IMPORTS["a module of a package"])
    assert [path.stem for path in imported_files(kernel, tmp_path)] == ["exponential", "kernel"]


@cache
def parsed_imports(path: Path) -> set[Path]:
    """The files of this repository that `path` imports, by Python's own parser."""
    files = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            files |= {ROOT / f"{name.name.replace('.', '/')}.py" for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = ROOT / str(node.module).replace(".", "/")
            for name in node.names:
                submodule = module / name.name
                candidates = (
                    *(submodule.with_suffix(".py"), submodule / "__init__.py"),
                    *(module.with_suffix(".py"), module / "__init__.py"),
                )
                files.add(next((file for file in candidates if file.exists()), module))
    return {file for file in files if file.is_file()}


def test_the_imports_of_every_module_are_those_that_python_parses() -> None:
    for path in sorted((ROOT / "quant").rglob("*.py")):
        files, pending = set[Path](), {path}
        while pending:
            files |= pending
            pending = set().union(*map(parsed_imports, pending)) - files
        assert imported_files(path) == sorted(files), path


def run(kernels: Path, scratch: Path, **settings: str) -> tuple[str, str]:
    """What the program prints last, and all of its output, with numba's notes about its cache."""
    scratch.mkdir(exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "STRATIGOS"))},
        "STRATIGOS_KERNEL_CACHE": str(kernels),
        "TMPDIR": str(scratch),
        "NUMBA_DEBUG_CACHE": "1",
        "HOME": "/nowhere",
        **settings,
    }
    command = [*WITHOUT_OVERRIDE, sys.executable, "-c", PROGRAM]
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()[-1], process.stdout


def test_processes_that_start_together_compile_a_kernel_once(tmp_path: Path) -> None:
    program = f"{PROGRAM}; print(sum(exp.stats.cache_misses.values()), sum(exp.stats.cache_hits.values()))"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"STRATIGOS_KERNEL_CACHE": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    printed = sorted(process.communicate(timeout=120)[0].splitlines()[-1] for process in processes)
    assert printed == ["0 1", "0 1", "1 0"]


def test_kernels_of_a_read_only_folder_are_loaded_and_those_of_another_processor_are_added_elsewhere(
    tmp_path: Path,
) -> None:
    kernels, scratch = tmp_path / "kernels", tmp_path / "scratch"
    expected, output = run(kernels, scratch)
    assert "data saved to" in output
    assert not list(scratch.glob("stratigos-kernels-*"))
    times = {path: path.stat().st_mtime_ns for path in kernels.rglob("*")}
    for path in (kernels, *times):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        result, output = run(kernels, scratch)
        assert result == expected
        assert "data loaded from" in output
        assert "data saved to" not in output

        result, output = run(kernels, scratch, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
        assert result == expected
        assert "data saved to" in output
        assert {path: path.stat().st_mtime_ns for path in kernels.rglob("*")} == times
    finally:
        for path in (kernels, *times):
            path.chmod(path.stat().st_mode | 0o200)


def test_a_folder_that_other_users_can_write_to_is_rejected(tmp_path: Path) -> None:
    kernels, scratch = tmp_path / "kernels", tmp_path / "scratch"
    shared = scratch / f"stratigos-kernels-{os.getuid()}"
    shared.mkdir(parents=True)
    shared.chmod(0o777)
    kernels.mkdir()
    kernels.chmod(0o555)
    settings = {"STRATIGOS_KERNEL_CACHE": str(kernels), "TMPDIR": str(scratch)}
    command = [*WITHOUT_OVERRIDE, sys.executable, "-c", PROGRAM]
    process = subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, timeout=60)
    assert process.returncode != 0
    assert "can be written to by others" in process.stderr


@pytest.mark.parametrize("folder", ["present", "not/yet/present"])
def test_a_folder_that_can_be_written_to_is_used_itself(tmp_path: Path, folder: str) -> None:
    assert writable(tmp_path / folder) == tmp_path / folder
