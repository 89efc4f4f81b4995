"""Surrogates of real runs: fitting, registration, prediction, and warm starts."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from desk.base.errors import InvalidInput
from desk.optimization.evaluation import objectives
from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.request import OptimizationRequest
from desk.optimization.search.search import sampler_values
from desk.runs.repository import load_run
from desk.surrogates.registry import surrogates
from desk.surrogates.schemas import BadSurrogate, NoSurrogate, Surrogate, TooFewTrials
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from graphs.runs.surrogates import fit_surrogate, predict, warm_start
from quant.strategies.config import StrategyConfig
from quant.strategies.search import sobol
from quant.strategies.trial import Trial
from tests.graphs.dependencies import OWNER, open_dependencies

pytestmark = pytest.mark.anyio
RULE = StrategyConfig(weight_function="inverse_vol", lookback_days=63)


@dataclass(frozen=True)
class Searched:
    """A home with the same search before and after a surrogate was fitted."""

    home: Path
    request: OptimizationRequest
    runs: tuple[str, str]
    digests: tuple[str | None, ...]
    made: Surrogate

    @property
    def file(self) -> str:
        return f"{OWNER}/surrogates/{self.made.artifact}"


@pytest.fixture(scope="module")
def small() -> Callable[..., OptimizationRequest]:
    from quant.worlds.scenario import BUILT_IN

    scenarios = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1])
    return lambda **changes: OptimizationRequest(
        **{"trials": 25, "scenarios": scenarios, "seed": 3, "stopping": "budget", "first_day": "2015-01-05"} | changes
    )


@pytest.fixture(scope="module")
def two_searches(tmp_path_factory, small) -> Searched:
    home = tmp_path_factory.mktemp("home")

    async def search() -> Searched:
        async with open_dependencies(home) as dependencies:
            first = await run(dependencies, small())
            surrogate = await fit_surrogate(dependencies, OWNER, first)
            second = await run(dependencies, small())
            digests = [(await load_run(dependencies.store, OWNER, one)).result_digest for one in (first, second)]
            return Searched(home, small(), (first, second), tuple(digests), surrogate)

    return asyncio.run(search())


async def run(dependencies, request: OptimizationRequest) -> str:
    new_run = await create_run(dependencies, OWNER, request)
    async for _ in execute(dependencies, OWNER, new_run):
        pass
    return new_run


async def trials_of(dependencies, run: str) -> tuple[Trial, ...]:
    return await load_trials(dependencies.store, OWNER, run)


@pytest.fixture
async def dependencies(two_searches, tmp_path):
    """Dependencies over a copy of the home."""
    shutil.copytree(two_searches.home, tmp_path / "copy")
    async with open_dependencies(tmp_path / "copy") as dependencies:
        yield dependencies


async def test_a_registered_surrogate_changes_no_result(two_searches) -> None:
    assert two_searches.digests[0] == two_searches.digests[1] is not None


async def test_the_same_trials_are_one_version_and_more_are_the_next(two_searches, dependencies, small) -> None:
    """The remaining ones are starts beyond the first plan, which has two thirds of the trials."""
    assert two_searches.made.version == 1
    assert two_searches.made.trials == 25
    again = await fit_surrogate(dependencies, OWNER, two_searches.runs[1])  # its configurations were tried before
    assert again == two_searches.made
    start = tuple(sobol(small().space, 10, seed=8))
    trials = await trials_of(dependencies, await run(dependencies, small(trials=12, start=start, name="more")))
    assert [trial.config for trial in trials[:8]] == list(start[:8])
    assert {trial.digest for trial in trials} >= {config.digest() for config in start}
    more = await fit_surrogate(dependencies, OWNER, two_searches.runs[0])
    assert (more.version, more.problem, more.name) == (2, two_searches.made.problem, "more")
    assert more.trials > 25
    assert await surrogates(dependencies.store, OWNER) == [more, again]


async def test_trials_of_another_problem_are_not_used(two_searches, dependencies, small) -> None:
    other = await create_run(dependencies, OWNER, small(seed=4))
    with pytest.raises(TooFewTrials, match="0 stored trials"):
        await fit_surrogate(dependencies, OWNER, other)
    with pytest.raises(NoSurrogate):
        await predict(dependencies, OWNER, RULE, request=small(seed=4))


async def test_a_prediction_is_labelled_and_says_how_far_it_may_be_off(two_searches, dependencies) -> None:
    by_job = await predict(dependencies, OWNER, RULE, job=two_searches.runs[0])
    assert by_job == await predict(dependencies, OWNER, RULE, request=two_searches.request)
    assert (by_job.label, by_job.version, by_job.trials, by_job.tried) == ("predicted", 1, 25, False)
    assert [one.target for one in by_job.values] == ["objective", "excess_return", "volatility", "max_drawdown"]
    for one in by_job.values:
        assert one.low < one.value < one.high
        assert one.held_out == two_searches.made.held_out[one.target]
    trial = (await trials_of(dependencies, two_searches.runs[0]))[3]
    prediction = await predict(dependencies, OWNER, trial.config, job=two_searches.runs[0])
    assert prediction.tried
    assert prediction.values[0].low <= objectives(two_searches.request, [trial])[0] <= prediction.values[0].high
    with pytest.raises(InvalidInput, match=r"config\.inner"):
        await predict(dependencies, OWNER, RULE.model_copy(update={"inner": "equal_weight"}), job=two_searches.runs[0])


async def test_a_warm_search_starts_with_the_best_so_far_and_suggestions(two_searches, dependencies) -> None:
    warm = await warm_start(dependencies, OWNER, two_searches.request)
    assert warm.surrogate == two_searches.made
    assert len(warm.request.start) == 6
    assert OptimizationRequest.model_validate_json(warm.request.model_dump_json()) == warm.request
    cold = await trials_of(dependencies, two_searches.runs[0])
    digests = {trial.digest for trial in cold}
    assert [config.digest() in digests for config in warm.request.start] == [True, *[False] * 5]
    hot = await trials_of(dependencies, await run(dependencies, warm.request))
    assert tuple(trial.config for trial in hot[:6]) == warm.request.start
    assert [trial.origin for trial in hot[:6]] == ["candidate"] * 6
    best = cold[int(np.argmax(sampler_values(two_searches.request, cold)))]
    assert (hot[0].config, hot[0].evaluations, hot[0].train) == (best.config, best.evaluations, best.train)


async def test_a_warm_start_of_a_request_without_worlds_keeps_the_numbers_of_its_scenarios(dependencies, small) -> None:
    request = small(worlds=None)
    await fit_surrogate(dependencies, OWNER, await run(dependencies, request))
    warm = (await warm_start(dependencies, OWNER, request)).request
    assert warm.worlds == "seed"
    assert OptimizationRequest.model_validate_json(warm.model_dump_json()) == warm
    assert warm.on_data(volatility=0.06, mean=0.1).scenarios == request.scenarios


async def test_ones_own_start_stays_first_and_the_count_has_bounds(two_searches, dependencies) -> None:
    own = sobol(two_searches.request.space, 2, seed=8)
    request = two_searches.request.model_copy(update={"start": tuple(own)})
    assert list((await warm_start(dependencies, OWNER, request, 5)).request.start[:2]) == own
    assert len((await warm_start(dependencies, OWNER, request, 1)).request.start) == 1
    for count in (0, 21):
        with pytest.raises(InvalidInput, match="1 to 20"):
            await warm_start(dependencies, OWNER, request, count)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, marks=pytest.mark.soak),
        pytest.param(b"", marks=pytest.mark.soak),
        b"stratigos surrogate 1\n{}\nx",
    ],
)
async def test_a_bad_file_is_refused_by_name_and_made_again(two_searches, dependencies, content) -> None:
    blobs = dependencies.store.blobs
    whole = await blobs.get(two_searches.file)
    if content is None:
        await blobs.delete(two_searches.file)
    else:
        await blobs.put(two_searches.file, content)
    with pytest.raises(BadSurrogate, match=r"missing|damaged|no surrogate"):
        await predict(dependencies, OWNER, RULE, job=two_searches.runs[0])
    assert await fit_surrogate(dependencies, OWNER, two_searches.runs[0]) == two_searches.made
    assert await blobs.get(two_searches.file) == whole
