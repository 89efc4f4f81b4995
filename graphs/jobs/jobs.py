"""Jobs: runs that wait in a queue until a worker executes them, a few of each owner at a time."""

import hashlib
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import structlog

from graphs import turnstile
from graphs.computations import settle
from graphs.desk import Desk
from graphs.leases import is_leased
from graphs.log import EventLog
from graphs.new_runs import new_run
from graphs.run_book import KIND, Cancelled, Cancelling, JobFailed, Run, change_run, events_of, record_of, run_of
from graphs.states import STOPPED
from graphs.turnstile import Ticket
from store.errors import Conflict
from store.queue import Queue
from store.records import Key, Put
from tools.approval import approval_of
from tools.errors import Conflicting, NotFound, UserError
from tools.optimization import OptimizationRequest
from tools.questions import closing
from tools.trace import RunFailed, TraceEvent

IDEMPOTENCY = "idempotency"
KEYS_HOLD = timedelta(hours=24)
WORKER = "worker"
BY_A_PERSON = "by a person"
LOOK_SECONDS = 1.0
"""Between two looks at a run that says nothing."""


class KeyUsed(Conflicting):
    """The idempotency key names another request."""

    code = "idempotency_key_used"


class HasEnded(Conflicting):
    """What was asked of a job is not possible any more."""

    code = "has_ended"


class NoSuchLetter(NotFound):
    """There is no dead letter of that id."""

    code = "no_such_letter"


class Failed(UserError):
    """The run that was followed failed for a reason that its owner can mend."""

    def __init__(self, run: Run, code: str) -> None:
        self.code = code
        reason = run.history[-1].reason
        super().__init__(f"run: {run.id!r} failed ({reason}); allowed: to start it again, or another request")


def queue_of(desk: Desk) -> Queue:
    if desk.queue is None:
        raise ValueError("jobs need a desk with a queue")
    return desk.queue


async def submit(
    desk: Desk,
    owner: str,
    request: OptimizationRequest,
    *,
    idempotency_key: str | None = None,
    run_id: str | None = None,
) -> Run:
    """Put a run for the request into the queue; a request that its prices cannot serve is a `UserError`.

    The same key, and the same id, with the same request are the same run, however often and at whatever time.
    """
    queue, store = queue_of(desk), desk.store
    digest = request.content_digest()
    key = None if idempotency_key is None else _key(owner, idempotency_key)
    if (earlier := await _earlier(desk, owner, key, run_id, digest)) is not None:
        return earlier
    run = await new_run(desk, owner, request, run_id=run_id)
    run = run.moved("queued", at=desk.now(), by=owner)
    while True:
        entered, tickets = await turnstile.entering(store, owner, run.id, desk.jobs_per_user, desk.now())
        puts = [run.put(0), entered]
        if key is not None:
            puts.append(Put(key, {"run": run.id, "request": digest}, 0, expires=desk.now() + KEYS_HOLD))
        try:
            await store.records.put_many(puts)
        except Conflict:
            if (earlier := await _earlier(desk, owner, key, run_id, digest)) is not None:
                return earlier
            continue
        _logger().info("job_submitted", run=run.id)
        await turnstile.send(store, queue, owner, tickets)
        return run


