"""Fits surrogates on the trials of all runs of a problem, predicts with them, and warm-starts searches."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from desk.base.errors import InvalidInput
from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.request import OptimizationRequest
from desk.runs.repository import KIND, Run, load_run
from desk.surrogates.problem import problem_of
from desk.surrogates.registry import latest, register
from desk.surrogates.schemas import MAX_TRIALS, Predicted, Problem, Surrogate
from graphs.dependencies import Dependencies
from graphs.runs.creation import complete_request
from quant.strategies.config import StrategyConfig
from quant.strategies.search import contains
from quant.strategies.trial import Trial
from store.records import iterate_records

SHARE = 4
"""One in so many trials of a warm search is given, and one in so many of these was evaluated before."""
FEWEST_STARTS, MOST_STARTS = 4, 20


class WarmStart(NamedTuple):
    request: OptimizationRequest
    """With the configurations to try first."""
    surrogate: Surrogate
    """The model that suggested them."""


async def fit_surrogate(dependencies: Dependencies, owner: str, run_id: str) -> Surrogate:
    """Fit all stored trials of the problem of that run."""
    run = await load_run(dependencies.store, owner, run_id)
    problem = await problem_of(run.request, run.data_digest)
    runs = await _runs_of(dependencies, owner, problem)
    newest = runs[0] if runs else run
    return await register(
        dependencies.store,
        owner,
        problem,
        await _trials_of(dependencies, runs),
        run=newest.id,
        name=newest.request.name,
        universe=newest.request.universe,
        now=dependencies.now(),
    )


async def fit_trials(
    dependencies: Dependencies,
    owner: str,
    request: OptimizationRequest,
    data: str,
    trials: Sequence[Trial],
    *,
    run: str,
) -> Surrogate:
    """Fit trials outside the store together with all stored trials of the same problem."""
    problem = await problem_of(request, data)
    return await register(
        dependencies.store,
        owner,
        problem,
        await _trials_of(dependencies, await _runs_of(dependencies, owner, problem), trials),
        run=run,
        name=request.name,
        universe=request.universe,
        now=dependencies.now(),
    )


async def predict(
    dependencies: Dependencies,
    owner: str,
    config: StrategyConfig,
    *,
    job: str | None = None,
    request: OptimizationRequest | None = None,
) -> Predicted:
    """Predict the evaluation of `config` in the problem of a job or a request."""
    if request is None:
        run = await load_run(dependencies.store, owner, job or "")
        problem = await problem_of(run.request, run.data_digest)
    else:
        completed = await complete_request(dependencies, owner, request)
        problem = await problem_of(completed.request, completed.data)
    problem.check(config)
    surrogate, model = await latest(dependencies.store, owner, problem)
    from desk.surrogates.gaussian_process import predict_one  # lazy: imports numba and scipy

    prediction = await asyncio.to_thread(predict_one, model, config)
    return Predicted(**dict(prediction), version=surrogate.version)


async def warm_start(
    dependencies: Dependencies, owner: str, request: OptimizationRequest, count: int | None = None
) -> WarmStart:
    """The request with up to `count` first configurations: its own, the best so far, the most promising."""
    data, _, completed, _ = await complete_request(dependencies, owner, request)
    problem = await problem_of(completed, data)
    surrogate, model = await latest(dependencies.store, owner, problem)
    most = min(MOST_STARTS, request.trials)
    start_count = min(most, max(FEWEST_STARTS, request.trials // SHARE)) if count is None else count
    if not 1 <= start_count <= most:
        raise InvalidInput("count", start_count, allowed=f"1 to {most}")
    trials = await _trials_of(dependencies, await _runs_of(dependencies, owner, problem))
    from desk.surrogates.gaussian_process import FittedSurrogate  # lazy: imports numba and scipy
    from desk.surrogates.suggestions import suggest

    def start(model: FittedSurrogate) -> tuple[StrategyConfig, ...]:
        best = _best(completed, trials)
        first = list(dict.fromkeys((*request.start, *best[: max(1, start_count // SHARE)])))[:start_count]
        known_configs = [*first, *(trial.config for trial in trials)]
        more = suggest(model, completed.space, best[:SHARE], known_configs, start_count - len(first), seed=request.seed)
        return (*first, *more)

    starts = await asyncio.to_thread(start, model)
    warm = OptimizationRequest.model_validate(completed.fields() | {"start": starts})
    return WarmStart(warm.to_submit(), surrogate)


def _best(request: OptimizationRequest, trials: Sequence[Trial]) -> list[StrategyConfig]:
    """Fully evaluated trials within the space, in the search's own ranking, limits included."""
    from desk.optimization.search.search import sampler_values  # lazy: imports numba and scipy

    whole = [trial for trial in trials if not trial.screened and contains(request.space, trial.config)]
    if not whole:
        return []
    values = dict(zip((trial.digest for trial in whole), sampler_values(request, whole), strict=True))
    return [trial.config for trial in sorted(whole, key=lambda trial: (-values[trial.digest], trial.digest))]


async def _runs_of(dependencies: Dependencies, owner: str, problem: Problem) -> list[Run]:
    """Runs of the problem, newest first, without archived runs and those of other program versions."""
    runs: list[Run] = []
    async for record in iterate_records(
        dependencies.store.records, owner, KIND, label=("about", problem.data), newest_first=True
    ):
        run = Run.model_validate(record.document)
        same = run.code_version == problem.code and run.archived is None
        if same and Problem.of(run.request, data=run.data_digest, rates=problem.rates, code=problem.code) == problem:
            runs.append(run)
    return runs


async def _trials_of(dependencies: Dependencies, runs: Sequence[Run], newest: Sequence[Trial] = ()) -> list[Trial]:
    """Each configuration once, newest first; a full evaluation replaces a screened one."""
    latest_trials: dict[str, Trial] = {}

    def take(trials: Sequence[Trial]) -> None:
        for trial in reversed(trials):
            known = latest_trials.get(trial.digest)
            if (known is None and len(latest_trials) < MAX_TRIALS) or (known is not None and known.screened):
                latest_trials[trial.digest] = trial

    take(newest)
    for run in runs:
        take(await load_trials(dependencies.store, run.owner, run.id))
    return list(latest_trials.values())
