"""The job queue: submit, cancel, restart and expire runs that workers execute, a few per owner at a time."""

import hashlib
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import structlog

from desk.base.errors import Conflicting, NotFound, UserError
from desk.governance.approval_requests import closing_puts, opening_puts
from desk.governance.approvals import Approval, load_approval
from desk.governance.principals import Principal
from desk.optimization.request import OptimizationRequest
from desk.runs.events.run import RunFailed
from desk.runs.events.table import TraceEvent
from desk.runs.repository import (
    KIND,
    CancellationRequest,
    Cancelled,
    JobFailed,
    Run,
    change_run,
    load_events,
    load_run,
    load_run_record,
)
from desk.runs.states import RESTARTABLE_STATES, STOPPED_STATES
from graphs.dependencies import Dependencies
from graphs.jobs import fair_queue, places
from graphs.jobs.fair_queue import Ticket
from graphs.runs.approval import append_approval, request_content, submission_approval
from graphs.runs.computations import stop_computation
from graphs.runs.creation import new_run
from graphs.runs.event_log import EventLog
from graphs.runs.leases import is_leased
from store.errors import Conflict
from store.queue import Queue
from store.records import Key, Put

IDEMPOTENCY = "idempotency"
KEY_LIFETIME = timedelta(hours=24)
WORKER = "worker"
BY_A_PERSON = "by a person"
LOOK_SECONDS = 1.0
"""Seconds between two reads of a run without new events."""


class IdempotencyKeyUsed(Conflicting):
    """The idempotency key belongs to another request."""

    code = "idempotency_key_used"


class JobEnded(Conflicting):
    """The job has ended, so the requested change is impossible."""

    code = "has_ended"


class NotRestartable(Conflicting):
    """The job has a result, was rejected, or has not ended."""

    code = "illegal_transition"


class NoSuchDeadLetter(NotFound):
    """No dead letter has that id."""

    code = "no_such_letter"


class FailedRun(UserError):
    """The followed run failed for a reason that its owner can correct."""

    def __init__(self, run: Run, code: str) -> None:
        self.code = code
        reason = run.history[-1].reason
        super().__init__(f"run: {run.id!r} failed ({reason}); start it again, or submit another request")


def queue_of(dependencies: Dependencies) -> Queue:
    if dependencies.queue is None:
        raise ValueError("submitting jobs requires a queue, and none is configured")
    return dependencies.queue


async def submit(
    dependencies: Dependencies,
    owner: str,
    request: OptimizationRequest,
    *,
    idempotency_key: str | None = None,
    run_id: str | None = None,
    launcher: Principal | None = None,
) -> Run:
    """Queue a run for the request, or let it wait for approval; raises `UserError` if its prices cannot serve it.

    `launcher` is the signed-in user. The same key, or the same id, with the same request returns the same run, at any
    time.
    """
    queue, store = queue_of(dependencies), dependencies.store
    digest = request.content_digest()
    key = None if idempotency_key is None else _key(owner, idempotency_key)
    if (earlier := await _earlier_run(dependencies, owner, key, run_id, digest)) is not None:
        return earlier
    run = await new_run(dependencies, owner, request, run_id=run_id)
    approval = submission_approval(dependencies, run, launcher)
    run = run.with_state("queued" if approval is None else "waiting", at=dependencies.now(), by=owner)
    while True:
        puts, tickets = await submission_puts(dependencies, run, approval)
        if key is not None:
            puts.append(Put(key, {"run": run.id, "request": digest}, 0, expires=dependencies.now() + KEY_LIFETIME))
        try:
            await store.records.put_many(puts)
        except Conflict:
            if (earlier := await _earlier_run(dependencies, owner, key, run_id, digest)) is not None:
                return earlier
            continue
        _logger().info("job_submitted", run=run.id)
        await fair_queue.send_tickets(store, queue, owner, tickets)
        if approval is not None:
            await append_approval(dependencies, run, approval)
        return run


async def submission_puts(
    dependencies: Dependencies, run: Run, approval: Approval | None
) -> tuple[list[Put], list[Ticket]]:
    """The writes that store a new run with its place in the queue, or with its question; and the tickets to send."""
    if approval is not None:
        content = request_content(run.request)
        return [run.put(0), *opening_puts(run.owner, run.id, run.request.name, approval, content)], []
    queue_put, tickets = await fair_queue.enter(
        dependencies.store, run.owner, run.id, dependencies.jobs_per_user, dependencies.now()
    )
    return [run.put(0), queue_put], tickets


