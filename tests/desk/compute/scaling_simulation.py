"""A search of many instances in simulated time: the board that hands shards out is the program's own.

What is assumed stands in `Costs`. The leader's work (proposing, checking, merging) is one queue; every core computes
one shard after the other; instances are slow, and die, as they are told to.
"""

import heapq
import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from desk.compute.container.task_queue import ActiveTask, TaskQueue
from desk.compute.shards.sharded_search import chunks_ahead
from desk.compute.shards.shards import CHUNK, Task, spans
from desk.optimization.jobs import Shard
from desk.optimization.search.search import SCREENING_FROM, screening_paths
from quant.numeric.random_numbers import LANES
from quant.strategies.config import StrategyConfig
from quant.strategies.search import ROUND, SOBOL_SHARE

LATER = 500
CONFIG = StrategyConfig(weight_function="constant", constant_weight=1.0)


@dataclass(frozen=True)
class Costs:
    """Seconds of one core; docs/scaling.md describes the measurement."""

    path_day: float = 1 / 2.0e8
    trial: float = 0.03
    """Of the leader: proposing it, its history, judging the round."""
    later_trial: float = 0.1
    """From the 500th on, when the sampler learns from so many and proposes some twice."""
    shard: float = 0.0015
    """Of the leader: handing it out, checking, keeping and unpacking its file."""
    merging: float = 0.0025
    """Of the leader: the shards of a chunk in a scenario, and the metrics of its configurations."""

    own: float = 10.0
    """What making its paths takes of a shard, in configurations: with five instead of ten it takes three quarters."""

    def computing(self, configs: int, paths: int, days: int) -> float:
        """Seconds of a shard; `path_day` is the time of each of ten configurations."""
        return paths * days * self.path_day * CHUNK * (self.own + configs) / (self.own + CHUNK)

    def leading(self, paths: int) -> float:
        """A shard of a simulation with this number of paths."""
        return self.shard + self.merging / len(spans(paths))

    def trials(self, first: int, count: int) -> float:
        later = min(count, max(0, first + count - LATER))
        return (count - later) * self.trial + later * self.later_trial


class Piece(NamedTuple):
    """A shard."""

    configs: int
    paths: int
    whole: int
    """Paths of the simulation that it is a part of."""


@dataclass(frozen=True)
class Load:
    """A search."""

    trials: int
    scenarios: int
    paths: int
    days: int = 1_260

    @property
    def evaluations(self) -> int:
        return self.trials * self.scenarios

    def rounds(self) -> Iterator[int]:
        """Trials that are proposed together."""
        start = round(SOBOL_SHARE * self.trials)
        yield start
        for completed_trials in range(start, self.trials, ROUND):
            yield min(ROUND, self.trials - completed_trials)

    def windows(self, trials: int) -> Iterator[list[Piece]]:
        """Shards that are issued together; a large search simulates only the better half of a round completely."""
        chunks = [min(CHUNK, trials - first) for first in range(0, trials, CHUNK)]
        if self.trials > SCREENING_FROM:
            yield from self._windows(chunks, screening_paths(self.paths))
            chunks = [math.ceil(configs / 2) for configs in chunks]
        yield from self._windows(chunks, self.paths)

    def _windows(self, chunks: list[int], paths: int) -> Iterator[list[Piece]]:
        ahead = chunks_ahead(self.scenarios, paths)
        for first in range(0, len(chunks), ahead):
            yield [
                Piece(configs, some, paths)
                for configs in chunks[first : first + ahead]
                for _ in range(self.scenarios)
                for _, some in spans(paths)
            ]


@dataclass(frozen=True)
class Fleet:
    instances: int
    cores: int = 16
    stragglers: dict[int, float] = field(default_factory=dict[int, float])
    """How many times as long an instance takes."""
    deaths: dict[int, float] = field(default_factory=dict[int, float])
    """The second at which an instance dies."""
    seed: int = 1


@dataclass
class Outcome:
    seconds: float = 0.0
    shards: int = 0
    computed: int = 0
    """Shards that an instance finished, whatever became of them."""
    in_flight_at_deaths: int = 0
    given_twice: int = 0
    leader: float = 0.0
    """Seconds for which the leader was at work."""


@dataclass
class _Slot:
    instance: int
    number: int
    idle: bool = True


