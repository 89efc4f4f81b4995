"""The states of a job: a table written a second time, and random operations on the jobs of one owner."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from desk.base.clock import utc_now
from desk.base.errors import Conflicting, NotFound
from desk.optimization.request import OptimizationRequest
from desk.runs.drafts import load_draft
from desk.runs.repository import KIND, Run, change_run, load_run
from desk.runs.states import IllegalTransition, RunState, Transition
from graphs.dependencies import Dependencies
from graphs.jobs import drafts, fair_queue, job_queue
from graphs.jobs.expiry import expire_overdue_jobs
from store.records import Key
from tests.graphs.dependencies import OWNER, small_request
from tests.graphs.jobs.queued_runs import queued_dependencies

TABLE = {
    state: set(successors.split())
    for state, successors in {
        "draft": "queued waiting expired",
        "created": "queued waiting validating failed cancelled expired",
        "queued": "validating failed cancelled expired",
        "validating": "running waiting failed cancelled rejected",
        "running": "computing aggregating waiting failed cancelled rejected",
        "computing": "running failed cancelled",
        "aggregating": "completed failed cancelled",
        "waiting": "queued running cancelled rejected expired",
        "completed": "",
        "failed": "queued validating running rejected",
        "cancelled": "queued validating rejected",
        "rejected": "",
        "expired": "queued validating rejected",
    }.items()
}
"""Allowed successors of each state."""
DRAFT_STATES = ("draft", "expired draft")
LIFETIME_OVER = timedelta(days=100)
RUN_STATES: list[RunState] = [state for state in TABLE if state != "draft"]  # pyright: ignore[reportAssignmentType]


def new_run() -> Run:
    at = utc_now()
    return Run(
        id="r",
        owner=OWNER,
        state="created",
        created_at=at,
        request=OptimizationRequest(),
        data_digest="d",
        ledger="l",
        code_version="c",
        history=(Transition(state="created", at=at, by=OWNER),),
    )


@given(st.lists(st.sampled_from(RUN_STATES), max_size=30))
def test_a_run_takes_the_transitions_of_the_table_and_refuses_all_others(targets):
    run = new_run()
    for number, target in enumerate(targets):
        allowed = target in TABLE[run.state]
        at = run.updated_at + timedelta(seconds=1)
        if not allowed:
            with pytest.raises(IllegalTransition, match=f"is {run.state} and cannot become {target}"):
                run.with_state(target, at=at, by="someone")
            continue
        moved = run.with_state(target, at=at, by="someone", reason=f"step {number}")
        assert moved.history == (*run.history, Transition(state=target, at=at, by="someone", reason=f"step {number}"))
        assert Run.model_validate(moved.model_dump(mode="json")) == moved
        run = moved


class Clock:
    def __init__(self) -> None:
        self.time = utc_now()

    def __call__(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        self.time += by


class Jobs:
    """Jobs of one owner, each with the state that the operations on it should have led to."""

    def __init__(self, dependencies: Dependencies, clock: Clock) -> None:
        self._dependencies = dependencies
        self._clock = clock
        self.states: dict[str, str] = {}

    async def apply(self, operation: str, place: int) -> None:
        self._clock.advance(timedelta(hours=1))
        if operation in ("submit", "draft", "expire") or not self.states:
            await (self._expire() if operation == "expire" else self._create(draft=operation == "draft"))
            return
        job = list(self.states)[place % len(self.states)]
        target, call = self._operations(job)[operation]
        if target is None:
            with pytest.raises((Conflicting, NotFound)):
                await call()
        else:
            await call()
            self.states[job] = target
        if self.states[job] == "deleted":
            del self.states[job]

    def _operations(self, job: str) -> dict[str, tuple[str | None, Callable[[], Awaitable[object]]]]:
        """For each operation the state that it leads to, None if it is refused, and the call."""
        dependencies, state = self._dependencies, self.states[job]
        is_draft = state in DRAFT_STATES
        alive = state in ("queued", "validating", "running", "aggregating", "waiting", "cancelled")

        async def submit() -> None:
            draft = await load_draft(dependencies.store, OWNER, job)
            await drafts.submit_draft(dependencies, draft, small_request())

        def execution(*targets: RunState) -> tuple[str | None, Callable[[], Awaitable[object]]]:
            """What a worker does with the job."""
            steps = pairwise([state, *targets])
            allowed = not is_draft and all(target in TABLE[before] for before, target in steps)
            return targets[-1] if allowed else None, partial(self._execute, job, targets)

        return {
            "edit": ("draft" if is_draft else None, lambda: drafts.edit_draft(dependencies, OWNER, job, {})),
            "delete": ("deleted" if is_draft else None, lambda: drafts.delete_draft(dependencies, OWNER, job)),
            "submit draft": ("queued" if is_draft else None, submit),
            "cancel": ("cancelled" if alive else None, lambda: job_queue.cancel(dependencies, OWNER, job, by=OWNER)),
            "restart": (
                "queued" if state in ("failed", "cancelled", "expired") else None,
                lambda: job_queue.restart(dependencies, OWNER, job, by=OWNER),
            ),
            "start": execution("validating", "running"),
            "wait": execution("waiting"),
            "fail": execution("failed"),
            "complete": execution("aggregating", "completed"),
        }

    async def _execute(self, job: str, targets: Sequence[RunState]) -> None:
        def moved(run: Run) -> Run:
            for target in targets:
                run = run.with_state(target, at=self._clock(), by="worker")
            return run

        run = await change_run(self._dependencies.store, OWNER, job, moved)
        if run.state != "running":
            await fair_queue.change_queue(self._dependencies.store, OWNER, lambda queue: queue.without_job(job))

    async def _create(self, *, draft: bool) -> None:
        if draft:
            self.states[(await drafts.create_draft(self._dependencies, OWNER, {})).id] = "draft"
        else:
            self.states[(await job_queue.submit(self._dependencies, OWNER, small_request())).id] = "queued"

    async def _expire(self) -> None:
        self._clock.advance(LIFETIME_OVER)
        due = {job for job, state in self.states.items() if state in ("draft", "queued", "waiting")}
        assert await expire_overdue_jobs(self._dependencies) == len(due)
        self.states |= {job: "expired draft" if self.states[job] == "draft" else "expired" for job in due}

    async def check(self) -> None:
        store = self._dependencies.store
        owner_queue, _ = await fair_queue.load_queue(store, OWNER)
        queued = [*owner_queue.waiting, *(ticket.job for ticket in owner_queue.places)]
        for job, state in self.states.items():
            is_draft = state in DRAFT_STATES
            stored = await (load_draft if is_draft else load_run)(store, OWNER, job)
            assert stored.state == state.removesuffix(" draft")
            assert (await store.records.get(Key(OWNER, KIND, job)) is None) == is_draft
            assert (await store.records.get(Key(OWNER, "draft", job)) is not None) == is_draft
            assert (
                queued.count(job) == 1 if state == "queued" else state not in ("draft", "expired") or job not in queued
            )
            for before, after in pairwise(stored.history):
                renewed = (before.state, after.state) == ("expired", "draft")
                assert renewed or after.state in TABLE[before.state]
                assert before.at <= after.at
            assert all(move.by for move in stored.history)


ON_JOBS = ("edit", "delete", "submit draft", "cancel", "restart", "start", "wait", "fail", "complete")
OPERATIONS = ("submit", "draft", "expire", *ON_JOBS)


@settings(max_examples=12)
@example([(operation, 0) for operation in ("submit", "start", "wait", "restart", "expire", "restart")])
@example([(operation, 0) for operation in ("draft", "expire", "edit", "expire", "submit draft", "expire", "restart")])
@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 1)), min_size=10, max_size=16))
def test_random_operations_lead_to_the_expected_states(operations):
    async def carry_out(home: Path) -> None:
        clock = Clock()
        async with queued_dependencies(home) as dependencies:
            jobs = Jobs(replace(dependencies, now=clock), clock)
            for operation, place in operations:
                await jobs.apply(operation, place)
                await jobs.check()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(carry_out(Path(folder)))
