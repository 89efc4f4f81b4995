"""Runs search jobs on a Ray cluster: this process coordinates; each shard is a task for one core of any node.

Every node needs the same version of this program and of its libraries: its folder at the same path, on the
PYTHONPATH, or the platform's container image. Imports inside functions keep Ray and the numeric stack out of light
commands.
"""

import asyncio
import io
import logging
import math
import os
import pickle
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import lru_cache, partial
from importlib import import_module
from threading import Event, Lock, Thread, current_thread
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
"""Configs per shard, equal to a search round: half of it makes simulation a third slower, because each shard generates
its own paths."""
TASKS_PER_CORE = 4
"""Tasks submitted to Ray per core, so that the next ones already wait on the core's node."""
RETRIES = 5
"""Retries of a task whose worker or node is lost."""
CONNECT_TIMEOUT = 5.0
"""Seconds within which the head of a cluster must respond."""
HTTP2_SETTINGS = 4
"""Type of the frame that both sides of an HTTP/2 connection send first (RFC 9113, 3.4)."""
POLL_SECONDS = 0.5
"""Seconds between two checks for cancellation."""
STALL_SECONDS = 60.0
"""Seconds without a completed shard after which a stall is reported; a shard takes one or two."""

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a call after shutdown must not start a cluster
    "RAY_DEDUP_LOGS": "0",  # it would print repeated messages at the end, from the main thread
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",  # it would replace the SIGTERM handler of this process
}
"""Environment variables that Ray reads on import."""

RAY_THREADS = "ray_"
"""First letters of the names of the threads that Ray starts in this process."""
STANDARD_OUTPUT = 1
"""File descriptor, which child processes inherit."""

_CONNECTING = Lock()


def ray_runner(store: Store, market: LoadMarket, address: str = "") -> LocalRunner:
    """`address` is empty for a cluster that this process starts, `auto`, or HOST:PORT of a cluster's head."""
    if address not in ("", "auto"):
        _endpoint(address)
    return RayRunner(store, market, address)


class RayRunner(LocalRunner):
    """Adapter of `desk.optimization.jobs.JobRunner`; a process's first search connects to or starts the cluster."""

    def __init__(self, store: Store, market: LoadMarket, address: str = "") -> None:
        self._cores = os.cpu_count() or 1

        def simulator(world: "World", report: Callable[[Report], None]) -> "Simulator":
            from desk.compute.shards.repository import BlobShardStore
            from desk.compute.shards.sharded_search import ShardedSimulator

            def report_bad_shard(bad: "BadShard") -> None:
                report(Report(attempt=1, name=bad.id, code="bad_shard", reason=bad.flaw))

            def set_cores(cores: int) -> None:
                self._cores = cores

            def report_stall(reason: str) -> None:
                report(Report(attempt=1, name=address or "ray", code="capacity", reason=reason))

            shards = BlobShardStore(store, asyncio.get_running_loop(), utc_now)
            engine = RayEngine(world, address, report_stall, set_cores)
            return ShardedSimulator(world, engine, shards, report_bad_shard, chunk=CHUNK)

        super().__init__(store, market, simulator=simulator)

    @property
    def machines(self) -> Machines:
        """The cores at the last search; before the first search of a process, the cores of this machine."""
        return Machines(kind="ray", cores=self._cores)


