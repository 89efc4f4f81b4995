"""Queue of shard tasks: each is issued once, and again when its instance is lost or slow."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from desk.compute.shards.shards import Task

SLOW_FACTOR = 3.0
"""A task that takes this many times the mean duration is also issued to another instance."""
MINIMUM_SECONDS = 5.0
"""Duration below which no task counts as slow."""
DEFAULT_SECONDS = 60.0
"""Assumed duration before any task has completed."""


@dataclass(eq=False)
class ActiveTask:
    """A task that at least one instance computes."""

    id: str
    task: Task
    started_at: dict[str, float] = field(default_factory=dict[str, float])
    """Start time by instance; an instance gets a task only once."""
    active_count: int = 0


@dataclass
class TaskCounts:
    """Counts of task outcomes."""

    computed: Counter[str] = field(default_factory=Counter[str])
    """First results, by instance."""
    reissued: int = 0
    """Tasks issued to a second instance while the first still computed."""
    late_results: int = 0
    """Results that came second."""
    lost_tasks: int = 0
    """Tasks issued again because every instance that computed them disconnected."""


class TaskQueue:
    """Not thread-safe; `now` is any monotonic clock."""

    def __init__(self, *, minimum_seconds: float = MINIMUM_SECONDS, default_seconds: float = DEFAULT_SECONDS) -> None:
        self.counts = TaskCounts()
        self._minimum_seconds, self._default_seconds = minimum_seconds, default_seconds
        self._waiting: dict[str, Task] = {}
        self._active: dict[str, ActiveTask] = {}
        self._seconds = 0.0
        self._finished = 0

    def add(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            if (id_ := task.shard.id()) not in self._active:
                self._waiting[id_] = task

    def take(self, host: str, now: float) -> ActiveTask | None:
        """The next task for `host`, or None."""
        task = self._next_waiting() or self._reissued(host, now)
        if task is None:
            return None
        task.started_at[host] = now
        task.active_count += 1
        return task

    def finish(self, task: ActiveTask, host: str, now: float) -> bool:
        """Record a result; whether it is the first of its task."""
        self._seconds += now - task.started_at[host]
        self._finished += 1
        if self._active.get(task.id) is not task:
            self.counts.late_results += 1
            return False
        del self._active[task.id]
        self.counts.computed[host] += 1
        return True

    def release(self, task: ActiveTask) -> bool:
        """Call once for each `take`, with a result or without; whether the task is queued again."""
        task.active_count -= 1
        if task.active_count > 0 or self._active.get(task.id) is not task:
            return False
        del self._active[task.id]
        self._waiting = {task.id: task.task, **self._waiting}
        self.counts.lost_tasks += 1
        return True

    def _next_waiting(self) -> ActiveTask | None:
        if not self._waiting:
            return None
        id_ = next(iter(self._waiting))
        task = self._active[id_] = ActiveTask(id_, self._waiting.pop(id_))
        return task

    def _reissued(self, host: str, now: float) -> ActiveTask | None:
        """The slow task whose last start is the oldest; None without a slow task."""
        slow_after = SLOW_FACTOR * self._seconds / self._finished if self._finished else self._default_seconds
        latest_start = now - max(slow_after, self._minimum_seconds)
        oldest = next(iter(self._active.values()), None)
        # active tasks are in the order of their first start
        if oldest is None or min(oldest.started_at.values()) > latest_start:
            return None
        slow = [
            f for f in self._active.values() if host not in f.started_at and max(f.started_at.values()) <= latest_start
        ]
        if not slow:
            return None
        self.counts.reissued += 1
        return min(slow, key=lambda task: max(task.started_at.values()))
