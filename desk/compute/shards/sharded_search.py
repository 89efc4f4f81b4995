"""A search whose simulations are computed in shards: what is stored is used, what is missing is handed to an engine."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from desk.compute.shards.shards import CHUNK, BadShard, Cutter, Task, decode, spans
from desk.optimization.evaluation import World
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation

SUFFIX = ".shard"
AHEAD = 2048
"""Shards that are handed to an engine at a time, in whole chunks: for hundreds of workers, and less than 200 MB."""
ATTEMPTS = 3
"""At a shard that an engine gets wrong."""
READERS = 16
"""Files that are read at a time."""


class Shelf(Protocol):
    """Port: where the files of shards are kept. Called in the thread of a search, and read from several.

    Adapters: `FolderShelf`, `desk.compute.shards.repository.BlobShelf`.
    """

    def using(self, ids: Collection[str]) -> AbstractContextManager[None]:
        """Stands around all that is done with these; when it is left, what was put is there, or an error tells why."""
        ...

    def get(self, id_: str) -> bytes | None: ...

    def put(self, id_: str, content: bytes) -> None: ...


class Engine(Protocol):
    """Port that computes shards.

    Adapters: `desk.compute.container.coordination.Peers`, `desk.compute.ray_cluster.RayEngine`.
    """

    def compute(self, tasks: Sequence[Task]) -> Iterator[tuple[str, bytes]]:
        """Id and file of each shard as it ends, in any order, each at least once; those of other tasks do no harm."""
        ...


class Sharded:
    """A `desk.optimization.search.search.Simulator`."""

    def __init__(
        self,
        world: World,
        engine: Engine,
        shelf: Shelf,
        refused: Callable[[BadShard], None] = lambda _: None,
        *,
        chunk: int = CHUNK,
    ) -> None:
        self.chunk = chunk
        self._world = world
        self._cutter = Cutter(world)
        self._engine = engine
        self._shelf = shelf
        self._refused = refused
        self.found = 0
        """Shards that were stored already."""

    def evaluations(
        self, chunks: Sequence[Sequence[StrategyConfig]], paths: int | None
    ) -> Iterator[list[tuple[Evaluation, ...]]]:
        paths = paths or self._world.paths
        some = chunks_ahead(len(self._world.request.scenarios), paths)
        for first in range(0, len(chunks), some):
            yield from self._some(chunks[first : first + some], paths)

    def _some(self, chunks: Sequence[Sequence[StrategyConfig]], paths: int) -> Iterator[list[tuple[Evaluation, ...]]]:
        chunk_tasks = [
            {task.shard.id(): task for task in self._cutter.tasks(configs, paths)} if configs else {}
            for configs in chunks
        ]
        wanted = {id_: task for tasks in chunk_tasks for id_, task in tasks.items()}
        with self._shelf.using(wanted):
            missing, files = self._looked_up(wanted)
            arriving = self._arriving(missing, files)
            for configs, tasks in zip(chunks, chunk_tasks, strict=True):
                while not tasks.keys() <= files.keys():
                    next(arriving)
                parts = [(task, decode(task.shard, files.pop(id_))) for id_, task in tasks.items()]
                yield self._cutter.evaluations(configs, parts) if configs else []
                if self._world.cancelled():
                    raise InterruptedError

    def _looked_up(self, wanted: Mapping[str, Task]) -> tuple[dict[str, Task], dict[str, bytes]]:
        """What is missing, and the files of the rest."""
        missing: dict[str, Task] = {}
        files: dict[str, bytes] = {}  # compressed, as they came: their arrays take twenty times the room
        with ThreadPoolExecutor(READERS) as readers:
            stored = list(readers.map(self._shelf.get, wanted))
        for (id_, task), content in zip(wanted.items(), stored, strict=True):
            if content is None or self._is_bad(task, content):
                missing[id_] = task
            else:
                files[id_] = content
                self.found += 1
        return missing, files

    def _is_bad(self, task: Task, content: bytes) -> bool:
        """A bad file is told, and its shard computed again; it is read to its end, or it would spoil every search."""
        try:
            decode(task.shard, content)
        except BadShard as bad:
            self._refused(bad)
            return True
        return False

    def _arriving(self, missing: dict[str, Task], files: dict[str, bytes]) -> Iterator[None]:
        """Keep what an engine computes; a bad shard is told, and asked for again once all others are there."""
        bad: BadShard | None = None
        for _ in range(ATTEMPTS):
            for id_, content in self._engine.compute(list(missing.values())):
                if (task := missing.get(id_)) is None:
                    continue  # a second result of a shard, or one of another batch
                try:
                    decode(task.shard, content)
                except BadShard as error:
                    bad = error
                    self._refused(bad)
                    continue
                self._shelf.put(id_, content)
                files[id_] = content
                del missing[id_]
                yield
        assert bad is not None, "an engine computes every task"
        raise bad


def chunks_ahead(scenarios: int, paths: int) -> int:
    return max(1, AHEAD // (scenarios * len(spans(paths))))


class FolderShelf:
    """Files in folders: written into one, found in any."""

    def __init__(self, write: Path, read: Sequence[Path] = ()) -> None:
        self._write = write
        self._read = (write, *read)

    def get(self, id_: str) -> bytes | None:
        for folder in self._read:
            if (path := folder / f"{id_}{SUFFIX}").is_file():
                return path.read_bytes()
        return None

    def using(self, ids: Collection[str]) -> AbstractContextManager[None]:  # noqa: ARG002  what it puts is there
        return nullcontext()

    def put(self, id_: str, content: bytes) -> None:
        """Whole or not at all: what copies the folder meanwhile takes no part of a file for it."""
        self._write.mkdir(parents=True, exist_ok=True)
        part = self._write / f".{id_}.part"
        part.write_bytes(content)
        part.replace(self._write / f"{id_}{SUFFIX}")
