"""One request has one digest on any processor and with any number of threads; any change of it changes the digest."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SMALL = ("--trials", "12", "--paths", "150", "--years", "1", "--scenarios", "base_case,bear_market")

PROCESSOR = {
    "NUMBA_NUM_THREADS": "1",
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX",
    "OPENBLAS_CORETYPE": "Prescott",
    "OPENBLAS_NUM_THREADS": "2",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2_Usable,-FMA_Usable,-AVX512F_Usable,-AVX2,-FMA,-AVX512F",
}
"""Variables with which each library selects code for an older processor, and another number of threads."""


def run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        cwd=ROOT,
        env={**os.environ, "STRATIGOS_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=280,
    )


def digest(home: Path, *arguments: str, **environment: str) -> str:
    process = run(home, "optimize", *SMALL, *arguments, **environment)
    assert process.returncode == 0, process.stderr
    match = re.search(r"^result digest: ([0-9a-f]{64})$", process.stdout, re.MULTILINE)
    assert match, process.stdout
    return match[1]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> str:
    return digest(tmp_path_factory.mktemp("first"))


@pytest.mark.soak  # in short: tests/quant/numeric/test_elementary.py and test_montecarlo.py, for the kernels themselves
@pytest.mark.timeout(300)
def test_another_processor_and_another_number_of_threads_change_no_bit(first: str, tmp_path: Path) -> None:
    assert digest(tmp_path / "home", **PROCESSOR) == first


@pytest.mark.soak
def test_reproducing_a_run_without_a_model_gives_its_digest(tmp_path: Path) -> None:
    once = digest(tmp_path / "home", "--seed", "7")
    again = run(tmp_path / "home", "reproduce", "last")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count(once) >= 1


@pytest.mark.parametrize("option", [("--seed", "2"), ("--risk-aversion", "2.5"), ("--name", "Another")])
@pytest.mark.soak
def test_any_change_of_the_request_changes_the_digest(first: str, tmp_path: Path, option: tuple[str, ...]) -> None:
    assert digest(tmp_path / "home", *option) != first


@pytest.mark.soak
def test_the_last_price_changes_the_digest(tmp_path: Path) -> None:
    days = np.arange("2008-01-01", "2021-01-01", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    closes = 100.0 * np.cumprod(1.0 + np.random.default_rng(5).normal(0.0003, 0.01, days.size))
    digests = []
    for last in (closes[-1], closes[-1] * 1.001):
        closes[-1] = last
        path = tmp_path / f"{last}.csv"
        sessions = _sessions(days)
        rows = [f"{day},{close:.4f}" for day, close in zip(sessions, closes, strict=False)]
        rows[-1] = f"{sessions[-1]},{last:.4f}"
        path.write_text("\n".join(["date,SPX", *rows]), encoding="utf-8")
        digests.append(digest(tmp_path / path.stem, "--prices", str(path)))
    assert digests[0] != digests[1]


def _sessions(days: np.ndarray) -> list[str]:
    """Only the days on which the exchange was open."""
    import exchange_calendars

    calendar = exchange_calendars.get_calendar("XNYS", start=str(days[0]), end=str(days[-1]))
    return [str(day.date()) for day in calendar.sessions]


def imprecise_calls(source: str) -> list[str]:
    """Uses of `**` and `sum` on numbers that are not whole, compiled functions apart: both are loops of our own there.

    `**` is libm's pow, whose last bit the processor changes; `sum` of fractions is compensated from Python 3.12 on.
    """
    whole = (ast.Compare, ast.Call)  # counts: `sum(x > 0 for ...)`, `sum(len(x) for ...)`
    calls: list[str] = []

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "compiled" for d in node.decorator_list):
            return
        match node:
            case ast.BinOp(op=ast.Pow(), left=ast.Constant(value=int())):
                pass
            case ast.BinOp(op=ast.Pow()):
                calls.append(ast.unparse(node))
            case ast.Call(func=ast.Name("sum"), args=[ast.GeneratorExp(elt=elt)]):
                counts = isinstance(elt, whole) and "float" not in ast.unparse(elt)
                counts |= isinstance(elt, ast.Attribute) and elt.attr == "indistinguishable"
                calls.extend([] if counts else [ast.unparse(node)])
            case ast.Call(func=ast.Name("sum" | "pow")):
                calls.append(ast.unparse(node))
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(ast.parse(source))
    return calls


@pytest.mark.parametrize("folder", ["quant", "tools"])
def test_no_number_comes_from_a_power_or_a_sum_that_changes_with_processor_or_python(folder: str) -> None:
    assert {
        str(p.relative_to(ROOT)): calls
        for p in (ROOT / folder).rglob("*.py")
        if (calls := imprecise_calls(p.read_text()))
    } == {}


@pytest.mark.parametrize("code", ["x ** 0.5", "x ** 2", "10.0 ** n", "sum(x)", "sum(w * x for w in y)", "pow(x, 2)"])
def test_the_check_finds_powers_and_sums(code: str) -> None:
    assert imprecise_calls(code) == [ast.unparse(ast.parse(code))]
