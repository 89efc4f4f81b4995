"""Simulates the configs of a search in shards: reads stored shards and computes the missing ones with an engine."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Protocol

from desk.compute.shards.shards import CHUNK, BadShard, ShardPlanner, Task, decode, spans
from desk.optimization.evaluation import World
from quant.numeric.errors import DataError
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation

SUFFIX = ".shard"
MAX_TASKS_AHEAD = 2048
"""Shards that an engine gets at a time, in whole chunks: enough for hundreds of workers, and less than 200 MB."""
ATTEMPTS = 3
"""Attempts at a shard for which an engine returns a bad file."""
READERS = 16
"""Files that are read concurrently."""


class ShardStore(Protocol):
    """Port: storage of shard files. Called in the thread of a search; `get` is called from several threads.

    Adapters: `FolderShardStore`, `desk.compute.shards.repository.BlobShardStore`.
    """

    def using(self, ids: Collection[str]) -> AbstractContextManager[None]:
        """Context in which these shards are read and written; its exit waits for all writes and raises their errors."""
        ...

    def get(self, id_: str) -> bytes | None: ...

    def put(self, id_: str, content: bytes) -> None: ...


class Engine(Protocol):
    """Port: computes shards.

    Adapters: `desk.compute.container.coordination.Coordinator`, `desk.compute.ray_cluster.RayEngine`,
    `desk.compute.pipeline.steps.LocalEngine`.
    """

    def compute(self, tasks: Sequence[Task]) -> Iterator[tuple[str, bytes]]:
        """Id and file of each completed shard, in any order, each at least once; shards of other tasks are ignored."""
        ...


class ShardedSimulator:
    """A `desk.optimization.search.search.Simulator` that computes in shards."""

    def __init__(
        self,
        world: World,
        engine: Engine,
        shards: ShardStore,
        on_bad_shard: Callable[[BadShard], None] = lambda _: None,
        *,
        chunk: int = CHUNK,
    ) -> None:
        self.chunk = chunk
        self._world = world
        self._planner = ShardPlanner(world)
        self._engine = engine
        self._store = shards
        self._on_bad_shard = on_bad_shard
        self.cache_hits = 0
        """Shards read from storage."""

    def evaluations(
        self, chunks: Sequence[Sequence[StrategyConfig]], paths: int | None
    ) -> Iterator[list[tuple[Evaluation, ...]]]:
        paths = paths or self._world.paths
        batch = chunks_ahead(len(self._world.request.scenarios), paths)
        for first in range(0, len(chunks), batch):
            yield from self._evaluate_batch(chunks[first : first + batch], paths)

    def _evaluate_batch(
        self, chunks: Sequence[Sequence[StrategyConfig]], paths: int
    ) -> Iterator[list[tuple[Evaluation, ...]]]:
        chunk_tasks = [
            {task.shard.id(): task for task in self._planner.tasks(configs, paths)} if configs else {}
            for configs in chunks
        ]
        all_tasks = {id_: task for all_tasks in chunk_tasks for id_, task in all_tasks.items()}
        with self._store.using(all_tasks):
            missing, files = self._load_stored(all_tasks)
            computing = self._compute_missing(missing, files)
            for configs, all_tasks in zip(chunks, chunk_tasks, strict=True):
                while not all_tasks.keys() <= files.keys():
                    next(computing)
                parts = [(task, decode(task.shard, files.pop(id_))) for id_, task in all_tasks.items()]
                yield self._planner.evaluations(configs, parts) if configs else []
                if self._world.cancelled():
                    raise InterruptedError

    def _load_stored(self, tasks: Mapping[str, Task]) -> tuple[dict[str, Task], dict[str, bytes]]:
        """The tasks without a valid stored file, and the files of the others."""
        missing: dict[str, Task] = {}
        files: dict[str, bytes] = {}  # compressed: their arrays take twenty times the memory
        with ThreadPoolExecutor(READERS) as readers:
            contents = list(readers.map(self._store.get, tasks))
        for (id_, task), content in zip(tasks.items(), contents, strict=True):
            if content is None or self._is_bad(task, content):
                missing[id_] = task
            else:
                files[id_] = content
                self.cache_hits += 1
        return missing, files

    def _is_bad(self, task: Task, content: bytes) -> bool:
        """Decode the whole file and report it if it is bad, since one bad file would affect every search."""
        try:
            _check(task, content)
        except BadShard as bad:
            self._on_bad_shard(bad)
            return True
        return False

    def _compute_missing(self, missing: dict[str, Task], files: dict[str, bytes]) -> Iterator[None]:
        """Store what the engine computes; a bad shard is reported, and computed again after all others."""
        bad: BadShard | None = None
        for _ in range(ATTEMPTS):
            for id_, content in self._engine.compute(list(missing.values())):
                if (task := missing.get(id_)) is None:
                    continue  # a second result of a shard, or a shard of another batch
                try:
                    _check(task, content)
                except BadShard as error:
                    bad = error
                    self._on_bad_shard(bad)
                    continue
                self._store.put(id_, content)
                files[id_] = content
                del missing[id_]
                yield
        assert bad is not None, "an engine computes every task"
        raise bad


def _check(task: Task, content: bytes) -> None:
    """Raise `BadShard` for a bad file; one that tells why a config cannot be simulated is good, and fails its chunk."""
    with suppress(DataError):
        decode(task.shard, content)


def chunks_ahead(scenarios: int, paths: int) -> int:
    return max(1, MAX_TASKS_AHEAD // (scenarios * len(spans(paths))))


class FolderShardStore:
    """Shard files in folders: written to one, read from all."""

    def __init__(self, write: Path, read: Sequence[Path] = ()) -> None:
        self._write = write
        self._read = (write, *read)

    def get(self, id_: str) -> bytes | None:
        for folder in self._read:
            if (path := folder / f"{id_}{SUFFIX}").is_file():
                return path.read_bytes()
        return None

    def using(self, ids: Collection[str]) -> AbstractContextManager[None]:  # noqa: ARG002  `put` is synchronous
        return nullcontext()

    def put(self, id_: str, content: bytes) -> None:
        """Write atomically, because the folder may be uploaded concurrently."""
        self._write.mkdir(parents=True, exist_ok=True)
        part = self._write / f".{id_}.part"
        part.write_bytes(content)
        part.replace(self._write / f"{id_}{SUFFIX}")