class _Run:
    def __init__(self, load: Load, fleet: Fleet, costs: Costs) -> None:
        self.load, self.fleet, self.costs = load, fleet, costs
        self.queue = TaskQueue()
        self.now = 0.0
        self.leader_free = 0.0
        self.outcome = Outcome()
        self.chance = random.Random(fleet.seed)
        self.slots = [_Slot(i, c) for i in range(fleet.instances) for c in range(fleet.cores)]
        self.dead: set[int] = set()
        self.events: list[tuple[float, int, str, object]] = []
        self.order = itertools.count()
        self.work: dict[str, Piece] = {}
        self.missing = 0
        self.looking = False
        for instance, at in fleet.deaths.items():
            self._at(at, "death", instance)

    def _at(self, time: float, kind: str, what: object) -> None:
        heapq.heappush(self.events, (time, next(self.order), kind, what))

    def _lead(self, seconds: float) -> float:
        """The time at which the leader has merged the result."""
        self.leader_free = max(self.now, self.leader_free) + seconds
        self.outcome.leader += seconds
        return self.leader_free

    def search(self) -> Outcome:
        completed_trials = 0
        for round_, trials in enumerate(self.load.rounds()):
            # the start is drawn from a sequence: only its history is work
            self.now = self._lead(self.costs.trials(completed_trials if round_ else -LATER - trials, trials))
            completed_trials += trials
            for window, shards in enumerate(self.load.windows(trials)):
                self._compute([(f"{round_}-{window}-{name}", piece) for name, piece in enumerate(shards)])
        self.outcome.seconds = self.now
        self.outcome.given_twice = self.queue.counts.reissued
        return self.outcome

    def _compute(self, shards: list[tuple[str, Piece]]) -> None:
        tasks = [Task(shard=_shard(name), configs=(CONFIG,), scenario="s") for name, _ in shards]
        self.work |= {task.shard.id(): piece for task, (_, piece) in zip(tasks, shards, strict=True)}
        self.queue.add(tasks)
        self.missing += len(tasks)
        self.outcome.shards += len(tasks)
        self._hand_out()
        while self.missing:
            if not self.events or len(self.dead) == self.fleet.instances:
                raise RuntimeError("no instance is left to compute")
            self.now, _, kind, what = heapq.heappop(self.events)
            getattr(self, f"_{kind}")(what)

    def _hand_out(self) -> None:
        for slot in self.slots:
            if slot.idle:
                self._give(slot)

    def _give(self, slot: _Slot) -> None:
        if slot.instance in self.dead:
            return
        task = self.queue.take(str(slot.instance), self.now)
        if task is None:  # it looks again a second later: what others are at becomes late
            if not self.looking:
                self.looking = True
                self._at(self.now + 1.0, "look", None)
            return
        slot.idle = False
        slow = self.fleet.stragglers.get(slot.instance, 1.0) * self.chance.lognormvariate(0.0, 0.1)
        configs, paths, _ = self.work[task.id]
        self._at(self.now + self.costs.computing(configs, paths, self.load.days) * slow, "complete", (slot, task))

    def _look(self, _: object) -> None:
        self.looking = False
        self._hand_out()

    def _complete(self, what: tuple[_Slot, ActiveTask]) -> None:
        slot, task = what
        if slot.instance in self.dead:
            return
        self.outcome.computed += 1
        self._at(self._lead(self.costs.leading(self.work[task.id].whole)), "merge", what)

    def _merge(self, what: tuple[_Slot, ActiveTask]) -> None:
        slot, task = what
        if slot.instance in self.dead:
            return
        if self.queue.finish(task, str(slot.instance), self.now):
            self.missing -= 1
        self.queue.release(task)
        slot.idle = True
        self._give(slot)

    def _death(self, instance: int) -> None:
        self.dead.add(instance)
        for _, _, kind, what in self.events:
            if kind not in ("complete", "merge"):
                continue
            slot, task = cast("tuple[_Slot, ActiveTask]", what)
            if slot.instance == instance:
                self.outcome.in_flight_at_deaths += 1
                self.queue.release(task)
        self._hand_out()


def _shard(name: str) -> Shard:
    return Shard(configs=("c",), scenario=name, first_block=0, paths=LANES, problem="p", data="d", code="c")


def simulated(load: Load, fleet: Fleet, costs: Costs | None = None) -> Outcome:
    return _Run(load, fleet, costs or Costs()).search()


def least_seconds(load: Load, fleet: Fleet, costs: Costs | None = None) -> float:
    """The lower bound of the time: the leader's own work, or the work of all cores."""
    costs = costs or Costs()
    pieces = [piece for trials in load.rounds() for window in load.windows(trials) for piece in window]
    start = next(load.rounds())
    proposing = costs.trials(-LATER - start, start) + costs.trials(start, load.trials - start)
    leading = proposing + sum(costs.leading(piece.whole) for piece in pieces)
    work = sum(costs.computing(piece.configs, piece.paths, load.days) for piece in pieces)
    return max(leading, proposing + work / (fleet.instances * fleet.cores), math.ulp(1.0))
