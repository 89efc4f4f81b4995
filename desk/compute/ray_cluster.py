"""Jobs on a Ray cluster: this process coordinates, and shards are tasks that take one core each, wherever one is free.

The nodes need this program, of the same version and with the same libraries: its folder in the same place, on their
PYTHONPATH, or the image of the platform.
"""

import asyncio
import logging
import math
import os
import pickle
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import lru_cache, partial
from importlib import import_module
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

import structlog

from desk.base.clock import utc_now
from desk.base.errors import InvalidInput, UserError
from desk.compute.local import LoadMarket, LocalRunner
from desk.governance.estimates import Machines
from desk.optimization.jobs import Report
from store.errors import Unavailable
from store.store import Store

if TYPE_CHECKING:
    from desk.compute.shards.shards import BadShard, Task
    from desk.optimization.evaluation import World
    from desk.optimization.search.search import Simulator

SETTING = "STRATIGOS_COMPUTE"
CHUNK = 20
"""Configs of a shard, as many as a round has: with half of them simulating takes a third longer, since each shard makes
its own paths."""
AHEAD = 4
"""Tasks of a core that Ray holds at a time: the next ones wait where the core is."""
RETRIES = 5
"""Of a task whose worker or node was lost."""
PATIENCE = 5.0
"""Seconds in which the head of a cluster must answer."""
SETTINGS = 4
"""The frame with which both sides of HTTP/2 begin (RFC 9113, 3.4)."""
LOOK = 0.5
"""Seconds between two looks at whether the job was cancelled."""
LONG = 60.0
"""Seconds without a shard after which it is said that a search waits; a shard takes one or two."""

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # whoever is too late must not start a cluster
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",  # it would take SIGTERM from whoever began this process
}
"""Ray reads it when it is imported."""

_CONNECTING = Lock()


def ray_runner(store: Store, market: LoadMarket, address: str = "") -> LocalRunner:
    """`address` is empty for a cluster of this process alone, `auto`, or host:port of a cluster's head."""
    if address not in ("", "auto"):
        _endpoint(address)
    return RayRunner(store, market, address)


class RayRunner(LocalRunner):
    """Adapter of `desk.optimization.jobs.JobRunner`; the first search of a process finds or starts the cluster."""

    def __init__(self, store: Store, market: LoadMarket, address: str = "") -> None:
        self._cores = os.cpu_count() or 1

        def simulator(world: "World", happened: Callable[[Report], None]) -> "Simulator":
            from desk.compute.shards.repository import BlobShelf
            from desk.compute.shards.sharded_search import Sharded

            def refused(bad: "BadShard") -> None:
                happened(Report(attempt=1, name=bad.id, code="bad_shard", reason=bad.flaw))

            def counts(cores: int) -> None:
                self._cores = cores

            def waits(reason: str) -> None:
                happened(Report(attempt=1, name=address or "ray", code="capacity", reason=reason))

            shelf = BlobShelf(store, asyncio.get_running_loop(), utc_now)
            return Sharded(world, RayEngine(world, address, waits, counts), shelf, refused, chunk=CHUNK)

        super().__init__(store, market, simulator=simulator)

    @property
    def machines(self) -> Machines:
        """The cores that a search last found; before the first of a process this machine's stand for them."""
        return Machines(kind="ray", cores=self._cores)


class RayEngine:
    """A `desk.compute.shards.sharded_search.Engine`; tells once why it waits, when nothing ends for `patience` seconds.

    `counts` learns how many cores the cluster has, which may change at any time.
    """

    def __init__(
        self,
        world: "World",
        address: str = "",
        waits: Callable[[str], None] = lambda _: None,
        counts: Callable[[int], None] = lambda _: None,
        *,
        patience: float = LONG,
    ) -> None:
        self._world = world
        self._address = address
        self._waits = waits
        self._counts = counts
        self._patience = patience
        self._stored: Any = None
        """The market and the request, in the object store of the cluster."""

    def compute(self, tasks: "Sequence[Task]") -> Iterator[tuple[str, bytes]]:
        ray = connected(self._address)
        if self._stored is None:
            self._stored = ray.put(pickle.dumps((self._world.market, self._world.request)))
        remote = _remote(ray)
        waiting = deque(tasks)
        running: dict[Any, str] = {}
        try:
            while waiting or running:
                self._counts(cores := max(_cores(ray), 1))
                while waiting and len(running) < AHEAD * cores:
                    task = waiting.popleft()
                    running[remote.remote([self._stored], pickle.dumps(task))] = task.shard.id()
                for ended in self._ended(ray, list(running)):
                    yield running.pop(ended), _result(ray, ended)
        finally:
            if ray.is_initialized():
                for left in running:
                    ray.cancel(left)

    def _ended(self, ray: Any, running: list[Any]) -> list[Any]:
        """Those that have ended, at least one."""
        since = monotonic()
        while True:
            if self._world.cancelled():
                raise InterruptedError
            ended, _ = ray.wait(running, num_returns=1, timeout=LOOK)
            if ended:
                more, _ = ray.wait(running, num_returns=len(running), timeout=0)
                return more
            if monotonic() - since >= self._patience:
                self._tell(ray)
                self._patience = math.inf

    def _tell(self, ray: Any) -> None:
        free = int(ray.available_resources().get("CPU", 0))
        reason = f"no shard has ended for {self._patience:g} s; of the cluster's {_cores(ray)} cores {free} are free"
        structlog.get_logger().warning("search_waits", reason=reason)
        self._waits(reason)


