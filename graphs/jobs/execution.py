"""Executes a run, or resumes it where it stopped, and yields its events."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Literal

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from agents.build import Agent
from agents.models.failures import ModelFailure
from desk.base.errors import UserError
from desk.governance import approval_requests
from desk.governance.approvals import Approval, load_approval
from desk.governance.principals import Principal
from desk.governance.usage import AgentName
from desk.optimization.answers import Decision
from desk.optimization.inputs.market_data import load_market
from desk.optimization.repositories.result_repository import load_result
from desk.runs.context import Context, RunMarket
from desk.runs.decisions import StoredDecision, save_decision
from desk.runs.events import NodeStarted, RunFailed, RunFinished, RunStarted, TraceEvent
from desk.runs.model_answers import delete_answers
from desk.runs.repository import Cancelled, Run, change_run, load_events, load_run, load_run_record
from desk.runs.states import FINAL_STATES, STOPPED_STATES, RunState
from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.dependencies import Dependencies
from graphs.optimization import AGENTS, RECURSION_LIMIT, Execution, optimization
from graphs.runs.approval import APPROVE, append_approval
from graphs.runs.computations import settle
from graphs.runs.creation import check_version
from graphs.runs.event_log import EventLog, logged
from graphs.stream_parts import Stopped, events
from store.errors import Conflict, Unavailable

GIVEN_DECISIONS = "given decisions"
"""Stands for the model in a run that follows the decisions of another."""

STAGE_OF: dict[str, RunState] = {"risk_manager": "running", "optimizer": "running", "aggregate": "aggregating"}
"""The nodes with which a stage begins."""


async def execute(
    dependencies: Dependencies,
    owner: str,
    run_id: str,
    *,
    decisions: Sequence[Decision] | None = None,
    by: str | None = None,
) -> AsyncGenerator[TraceEvent]:
    """Start the run, or resume it where it was; every event is stored before it is yielded, and yielded once.

    A completed run is not executed again, nor one that waits for a person or was rejected: its events are read out.
    Of a run whose search is computed elsewhere it tells the news; if that has not ended, the run is left computing.
    With `decisions` no model is asked. A fault ends the run with `run_failed` and is raised; a run that was
    interrupted or failed may be executed again; a storage that cannot answer interrupts it.
    What is logged meanwhile carries the id of the run.
    Its history says that it was executed `by` its owner, or by whom this names.
    """
    async with aclosing(logged(run_id, _executed(dependencies, owner, run_id, decisions, by or owner))) as executed:
        async for event in executed:
            yield event


async def _executed(
    dependencies: Dependencies, owner: str, run_id: str, decisions: Sequence[Decision] | None, by: str
) -> AsyncGenerator[TraceEvent]:
    approval = await load_approval(dependencies.store, owner, run_id)  # before the run: a decision changes both at once
    run = await load_run(dependencies.store, owner, run_id)
    stored = await load_events(dependencies.store, owner, run_id)
    if run.state in FINAL_STATES or (run.state == "waiting" and approval is not None and approval.decided is None):
        for event in await _read_out(dependencies, run, stored):
            yield event
        return
    check_version(run)
    for decision in decisions or ():
        await save_decision(dependencies.store, owner, run_id, StoredDecision(decision))
    await _advance(dependencies, owner, run_id, "validating", by=by)
    log = EventLog(dependencies.store, owner, run_id, stored, dependencies.observe, dependencies.now)
    execution = _execution(dependencies, run, log, approval, asks=decisions is None)
    known = {event.id for event in stored}
    try:
        async for event in _steps(dependencies, run, execution, by):
            known.add(event.id)
            yield event
    except Unavailable:
        raise  # the run did not fail; there may be no place to say anything either
    except Exception as error:
        for event in await load_events(
            dependencies.store, owner, run_id
        ):  # a graph that fails drops what it has yet to stream
            if event.id not in known:
                yield event
        failures = sum(isinstance(event, RunFailed) for event in stored)
        failed = execution.log.make(RunFailed, "run", 0, failures, code=code_of(error), kind=kind_of(error))
        ended = await execution.log.append(failed)
        logger: Any = structlog.get_logger()
        logger.warning("run_failed", code=code_of(error), kind=kind_of(error))
        state = "cancelled" if isinstance(error, Cancelled) else "failed"
        reason = str(error) if isinstance(error, UserError) else kind_of(error)
        await _end(dependencies, owner, run_id, state, by=by, reason=reason)
        await settle(dependencies, owner, run_id)
        for event in ended:
            yield event
        raise


async def _steps(dependencies: Dependencies, run: Run, execution: Execution, by: str) -> AsyncGenerator[TraceEvent]:
    log = execution.log
    started = log.make(
        RunStarted,
        "run",
        0,
        0,
        request_digest=run.request.content_digest(),
        data_digest=run.data_digest,
        model=execution.author,
    )
    for event in await log.append(started):
        yield event
    async with open_checkpoints(dependencies.checkpoints) as checkpointer:
        graph = optimization(checkpointer)
        config: RunnableConfig = {
            "configurable": {"thread_id": run.thread},
            "recursion_limit": RECURSION_LIMIT,
            "callbacks": [*dependencies.listeners],
        }
        place = await graph.aget_state(config)
        begun = place.created_at is not None
        # `next` leaves out tasks whose writes are stored, although their step is not over: tasks are what is left
        if not begun or place.tasks:
            asked = any(task.interrupts and task.name == APPROVE for task in place.tasks)
            decided = asked and execution.approval is not None and execution.approval.granted
            parts = graph.astream(
                Command(resume=True) if decided else None if begun else {},
                config,
                context=execution,
                stream_mode=["custom", "updates"],
                version="v2",
                durability="sync",
            )
            stopped: Stopped | None = None
            async for event in events(parts):
                if isinstance(event, Stopped):
                    stopped = event
                    continue
                if isinstance(event, NodeStarted) and event.node in STAGE_OF:
                    await _advance(dependencies, run.owner, run.id, STAGE_OF[event.node], by=by)
                yield event
            if stopped is not None:
                leave = _wait if stopped.waits_for == "person" else _leave_computing
                await leave(dependencies, run.owner, run.id, by=by)
                return
    result = await load_result(dependencies.store, run.owner, run.id, "final")
    finished = log.make(RunFinished, "run", 0, 0, result_digest=result.digest())
    new = await log.append(finished)
    await _advance(dependencies, run.owner, run.id, "completed", by=by, result_digest=result.digest())
    await settle(dependencies, run.owner, run.id)
    for event in new:
        yield event


async def _read_out(dependencies: Dependencies, run: Run, stored: list[TraceEvent]) -> list[TraceEvent]:
    """The events of a run that is not executed; what a process that died has left undone is done first."""
    if run.state == "completed":
        await delete_answers(dependencies.store, run.owner, run.id)
    if run.state == "rejected":
        approval = await load_approval(dependencies.store, run.owner, run.id)
        assert approval is not None
        await append_approval(dependencies, run, approval)
        return await load_events(dependencies.store, run.owner, run.id)
    return stored


def _execution(
    dependencies: Dependencies, run: Run, log: EventLog, approval: Approval | None, *, asks: bool
) -> Execution:
    context = Context(
        principal=Principal(owner=run.owner),
        run=run.id,
        request=run.request,
        store=dependencies.store,
        budgets=dependencies.budgets,
        now=dependencies.now,
        jobs=dependencies.jobs,
        market=RunMarket(partial(load_market, dependencies.prices_of(run.owner)), run.request),
        ledger=run.ledger,
    )
    agents: dict[AgentName, Agent] = {}
    author = GIVEN_DECISIONS
    if asks:
        if dependencies.models is None:
            raise ValueError("a run that asks its agents needs a desk with models")
        agents = {name: make(dependencies.models.of(name)) for name, make in AGENTS.items()}
        author = dependencies.models.name
    return Execution(
        context=context, log=log, agents=agents, author=author, thresholds=dependencies.thresholds, approval=approval
    )


def code_of(error: Exception) -> Literal["fault", "cancelled", "unusable_input", "model_failed"]:
    if isinstance(error, Cancelled):
        return "cancelled"
    if isinstance(error, ModelFailure):
        return "model_failed"
    return "unusable_input" if isinstance(error, UserError) else "fault"


def kind_of(error: Exception) -> str:
    return error.reason if isinstance(error, ModelFailure) else type(error).__name__


async def _advance(
    dependencies: Dependencies, owner: str, run_id: str, stage: RunState, *, by: str, **changes: Any
) -> None:
    """Bring the run to `stage`, unless it has ended or is further already; `Cancelled` if somebody stopped it."""

    def advanced(run: Run) -> Run:
        if run.state == "cancelled" and stage != "validating":
            raise Cancelled(run_id)
        return run if run.state in FINAL_STATES else run.advanced_to(stage, at=dependencies.now(), by=by, **changes)

    await change_run(dependencies.store, owner, run_id, advanced)


async def _wait(dependencies: Dependencies, owner: str, run_id: str, *, by: str) -> None:
    """Let the run wait for a person, unless it has ended or the person has decided meanwhile."""
    while (asked := await load_approval(dependencies.store, owner, run_id)) is None or asked.decided is None:
        record = await load_run_record(dependencies.store, owner, run_id)
        run = Run.model_validate(record.document)
        if run.state in STOPPED_STATES or run.state == "waiting":
            return
        try:
            waiting = run.with_state("waiting", at=dependencies.now(), by=by).put(record.version)
            listed = await approval_requests.reopening_puts(dependencies.store, owner, run_id, run.request.name, asked)
            await dependencies.store.records.put_many([waiting, *listed])
        except Conflict:
            continue
        return


async def _leave_computing(dependencies: Dependencies, owner: str, run_id: str, *, by: str) -> None:
    """Nobody executes the run until there is news of its job, unless somebody has ended it meanwhile."""

    def computing(run: Run) -> Run:
        if run.state in STOPPED_STATES or run.state == "computing":
            return run
        return run.advanced_to("running", at=dependencies.now(), by=by).with_state(
            "computing", at=dependencies.now(), by=by
        )

    await change_run(dependencies.store, owner, run_id, computing)
    await settle(dependencies, owner, run_id)  # whoever ended it may not have known of the job


async def _end(dependencies: Dependencies, owner: str, run_id: str, state: RunState, *, by: str, reason: str) -> None:
    def ended(run: Run) -> Run:
        return (
            run if run.state in STOPPED_STATES else run.with_state(state, at=dependencies.now(), by=by, reason=reason)
        )

    await change_run(dependencies.store, owner, run_id, ended)
