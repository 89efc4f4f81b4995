"""Which shard an instance computes next: each is handed out once, and once more where it is lost or takes long."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from desk.compute.shards.shards import Task

LATE = 3.0
"""A shard that takes so many times the usual is given to somebody else too."""
SOONEST_SECONDS = 5.0
"""But not before that."""
UNKNOWN_SECONDS = 60.0
"""Where nothing is known yet."""


@dataclass(eq=False)
class Flight:
    """A task that somebody computes."""

    id: str
    task: Task
    since: dict[str, float] = field(default_factory=dict[str, float])
    """By instance, when it was handed out; to none of them twice."""
    at_work: int = 0


@dataclass
class Tally:
    """What became of the tasks."""

    computed: Counter[str] = field(default_factory=Counter[str])
    """First results, by instance."""
    again: int = 0
    """Handed out although somebody was at it."""
    late: int = 0
    """Results that came second."""
    lost: int = 0
    """Handed out once more because everybody who was at it went away."""


class Board:
    """Not safe for threads; `now` is any clock that only goes forward."""

    def __init__(self, *, soonest: float = SOONEST_SECONDS, unknown: float = UNKNOWN_SECONDS) -> None:
        self.tally = Tally()
        self._soonest, self._unknown = soonest, unknown
        self._waiting: dict[str, Task] = {}
        self._flights: dict[str, Flight] = {}
        self._seconds = 0.0
        self._finished = 0

    def add(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            if (id_ := task.shard.id()) not in self._flights:
                self._waiting[id_] = task

    def take(self, host: str, now: float) -> Flight | None:
        """The next task for `host`; None where there is none for it."""
        flight = self._first() or self._late(host, now)
        if flight is None:
            return None
        flight.since[host] = now
        flight.at_work += 1
        return flight

    def finish(self, flight: Flight, host: str, now: float) -> bool:
        """Whether this result is the first."""
        self._seconds += now - flight.since[host]
        self._finished += 1
        if self._flights.get(flight.id) is not flight:
            self.tally.late += 1
            return False
        del self._flights[flight.id]
        self.tally.computed[host] += 1
        return True

    def leave(self, flight: Flight) -> bool:
        """To be called once for each `take`, with a result or without; whether the task waits for somebody again."""
        flight.at_work -= 1
        if flight.at_work > 0 or self._flights.get(flight.id) is not flight:
            return False
        del self._flights[flight.id]
        self._waiting = {flight.id: flight.task, **self._waiting}
        self.tally.lost += 1
        return True

    def _first(self) -> Flight | None:
        if not self._waiting:
            return None
        id_ = next(iter(self._waiting))
        flight = self._flights[id_] = Flight(id_, self._waiting.pop(id_))
        return flight

    def _late(self, host: str, now: float) -> Flight | None:
        """The one that nobody has begun for the longest, if that is long."""
        long = LATE * self._seconds / self._finished if self._finished else self._unknown
        begun = now - max(long, self._soonest)
        oldest = next(iter(self._flights.values()), None)
        if oldest is None or min(oldest.since.values()) > begun:  # flights stand in the order in which they began
            return None
        late = [f for f in self._flights.values() if host not in f.since and max(f.since.values()) <= begun]
        if not late:
            return None
        self.tally.again += 1
        return min(late, key=lambda flight: max(flight.since.values()))
