"""The runs of one owner, as the assistant's tools launch and read them."""

import asyncio
import contextlib
import contextvars
import hashlib
from collections.abc import Callable
from contextlib import aclosing

from desk.base.errors import InvalidInput
from desk.conversation.answers import RunSummary
from desk.conversation.context import ApprovalPending, ApprovalRejected
from desk.conversation.focus import Focus
from desk.figures.figures import Figure
from desk.governance.approvals import load_approval
from desk.governance.estimates import Estimate
from desk.optimization.durations import load_durations
from desk.optimization.estimate import estimate
from desk.optimization.repositories.result_repository import load_result
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.runs.events.conversation import RunLaunched
from desk.runs.events.table import TraceEvent
from desk.runs.repository import Run, load_events, load_run
from desk.runs.states import RESTARTABLE_STATES
from graphs.dependencies import Dependencies
from graphs.jobs.job_queue import follow_run, restart, submit
from graphs.jobs.remote import execute_to_end
from graphs.runs.creation import complete_request, create_run
from graphs.runs.event_log import NodeLog
from graphs.runs.holdout import open_holdout
from graphs.runs.recent_runs import recent_results, recent_runs, results_named
from store.errors import Conflict
from store.records import Key

LAUNCHES = 3
"""Runs that one message may start."""


class AssistantRuns:
    """Adapter of `desk.conversation.context.Runs`; forwards the events of runs to the followers of the conversation."""

    def __init__(
        self,
        dependencies: Dependencies,
        owner: str,
        turn: str,
        about: Callable[[], Focus],
        node_log: NodeLog,
        tell: Callable[[TraceEvent], None],
    ) -> None:
        self._dependencies = dependencies
        self._owner = owner
        self._turn = turn
        self._about = about
        self._node_log = node_log
        self._tell = tell
        self._beginning = asyncio.Lock()

    async def estimate(self, request: OptimizationRequest) -> Estimate:
        completed = await complete_request(self._dependencies, self._owner, request)
        machines = self._dependencies.jobs.machines
        durations = await load_durations(self._dependencies.store, machines)
        return estimate(completed.request, machines=machines, durations=durations)

    async def launch(self, request: OptimizationRequest, name: str) -> str:
        run = hashlib.sha256(f"{self._owner}\n{self._turn}\n{name}".encode()).hexdigest()[:32]
        async with self._beginning:
            await self._begin(run, request)
        # an empty context, or LangGraph would treat the run as part of the conversation's graph
        task = asyncio.create_task(self._follow(run), context=contextvars.Context())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            raise
        state = (await load_run(self._dependencies.store, self._owner, run)).state
        if state == "waiting":
            raise ApprovalPending(run, "launch")
        if state == "rejected":
            raise await self._rejected(run)
        return run

    async def result(self, run: str) -> tuple[str, OptimizationResult]:
        matching_run = await self._find(run)
        if matching_run.state != "completed":
            raise InvalidInput(
                "run", run, reason=f"{matching_run.id[:12]} is {matching_run.state}", allowed="a run with a result"
            )
        return matching_run.id, await load_result(self._dependencies.store, self._owner, matching_run.id, "final")

    async def latest(self, count: int) -> tuple[RunSummary, ...]:
        return tuple(
            RunSummary(
                run=run.id, name=run.request.name, state=run.state, created_at=run.created_at.strftime("%Y-%m-%d %H:%M")
            )
            for run in await recent_runs(self._dependencies.store, self._owner, count)
        )

    async def holdout(self, run: str) -> tuple[Figure, ...]:
        opened_holdout = await open_holdout(self._dependencies, self._owner, run)
        if opened_holdout is None:
            raise ApprovalPending(run, "holdout")
        return opened_holdout.figures

    async def _begin(self, run: str, request: OptimizationRequest) -> None:
        turn_events = await load_events(self._dependencies.store, self._owner, self._turn)
        launched_runs = {event.launched for event in turn_events if isinstance(event, RunLaunched)}
        if len(launched_runs | {run}) > LAUNCHES:
            raise InvalidInput(
                "launch", request.name, reason="the message began enough runs", allowed=f"{LAUNCHES} runs"
            )
        if self._dependencies.queue is not None:
            submitted_run = await submit(self._dependencies, self._owner, request, run_id=run)
            if submitted_run.state in RESTARTABLE_STATES:  # the turn is executed again, and so are its runs
                await restart(self._dependencies, self._owner, run, by=self._owner)
        elif await self._dependencies.store.records.get(Key(self._owner, "run", run)) is None:
            with contextlib.suppress(Conflict):  # another process that executes the same message was first
                await create_run(self._dependencies, self._owner, request, run_id=run)
        launched = self._node_log.make(RunLaunched, run, launched=run, name=request.name)
        for event in await self._node_log.log.append(launched):
            self._tell(event)

    async def _follow(self, run: str) -> None:
        dependencies, owner = self._dependencies, self._owner
        following = (
            execute_to_end(dependencies, owner, run)
            if dependencies.queue is None
            else follow_run(dependencies, owner, run)
        )
        async with aclosing(following) as events:
            async for event in events:
                self._tell(event)

    async def _find(self, text: str) -> Run:
        about = self._about()
        focus_runs = {"last": about.run, "previous": about.previous_run}
        allowed = "last, previous, or the beginning of a run's id"
        if focus_runs.get(text) is not None:
            return await load_run(self._dependencies.store, self._owner, focus_runs[text] or "")
        store, owner = self._dependencies.store, self._owner
        place = {"last": 0, "previous": 1}.get(text)
        if place is not None:
            latest = await recent_results(store, owner, place + 1)
            if place < len(latest):
                return latest[place]
            reason = "there is only a single result yet" if latest else "there is no result yet"
            raise InvalidInput("run", text, reason=reason, allowed="a search first, such as a search on the index")
        matches = await results_named(store, owner, text)
        if len(matches) != 1:
            reason = f"{len(matches)} of your results begin with {text!r}"
            raise InvalidInput("run", text, reason=reason, allowed=allowed)
        return await load_run(store, owner, matches[0].id)

    async def _rejected(self, run: str) -> ApprovalRejected:
        approval = await load_approval(self._dependencies.store, self._owner, run)
        assert approval is not None
        assert approval.decided is not None
        decision = approval.decided
        return ApprovalRejected(f"launch: {decision.by} rejected it ({decision.reason}); ask for another one")
