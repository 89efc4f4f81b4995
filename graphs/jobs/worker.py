"""The worker: takes jobs from the queue and executes each under a lease, so another worker can take over."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any, Literal, TypeAlias

import structlog
from pydantic import ValidationError

from desk.base.errors import UserError
from desk.governance.audit_anchors import anchor_chains
from desk.runs.repository import Run, load_run
from desk.runs.states import STOPPED_STATES
from graphs.dependencies import Dependencies
from graphs.jobs import job_queue
from graphs.jobs.execution import execute
from graphs.jobs.expiry import expire_if_due, expire_overdue_jobs
from graphs.jobs.fair_queue import Ticket
from graphs.jobs.places import take_place
from graphs.jobs.remote import poll_computations
from graphs.jobs.reproduction import carry_out_reproduction
from graphs.runs.cleanup import clean_up_daily
from graphs.runs.leases import LEASE_SECONDS, LeaseHeld, hold_lease
from quant.numeric.frozen import Frozen
from store.errors import StoreError, Unavailable
from store.keys import SYSTEM
from store.queue import Delivery
from store.records import Key

WAIT_SECONDS = 1.0
LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.5, 2.0
"""Seconds between two checks for a requested cancellation, at first and in a long job."""
SWEEP_SECONDS = 30.0
EXPIRED_SECONDS = 6 * 3600.0
"""Seconds between two deletions of expired records, which no read returns in the meantime."""
CLEANUP_SECONDS = 3600.0
"""Seconds between two searches for overdue jobs, and between two checks whether a daily cleanup is due."""
MAX_ATTEMPTS = 3
"""Executions of a job that may crash before it becomes a dead letter."""
HEARTBEAT, HEARTBEAT_LIFETIME = "worker", timedelta(seconds=2 * SWEEP_SECONDS + 10)
"""Kind and lifetime of a worker's heartbeat record: two of its sweeps."""
OUTAGE = timedelta(hours=12)
"""Seconds during which unavailable storage does not count as a failure of the job."""

Execution: TypeAlias = Callable[[Dependencies, str, str], Awaitable[None]]
Outcome: TypeAlias = Literal["done", "computing", "full", "again", "stopped", "dead"]
"""With `computing`, the job keeps its place; with `full`, it found none."""
DONE: tuple[Outcome, ...] = ("done", "computing", "full")
"""Outcomes after which the message is deleted."""


class Message(Frozen):
    """A run with the number of its ticket, or a reproduction of a completed run."""

    owner: str
    job: str
    number: int = 0
    reproduction: str | None = None


async def execute_run(dependencies: Dependencies, owner: str, run_id: str) -> None:
    async with aclosing(execute(dependencies, owner, run_id, by=job_queue.WORKER)) as events:
        async for _ in events:
            pass


