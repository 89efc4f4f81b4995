"""The instances of one job: the leader hands out shards and computes some itself, the others compute what they get."""

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
from desk.compute.container.task_queue import Board, Flight, Tally
from desk.compute.shards.sharded_search import Shelf
from desk.compute.shards.shards import BadShard, Cutter, Task, check, compute, decode
from desk.optimization.evaluation import World
from quant.numeric.thread_count import thread_count

T = TypeVar("T")

LARGEST_SHARD, LARGEST_TASK = 2**24, 2**20
START_SECONDS = 300.0
"""Instances of a job start at different times."""
LINGER_SECONDS = 60.0
"""The leader waits so long, after the end, for those that have not come yet, to tell them."""
LOOK_SECONDS = 0.5
"""Between two looks at whether somebody takes long."""
INSTANCE = "Stratigos-Instance"

logger: Any = structlog.get_logger()


class LeaderLost(ConnectionError):
    """An instance has nobody to work for."""


class Peers:
    """A `desk.compute.shards.sharded_search.Engine`, where the leader runs: this instance and whoever connects to it.

    A context: at its end the others are told that nothing is left to do, or, after an error, that the leader is gone.
    """

    def __init__(
        self,
        world: World,
        resources: Resources,
        work: Work,
        *,
        refused: Callable[[BadShard], None] = lambda _: None,
        board: Board | None = None,
        slots: int | None = None,
        start_seconds: float = START_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._world = world
        self._work = work
        self._host = resources.current_host
        self._others = frozenset(resources.hosts) - {self._host}
        self._refused = refused
        self._count = slots or thread_count()
        self._start, self._linger = start_seconds, linger_seconds
        self._board = board or Board()
        self._arrived: queue.SimpleQueue[tuple[str, bytes] | BaseException] = queue.SimpleQueue()
        self._seen: set[str] = set()
        self._news = asyncio.Event()
        self._server: Server | None = None

    @property
    def tally(self) -> Tally:
        return self._board.tally

    @property
    def unseen(self) -> list[str]:
        """Instances that have not come."""
        return sorted(self._others - self._seen)

    def compute(self, tasks: Sequence[Task]) -> Iterator[tuple[str, bytes]]:
        missing = {task.shard.id() for task in tasks}
        self._loop.call_soon_threadsafe(self._hand_out, tasks)
        while missing:
            arrived = self._arrived.get()
            if isinstance(arrived, BaseException):
                raise arrived
            missing.discard(arrived[0])
            yield arrived

    def interrupt(self) -> None:
        """Whoever waits for a shard waits no longer."""
        self._arrived.put(InterruptedError())

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        if self._others:
            self._server = await _patiently(self._listen, self._start)
        self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="shard")
        self._own = [asyncio.create_task(self._slot(self._host, self._here)) for _ in range(self._count)]
        for slot in self._own:
            slot.add_done_callback(self._told)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self._until_all_were_seen()
        finally:
            if self._server is not None:
                self._server.close(code=CloseCode.NORMAL_CLOSURE if kind is None else CloseCode.INTERNAL_ERROR)
                await self._server.wait_closed()
            await _ended(self._own)
            await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    async def _listen(self) -> Server:
        return await serve(
            self._serve,
            self._host,
            self._work.port,
            process_request=self._admit,
            compression=None,
            max_size=LARGEST_SHARD,
        )

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        host = request.headers.get(INSTANCE, "")
        shown = request.headers.get("Authorization", "")
        if host in self._others and hmac.compare_digest(shown.encode(), _credentials(self._work).encode()):
            return None
        logger.warning("stranger_refused", address=str(connection.remote_address))
        return connection.respond(HTTPStatus.UNAUTHORIZED, "")

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        host = connection.request.headers[INSTANCE]
        if host not in self._seen:
            self._seen.add(host)
            logger.info("instance_came", instance=host)
            self._tell()
        slot = asyncio.create_task(self._slot(host, partial(_elsewhere, connection)))
        closed = asyncio.create_task(connection.wait_closed())
        await asyncio.wait({slot, closed}, return_when=asyncio.FIRST_COMPLETED)
        error, _ = await _ended([slot, closed])
        if isinstance(error, BadShard):
            logger.warning("shard_refused", shard=error.id, reason=error.flaw, instance=host)
            self._refused(error)
            await connection.close(CloseCode.POLICY_VIOLATION, str(error))

    async def _slot(self, host: str, computed: Callable[[Task], Awaitable[bytes]]) -> None:
        while True:
            flight = await self._next(host)
            try:
                content = await computed(flight.task)
                if self._board.finish(flight, host, self._loop.time()):
                    self._arrived.put((flight.id, content))
            finally:
                if self._board.leave(flight):
                    self._tell()

    async def _next(self, host: str) -> Flight:
        while (flight := self._board.take(host, self._loop.time())) is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):  # what others are at becomes late as time goes by
                    await self._news.wait()
        return flight

    async def _here(self, task: Task) -> bytes:
        return await self._loop.run_in_executor(self._pool, _computed, self._world, task)

    async def _until_all_were_seen(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._linger):
                while self.unseen:
                    await self._news.wait()

    def _hand_out(self, tasks: Sequence[Task]) -> None:
        self._board.add(tasks)
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _told(self, slot: asyncio.Task[None]) -> None:
        if not slot.cancelled() and (error := slot.exception()) is not None:
            self._arrived.put(error)


