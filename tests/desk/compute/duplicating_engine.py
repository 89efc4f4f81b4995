"""A compute engine that returns results more than once, and late."""

from collections.abc import Iterator, Sequence

from desk.compute.shards.sharded_search import Engine
from desk.compute.shards.shards import Task


class DuplicatingEngine:
    """An engine of which every second result comes twice, and every fifth again with those of later rounds."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self._late: list[tuple[str, bytes]] = []
        self.count = 0

    def compute(self, tasks: Sequence[Task]) -> Iterator[tuple[str, bytes]]:
        late, self._late = self._late, []
        yield from late
        for n, result in enumerate(self._inner.compute(tasks)):
            if n % 5 == 0:
                self._late.append(result)
            for _ in range(1 + n % 2):
                self.count += 1
                yield result
