"""Ours and its peers on the same inputs in the same run; no ratio without equal answers."""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True)
class Row:
    """Seconds of one task at one size; `target` is the ratio to the best peer that must be reached."""

    task: str
    size: str
    ours: float
    peers: Mapping[str, float]
    target: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return min(self.peers.values()) / self.ours if self.peers else None


def seconds_of(function: Callable[[], Any], *, budget: float = 0.4, most: int = 200) -> tuple[float, Any]:
    """The least time of repeated calls and their answer; the first call counts only if it exceeds the budget."""
    start = time.perf_counter()
    answer = function()
    least = time.perf_counter() - start
    if least > budget:
        return least, answer
    least, total, calls = float("inf"), 0.0, 0
    while total < budget and calls < most:
        start = time.perf_counter()
        answer = function()
        took = time.perf_counter() - start
        least, total, calls = min(least, took), total + took, calls + 1
    return least, answer


@dataclass
class Comparison:
    """Collects the rows of a run."""

    rows: list[Row] = field(default_factory=list)

    def add(
        self,
        task: str,
        size: str,
        ours: Callable[[], Any],
        peers: Mapping[str, Callable[[], Any]],
        *,
        equal: Callable[[Any, Any], None],
        target: float | None = None,
        note: str = "",
        budget: float = 0.4,
    ) -> Row:
        """Time `ours` and each of `peers`, whose answers `equal(ours, theirs)` must accept by not raising."""
        least, answer = seconds_of(ours, budget=budget)
        times: dict[str, float] = {}
        for name, peer in peers.items():
            times[name], theirs = seconds_of(peer, budget=budget)
            equal(answer, theirs)
        least = min(least, seconds_of(ours, budget=budget)[0])
        row = Row(task, size, least, times, target, note)
        self.rows.append(row)
        return row


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def cells(row: Row) -> tuple[str, ...]:
    best = min(row.peers, key=lambda name: row.peers[name], default="")
    ratio = "" if row.ratio is None else f"{row.ratio:,.3g}x" if row.ratio < 1000 else f"{row.ratio:,.0f}x"
    target = "" if row.target is None else f"{row.target:,g}x"
    if row.target is not None and row.ratio is not None and row.ratio < row.target:
        target += " (missed)"
    peers = ", ".join(f"{name} {duration(s)}" for name, s in sorted(row.peers.items(), key=lambda item: item[1]))
    return row.task, row.size, duration(row.ours), peers, ratio if best else "", target, row.note


HEADINGS = ("task", "size", "ours", "peers", "ratio to the best", "target", "note")


def machine() -> str:
    cpu = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    names = ("numpy", "scipy", "numba", "skfolio", "pyportfolioopt", "cvxcla", "riskparityportfolio")
    versions = ", ".join(f"{name} {version(name)}" for name in (*names, "quantstats", "scikit-learn"))
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, {versions}"


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def report(rows: Sequence[Row], *, write: bool) -> None:
    """Print one table, and write it to RESULTS.md."""
    table = Table(*HEADINGS, title="ours and its peers, same inputs, equal answers")
    for row in rows:
        table.add_row(*cells(row))
    Console(width=200).print(table)
    if not write:
        return
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    RESULTS.write_text(
        "# Speed against the peers\n\n"
        "Written by `make bench`: least times of ours and the peers in the same run on the same inputs. A row is\n"
        "listed only if the answers were equal.\n\n"
        f"{machine()}\n\n" + "\n".join(lines) + "\n",
        encoding="utf-8",
    )
