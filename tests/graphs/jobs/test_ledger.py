"""Every evaluation of a configuration counts in the ledger of later runs, and the manifest says which."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import load_market
from desk.optimization.repositories.ledger import Entries, ledger_entry, load_ledger
from desk.optimization.repositories.trial_repository import load_series, load_trials, save_trials
from desk.optimization.result import OptimizationResult
from desk.runs.earlier_trials import earlier_entries
from desk.runs.repository import load_final_result, load_run
from desk.strategies.evaluation import evaluate_strategy
from desk.strategies.templates import Rule
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.jobs.reproduction import reproduce
from graphs.runs.creation import create_run, new_run
from quant.strategies.config import StrategyConfig
from quant.strategies.mandate import Mandate
from tests.graphs.dependencies import OWNER, open_dependencies, small_request

pytestmark = pytest.mark.anyio
REQUEST = small_request(first_day=None)  # all closes
BEFORE, BETWEEN = (StrategyConfig(weight_function="inverse_vol", lookback_days=days) for days in (37, 41))


async def evaluate(dependencies: Dependencies, config: StrategyConfig, mandate: Mandate = REQUEST.mandate) -> None:
    prices = dependencies.prices_of(OWNER)
    await evaluate_strategy(
        dependencies.store, OWNER, prices, Rule(config=config, mandate=mandate), universe=REQUEST.universe
    )


async def finish(dependencies: Dependencies, run: str) -> OptimizationResult:
    async for _ in execute(dependencies, OWNER, run):
        pass
    result = await load_final_result(dependencies.store, OWNER, run)
    assert result is not None
    return result


def trial_count(result: OptimizationResult) -> tuple[int, int]:
    assert result.luck is not None
    return result.luck.trials, result.luck.ledger_trials


@dataclass
class Searches:
    """One configuration evaluated, two identical requests, another configuration evaluated, the request again."""

    home: Path
    runs: list[str]
    results: list[OptimizationResult]


@pytest.fixture(scope="module")
def searches(tmp_path_factory) -> Searches:
    home = tmp_path_factory.mktemp("ledger") / "home"

    async def search() -> Searches:
        async with open_dependencies(home) as dependencies:
            await evaluate(dependencies, BEFORE)
            runs = [await create_run(dependencies, OWNER, REQUEST) for _ in range(2)]
            results = [await finish(dependencies, run) for run in reversed(runs)]
            await evaluate(dependencies, BETWEEN)
            runs.append(await create_run(dependencies, OWNER, REQUEST))
            results.append(await finish(dependencies, runs[-1]))
            return Searches(home, runs, results)

    return asyncio.run(search())


async def tried_before(dependencies: Dependencies, result: OptimizationResult) -> Entries:
    assert result.manifest.ledger is not None
    return await load_ledger(dependencies.store, OWNER, result.manifest.ledger.address)


async def test_an_evaluation_counts_in_a_later_run_and_its_manifest_says_so(searches):
    first, _, last = searches.results
    entries = [ledger_entry(REQUEST.mandate, config.digest()) for config in (BEFORE, BETWEEN)]
    async with open_dependencies(searches.home) as dependencies:
        assert list(await tried_before(dependencies, first)) == entries[:1]
        assert sorted(await tried_before(dependencies, last)) == sorted(entries)
    assert trial_count(first) == (10, 11)
    assert trial_count(last) == (10, 12)
    assert last.digest() != first.digest()
    assert first.luck is not None
    assert first.luck.uncovered_trials == 0  # the series of the evaluation entered the test


async def test_the_order_of_two_identical_requests_does_not_matter(searches):
    first, second, _ = searches.results
    assert first.digest() == second.digest()


async def test_a_run_is_reproduced_whatever_was_tried_since(searches):
    async with open_dependencies(searches.home) as dependencies:
        again = await reproduce(dependencies, OWNER, searches.runs[0])
    assert again.digest() == searches.results[0].digest()
    assert again.manifest.ledger == searches.results[0].manifest.ledger


async def test_a_trial_and_an_evaluation_of_a_configuration_are_the_same_try(searches):
    async with open_dependencies(searches.home) as dependencies:
        run = await load_run(dependencies.store, OWNER, searches.runs[0])
        before = await earlier_entries(dependencies.store, OWNER, run.data_digest)
        trial = (await load_trials(dependencies.store, OWNER, run.id))[3]
        await evaluate(dependencies, trial.config)
        assert await earlier_entries(dependencies.store, OWNER, run.data_digest) == before
        assert before[ledger_entry(REQUEST.mandate, trial.digest)] == trial.series
        assert (await new_run(dependencies, OWNER, REQUEST)).ledger != run.ledger


async def test_runs_on_the_same_closes_count_together_and_those_of_an_earlier_version_too(searches, home):
    async with open_dependencies(searches.home) as dependencies:
        run = await load_run(dependencies.store, OWNER, searches.runs[0])
        trial = (await load_trials(dependencies.store, OWNER, run.id))[0]
    assert run.prices_digest == run.data_digest
    ranges = run.model_copy(update={"id": "ranges", "data_digest": "e" * 64})  # its current rule reads ranges
    earlier = run.model_copy(update={"id": "earlier", "prices_digest": None})
    elsewhere = run.model_copy(update={"id": "elsewhere", "data_digest": "f" * 64, "prices_digest": "f" * 64})
    async with open_dependencies(home) as dependencies:
        for n, other in enumerate((ranges, earlier, elsewhere)):
            await dependencies.store.records.put_many([other.put(0)])
            one = trial.model_copy(update={"digest": f"{n:064x}"})
            await save_trials(dependencies.store, OWNER, other.id, [(one, np.zeros((2, 3)))])
        tried = await earlier_entries(dependencies.store, OWNER, run.data_digest)
    assert set(tried) == {ledger_entry(REQUEST.mandate, f"{n:064x}") for n in range(2)}


async def test_the_series_of_an_evaluation_is_that_of_a_trial(searches):
    async with open_dependencies(searches.home) as dependencies:
        market = await load_market(dependencies.prices_of(OWNER), REQUEST)
        tried = await earlier_entries(dependencies.store, OWNER, market.prices_digest)
        address = tried[ledger_entry(REQUEST.mandate, BEFORE.digest())]
        assert address is not None
        stored = await load_series(dependencies.store, OWNER, address, rows=2)
    replay = World(market, REQUEST).replay([BEFORE])
    np.testing.assert_array_equal(stored, replay.series[0, :2, replay.start :])
