"""Runs that wait for a person's approval."""

import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from desk.compute.local import LocalRunner
from desk.governance.approvals import ApprovalDecision, load_approval
from desk.optimization.inputs.owned_market import load_owned_market
from desk.runs.repository import load_events, load_run
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from store.records import iterate_records
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.runs.approval_process import LOW, go_on
from tests.processes import FORK_SERVER, exit_code_of

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
THURSDAY = MONDAY + timedelta(days=3)
RUN = "same"
ALL_WRITES = 1_000
"""More writes than a process makes."""


class CountingRunner(LocalRunner):
    """Counts the submitted jobs."""

    jobs = 0

    async def submit(self, job):
        self.jobs += 1
        return await super().submit(job)


@asynccontextmanager
async def open_with_approval(
    home: Path, *, now: datetime = MONDAY, model: Any = None, **changes: Any
) -> AsyncGenerator[Dependencies]:
    """Dependencies in which every run needs approval, with the clock at that time."""
    async with open_dependencies(home, model) as dependencies:
        jobs = CountingRunner(dependencies.store, partial(load_owned_market, dependencies.store, dependencies.prices))
        yield replace(dependencies, **({"thresholds": LOW, "now": lambda: now, "jobs": jobs} | changes))


async def execute_run(dependencies: Dependencies, run: str = RUN) -> list[Any]:
    return [event async for event in execute(dependencies, OWNER, run)]


async def run_until_approval(dependencies: Dependencies, request: Any) -> list[Any]:
    await create_run(dependencies, OWNER, request, run_id=RUN)
    return await execute_run(dependencies)


def decision(verdict: Any = "approved", *, at: datetime = MONDAY, **changes: Any) -> ApprovalDecision:
    return ApprovalDecision(verdict=verdict, by="risk officer", at=at, **changes)


async def events_of_run(dependencies: Dependencies) -> list[Any]:
    return list(await load_events(dependencies.store, OWNER, RUN))


async def state_of_run(dependencies: Dependencies) -> str:
    return (await load_run(dependencies.store, OWNER, RUN)).state


async def count_trials(dependencies: Dependencies) -> int:
    return len([record async for record in iterate_records(dependencies.store.records, OWNER, "trial")])


async def run_process(home: Path, now: datetime, decision: ApprovalDecision | None, writes: int) -> int | None:
    """The exit code of a process that resumes the run."""
    child = FORK_SERVER.Process(target=go_on, args=(home, RUN, now, decision, writes), daemon=True)
    child.start()
    return await exit_code_of(child)


async def check_kills_around_approval(
    folder: Path, request: Any, asking: Sequence[int], deciding: Sequence[int]
) -> None:
    """Numbers of the writes at which processes die: while requesting approval, then while deciding and resuming."""
    async with open_dependencies(folder / "unasked") as dependencies:
        unasked = await run_until_approval(dependencies, request)
    home, approved = folder / "rough", decision(reason="go", at=THURSDAY)
    async with open_with_approval(home) as dependencies:
        await create_run(dependencies, OWNER, request, run_id=RUN)
    for writes in asking:
        assert await run_process(home, MONDAY, None, writes) == -signal.SIGKILL
    async with open_with_approval(home) as dependencies:
        assert await state_of_run(dependencies) == "waiting"
        assert await count_trials(dependencies) == 0
    for writes in deciding:
        assert await run_process(home, THURSDAY, approved, writes) == -signal.SIGKILL
    assert await run_process(home, THURSDAY, approved, ALL_WRITES) == 0

    async with open_with_approval(home) as dependencies:
        assert await state_of_run(dependencies) == "completed"
        events = await events_of_run(dependencies)
        records = [record async for record in iterate_records(dependencies.store.records, OWNER, "trial")]
        approval = await load_approval(dependencies.store, OWNER, RUN)
    assert [e.event for e in events if e.node == "approve"] == ["approval_requested", "approval_decided"]
    assert [e.comparable() for e in events if e.node != "approve"] == [e.comparable() for e in unasked]
    assert events[-1].result_digest == unasked[-1].result_digest
    assert len(records) == request.trials
    assert all(record.version == 1 for record in records)
    assert approval is not None
    assert approval.decided == approved
    assert approval.asked.at == MONDAY
    assert {e.at for e in events} == {MONDAY, THURSDAY}