async def follow(
    world: World,
    shelf: Shelf,
    resources: Resources,
    work: Work,
    *,
    slots: int | None = None,
    start_seconds: float = START_SECONDS,
) -> None:
    """Compute what the leader hands out until it tells the end; `LeaderLost` where it goes without."""
    count = slots or thread_count()
    cutter = Cutter(world)
    with ThreadPoolExecutor(count, thread_name_prefix="shard") as pool:

        async def slot() -> None:
            connection = await _patiently(partial(_come, resources, work), start_seconds)
            async with connection:
                while True:
                    task = Task.model_validate_json(await connection.recv())
                    making = asyncio.get_running_loop().run_in_executor(pool, _made, cutter, shelf, task)
                    await connection.send(await making)

        tasks = [asyncio.create_task(slot()) for _ in range(count)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = [task for task in tasks if task.done()]
            await _ended(tasks)
    errors = [error for task in ended if (error := task.exception()) is not None]
    if not any(_is_the_end(error) for error in errors):
        error = errors[0]
        if isinstance(error, ConnectionClosed | OSError | InvalidHandshake):
            reason = f"{resources.leader}, which leads, is gone or cannot be reached on port {work.port}: {error}"
            raise LeaderLost(reason) from error
        raise error


def _is_the_end(error: BaseException) -> bool:
    closed = error.rcvd if isinstance(error, ConnectionClosed) else None
    return closed is not None and closed.code == CloseCode.NORMAL_CLOSURE


def _made(cutter: Cutter, shelf: Shelf, task: Task) -> bytes:
    """The stored file where there is a sound one: an instance that starts again may have what its leader has not."""
    id_ = task.shard.id()
    cutter.require(task)
    stored = shelf.get(id_)
    if stored is not None:
        try:
            decode(task.shard, stored)
        except BadShard as bad:
            logger.warning("shard_refused", shard=bad.id, reason=bad.flaw)
        else:
            return stored
    content = _computed(cutter.world, task)
    shelf.put(id_, content)  # before it is sent: it is kept even if the leader dies
    return content


def _computed(world: World, task: Task) -> bytes:
    """By one core; whoever reads the logs of all instances sees which shards were computed, and how often."""
    id_ = task.shard.id()
    logger.debug("shard_begun", shard=id_)
    content = compute(world, task, 1)
    logger.debug("shard_computed", shard=id_)
    return content


async def _elsewhere(connection: ServerConnection, task: Task) -> bytes:
    await connection.send(task.model_dump_json())
    content = await connection.recv(decode=False)
    check(task.shard, content)
    return content


async def _come(resources: Resources, work: Work) -> ClientConnection:
    return await connect(
        f"ws://{resources.leader}:{work.port}",
        additional_headers={"Authorization": _credentials(work), INSTANCE: resources.current_host},
        proxy=None,
        compression=None,
        max_size=LARGEST_TASK,
    )


def _credentials(work: Work) -> str:
    return f"Bearer {work.key}"


async def _patiently(attempt: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Names of instances may not be known yet, and those behind them not be there."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + seconds, 0.05
    while True:
        try:
            return await attempt()
        except (OSError, InvalidHandshake) as error:
            refused = isinstance(error, InvalidStatus) and error.response.status_code == HTTPStatus.UNAUTHORIZED
            if refused or loop.time() + pause > deadline:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, 5.0)


async def _ended(tasks: Sequence[asyncio.Task[Any]]) -> list[Any]:
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)