class Worker:
    """Executes jobs in one process; one at a time by default, since a job uses every core."""

    def __init__(
        self,
        dependencies: Dependencies,
        *,
        concurrency: int = 1,
        lease: float = LEASE_SECONDS,
        execution: Execution = execute_run,
    ) -> None:
        self._dependencies = dependencies
        self._queue = job_queue.queue_of(dependencies)
        self._concurrency = concurrency
        self._lease = lease
        self._again = lease / 12
        """Seconds after which a failed action is retried."""
        self._execution = execution
        self._stopping = asyncio.Event()
        self._name = uuid.uuid4().hex

    def stop(self) -> None:
        """Take no more jobs; interrupt running ones and return them to the queue."""
        self._stopping.set()

    async def work(self) -> None:
        """Take and execute jobs until `stop` is called."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep())
            group.create_task(self._poll_remote())
            group.create_task(self._clean_up())
            for _ in range(self._concurrency):
                group.create_task(self._take())

    async def _take(self) -> None:
        while not self._stopping.is_set():
            try:
                delivery = await self._queue.receive(lease=self._lease, wait=WAIT_SECONDS)
            except StoreError as error:
                await self._pause(error, self._again)
                continue
            if delivery is not None:
                await self.deliver(delivery)

    async def _sweep(self) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while not self._stopping.is_set():
            try:
                await self._heartbeat()
                await job_queue.sweep(self._dependencies)
                await anchor_chains(self._dependencies.store, self._dependencies.audit_key, self._dependencies.now())
                if clock() >= due:
                    await self._dependencies.store.records.sweep()
                    due = clock() + EXPIRED_SECONDS
            except StoreError as error:
                _logger().warning("sweep_failed", reason=str(error))
            await self._pause(None, SWEEP_SECONDS)

    async def _poll_remote(self) -> None:
        while not self._stopping.is_set():
            await self._run_unless_stopped(poll_computations(self._dependencies), "looking_failed")
            await self._pause(None, SWEEP_SECONDS)

    async def _heartbeat(self) -> None:
        now = self._dependencies.now()
        heartbeat = {"at": now.isoformat(), "jobs": self._concurrency}
        await self._dependencies.store.records.put(
            Key(SYSTEM, HEARTBEAT, self._name), heartbeat, expires=now + HEARTBEAT_LIFETIME
        )

    async def _clean_up(self) -> None:
        """Expire overdue jobs, and run the daily cleanup unless another worker does.

        The next cleanup completes an interrupted one.
        """
        while not self._stopping.is_set():
            await self._run_unless_stopped(expire_overdue_jobs(self._dependencies), "expiry_failed")
            await self._run_unless_stopped(clean_up_daily(self._dependencies), "cleanup_failed")
            await self._pause(None, CLEANUP_SECONDS)

    async def _run_unless_stopped(self, work: Awaitable[Any], failure_event: str) -> None:
        """Log a failure and retry later, so that it does not end the worker."""
        working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(stopping)
            await _cancel(working)
        if not working.cancelled() and (error := working.exception()) is not None:
            _logger().warning(failure_event, kind=type(error).__name__, reason=str(error))

    async def deliver(self, delivery: Delivery) -> bool:
        """Return whether the message is done; otherwise it is delivered again, at the latest when its lease ends."""
        task = asyncio.create_task(self._handle(delivery))  # a task of its own, since a lost lease cancels it
        try:
            await asyncio.wait({task})
        finally:
            await _cancel(task)
        if task.cancelled():
            return False
        if (error := task.exception()) is not None:
            await self._pause(error, self._again)
            return False
        return task.result()

    async def _handle(self, delivery: Delivery) -> bool:
        try:
            message = Message.model_validate(delivery.body)
        except ValidationError:
            await self._queue.bury(delivery, "it names no job")
            return True
        async with self._keep_extended(delivery):
            try:
                what = message.reproduction or message.job
                async with hold_lease(
                    self._dependencies.store, message.owner, what, seconds=self._lease, now=self._dependencies.now
                ):
                    outcome = await self._under_lease(message, delivery.attempt)
                    if outcome == "dead":
                        await self._release_place(message)  # first, since a place that is not released is lost
                        await self._queue.bury(delivery, f"{MAX_ATTEMPTS} workers did not survive it")
            except LeaseHeld:
                outcome = "again"
            if outcome == "full":  # without the lease, since the job may be sent again at once
                await job_queue.refuse(self._dependencies, message.owner, message.job, message.number)
        if outcome in DONE:
            await self._queue.finish(delivery)
        elif outcome != "dead":
            await self._queue.release(delivery, after=0.0 if outcome == "stopped" else self._again)
        return outcome in (*DONE, "dead")

    async def _under_lease(self, message: Message, attempt: int) -> Outcome:
        if message.reproduction is None:
            return await self._run(message)
        work = carry_out_reproduction(
            self._dependencies, message.owner, message.job, message.reproduction, attempt=attempt
        )
        outcome, error = await self._watch(message, work)
        return "done" if isinstance(error, UserError) else outcome  # no request waits for the outcome

    async def _run(self, message: Message) -> Outcome:
        dependencies, owner, job = self._dependencies, message.owner, message.job
        if not await take_place(dependencies.store, dependencies.jobs_at_work, owner, job, dependencies.now()):
            return "full"
        ticket = await job_queue.begin(dependencies, owner, job, message.number)
        if ticket is None:  # of an outdated message
            await job_queue.free_abandoned_places(dependencies)
            return "done"
        if ticket.begun > MAX_ATTEMPTS:
            await job_queue.fail(
                dependencies, owner, job, reason=f"dead letter: {MAX_ATTEMPTS} workers did not survive it", code="fault"
            )
            return "dead"
        if await expire_if_due(dependencies, owner, job, leased=True):
            await self._release_place(message)
            return "done"
        run = await load_run(dependencies.store, owner, job)
        outcome = await self._execute_until_done(message, ticket, run)
        if outcome == "done":
            await self._release_place(message)
        return outcome

    async def _execute_until_done(self, message: Message, ticket: Ticket, run: Run) -> Outcome:
        """Execute the run until it ends, waits for a person or a remote computation, or returns to the queue."""
        if not _is_unfinished(run):
            return "done"
        dependencies, owner, job = self._dependencies, message.owner, message.job
        clock = asyncio.get_running_loop().time
        started_at = clock()
        _logger().info("job_begun", run=job, attempt=ticket.begun)
        while _is_unfinished(run):
            outcome, error = await self._watch(message, self._execution(dependencies, owner, job))
            if isinstance(error, UserError):  # the execution failed before it could record the error
                await job_queue.fail(dependencies, owner, job, reason=str(error), code="unusable_input")
            run = await load_run(dependencies.store, owner, job)
            if outcome != "done" and _is_unfinished(run):
                if outcome == "stopped" or (isinstance(error, Unavailable) and ticket.at > dependencies.now() - OUTAGE):
                    await job_queue.return_job(dependencies, owner, job, message.number)
                await job_queue.leave_place(dependencies, owner, job)
                _logger().info("job_given_back", run=job, why=outcome, seconds=round(clock() - started_at, 3))
                return outcome
            if run.state == "computing" and run.cancelling is None:
                _logger().info("job_left", run=job, state=run.state, seconds=round(clock() - started_at, 3))
                return "computing"
            if run.state == "queued":  # it was decided in the meantime and has a new ticket
                break
        state = "cancelled" if run.cancelling is not None else run.state
        _logger().info("job_left", run=job, state=state, seconds=round(clock() - started_at, 3))
        return "done"

    async def _watch(self, message: Message, work: Awaitable[Any]) -> tuple[Outcome, BaseException | None]:
        """Wait until the work ends, is cancelled, or the worker stops; returns the outcome and the error, if any."""
        execution = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        pause = LOOK_SECONDS
        try:
            while not execution.done():
                await asyncio.wait({execution, stopping}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                pause = min(1.25 * pause, LONGEST_LOOK_SECONDS)
                if not execution.done() and (stopping.done() or await self._is_cancelled(message)):
                    break
        finally:
            stopping.cancel()
            interrupted = not execution.done()
            await _cancel(execution)
        if interrupted:
            return ("stopped" if self._stopping.is_set() else "done"), None
        if execution.cancelled():
            return "again", None
        if (error := execution.exception()) is None:
            return "done", None
        _logger().warning("job_failed", run=message.job, kind=type(error).__name__)
        return "again", error

    async def _is_cancelled(self, message: Message) -> bool:
        try:
            run = await load_run(self._dependencies.store, message.owner, message.job)
        except StoreError as error:
            _logger().warning("look_failed", run=message.job, reason=str(error))
            return False
        return run.cancelling is not None or run.state == "cancelled"

    async def _release_place(self, message: Message) -> None:
        await job_queue.release_place(self._dependencies, message.owner, message.job, message.number)

    @asynccontextmanager
    async def _keep_extended(self, delivery: Delivery) -> AsyncGenerator[None]:
        """Keep the message invisible to other workers; if it is lost, another worker finds the run leased."""

        async def extend() -> None:
            while True:
                await asyncio.sleep(self._lease / 3)
                try:
                    await self._queue.extend(delivery, lease=self._lease)
                except StoreError as error:
                    _logger().warning("extending_failed", message=delivery.id, reason=str(error))

        extending = asyncio.create_task(extend())
        try:
            yield
        finally:
            await _cancel(extending)

    async def _pause(self, error: BaseException | None, seconds: float) -> None:
        if error is not None:
            _logger().warning("worker_paused", kind=type(error).__name__, reason=str(error))
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


def _is_unfinished(run: Run) -> bool:
    return run.state not in STOPPED_STATES and run.state != "waiting" and run.cancelling is None


async def _cancel(task: "asyncio.Future[Any]") -> None:
    """Cancel the task and wait for its end, ignoring its outcome."""
    task.cancel()
    await asyncio.wait({task})


def _logger() -> Any:
    return structlog.get_logger()
