"""Executes or resumes a run and yields its events."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Literal

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from agents.build import Agent, build
from agents.models.failures import ModelFailure
from agents.table import OPTIMIZATION_AGENTS
from desk.base.errors import UserError
from desk.governance import approval_requests
from desk.governance.approvals import Approval, load_approval
from desk.governance.principals import Principal
from desk.governance.usage import AgentName
from desk.optimization.answers import Decision
from desk.optimization.durations import save_duration
from desk.optimization.estimate import estimate
from desk.optimization.inputs.market_data import load_market
from desk.optimization.reading.result_summary import summarize
from desk.optimization.repositories.result_repository import load_result
from desk.optimization.stopping import SearchStop
from desk.runs.context import Context, RunMarket
from desk.runs.decisions import StoredDecision, save_decision
from desk.runs.events.run import NodeStarted, RunFailed, RunFinished, RunStarted
from desk.runs.events.table import TraceEvent
from desk.runs.model_answers import delete_answers
from desk.runs.repository import Cancelled, Run, change_run, load_events, load_run, load_run_record
from desk.runs.states import FINAL_STATES, STOPPED_STATES, RunState
from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.dependencies import Dependencies
from graphs.optimization import RECURSION_LIMIT, Execution, optimization_graph
from graphs.runs.approval import APPROVE, append_approval
from graphs.runs.computations import stop_computation
from graphs.runs.creation import check_version
from graphs.runs.event_log import EventLog, bind_run_to_logs
from graphs.stream_parts import GraphStopped, trace_events
from store.errors import Conflict, Unavailable

GIVEN_DECISIONS = "given decisions"
"""Replaces the model in a run that follows the decisions of another."""

STAGE_OF: dict[str, RunState] = {"risk_manager": "running", "optimizer": "running", "aggregate": "aggregating"}
"""Nodes that start a stage, with the stage."""


async def execute(
    dependencies: Dependencies,
    owner: str,
    run_id: str,
    *,
    decisions: Sequence[Decision] | None = None,
    stop: SearchStop | None = None,
    by: str | None = None,
) -> AsyncGenerator[TraceEvent]:
    """Start or resume the run; every event is stored before it is yielded, and yielded once.

    A run that is completed, was rejected, or waits for a person is not executed: its stored events are yielded. For a
    remote search the new events are yielded, and the run stays `computing` until the search has ended.
    With `decisions` no model is called; `stop` is where a budget ended the search of the run that made them. A fault
    ends the run with `run_failed` and is raised; unavailable storage interrupts it; an interrupted or failed run may be
    executed again.
    Log lines written during the execution carry the run id. The run's history names `by` (default: the owner).
    """
    async with aclosing(
        bind_run_to_logs(run_id, _execute(dependencies, owner, run_id, decisions, stop, by or owner))
    ) as events:
        async for event in events:
            yield event


async def _execute(
    dependencies: Dependencies,
    owner: str,
    run_id: str,
    decisions: Sequence[Decision] | None,
    stop: SearchStop | None,
    by: str,
) -> AsyncGenerator[TraceEvent]:
    approval = await load_approval(dependencies.store, owner, run_id)  # before the run: a decision changes both at once
    run = await load_run(dependencies.store, owner, run_id)
    stored_events = await load_events(dependencies.store, owner, run_id)
    if run.state in FINAL_STATES or (run.state == "waiting" and approval is not None and approval.decided is None):
        for event in await _final_events(dependencies, run, stored_events):
            yield event
        return
    check_version(run)
    for decision in decisions or ():
        await save_decision(dependencies.store, owner, run_id, StoredDecision(decision))
    await _advance(dependencies, owner, run_id, "validating", by=by)
    log = EventLog(dependencies.store, owner, run_id, stored_events, dependencies.observe, dependencies.now)
    execution = _build_execution(dependencies, run, log, approval, stop, asks=decisions is None)
    yielded_ids = {event.id for event in stored_events}
    try:
        async for event in _run_graph(dependencies, run, execution, by):
            yielded_ids.add(event.id)
            yield event
    except Unavailable:
        raise  # the run did not fail, and the store may be unable to record anything
    except Exception as error:
        for event in await load_events(
            dependencies.store, owner, run_id
        ):  # a graph that fails drops events that it has not streamed
            if event.id not in yielded_ids:
                yield event
        failures = sum(isinstance(event, RunFailed) for event in stored_events)
        failure = execution.log.make(RunFailed, "run", 0, failures, code=failure_code(error), kind=failure_kind(error))
        new_events = await execution.log.append(failure)
        logger: Any = structlog.get_logger()
        logger.warning("run_failed", code=failure_code(error), kind=failure_kind(error))
        state = "cancelled" if isinstance(error, Cancelled) else "failed"
        reason = str(error) if isinstance(error, UserError) else failure_kind(error)
        await _end(dependencies, owner, run_id, state, by=by, reason=reason)
        await stop_computation(dependencies, owner, run_id)
        for event in new_events:
            yield event
        raise


async def _run_graph(dependencies: Dependencies, run: Run, execution: Execution, by: str) -> AsyncGenerator[TraceEvent]:
    log = execution.log
    start_event = log.make(
        RunStarted,
        "run",
        0,
        0,
        request_digest=run.request.content_digest(),
        data_digest=run.data_digest,
        model=execution.author,
    )
    for event in await log.append(start_event):
        yield event
    async with open_checkpoints(dependencies.checkpoints) as checkpointer:
        graph = optimization_graph(checkpointer)
        config: RunnableConfig = {
            "configurable": {"thread_id": run.thread},
            "recursion_limit": RECURSION_LIMIT,
            "callbacks": [*dependencies.listeners],
        }
        snapshot = await graph.aget_state(config)
        has_checkpoint = snapshot.created_at is not None
        # `next` omits tasks whose writes are stored although their step has not ended, so it reads `tasks`
        if not has_checkpoint or snapshot.tasks:
            is_interrupted = any(task.interrupts and task.name == APPROVE for task in snapshot.tasks)
            approval = execution.approval
            decided = approval.decided if is_interrupted and approval is not None and approval.granted else None
            parts = graph.astream(
                Command(resume=decided.model_dump(mode="json")) if decided else None if has_checkpoint else {},
                config,
                context=execution,
                stream_mode=["custom", "updates"],
                version="v2",
                durability="sync",
            )
            stop: GraphStopped | None = None
            async for event in trace_events(parts):
                if isinstance(event, GraphStopped):
                    stop = event
                    continue
                if isinstance(event, NodeStarted) and event.node in STAGE_OF:
                    await _advance(dependencies, run.owner, run.id, STAGE_OF[event.node], by=by)
                yield event
            if stop is not None:
                leave = _wait_for_person if stop.waits_for == "person" else _leave_computing
                await leave(dependencies, run.owner, run.id, by=by)
                return
    result = await load_result(dependencies.store, run.owner, run.id, "final")
    current = await load_run(dependencies.store, run.owner, run.id)
    seconds = current.seconds_of_execution(dependencies.now())
    fields = {"seconds": round(seconds, 1), "estimated": current.estimate and current.estimate.expected_time}
    new = await log.append(log.make(RunFinished, "run", 0, 0, result_digest=result.digest(), **fields))
    ending = {"result_digest": result.digest(), "summary": summarize(result)}
    await _advance(dependencies, run.owner, run.id, "completed", by=by, **ending)
    await _save_duration(dependencies, current, seconds)
    await stop_computation(dependencies, run.owner, run.id)
    for event in new:
        yield event


async def _save_duration(dependencies: Dependencies, run: Run, seconds: float) -> None:
    """Compare the time of a finished run with the uncorrected estimate, for the error of later estimates."""
    machines = dependencies.jobs.machines
    if seconds > 0.0 and run.state != "completed":  # another process may have finished it
        estimated = estimate(run.request, machines=machines).seconds
        await save_duration(dependencies.store, machines, run.id, measured=seconds, estimated=estimated)


async def _final_events(dependencies: Dependencies, run: Run, stored_events: list[TraceEvent]) -> list[TraceEvent]:
    """The events of a run that is not executed; first completes what a process left undone when it died."""
    if run.state == "completed":
        await delete_answers(dependencies.store, run.owner, run.id)
    if run.state == "rejected":
        approval = await load_approval(dependencies.store, run.owner, run.id)
        assert approval is not None
        await append_approval(dependencies, run, approval)
        return await load_events(dependencies.store, run.owner, run.id)
    return stored_events


def _build_execution(
    dependencies: Dependencies,
    run: Run,
    log: EventLog,
    approval: Approval | None,
    stop: SearchStop | None,
    *,
    asks: bool,
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
        stop=stop,
    )
    agents: dict[AgentName, Agent] = {}
    author = GIVEN_DECISIONS
    if asks:
        if dependencies.models is None:
            raise ValueError("the run asks its agents, but no models are configured")
        agents = {name: build(each, dependencies.models.of(name)) for name, each in OPTIMIZATION_AGENTS.items()}
        author = dependencies.models.name
    return Execution(
        context=context, log=log, agents=agents, author=author, thresholds=dependencies.thresholds, approval=approval
    )


def failure_code(error: Exception) -> Literal["fault", "cancelled", "unusable_input", "model_failed"]:
    if isinstance(error, Cancelled):
        return "cancelled"
    if isinstance(error, ModelFailure):
        return "model_failed"
    return "unusable_input" if isinstance(error, UserError) else "fault"


def failure_kind(error: Exception) -> str:
    return error.reason if isinstance(error, ModelFailure) else type(error).__name__


async def _advance(
    dependencies: Dependencies, owner: str, run_id: str, stage: RunState, *, by: str, **changes: Any
) -> None:
    """Bring the run to `stage`, unless it is completed, rejected or past it; `Cancelled` if cancelled or expired."""

    def advance(run: Run) -> Run:
        if run.state in ("cancelled", "expired") and stage != "validating":
            raise Cancelled(run_id)
        return run if run.state in FINAL_STATES else run.advanced_to(stage, at=dependencies.now(), by=by, **changes)

    await change_run(dependencies.store, owner, run_id, advance)


async def _wait_for_person(dependencies: Dependencies, owner: str, run_id: str, *, by: str) -> None:
    """Set the run to wait for approval, unless it has ended or was decided in the meantime."""
    while (approval := await load_approval(dependencies.store, owner, run_id)) is None or approval.decided is None:
        record = await load_run_record(dependencies.store, owner, run_id)
        run = Run.model_validate(record.document)
        if run.state in STOPPED_STATES or run.state == "waiting":
            return
        try:
            waiting_put = run.with_state("waiting", at=dependencies.now(), by=by).put(record.version)
            list_puts = await approval_requests.reopening_puts(
                dependencies.store, owner, run_id, run.request.name, approval
            )
            await dependencies.store.records.put_many([waiting_put, *list_puts])
        except Conflict:
            continue
        return


async def _leave_computing(dependencies: Dependencies, owner: str, run_id: str, *, by: str) -> None:
    """Set the run to `computing` until its job has news, unless the run has ended in the meantime."""

    def leave_computing(run: Run) -> Run:
        if run.state in STOPPED_STATES or run.state == "computing":
            return run
        return run.advanced_to("running", at=dependencies.now(), by=by).with_state(
            "computing", at=dependencies.now(), by=by
        )

    await change_run(dependencies.store, owner, run_id, leave_computing)
    await stop_computation(dependencies, owner, run_id)  # the process that ended the run may not have known the job


async def _end(dependencies: Dependencies, owner: str, run_id: str, state: RunState, *, by: str, reason: str) -> None:
    def end(run: Run) -> Run:
        return (
            run if run.state in STOPPED_STATES else run.with_state(state, at=dependencies.now(), by=by, reason=reason)
        )

    await change_run(dependencies.store, owner, run_id, end)
