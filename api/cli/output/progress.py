"""Prints the line of each trace event, with a progress bar on a terminal."""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from api.cli.terminal import plain
from desk.runs.events.search import EstimateMade, JobProgressed
from desk.runs.events.table import TraceEvent

_MARKS = {"run": "", "node": "▸ "}
"""Begin of the line of a kind that opens a span; other lines are indented."""
_LEAST_SECONDS = 0.05
"""A rate is shown from then on: a resumed run reports its finished trials all at once."""


class Reporter:
    """Prints events on `console`; a context manager for the time of the run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = _bar(console) if console.is_terminal else None
        self._task: TaskID | None = None
        self._since = time.monotonic()
        self._done = 0

    def __enter__(self) -> "Reporter":
        self._live: AbstractContextManager[Any] = self._bar or nullcontext()
        self._live.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._live.__exit__(*failure)

    def show(self, event: TraceEvent) -> None:
        if isinstance(event, JobProgressed):
            self._show_progress(event)
            return
        if isinstance(event, EstimateMade):
            self._since, self._done = time.monotonic(), 0
        if line := live_line(event):
            self._console.print(line)

    def _show_progress(self, event: JobProgressed) -> None:
        if event.done == self._done:
            return
        self._done = event.done
        elapsed = time.monotonic() - self._since
        rate = f", {event.done / elapsed:.1f} trials/s" if elapsed >= _LEAST_SECONDS else ""
        if self._bar is None:
            self._console.print(f"  {event.line()}{rate}")
            return
        if self._task is None:
            self._task = self._bar.add_task("")
        description = f"trials{event.describe_best()}{rate}"
        self._bar.update(self._task, total=event.total, completed=event.done, description=description)


def _bar(console: Console) -> Progress:
    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def live_line(event: TraceEvent) -> str:
    """The event's line, indented; empty for events that only a trace shows."""
    return _MARKS.get(event.row.opens or "", "  ") + plain(event.line()) if event.live else ""
