"""Jobs on a Ray cluster: this process coordinates, and shards are tasks that take one core each, wherever one is free.

The nodes need this program, of the same version and with the same libraries: its folder in the same place, on their
PYTHONPATH, or the image of the platform.
"""

import asyncio
import logging
import os
import pickle
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from store.errors import Unavailable
from store.keys import SYSTEM
from store.store import Store
from tools.errors import InvalidInput, UserError
from tools.jobs import Machines
from tools.local import LoadMarket, LocalRunner

if TYPE_CHECKING:
    from tools.evaluation import World
    from tools.search import Simulator
    from tools.shards import BadShard, Task

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

_CONNECTING = Lock()
_KEPT = ThreadPoolExecutor(1, thread_name_prefix="ray")
"""Linux ends what Ray starts when the thread that started it ends, and a thread of a search does."""


def ray_runner(store: Store, market: LoadMarket, address: str = "") -> LocalRunner:
    """`address` is empty for a cluster of this process alone, `auto`, or host:port of a cluster's head."""
    if address not in ("", "auto"):
        _endpoint(address)
    return RayRunner(store, market, address)


class RayRunner(LocalRunner):
    """Adapter of `tools.jobs.JobRunner`; the cluster is looked for, or started, by the first search of a process."""

    def __init__(self, store: Store, market: LoadMarket, address: str = "") -> None:
        def simulator(world: "World", refused: "Callable[[BadShard], None]") -> "Simulator":
            from tools.sharding import BlobShelf, Sharded

            shelf = BlobShelf(store.blobs, asyncio.get_running_loop(), f"{SYSTEM}/shards")
            return Sharded(world, RayEngine(world, address), shelf, refused, chunk=CHUNK)

        super().__init__(store, market, simulator=simulator)

    @property
    def machines(self) -> Machines:
        """Before the first search of a process the cluster's cores are not known: this machine's stand for them."""
        return Machines(kind="ray", cores=_cores() or os.cpu_count() or 1)


class RayEngine:
    """A `tools.sharding.Engine`."""

    def __init__(self, world: "World", address: str = "") -> None:
        self._world = world
        self._address = address
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
                most = AHEAD * max(_cores(), 1)
                while waiting and len(running) < most:
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
        while True:
            if self._world.cancelled():
                raise InterruptedError
            ended, _ = ray.wait(running, num_returns=1, timeout=LOOK)
            if ended:
                more, _ = ray.wait(running, num_returns=len(running), timeout=0)
                return more


def connected(address: str) -> Any:
    """Ray, as this process is connected to it: the first who asks connects."""
    with _CONNECTING:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")  # whoever is too late must not start a cluster
        address = address or os.environ.get("RAY_ADDRESS", "local")
        if address == "local":
            # by its name for other systems, where it is the default: a cluster of one machine listens on loopback only
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        ray = _imported()
        if not ray.is_initialized():
            _connect(ray, address)
        return ray


def _imported() -> Any:
    """Any: what Ray says of its types is of little use to a checker."""
    try:
        return import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        how = "`uv sync --group ray`, or `python3 bootstrap.py --group ray`"
        raise UserError(f"{SETTING}: Ray is not installed; allowed: install it with {how}, or no Ray") from error


def _connect(ray: Any, address: str) -> None:
    options = {"include_dashboard": False} if address == "local" else {}
    try:
        if address not in ("local", "auto"):
            _greet(address)
        begin = partial(ray.init, address, log_to_driver=False, logging_level=logging.ERROR, **options)
        _KEPT.submit(begin).result()
    except (OSError, RuntimeError, ValueError) as error:
        raise Unavailable(f"{SETTING}: there is no Ray cluster at {address}: {error}") from error


def _greet(address: str) -> None:
    """Ray itself would ask for minutes whatever listens there."""
    with socket.create_connection(_endpoint(address), PATIENCE) as head:
        if os.environ.get("RAY_USE_TLS") == "1":
            return
        head.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, SETTINGS, 0, 0, 0, 0, 0)))
        answer = head.recv(9)
    if answer[3:4] != bytes((SETTINGS,)):
        raise ConnectionError("what answers there does not speak gRPC")


def _endpoint(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
        allowed = "ray, ray:auto, or ray:HOST:PORT of the head of a cluster of which this machine is a node"
        raise InvalidInput(SETTING, f"ray:{address}", allowed=allowed)
    return host, int(port)


def _cores() -> int:
    """Of all nodes that are there now; 0 where this process is not connected."""
    import sys

    ray: Any = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return 0
    return int(ray.cluster_resources().get("CPU", 0))


def _remote(ray: Any) -> Any:
    """It is sent as it stands here: a node on which nothing of this program can be imported must be able to say so."""

    def computed(stored: list[Any], task: bytes) -> bytes | str:
        try:
            from tools.ray_cluster import on_node
        except ImportError as error:
            return f"this program cannot be imported there ({error})"
        return on_node(stored[0], task)

    return ray.remote(num_cpus=1, max_retries=RETRIES)(computed)


def on_node(stored: Any, packed: bytes) -> bytes | str:
    """The file of a shard, or why this node cannot make it."""
    from tools.code import code_version
    from tools.shards import compute

    task: Task = pickle.loads(packed)  # noqa: S301
    if (code := code_version()) != task.shard.code:
        return f"its code or one of its numeric libraries is another: {code[:16]} instead of {task.shard.code[:16]}"
    return compute(_world(stored), task, workers=1)


@lru_cache(maxsize=2)
def _world(stored: Any) -> "World":
    """Kept by the worker from task to task: models that are fitted to the market are fitted once."""
    from tools.evaluation import World

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