async def cancel(desk: Desk, owner: str, run_id: str, *, by: str, reason: str = "") -> Run:
    """Stop a run that has not ended: at once, or as soon as the worker that executes it has looked."""
    store = desk.store
    wanted = Cancelling(by=by, at=desk.now(), reason=reason)
    while True:
        gate, version = await turnstile.read(store, owner)  # first: who begins with a job writes it
        record = await record_of(store, owner, run_id)
        run = Run.model_validate(record.document)
        if run.state == "cancelled":
            await _tell_cancelled(desk, run)  # who cancelled it may have been cut off before
            await settle(desk, owner, run_id)
        if run.state == "cancelled" or (run.cancelling is not None and run.state not in STOPPED):
            return run
        if run.state in STOPPED:
            raise HasEnded(f"run: {run_id!r} is {run.state}; allowed: a run that has not ended")
        after = gate
        executed = run.state not in ("waiting", "computing") and await is_leased(store, owner, run_id, now=desk.now)
        if executed:
            run = run.model_copy(update={"cancelling": wanted})
        else:
            run = run.moved("cancelled", at=wanted.at, by=by, reason=reason)
            after = gate.left(run_id).filled(desk.jobs_per_user, desk.now())
        puts = [run.put(record.version), turnstile.kept(owner, after, version)]
        if not executed:
            puts += await closing(store, await approval_of(store, owner, run_id), desk.now())
        try:
            await store.records.put_many(puts)
        except Conflict:
            continue
        _logger().info("job_cancelled", run=run.id, executed=executed)
        if not executed:
            await _tell_cancelled(desk, run)
            await settle(desk, owner, run_id)
            if desk.queue is not None:
                await turnstile.send(store, desk.queue, owner, after.new_since(gate))
        return run


async def restart(desk: Desk, owner: str, run_id: str, *, by: str, reason: str = "") -> Run:
    """Put a failed or cancelled run into the queue again; it goes on where it stopped."""
    queue, store = queue_of(desk), desk.store
    while True:
        entered, tickets = await turnstile.entering(store, owner, run_id, desk.jobs_per_user, desk.now())
        record = await record_of(store, owner, run_id)
        run = Run.model_validate(record.document).moved("queued", at=desk.now(), by=by, reason=reason)
        try:
            await store.records.put_many([run.put(record.version), entered])
        except Conflict:
            continue
        await turnstile.send(store, queue, owner, tickets)
        return run


async def followed(desk: Desk, owner: str, run_id: str) -> AsyncGenerator[TraceEvent]:
    """The events of a run that workers execute, until it ends or waits for a person; it raises as `execute` does."""
    after, code = 0, ""
    while True:
        run = await run_of(desk.store, owner, run_id)  # before its events: what came last is read below
        for event in await events_of(desk.store, owner, run_id, after=after):
            yield event
            after = event.sequence or after
            code = event.code if isinstance(event, RunFailed) else code
        if run.state in STOPPED or run.state == "waiting":
            break
        await desk.store.events.wait(owner, run_id, after, timeout=LOOK_SECONDS)
    if run.state == "failed" and code in ("unusable_input", "model_failed"):
        raise Failed(run, code)
    if run.state == "failed":
        raise JobFailed(run_id)
    if run.state in ("cancelled", "expired"):
        raise Cancelled(run_id)


async def begin(desk: Desk, owner: str, job: str, number: int) -> Ticket | None:
    """The ticket with which a worker begins; None for one that was given back, whose message is an old one."""
    _, after = await turnstile.change(desk.store, owner, lambda gate: _begun(gate, job, number, 1))
    return after.ticket(job, number)


async def put_back(desk: Desk, owner: str, job: str, number: int) -> None:
    """The worker was stopped, not the job: it did not fail."""
    await turnstile.change(desk.store, owner, lambda gate: _begun(gate, job, number, -1))


async def release_next(desk: Desk, owner: str, job: str, number: int) -> None:
    """Give the place of a job back to the owner's next one; a job whose end is wanted is cancelled with it."""
    store = desk.store
    while True:
        gate, version = await turnstile.read(store, owner)
        after = gate.left(job, number).filled(desk.jobs_per_user, desk.now())
        puts = [turnstile.kept(owner, after, version)]
        record = await store.records.get(Key(owner, KIND, job))
        run = None if record is None else Run.model_validate(record.document)
        cancelled = None
        if record is not None and run is not None and run.cancelling is not None and run.state not in STOPPED:
            wanted = run.cancelling
            cancelled = run.moved("cancelled", at=desk.now(), by=wanted.by, reason=wanted.reason)
            puts.append(cancelled.put(record.version))
            puts += await closing(store, await approval_of(store, owner, job), desk.now())
        try:
            await store.records.put_many(puts)
        except Conflict:
            continue
        if cancelled is not None:
            await _tell_cancelled(desk, cancelled)
        await turnstile.send(store, queue_of(desk), owner, after.new_since(gate))
        await settle(desk, owner, job)
        return


