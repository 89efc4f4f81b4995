"""Coordinates the instances of a job: the leader distributes shards over WebSockets and also computes some itself."""

import asyncio
import hmac
import queue
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from desk.compute.container.job_files import Resources, Work
from desk.compute.container.task_queue import ActiveTask, TaskCounts, TaskQueue
from desk.compute.shards.sharded_search import ShardStore
from desk.compute.shards.shards import BadShard, ShardPlanner, Task, check, compute, decode
from desk.optimization.evaluation import World
from quant.numeric.errors import DataError
from quant.numeric.thread_count import thread_count

T = TypeVar("T")

LARGEST_SHARD, LARGEST_TASK = 2**24, 2**20
START_SECONDS = 300.0
"""Time to connect, because the instances of a job start at different times."""
LINGER_SECONDS = 60.0
"""Time for which the leader, after the end, waits for instances that have not connected yet, to tell them."""
POLL_SECONDS = 0.5
"""Time between two checks for slow tasks."""
INSTANCE_HEADER = "Stratigos-Instance"

logger: Any = structlog.get_logger()


class LeaderLost(ConnectionError):
    """The leader is gone or cannot be reached."""


class Coordinator:
    """A `desk.compute.shards.sharded_search.Engine` on the leader: this instance and those that connect to it.

    Leaving its context closes the connections normally, or with an error code after an error.
    """

    def __init__(
        self,
        world: World,
        resources: Resources,
        work: Work,
        *,
        on_bad_shard: Callable[[BadShard], None] = lambda _: None,
        task_queue: TaskQueue | None = None,
        slots: int | None = None,
        start_seconds: float = START_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._world = world
        self._work = work
        self._host = resources.current_host
        self._others = frozenset(resources.hosts) - {self._host}
        self._on_bad_shard = on_bad_shard
        self._slot_count = slots or thread_count()
        self._start_seconds, self._linger_seconds = start_seconds, linger_seconds
        self._tasks = task_queue or TaskQueue()
        self._results: queue.SimpleQueue[tuple[str, bytes] | BaseException] = queue.SimpleQueue()
        self._connected_hosts: set[str] = set()
        self._changed = asyncio.Event()
        self._server: Server | None = None

    @property
    def counts(self) -> TaskCounts:
        return self._tasks.counts

    @property
    def missing_hosts(self) -> list[str]:
        """Instances that have not connected."""
        return sorted(self._others - self._connected_hosts)

    def compute(self, tasks: Sequence[Task]) -> Iterator[tuple[str, bytes]]:
        missing = {task.shard.id() for task in tasks}
        self._loop.call_soon_threadsafe(self._add_tasks, tasks)
        while missing:
            result = self._results.get()
            if isinstance(result, BaseException):
                raise result
            missing.discard(result[0])
            yield result

    def interrupt(self) -> None:
        """Make a waiting `compute` raise `InterruptedError`."""
        self._results.put(InterruptedError())

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        if self._others:
            self._server = await _retry(self._listen, self._start_seconds)
        self._pool = ThreadPoolExecutor(self._slot_count, thread_name_prefix="shard")
        self._local_slots = [
            asyncio.create_task(self._slot(self._host, self._compute_here)) for _ in range(self._slot_count)
        ]
        for slot in self._local_slots:
            slot.add_done_callback(self._report_failure)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self._wait_for_instances()
        finally:
            if self._server is not None:
                self._server.close(code=CloseCode.NORMAL_CLOSURE if kind is None else CloseCode.INTERNAL_ERROR)
                await self._server.wait_closed()
            await _cancel_all(self._local_slots)
            await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    async def _listen(self) -> Server:
        return await serve(
            self._serve,
            self._host,
            self._work.port,
            process_request=self._authenticate,
            compression=None,
            max_size=LARGEST_SHARD,
        )

    def _authenticate(self, connection: ServerConnection, request: Request) -> Response | None:
        host = request.headers.get(INSTANCE_HEADER, "")
        authorization = request.headers.get("Authorization", "")
        if host in self._others and hmac.compare_digest(authorization.encode(), _credentials(self._work).encode()):
            return None
        logger.warning("stranger_refused", address=str(connection.remote_address))
        return connection.respond(HTTPStatus.UNAUTHORIZED, "")

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        host = connection.request.headers[INSTANCE_HEADER]
        if host not in self._connected_hosts:
            self._connected_hosts.add(host)
            logger.info("instance_came", instance=host)
            self._notify()
        slot = asyncio.create_task(self._slot(host, partial(_compute_remotely, connection)))
        closed = asyncio.create_task(connection.wait_closed())
        await asyncio.wait({slot, closed}, return_when=asyncio.FIRST_COMPLETED)
        error, _ = await _cancel_all([slot, closed])
        if isinstance(error, BadShard):
            logger.warning("shard_refused", shard=error.id, reason=error.flaw, instance=host)
            self._on_bad_shard(error)
            await connection.close(CloseCode.POLICY_VIOLATION, str(error))

    async def _slot(self, host: str, compute_task: Callable[[Task], Awaitable[bytes]]) -> None:
        while True:
            active_task = await self._next(host)
            try:
                content = await compute_task(active_task.task)
                if self._tasks.finish(active_task, host, self._loop.time()):
                    self._results.put((active_task.id, content))
            finally:
                if self._tasks.release(active_task):
                    self._notify()

    async def _next(self, host: str) -> ActiveTask:
        while (active_task := self._tasks.take(host, self._loop.time())) is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):  # tasks of other instances become slow as time passes
                    await self._changed.wait()
        return active_task

    async def _compute_here(self, task: Task) -> bytes:
        return await self._loop.run_in_executor(self._pool, _compute_shard, self._world, task)

    async def _wait_for_instances(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._linger_seconds):
                while self.missing_hosts:
                    await self._changed.wait()

    def _add_tasks(self, tasks: Sequence[Task]) -> None:
        self._tasks.add(tasks)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _report_failure(self, slot: asyncio.Task[None]) -> None:
        if not slot.cancelled() and (error := slot.exception()) is not None:
            self._results.put(error)


