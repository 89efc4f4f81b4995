"""Runs the search of one plan: proposes, evaluates and stores trials until the stopping rule applies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal, Protocol, TypeAlias

import numpy as np

from desk.optimization.evaluation import World, objectives
from desk.optimization.jobs import JobStatus, SearchJob
from desk.optimization.limits import check_limits, total_violation
from desk.optimization.repositories.trial_repository import series_address
from desk.optimization.request import OptimizationRequest
from desk.scenarios.schemas import HISTORY
from quant.numeric.arrays import Floats
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.search import ROUND, SOBOL_SHARE, propose, sobol, stream_seed
from quant.strategies.trial import Trial

Save: TypeAlias = Callable[[list[tuple[Trial, Floats]]], None]
Report: TypeAlias = Callable[[JobStatus], None]
Origin: TypeAlias = Literal["sobol", "sampler", "candidate", "refill"]
StopReason: TypeAlias = Literal["budget", "converged", "exhausted"]

SCREENING_FROM = 200
"""Budgets above this screen on few paths first."""
_SCREENING_SHARE, _SCREENING_PATHS = 8, 128
_ENOUGH_PRIOR = 10
CONVERGENCE_TRIALS, MIN_GAIN = 20, {"sharpe": 0.01}
_GAIN = 0.0002
"""2 basis points a year."""
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


def run_search(
    world: World,
    job: SearchJob,
    stored_trials: Mapping[str, Trial],
    save: Save,
    report: Report,
    simulator: Simulator | None = None,
) -> StopReason:
    """Compute the trials of `job`; `stored_trials` by digest are not computed again.

    Every proposal depends only on the job and earlier trials, so that a resumed search has the same result as an
    uninterrupted one.
    """
    request = job.request
    simulator = simulator or LocalSimulator(world)
    trials = sorted((t for t in stored_trials.values() if t.number < job.first), key=lambda t: t.number)
    end = job.first + job.budget
    status = JobStatus(id=job.id(), state="running", total=job.budget)
    round_ = 0

    def store_chunk(chunk: list[tuple[Trial, Floats]]) -> None:
        """Save a chunk and report progress, since a round may be long; the best objective follows after the round."""
        nonlocal status
        save(chunk)
        progress = {"done": status.done + len(chunk), "computed": status.computed + len(chunk)}
        status = status.model_copy(update=progress)
        report(status)

    while True:
        batch = _next_batch(world, job, trials, round_, end - len(trials))
        if not batch:
            return "budget" if len(trials) >= end else "exhausted"
        trials += _evaluate(world, simulator, batch, round_, len(trials), stored_trials, store_chunk)
        leading = [t for t in trials if not t.screened]
        best = float(max(objectives(request, leading)))
        status = status.model_copy(update={"done": len(trials) - job.first, "best": best})
        report(status)
        round_ += 1
        if request.stopping == "converged" and len(trials) < end and has_converged(request, leading):
            return "converged"


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
    world: World, job: SearchJob, trials: Sequence[Trial], round_: int, remaining: int
) -> list[tuple[Origin, StrategyConfig]]:
    if remaining <= 0:
        return []
    avoid = [t.config for t in trials]
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
        for config, keeps_one in zip(proposed, world.keep_one_weight(proposed), strict=True):
            (constant if keeps_one else varied).append(config)
    return (varied + constant)[:count]


def _with_origin(origin: Origin, configs: Sequence[StrategyConfig]) -> list[tuple[Origin, StrategyConfig]]:
    return [(origin, config) for config in configs]


def _evaluate(
    world: World,
    simulator: Simulator,
    batch: Sequence[tuple[Origin, StrategyConfig]],
    round_: int,
    first: int,
    stored_trials: Mapping[str, Trial],
    save: Save,
) -> list[Trial]:
    digests = [config.digest() for _, config in batch]
    fresh = [k for k, digest in enumerate(digests) if digest not in stored_trials]
    survivors = set(range(len(batch)))
    few: dict[int, tuple[Evaluation, ...]] = {}
    if world.request.trials > SCREENING_FROM and fresh:
        # a resumed search screens the whole batch again, so that the same half survives
        few = dict(enumerate(_simulated(simulator, [config for _, config in batch], screening_paths(world.paths))))
        survivors = _survivors(world, batch, few)
    new_trials: dict[str, Trial] = {}
    chunks = [fresh[start : start + simulator.chunk] for start in range(0, len(fresh), simulator.chunk)]
    full = [[k for k in places if k in survivors] for places in chunks]
    simulated = simulator.evaluations([[batch[k][1] for k in places] for places in full], None)
    for places, whole, chunk_evaluations in zip(chunks, full, simulated, strict=True):
        evaluations_by_place = dict(zip(whole, chunk_evaluations, strict=True))
        records = world.replay([batch[k][1] for k in places])
        chunk: list[tuple[Trial, Floats]] = []
        for place, series in zip(places, records.series, strict=True):
            origin, config = batch[place]
            train_series = np.ascontiguousarray(series[:2, records.start :])
            trial = Trial(
                number=first + place,
                round=round_,
                origin=origin,
                config=config,
                digest=digests[place],
                screened=place not in survivors,
                evaluations=evaluations_by_place[place] if place in survivors else few[place],
                train=world.on_history(config, series, world.market.train),
                series=series_address(train_series),
            )
            new_trials[trial.digest] = trial
            chunk.append((trial, train_series))
        save(chunk)
    return [new_trials[d] if d in new_trials else stored_trials[d] for d in digests]


def screening_paths(paths: int) -> int:
    """Number of paths on which a large search screens configs."""
    return min(max(paths // _SCREENING_SHARE, _SCREENING_PATHS), paths)


def _simulated(simulator: Simulator, configs: Sequence[StrategyConfig], paths: int) -> Iterator[tuple[Evaluation, ...]]:
    chunks = [configs[start : start + simulator.chunk] for start in range(0, len(configs), simulator.chunk)]
    return chain.from_iterable(simulator.evaluations(chunks, paths))


def _survivors(
    world: World, batch: Sequence[tuple[Origin, StrategyConfig]], few: Mapping[int, tuple[Evaluation, ...]]
) -> set[int]:
    """Keep the better half by the objective on few paths, and all candidates."""
    train = world.replay([c for _, c in batch], end=world.market.train.stop)
    trials = [
        Trial(
            number=k,
            round=0,
            origin=origin,
            config=config,
            digest=config.digest(),
            screened=True,
            evaluations=few[k],
            train=world.on_history(config, train.series[k], world.market.train),
            series="",
        )
        for k, (origin, config) in enumerate(batch)
    ]
    order = np.argsort(-np.array(sampler_values(world.request, trials)), kind="stable")
    half = {int(k) for k in order[: -(-len(batch) // 2)]}
    return half | {k for k, (origin, _) in enumerate(batch) if origin == "candidate"}
