"""Small requests on real prices; their search and judgement run once for all tests of this folder."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from desk.market.bundled import BundledPrices
from desk.market.prices import Prices
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.jobs import JobStatus, SearchJob
from desk.optimization.judgement.judge import Judgement, judge
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import Counts
from desk.optimization.search.search import run_search
from quant.strategies.trial import Trial
from quant.worlds.scenario import BUILT_IN

Saved = list[tuple[Trial, NDArray[np.float64]]]
SCENARIOS = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in (BUILT_IN[0], BUILT_IN[2]))


@dataclass(frozen=True)
class SearchRun:
    """A finished search: its trials in the order of storage, and all progress reports."""

    world: World
    saved: Saved
    batches: tuple[int, ...]
    reports: tuple[JobStatus, ...]
    stopped: str

    @property
    def trials(self) -> tuple[Trial, ...]:
        return tuple(trial for trial, _ in self.saved)

    @property
    def series(self) -> dict[str, NDArray[np.float64]]:
        return {trial.series: series for trial, series in self.saved}


def job_of(request: OptimizationRequest, **changes: Any) -> SearchJob:
    whole = {"plan": 0, "space": request.space, "candidates": (), "first": 0, "budget": request.trials}
    return SearchJob(**{"owner": "anne", "run": "r1", "request": request} | whole | changes)


@pytest.fixture(scope="session")
def prices() -> Prices:
    return asyncio.run(BundledPrices().load("sp500"))


@pytest.fixture(scope="session")
def stocks() -> Prices:
    return asyncio.run(BundledPrices().load("stocks:AAPL,JNJ,XOM"))


@pytest.fixture(scope="session")
def make_request() -> Callable[..., OptimizationRequest]:
    """Twelve trials on a hundred paths of a year, in the base case and a bear market as the table states them.

    The goal is `robust_utility`, whose objective the tests compute from the metrics of a trial alone.
    """

    def make(**changes: Any) -> OptimizationRequest:
        usual = {
            "goal": "robust_utility", "trials": 12, "scenarios": SCENARIOS, "worlds": "seed", "seed": 5,
            "stopping": "budget",
        }  # fmt: skip
        return OptimizationRequest(**usual | changes)

    return make


@pytest.fixture(scope="session")
def job() -> Callable[..., SearchJob]:
    return job_of


@pytest.fixture(scope="session")
def execute_search() -> Callable[..., SearchRun]:
    """Run a job; `known` holds what is already stored."""

    def run(world: World, job: SearchJob | None = None, known: Mapping[str, Trial] | None = None) -> SearchRun:
        saved_items: Saved = []
        batches: list[int] = []
        reports: list[JobStatus] = []

        def save(trials: Saved) -> None:
            batches.append(len(trials))
            saved_items.extend(trials)

        stop_reason = run_search(world, job or job_of(world.request), known or {}, save, reports.append)
        return SearchRun(world, saved_items, tuple(batches), tuple(reports), stop_reason)

    return run


@pytest.fixture(scope="session")
def judge_search() -> Callable[..., Judgement]:
    def run(
        finished_search: SearchRun,
        *,
        world: World | None = None,
        trials: Sequence[Trial] | None = None,
        ledger: int = 12,
    ) -> Judgement:
        counts = Counts(
            trials=12,
            screened=0,
            scenarios=2,
            paths=100,
            years=1,
            evaluations=24,
            path_days=0,
            stopped="budget",
            plans=1,
        )
        return judge(
            world or finished_search.world,
            finished_search.trials if trials is None else trials,
            finished_search.series,
            view=None,
            decisions=(),
            counts=counts,
            ledger_trials=ledger,
        )

    return run


@pytest.fixture(scope="session")
def world(prices: Prices, make_request: Callable[..., OptimizationRequest]) -> World:
    request = make_request()
    return World(build_market(prices, request), request)


@pytest.fixture(scope="session")
def finished_search(world: World, execute_search: Callable[..., SearchRun]) -> SearchRun:
    return execute_search(world)


@pytest.fixture(scope="session")
def judgement(finished_search: SearchRun, judge_search: Callable[..., Judgement]) -> Judgement:
    return judge_search(finished_search)


@pytest.fixture(scope="session")
def bend_prices() -> Callable[[Prices, int], Prices]:
    """`prices` with other closes from a row on."""

    def bend(prices: Prices, row: int) -> Prices:
        closes = prices.closes.copy()
        later = closes[row:] / closes[row - 1]
        closes[row:] = closes[row - 1] * later**0.7 * np.linspace(0.999, 0.8, len(later))[:, None]
        return replace(prices, closes=closes)

    return bend