async def cancel(dependencies: Dependencies, owner: str, run_id: str, *, by: str, reason: str = "") -> Run:
    """Cancel a run that has not ended: at once, or when the worker that executes it checks next."""
    store = dependencies.store
    cancellation = CancellationRequest(by=by, at=dependencies.now(), reason=reason)
    while True:
        owner_queue, version = await fair_queue.load_queue(store, owner)  # first: a worker that starts a job writes it
        record = await load_run_record(store, owner, run_id)
        run = Run.model_validate(record.document)
        if run.state == "cancelled":
            await _append_cancellation(dependencies, run)  # the first cancel may have crashed before this
            await stop_computation(dependencies, owner, run_id)
        if run.state == "cancelled" or (run.cancelling is not None and run.state not in STOPPED_STATES):
            return run
        if run.state in STOPPED_STATES:
            raise JobEnded(f"run: {run_id!r} is {run.state}; expected a run that has not ended")
        after = owner_queue
        is_executed = run.state not in ("waiting", "computing") and await is_leased(
            store, owner, run_id, now=dependencies.now
        )
        if is_executed:
            run = run.model_copy(update={"cancelling": cancellation})
        else:
            run = run.with_state("cancelled", at=cancellation.at, by=by, reason=reason)
            after = owner_queue.without_job(run_id).with_places_filled(dependencies.jobs_per_user, dependencies.now())
        puts = [run.put(record.version), fair_queue.queue_put(owner, after, version)]
        if not is_executed:
            puts += await closing_puts(store, await load_approval(store, owner, run_id), dependencies.now())
        try:
            await store.records.put_many(puts)
        except Conflict:
            continue
        _logger().info("job_cancelled", run=run.id, executed=is_executed)
        if not is_executed:
            await _append_cancellation(dependencies, run)
            await stop_computation(dependencies, owner, run_id)
            await leave_place(dependencies, owner, run_id)
            if dependencies.queue is not None:
                await fair_queue.send_tickets(store, dependencies.queue, owner, after.new_since(owner_queue))
        return run


async def restart(dependencies: Dependencies, owner: str, run_id: str, *, by: str, reason: str = "") -> Run:
    """Queue a failed, cancelled or expired run again; it resumes where it stopped."""
    queue, store = queue_of(dependencies), dependencies.store
    while True:
        queue_put, tickets = await fair_queue.enter(
            store, owner, run_id, dependencies.jobs_per_user, dependencies.now()
        )
        record = await load_run_record(store, owner, run_id)
        run = Run.model_validate(record.document)
        if run.state not in RESTARTABLE_STATES:
            raise NotRestartable(
                f"run: {run_id!r} is {run.state}; expected a run that failed, was cancelled or expired"
            )
        run = run.with_state("queued", at=dependencies.now(), by=by, reason=reason)
        try:
            await store.records.put_many([run.put(record.version), queue_put])
        except Conflict:
            continue
        await fair_queue.send_tickets(store, queue, owner, tickets)
        return run


async def follow_run(dependencies: Dependencies, owner: str, run_id: str) -> AsyncGenerator[TraceEvent]:
    """Yield the events of a run on workers until it ends or waits for a person; raises the errors of `execute`."""
    after, code = 0, ""
    while True:
        run = await load_run(dependencies.store, owner, run_id)  # before its events: the last ones are read below
        for event in await load_events(dependencies.store, owner, run_id, after=after):
            yield event
            after = event.sequence or after
            code = event.code if isinstance(event, RunFailed) else code
        if run.state in STOPPED_STATES or run.state == "waiting":
            break
        await dependencies.store.events.wait(owner, run_id, after, timeout=LOOK_SECONDS)
    if run.state == "failed" and code in ("unusable_input", "model_failed"):
        raise FailedRun(run, code)
    if run.state == "failed":
        raise JobFailed(run_id)
    if run.state in ("cancelled", "expired"):
        raise Cancelled(run_id)


async def begin(dependencies: Dependencies, owner: str, job: str, number: int) -> Ticket | None:
    """The ticket of a job that a worker starts; None if the ticket was returned and its message is outdated."""
    _, after = await fair_queue.change_queue(
        dependencies.store, owner, lambda owner_queue: _count_attempt(owner_queue, job, number, 1)
    )
    return after.ticket(job, number)


async def return_job(dependencies: Dependencies, owner: str, job: str, number: int) -> None:
    """Return the job of a stopped worker to the queue without counting a failure."""
    await fair_queue.change_queue(
        dependencies.store, owner, lambda owner_queue: _count_attempt(owner_queue, job, number, -1)
    )


async def release_place(dependencies: Dependencies, owner: str, job: str, number: int) -> None:
    """Pass the place of a job to the owner's next job, and complete a requested cancellation."""
    store = dependencies.store
    while True:
        owner_queue, version = await fair_queue.load_queue(store, owner)
        after = owner_queue.without_job(job, number).with_places_filled(dependencies.jobs_per_user, dependencies.now())
        puts = [fair_queue.queue_put(owner, after, version)]
        record = await store.records.get(Key(owner, KIND, job))
        run = None if record is None else Run.model_validate(record.document)
        cancelled_run = None
        if record is not None and run is not None and run.cancelling is not None and run.state not in STOPPED_STATES:
            cancellation = run.cancelling
            cancelled_run = run.with_state(
                "cancelled", at=dependencies.now(), by=cancellation.by, reason=cancellation.reason
            )
            puts.append(cancelled_run.put(record.version))
            puts += await closing_puts(store, await load_approval(store, owner, job), dependencies.now())
        try:
            await store.records.put_many(puts)
        except Conflict:
            continue
        if cancelled_run is not None:
            await _append_cancellation(dependencies, cancelled_run)
        await leave_place(dependencies, owner, job)
        await fair_queue.send_tickets(store, queue_of(dependencies), owner, after.new_since(owner_queue))
        await stop_computation(dependencies, owner, job)
        return