async def expire(desk: Desk, owner: str, run_id: str, *, reason: str) -> None:
    """A queued run that nobody can want any more ends."""
    run = await run_of(desk.store, owner, run_id)
    if run.state == "queued":
        run = await change_run(
            desk.store, owner, run_id, lambda found: found.moved("expired", at=desk.now(), by=WORKER, reason=reason)
        )
    if run.state == "expired":
        await tell_failed(desk, run, code="cancelled", kind="expired")


async def fail(desk: Desk, owner: str, run_id: str, *, reason: str, code: str) -> None:
    """End a run whose execution could not say itself that it failed."""
    run = await run_of(desk.store, owner, run_id)
    if run.state not in STOPPED:
        run = await change_run(
            desk.store, owner, run_id, lambda found: found.moved("failed", at=desk.now(), by=WORKER, reason=reason)
        )
    if run.state == "failed":
        await tell_failed(desk, run, code=code, kind="dead letter" if code == "fault" else "UserError")


async def replay(desk: Desk, message_id: str, *, by: str) -> Run:
    """Put the job of a dead letter into the queue again."""
    letters = await queue_of(desk).dead(1000)
    letter = next((each for each in letters if each.id == message_id), None)
    if letter is None:
        raise NoSuchLetter(f"message: there is no dead letter {message_id!r}; allowed: the id of one")
    if not letter.body.keys() >= {"owner", "job"}:
        raise NoSuchLetter(f"message: {message_id!r} names no job; allowed: the id of a dead letter that names one")
    owner, job = letter.body["owner"], letter.body["job"]
    run = await run_of(desk.store, owner, job)
    if run.state == "failed":
        run = await restart(desk, owner, job, by=by, reason="replayed")
    await queue_of(desk).replay(message_id)  # its ticket was given back, so a worker throws it away
    return run


async def sweep(desk: Desk) -> int:
    """Send the messages that a process left unsent when it died; how many they were."""
    return await turnstile.sweep(desk.store, queue_of(desk), desk.now())


async def _earlier(desk: Desk, owner: str, key: Key | None, run_id: str | None, digest: str) -> Run | None:
    if key is not None and (record := await desk.store.records.get(key)) is not None:
        if record.document["request"] != digest:
            raise KeyUsed("Idempotency-Key: it names another request of the last 24 hours; allowed: a new key")
        return await run_of(desk.store, owner, record.document["run"])
    if run_id is not None and (record := await desk.store.records.get(Key(owner, KIND, run_id))) is not None:
        return Run.model_validate(record.document)
    return None


def _key(owner: str, idempotency_key: str) -> Key:
    return Key(owner, IDEMPOTENCY, hashlib.sha256(idempotency_key.encode()).hexdigest())


def _begun(gate: turnstile.Turnstile, job: str, number: int, more: int) -> turnstile.Turnstile:
    ticket = gate.ticket(job, number)
    if ticket is None:
        return gate
    return gate.changed([ticket.model_copy(update={"begun": ticket.begun + more})])


async def _tell_cancelled(desk: Desk, run: Run) -> None:
    await tell_failed(desk, run, code="cancelled", kind=BY_A_PERSON)


async def tell_failed(desk: Desk, run: Run, **said: str) -> None:
    """Append the event with which the log of a run that nobody executes any more ends, unless it is there."""
    stored = await events_of(desk.store, run.owner, run.id)
    log = EventLog(desk.store, run.owner, run.id, stored, desk.observe, desk.now)
    failures = sum(isinstance(event, RunFailed) for event in stored)
    if failures < sum(move.state in ("failed", "cancelled", "expired") for move in run.history):
        await log.append(log.make(RunFailed, "run", 0, failures, **said))


def _logger() -> Any:
    return structlog.get_logger()