class RayEngine:
    """A `desk.compute.shards.sharded_search.Engine` on Ray.

    `on_stall` is called once, with a reason, when no shard completes for `stall_seconds`; `on_core_count` is called
    with the number of cores of the cluster, which may change at any time.
    """

    def __init__(
        self,
        world: "World",
        address: str = "",
        on_stall: Callable[[str], None] = lambda _: None,
        on_core_count: Callable[[int], None] = lambda _: None,
        *,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._world = world
        self._address = address
        self._on_stall = on_stall
        self._on_core_count = on_core_count
        self._stall_seconds = stall_seconds
        self._world_ref: Any = None
        """Reference to the market and the request in the object store of the cluster."""

    def compute(self, tasks: "Sequence[Task]") -> Iterator[tuple[str, bytes]]:
        ray = connect(self._address)
        if self._world_ref is None:
            self._world_ref = ray.put(pickle.dumps((self._world.market, self._world.request)))
        remote = _remote(ray)
        pending = deque(tasks)
        running: dict[Any, str] = {}
        try:
            while pending or running:
                self._on_core_count(cores := max(_cores(ray), 1))
                while pending and len(running) < TASKS_PER_CORE * cores:
                    task = pending.popleft()
                    running[remote.remote([self._world_ref], pickle.dumps(task))] = task.shard.id()
                for result in self._wait_for_results(ray, list(running)):
                    yield running.pop(result), _result(ray, result)
        finally:
            if ray.is_initialized():
                for ref in running:
                    ray.cancel(ref)

    def _wait_for_results(self, ray: Any, running: list[Any]) -> list[Any]:
        """The completed tasks, at least one."""
        since = monotonic()
        while True:
            if self._world.cancelled():
                raise InterruptedError
            results, _ = ray.wait(running, num_returns=1, timeout=POLL_SECONDS)
            if results:
                more, _ = ray.wait(running, num_returns=len(running), timeout=0)
                return more
            if monotonic() - since >= self._stall_seconds:
                self._report_stall(ray)
                self._stall_seconds = math.inf

    def _report_stall(self, ray: Any) -> None:
        free = int(ray.available_resources().get("CPU", 0))
        duration = f"no shard has ended for {self._stall_seconds:g} s"
        reason = f"{duration}; of the cluster's {_cores(ray)} cores {free} are free"
        structlog.get_logger().warning("search_waits", reason=reason)
        self._on_stall(reason)


def connect(address: str) -> Any:
    """The module `ray`, connected to the cluster; the first call connects."""
    with _CONNECTING:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        setting, address = resolve_address(address)
        if address == "local":
            # despite its name it also applies to Linux: a local cluster then listens on loopback only
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        ray = _import_ray()
        if not ray.is_initialized():
            keep_standard_output()
            _connect(ray, address, setting)
        return ray


def keep_standard_output() -> None:
    """Send to standard error what Ray's libraries and processes print, which would damage this program's output."""
    if sys.stdout is not sys.__stdout__ or sys.stdout.fileno() != STANDARD_OUTPUT:
        return  # kept already, or captured
    sys.stdout.flush()
    own = os.fdopen(os.dup(STANDARD_OUTPUT), "wb")
    sys.stdout = _OwnOutput(own, encoding=sys.stdout.encoding, errors=sys.stdout.errors, line_buffering=True)
    os.dup2(sys.stderr.fileno(), STANDARD_OUTPUT)


class _OwnOutput(io.TextIOWrapper):
    """Standard output, without what the threads of Ray print about nodes and workers."""

    def write(self, text: str, /) -> int:
        return sys.stderr.write(text) if current_thread().name.startswith(RAY_THREADS) else super().write(text)


def _import_ray() -> Any:
    """The module as `Any`, because Ray's type hints are incomplete."""
    try:
        return import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        how = "`uv sync --group ray`, or `python3 bootstrap.py --group ray`"
        raise UserError(f"{SETTING}: Ray is not installed; install it with {how}, or choose another value") from error


def resolve_address(address: str) -> tuple[str, str]:
    """The setting that names the cluster, and the cluster's address."""
    return (SETTING, address) if address else ("RAY_ADDRESS", os.environ.get("RAY_ADDRESS") or "local")


def _connect(ray: Any, address: str, setting: str) -> None:
    options = {"include_dashboard": False} if address == "local" else {}
    try:
        if address not in ("local", "auto"):
            check_head(address, setting)
        begin = partial(ray.init, address, log_to_driver=False, logging_level=logging.ERROR, **options)
        _run_in_persistent_thread(begin)
    except (OSError, RuntimeError, ValueError) as error:
        raise Unavailable(f"{setting}: there is no Ray cluster at {address}: {error}") from error


def _run_in_persistent_thread(begin: Callable[[], object]) -> None:
    """Run `begin` in a daemon thread that never ends: Linux ends Ray's processes with the thread that starts them.

    A non-daemon thread would block the exit of Python before Ray disconnects.
    """
    startup: Future[None] = Future()

    def begin_and_stay() -> None:
        try:
            begin()
        except BaseException as error:  # noqa: BLE001  (`startup.result` raises it)
            startup.set_exception(error)
        else:
            startup.set_result(None)
            Event().wait()

    Thread(target=begin_and_stay, name="ray", daemon=True).start()
    startup.result()


def check_head(address: str, setting: str = SETTING) -> None:
    """Raise `OSError` unless a gRPC server answers; Ray itself would retry for minutes."""
    with socket.create_connection(_endpoint(address, setting), CONNECT_TIMEOUT) as head:
        if os.environ.get("RAY_USE_TLS") == "1":
            return
        head.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, HTTP2_SETTINGS, 0, 0, 0, 0, 0)))
        frame = head.recv(9)
    if frame[3:4] != bytes((HTTP2_SETTINGS,)):
        raise ConnectionError("the server at this address does not speak gRPC")


def _endpoint(address: str, setting: str = SETTING) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
        before = "ray:" if setting == SETTING else ""
        other = "ray, ray:auto" if setting == SETTING else "local, auto"
        allowed = f"{other}, or {before}HOST:PORT of the head of a cluster of which this machine is a node"
        raise InvalidInput(setting, f"{before}{address}", allowed=allowed)
    return host, int(port)


def _cores(ray: Any) -> int:
    """Cores of all connected nodes."""
    return int(ray.cluster_resources().get("CPU", 0))


def _remote(ray: Any) -> Any:
    """The task function; it is pickled by value, so that a node without this program can report the missing import."""

    def compute_shard(world_ref: list[Any], task: bytes) -> bytes | str:
        try:
            from desk.compute.ray_cluster import compute_on_node
        except ImportError as error:
            return f"this program cannot be imported there ({error})"
        return compute_on_node(world_ref[0], task)

    # by default Ray fills one node before the next, which leaves other nodes idle
    return ray.remote(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")(compute_shard)


def compute_on_node(world_ref: Any, packed: bytes) -> bytes | str:
    """The file of a shard, or the reason why this node cannot compute it."""
    from desk.base.code_version import code_version
    from desk.compute.shards.shards import compute

    task: Task = pickle.loads(packed)  # noqa: S301
    if (code := code_version()) != task.shard.code:
        return f"its code or one of its numeric libraries is another: {code[:16]} instead of {task.shard.code[:16]}"
    return compute(_load_world(world_ref), task, workers=1)


@lru_cache(maxsize=2)
def _load_world(world_ref: Any) -> "World":
    """The world, cached per worker process so that models are fitted to the market once."""
    from desk.optimization.evaluation import World

    market, request = pickle.loads(import_module("ray").get(world_ref))  # noqa: S301
    return World(market, request)


def _result(ray: Any, result: Any) -> bytes:
    try:
        content: bytes | str = ray.get(result)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise Unavailable(f"the Ray cluster lost a shard {RETRIES + 1} times: {error}") from error
    if isinstance(content, str):
        raise UserError(f"{SETTING}: a node of the Ray cluster cannot compute: {content}")
    return content
