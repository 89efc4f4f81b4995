"""Runs the search of one plan: proposes, evaluates and stores trials until the stopping rule applies."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, Protocol, TypeAlias, TypeVar

import numpy as np
from pydantic import ValidationError

from desk.optimization.evaluation import World, objectives
from desk.optimization.jobs import JobStatus, SearchJob
from desk.optimization.limits import check_limits, total_violation
from desk.optimization.repositories.trial_repository import series_address
from desk.optimization.request import OptimizationRequest
from desk.optimization.stopping import (
    MOST_FAILED,
    SearchStop,
    SpentBudget,
    StopReason,
    TooManyFailed,
    TrialFailure,
)
from desk.scenarios.schemas import HISTORY
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.goal import RATIO_GOALS
from quant.strategies.search import ROUND, SOBOL_SHARE, propose, sobol, stream_seed
from quant.strategies.trial import Trial

Evaluated = TypeVar("Evaluated")
Save: TypeAlias = Callable[[list[tuple[Trial, Floats]]], None]
Report: TypeAlias = Callable[[JobStatus], None]
Clock: TypeAlias = Callable[[], float]
"""Seconds from any start."""
Origin: TypeAlias = Literal["sobol", "sampler", "candidate", "refill"]

SCREENING_FROM = 200
"""Budgets above this screen on few paths first."""
_SCREENING_SHARE, _SCREENING_PATHS = 8, 128
_ENOUGH_PRIOR = 10
CONVERGENCE_TRIALS, MIN_GAIN = 20, dict.fromkeys(RATIO_GOALS, 0.01)
_GAIN = 0.0002
"""2 basis points a year."""
UNUSABLE = (DataError, ArithmeticError, ValidationError)
"""Errors of a config that cannot be evaluated; any other one is a fault of the search."""
_LONGEST_REASON = 400
_MOST_CONSTANT = 4
"""Configs that keep one weight for each that is wanted, after which no more are looked for."""


class Simulator(Protocol):
    """Port for simulations: in this process or in remote shards."""

    chunk: int
    """Number of configs evaluated and stored together; does not affect the result."""

    def evaluations(
        self, chunks: Sequence[Sequence[StrategyConfig]], paths: int | None
    ) -> Iterator[list[tuple[Evaluation, ...]]]:
        """Yield the evaluations of each chunk: per config, one per scenario, on `paths` paths (default: all)."""
        ...


class LocalSimulator:
    """A `Simulator` that runs each chunk in this process on demand."""

    chunk = 20

    def __init__(self, world: World) -> None:
        self._world = world

    def evaluations(
        self, chunks: Sequence[Sequence[StrategyConfig]], paths: int | None
    ) -> Iterator[list[tuple[Evaluation, ...]]]:
        for configs in chunks:
            columns = [self._world.evaluate(configs, s, paths=paths) for s in self._world.request.scenarios]
            yield [tuple(column[k] for column in columns) for k in range(len(configs))]


@dataclass(frozen=True)
class Chunk:
    """Trials that were evaluated together, and the configs of the same batch that could not be."""

    trials: list[tuple[Trial, Floats]]
    failures: list[tuple[StrategyConfig, TrialFailure]]


class _Progress:
    """The trials and failures of a search so far, its status, and its budget of time or money."""

    def __init__(self, job: SearchJob, stored_trials: Mapping[str, Trial], clock: Clock, report: Report) -> None:
        earlier = (t for t in stored_trials.values() if t.number < job.first)
        self.trials = sorted(earlier, key=lambda trial: trial.number)
        self.failures: list[tuple[StrategyConfig, TrialFailure]] = []
        self.status = JobStatus(id=job.id(), state="running", total=job.budget)
        self._job, self._clock, self._report = job, clock, report
        self._begun = clock()

    @property
    def tried(self) -> int:
        return len(self.trials) + len(self.failures)

    @property
    def reasons(self) -> list[str]:
        return [failure.reason for _, failure in self.failures]

    def update(self, **changes: object) -> None:
        failures = tuple(failure for _, failure in self.failures)
        changes |= {"seconds": self._clock() - self._begun, "failures": failures}
        self.status = self.status.model_copy(update=changes)
        self._report(self.status)

    def add(self, chunk: Chunk) -> None:
        """Report a chunk, since a round may be long; the best objective follows after the round."""
        self.trials += [trial for trial, _ in chunk.trials]
        self.failures += chunk.failures
        computed = len(chunk.trials)
        self.update(done=self.status.done + computed, computed=self.status.computed + computed)
        if self._job.failed + len(self.failures) > MOST_FAILED * self._job.request.trials:
            raise TooManyFailed(self.reasons, self.tried)

    def most(self, batch: int) -> int:
        """How many configs of a batch may be evaluated: in a reproduction, those that were."""
        limit = self._job.limit
        return limit.trials - self._job.failed - self.tried if isinstance(limit, SearchStop) else batch

    def spent(self) -> SpentBudget | None:
        """The budget that ends the search, unless its trials are done."""
        limit = self._job.limit
        if limit is None or self.tried >= self._job.first + self._job.budget:
            return None
        if isinstance(limit, SearchStop):
            return limit.reason if self._job.failed + self.tried >= limit.trials else None
        return limit.reason if self._clock() - self._begun >= limit.seconds else None


def run_search(
    world: World,
    job: SearchJob,
    stored_trials: Mapping[str, Trial],
    save: Save,
    report: Report,
    simulator: Simulator | None = None,
    *,
    clock: Clock = time.monotonic,
) -> StopReason:
    """Compute the trials of `job`; `stored_trials` by digest are not computed again.

    Every proposal depends only on the job and earlier trials, so that a resumed search has the same result as an
    uninterrupted one. A budget of time or money counts from the call, and ends the search after a chunk of trials.
    """
    request, end = job.request, job.first + job.budget
    simulator = simulator or LocalSimulator(world)
    progress = _Progress(job, stored_trials, clock, report)
    round_ = 0
    while True:
        failed = [config for config, _ in progress.failures]
        batch = _next_batch(world, job, progress.trials, failed, round_, end - progress.tried)
        if not batch:
            return "budget" if progress.tried >= end else "exhausted"
        first, most = len(progress.trials), progress.most(len(batch))
        digests = [config.digest() for _, config in batch]
        progress.trials += [stored_trials[digest] for digest in digests if digest in stored_trials]
        for chunk in _evaluate(world, simulator, batch, round_, first, stored_trials, most):
            if chunk.trials:
                save(chunk.trials)
            progress.add(chunk)
            if progress.spent():
                break
        progress.trials.sort(key=lambda trial: trial.number)
        leading = [t for t in progress.trials if not t.screened]
        if not leading:
            raise TooManyFailed(progress.reasons, progress.tried)
        progress.update(done=len(progress.trials) - job.first, best=_best_permitted(request, leading))
        round_ += 1
        if (reason := progress.spent()) is not None:
            return reason
        if request.stopping == "converged" and progress.tried < end and has_converged(request, leading):
            return "converged"


def _best_permitted(request: OptimizationRequest, trials: Sequence[Trial]) -> float | None:
    """The best objective within every limit; None if no trial is."""
    values = zip(objectives(request, trials), trials, strict=True)
    return max((float(value) for value, trial in values if is_selectable(request, trial)), default=None)


def has_converged(request: OptimizationRequest, trials: Sequence[Trial]) -> bool:
    """Whether the last 20 trials, all proposed by the sampler, gained less than 2 basis points."""
    recent = trials[-CONVERGENCE_TRIALS:]
    if len(trials) <= CONVERGENCE_TRIALS or any(t.origin == "sobol" for t in recent):
        return False
    values = objectives(request, trials)
    gain = float(max(values) - max(values[:-CONVERGENCE_TRIALS]))
    return gain < MIN_GAIN.get(request.goal, _GAIN)


def sampler_values(request: OptimizationRequest, trials: Sequence[Trial]) -> list[float]:
    """Values that the sampler maximizes: the objective, with infeasible trials below all feasible ones."""
    values = objectives(request, trials)
    worst = float(min(values))
    violations = [total_violation(check_limits(request, evaluations_by_scenario(t))) for t in trials]
    return [float(v) if b == 0.0 else worst - b for v, b in zip(values, violations, strict=True)]


def evaluations_by_scenario(trial: Trial) -> dict[str, Evaluation]:
    return {**{e.scenario: e for e in trial.evaluations}, HISTORY: trial.train}


def is_selectable(request: OptimizationRequest, trial: Trial) -> bool:
    """Whether a trial may win: evaluated on all paths and within every limit."""
    return not trial.screened and total_violation(check_limits(request, evaluations_by_scenario(trial))) == 0.0


def _next_batch(
    world: World,
    job: SearchJob,
    trials: Sequence[Trial],
    failed: Sequence[StrategyConfig],
    round_: int,
    remaining: int,
) -> list[tuple[Origin, StrategyConfig]]:
    if remaining <= 0:
        return []
    avoid = [*(t.config for t in trials), *failed]
    seed = stream_seed(job.request.seed, job.plan, round_)
    if round_ == 0:
        batch = _with_origin("candidate", [c for c in dict.fromkeys(job.candidates) if c not in avoid][:remaining])
        start = round(SOBOL_SHARE * job.budget) if len(trials) < _ENOUGH_PRIOR else 0
        count = min(max(start, 0 if batch or trials else 1), remaining - len(batch))
        avoid += [c for _, c in batch]
        batch += _with_origin("sobol", _varied(world, job.space, count, seed, avoid))
        if batch:
            return batch
    leading = [t for t in trials if not t.screened]
    values = dict(zip((t.config for t in leading), sampler_values(job.request, leading), strict=True))
    count = min(ROUND, remaining)
    batch = _with_origin("sampler", propose(job.space, values, count, seed=seed, avoid=avoid))
    missing = count - len(batch)
    if missing:
        avoid += [c for _, c in batch]
        batch += _with_origin("refill", _varied(world, job.space, missing, seed, avoid))
    return batch


def _varied(
    world: World, space: SearchSpace, count: int, seed: int, avoid: Sequence[StrategyConfig]
) -> list[StrategyConfig]:
    """Sobol configs whose weight changes on training days; ones that keep their weight only where few others exist."""
    varied: list[StrategyConfig] = []
    constant: list[StrategyConfig] = []
    while (missing := count - len(varied)) and len(constant) < _MOST_CONSTANT * count:
        proposed = sobol(space, missing, seed=seed, avoid=[*avoid, *varied, *constant])
        if not proposed:
            break
        for config, keeps_one in zip(proposed, _keep_one_weight(world, proposed), strict=True):
            (constant if keeps_one else varied).append(config)
    return (varied + constant)[:count]


def _keep_one_weight(world: World, configs: Sequence[StrategyConfig]) -> list[bool]:
    """`World.keep_one_weight`, and False for a config that fails, which its evaluation tells."""
    try:
        return world.keep_one_weight(configs)
    except UNUSABLE:
        return [_alone(lambda one: world.keep_one_weight([one])[0], config) is True for config in configs]


def _with_origin(origin: Origin, configs: Sequence[StrategyConfig]) -> list[tuple[Origin, StrategyConfig]]:
    return [(origin, config) for config in configs]


def _evaluate(
    world: World,
    simulator: Simulator,
    batch: Sequence[tuple[Origin, StrategyConfig]],
    round_: int,
    first: int,
    stored_trials: Mapping[str, Trial],
    most: int,
) -> Iterator[Chunk]:
    """Evaluate the first `most` configs of the batch that are not stored, in chunks; the whole batch is screened."""
    digests = [config.digest() for _, config in batch]
    fresh = [k for k, digest in enumerate(digests) if digest not in stored_trials]
    survivors = set(range(len(batch)))
    few: dict[int, tuple[Evaluation, ...]] = {}
    if world.request.trials > SCREENING_FROM and fresh:
        # a resumed search screens the whole batch again, so that the same half survives
        screened = _simulated(simulator, [config for _, config in batch], screening_paths(world.paths))
        few = {k: one for k, one in enumerate(screened) if not isinstance(one, TrialFailure)}
        # a config that fails on few paths is evaluated on all of them, and fails there
        survivors = _survivors(world, batch, few) | (survivors - few.keys())
    fresh = [k for k in fresh if k < most]
    chunks = [fresh[start : start + simulator.chunk] for start in range(0, len(fresh), simulator.chunk)]
    full = [[k for k in places if k in survivors] for places in chunks]
    simulated = _each_simulated(simulator, [[batch[k][1] for k in places] for places in full], None)
    failed = 0
    for places, whole, chunk_evaluations in zip(chunks, full, simulated, strict=True):
        evaluations_by_place = dict(zip(whole, chunk_evaluations, strict=True))
        records = _replayed(world, [batch[k][1] for k in places])
        chunk = Chunk([], [])
        for place, record in zip(places, records, strict=True):
            origin, config = batch[place]
            evaluations = evaluations_by_place[place] if place in survivors else few[place]
            if isinstance(evaluations, TrialFailure):
                chunk.failures.append((config, evaluations))
            elif isinstance(record, TrialFailure):
                chunk.failures.append((config, record))
            else:
                train, train_series = record
                trial = Trial(
                    number=first + place - failed - len(chunk.failures),
                    round=round_,
                    origin=origin,
                    config=config,
                    digest=digests[place],
                    screened=place not in survivors,
                    evaluations=evaluations,
                    train=train,
                    series=series_address(train_series),
                )
                chunk.trials.append((trial, train_series))
        failed += len(chunk.failures)
        yield chunk


def screening_paths(paths: int) -> int:
    """Number of paths on which a large search screens configs."""
    return min(max(paths // _SCREENING_SHARE, _SCREENING_PATHS), paths)


def _simulated(
    simulator: Simulator, configs: Sequence[StrategyConfig], paths: int
) -> Iterator[tuple[Evaluation, ...] | TrialFailure]:
    chunks = [configs[start : start + simulator.chunk] for start in range(0, len(configs), simulator.chunk)]
    return chain.from_iterable(_each_simulated(simulator, chunks, paths))


def _each_simulated(
    simulator: Simulator, chunks: Sequence[Sequence[StrategyConfig]], paths: int | None
) -> Iterator[list[tuple[Evaluation, ...] | TrialFailure]]:
    """The evaluations of each chunk; the configs of one that fails are simulated alone, to tell which of them fails."""

    def simulated(config: StrategyConfig) -> tuple[Evaluation, ...]:
        return next(iter(simulator.evaluations([[config]], paths)))[0]

    done = 0
    while done < len(chunks):
        try:
            for evaluations in simulator.evaluations(chunks[done:], paths):
                yield [*evaluations]
                done += 1
        except UNUSABLE:
            yield [_alone(simulated, config) for config in chunks[done]]
            done += 1


def _replayed(world: World, configs: Sequence[StrategyConfig]) -> list[tuple[Evaluation, Floats] | TrialFailure]:
    """The metrics of each config on training days, and its series; those of a chunk that fails are replayed alone."""

    def records(some: Sequence[StrategyConfig]) -> list[tuple[Evaluation, Floats]]:
        replay = world.replay(some)
        return [
            (
                world.on_history(config, series, world.market.train),
                np.ascontiguousarray(series[:2, replay.start :]),
            )
            for config, series in zip(some, replay.series, strict=True)
        ]

    try:
        return [*records(configs)]
    except UNUSABLE:
        return [_alone(lambda one: records([one])[0], config) for config in configs]


def _alone(evaluate: Callable[[StrategyConfig], Evaluated], config: StrategyConfig) -> Evaluated | TrialFailure:
    try:
        return evaluate(config)
    except UNUSABLE as error:
        return TrialFailure(digest=config.digest(), reason=_reason(error))


def _reason(error: Exception) -> str:
    """The first problem of an error, in one line."""
    if isinstance(error, ValidationError):  # a metric that is no finite number
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:_LONGEST_REASON]
    return f"{error}"[:_LONGEST_REASON]


def _survivors(
    world: World, batch: Sequence[tuple[Origin, StrategyConfig]], few: Mapping[int, tuple[Evaluation, ...]]
) -> set[int]:
    """Keep the better half by the objective on few paths, and all candidates."""
    records = _replayed(world, [c for _, c in batch])
    trials = [
        Trial(
            number=k,
            round=0,
            origin=origin,
            config=config,
            digest=config.digest(),
            screened=True,
            evaluations=few[k],
            train=record[0],
            series="",
        )
        for k, ((origin, config), record) in enumerate(zip(batch, records, strict=True))
        if k in few and not isinstance(record, TrialFailure)
    ]
    order = np.argsort(-np.array(sampler_values(world.request, trials)), kind="stable")
    half = {trials[int(k)].number for k in order[: -(-len(batch) // 2)]}
    return half | {k for k, (origin, _) in enumerate(batch) if origin == "candidate"}