async def follow(
    world: World,
    shards: ShardStore,
    resources: Resources,
    work: Work,
    *,
    slots: int | None = None,
    start_seconds: float = START_SECONDS,
) -> None:
    """Compute the leader's tasks until it closes normally; raises `LeaderLost` when the connection is lost."""
    count = slots or thread_count()
    planner = ShardPlanner(world)
    with ThreadPoolExecutor(count, thread_name_prefix="shard") as pool:

        async def slot() -> None:
            connection = await _retry(partial(_connect_to_leader, resources, work), start_seconds)
            async with connection:
                while True:
                    task = Task.model_validate_json(await connection.recv())
                    load = partial(_load_or_compute, planner, shards, task)
                    await connection.send(await asyncio.get_running_loop().run_in_executor(pool, load))

        tasks = [asyncio.create_task(slot()) for _ in range(count)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            completed_tasks = [task for task in tasks if task.done()]
            await _cancel_all(tasks)
    errors = [error for task in completed_tasks if (error := task.exception()) is not None]
    if not any(_is_normal_close(error) for error in errors):
        error = errors[0]
        if isinstance(error, ConnectionClosed | OSError | InvalidHandshake):
            reason = f"the leader {resources.leader} is gone or cannot be reached on port {work.port}: {error}"
            raise LeaderLost(reason) from error
        raise error


def _is_normal_close(error: BaseException) -> bool:
    closed = error.rcvd if isinstance(error, ConnectionClosed) else None
    return closed is not None and closed.code == CloseCode.NORMAL_CLOSURE


def _load_or_compute(planner: ShardPlanner, shards: ShardStore, task: Task) -> bytes:
    """The stored file if it is valid, since a restarted instance may have files that its leader lacks."""
    id_ = task.shard.id()
    planner.require_same_problem(task)
    stored_content = shards.get(id_)
    if stored_content is not None:
        try:
            with suppress(DataError):  # that a config cannot be simulated is stored too
                decode(task.shard, stored_content)
        except BadShard as bad:
            logger.warning("shard_refused", shard=bad.id, reason=bad.flaw)
        else:
            return stored_content
    content = _compute_shard(planner.world, task)
    shards.put(id_, content)  # before sending, so that it survives the leader
    return content


def _compute_shard(world: World, task: Task) -> bytes:
    """Compute on one core; the logs of all instances show which shards were computed, and how often."""
    id_ = task.shard.id()
    logger.debug("shard_begun", shard=id_)
    content = compute(world, task, 1)
    logger.debug("shard_computed", shard=id_)
    return content


async def _compute_remotely(connection: ServerConnection, task: Task) -> bytes:
    await connection.send(task.model_dump_json())
    content = await connection.recv(decode=False)
    check(task.shard, content)
    return content


async def _connect_to_leader(resources: Resources, work: Work) -> ClientConnection:
    return await connect(
        f"ws://{resources.leader}:{work.port}",
        additional_headers={"Authorization": _credentials(work), INSTANCE_HEADER: resources.current_host},
        proxy=None,
        compression=None,
        max_size=LARGEST_TASK,
    )


def _credentials(work: Work) -> str:
    return f"Bearer {work.key}"


async def _retry(attempt: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Retry with growing pauses, because host names may not resolve and hosts may not listen yet."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + seconds, 0.05
    while True:
        try:
            return await attempt()
        except (OSError, InvalidHandshake) as error:
            unauthorized = isinstance(error, InvalidStatus) and error.response.status_code == HTTPStatus.UNAUTHORIZED
            if unauthorized or loop.time() + pause > deadline:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, 5.0)


async def _cancel_all(tasks: Sequence[asyncio.Task[Any]]) -> list[Any]:
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)