def connected(address: str) -> Any:
    """Ray, as this process is connected to it: the first who asks connects."""
    with _CONNECTING:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        setting, address = placed(address)
        if address == "local":
            # by its name for other systems, where it is the default: a cluster of one machine listens on loopback only
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        ray = _imported()
        if not ray.is_initialized():
            _connect(ray, address, setting)
        return ray


def _imported() -> Any:
    """Any: what Ray says of its types is of little use to a checker."""
    try:
        return import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        how = "`uv sync --group ray`, or `python3 bootstrap.py --group ray`"
        raise UserError(f"{SETTING}: Ray is not installed; expected install it with {how}, or no Ray") from error


def placed(address: str) -> tuple[str, str]:
    """The setting that says which cluster is meant, and its address."""
    return (SETTING, address) if address else ("RAY_ADDRESS", os.environ.get("RAY_ADDRESS") or "local")


def _connect(ray: Any, address: str, setting: str) -> None:
    options = {"include_dashboard": False} if address == "local" else {}
    try:
        if address not in ("local", "auto"):
            greet(address, setting)
        begin = partial(ray.init, address, log_to_driver=False, logging_level=logging.ERROR, **options)
        _in_lasting_thread(begin)
    except (OSError, RuntimeError, ValueError) as error:
        raise Unavailable(f"{setting}: there is no Ray cluster at {address}: {error}") from error


def _in_lasting_thread(begin: Callable[[], object]) -> None:
    """Linux ends what Ray starts when the thread that started it ends, as that of a search does.

    Python waits for other threads before Ray takes its leave, and it would wait for a cluster that is gone.
    """
    begun: Future[None] = Future()

    def begin_and_stay() -> None:
        try:
            begin()
        except BaseException as error:  # noqa: BLE001  (whoever waits for it raises it)
            begun.set_exception(error)
        else:
            begun.set_result(None)
            Event().wait()

    Thread(target=begin_and_stay, name="ray", daemon=True).start()
    begun.result()


def greet(address: str, setting: str = SETTING) -> None:
    """Ray itself would ask for minutes whatever listens there."""
    with socket.create_connection(_endpoint(address, setting), PATIENCE) as head:
        if os.environ.get("RAY_USE_TLS") == "1":
            return
        head.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, SETTINGS, 0, 0, 0, 0, 0)))
        answer = head.recv(9)
    if answer[3:4] != bytes((SETTINGS,)):
        raise ConnectionError("what answers there does not speak gRPC")


def _endpoint(address: str, setting: str = SETTING) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
        before = "ray:" if setting == SETTING else ""
        other = "ray, ray:auto" if setting == SETTING else "local, auto"
        allowed = f"{other}, or {before}HOST:PORT of the head of a cluster of which this machine is a node"
        raise InvalidInput(setting, f"{before}{address}", allowed=allowed)
    return host, int(port)


def _cores(ray: Any) -> int:
    """Of all nodes that are there now."""
    return int(ray.cluster_resources().get("CPU", 0))


def _remote(ray: Any) -> Any:
    """It is sent as it stands here: a node on which nothing of this program can be imported must be able to say so."""

    def computed(stored: list[Any], task: bytes) -> bytes | str:
        try:
            from desk.compute.ray_cluster import on_node
        except ImportError as error:
            return f"this program cannot be imported there ({error})"
        return on_node(stored[0], task)

    # by default Ray fills one node before the next, and its queue waits there while others have nothing to do
    return ray.remote(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")(computed)


def on_node(stored: Any, packed: bytes) -> bytes | str:
    """The file of a shard, or why this node cannot make it."""
    from desk.base.code_version import code_version
    from desk.compute.shards.shards import compute

    task: Task = pickle.loads(packed)  # noqa: S301
    if (code := code_version()) != task.shard.code:
        return f"its code or one of its numeric libraries is another: {code[:16]} instead of {task.shard.code[:16]}"
    return compute(_world(stored), task, workers=1)


@lru_cache(maxsize=2)
def _world(stored: Any) -> "World":
    """Kept by the worker from task to task: models that are fitted to the market are fitted once."""
    from desk.optimization.evaluation import World

    market, request = pickle.loads(import_module("ray").get(stored))  # noqa: S301
    return World(market, request)


def _result(ray: Any, ended: Any) -> bytes:
    try:
        content: bytes | str = ray.get(ended)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise Unavailable(f"the Ray cluster lost a shard {RETRIES + 1} times: {error}") from error
    if isinstance(content, str):
        raise UserError(f"{SETTING}: a node of the Ray cluster cannot compute: {content}")
    return content