async def leave_place(dependencies: Dependencies, owner: str, job: str) -> None:
    """Free the job's place at work, if it has one, for a job that was refused."""
    free = await places.leave_place(dependencies.store, dependencies.jobs_at_work, owner, job)
    await _send_refused(dependencies, free)


async def free_abandoned_places(dependencies: Dependencies) -> None:
    """Free the places of jobs that have ended without doing so, for jobs that were refused."""
    await _send_refused(dependencies, await places.free_abandoned_places(dependencies.store, dependencies.jobs_at_work))


async def refuse(dependencies: Dependencies, owner: str, job: str, number: int) -> None:
    """Let a job that found every place at work taken wait for one, without a message in the queue."""
    store = dependencies.store
    await fair_queue.change_queue(store, owner, lambda owner_queue: owner_queue.with_refused(job, number))
    # a place that was freed before this write did not see the job
    await _send_refused(dependencies, await places.count_free_places(store, dependencies.jobs_at_work))


async def fail(dependencies: Dependencies, owner: str, run_id: str, *, reason: str, code: str) -> None:
    """End a run whose execution could not record its own failure."""
    run = await load_run(dependencies.store, owner, run_id)
    if run.state not in STOPPED_STATES:
        run = await change_run(
            dependencies.store,
            owner,
            run_id,
            lambda found: found.with_state("failed", at=dependencies.now(), by=WORKER, reason=reason),
        )
    if run.state == "failed":
        await append_end(dependencies, run, code=code, kind="dead letter" if code == "fault" else "UserError")


async def replay(dependencies: Dependencies, message_id: str, *, by: str) -> Run:
    """Queue the job of a dead letter again."""
    letters = await queue_of(dependencies).dead_letters(1000)
    letter = next((each for each in letters if each.id == message_id), None)
    if letter is None:
        raise NoSuchDeadLetter(f"message: there is no dead letter {message_id!r}; expected a listed id")
    if not letter.body.keys() >= {"owner", "job"}:
        raise NoSuchDeadLetter(f"message: {message_id!r} names no job; expected the id of a dead letter that names one")
    owner, job = letter.body["owner"], letter.body["job"]
    run = await load_run(dependencies.store, owner, job)
    if run.state == "failed":
        run = await restart(dependencies, owner, job, by=by, reason="replayed")
    await queue_of(dependencies).replay(message_id)  # its ticket was returned, so a worker discards the message
    return run


async def sweep(dependencies: Dependencies) -> int:
    """Send the messages that crashed processes left unsent, and those of refused jobs; returns their number."""
    store = dependencies.store
    free = await places.free_abandoned_places(store, dependencies.jobs_at_work)
    return await fair_queue.send_unsent(store, queue_of(dependencies), dependencies.now(), free)


async def _earlier_run(
    dependencies: Dependencies, owner: str, key: Key | None, run_id: str | None, digest: str
) -> Run | None:
    if key is not None and (record := await dependencies.store.records.get(key)) is not None:
        if record.document["request"] != digest:
            raise IdempotencyKeyUsed(
                "Idempotency-Key: the key belongs to another request of the last 24 hours; expected a new key"
            )
        return await load_run(dependencies.store, owner, record.document["run"])
    if run_id is not None and (record := await dependencies.store.records.get(Key(owner, KIND, run_id))) is not None:
        return Run.model_validate(record.document)
    return None


def _key(owner: str, idempotency_key: str) -> Key:
    return Key(owner, IDEMPOTENCY, hashlib.sha256(idempotency_key.encode()).hexdigest())


def _count_attempt(owner_queue: fair_queue.OwnerQueue, job: str, number: int, more: int) -> fair_queue.OwnerQueue:
    ticket = owner_queue.ticket(job, number)
    if ticket is None:
        return owner_queue
    return owner_queue.with_tickets([ticket.model_copy(update={"begun": ticket.begun + more})])


async def _append_cancellation(dependencies: Dependencies, run: Run) -> None:
    await append_end(dependencies, run, code="cancelled", kind=BY_A_PERSON)


async def _send_refused(dependencies: Dependencies, free_places: int | None) -> None:
    if free_places and dependencies.queue is not None:
        await fair_queue.send_refused(dependencies.store, dependencies.queue, free_places)


async def append_end(dependencies: Dependencies, run: Run, *, code: str, kind: str) -> None:
    """Append the final event to the log of a run that is no longer executed, unless the log has it."""
    end = run.history[-1]
    author = {} if code in ("fault", "unusable_input") else {"by": end.by, "reason": end.reason}
    stored_events = await load_events(dependencies.store, run.owner, run.id)
    log = EventLog(dependencies.store, run.owner, run.id, stored_events, dependencies.observe, dependencies.now)
    failures = sum(isinstance(event, RunFailed) for event in stored_events)
    if failures < run.endings:
        await log.append(log.make(RunFailed, "run", 0, failures, code=code, kind=kind, **author))


def _logger() -> Any:
    return structlog.get_logger()
