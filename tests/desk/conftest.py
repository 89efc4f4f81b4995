"""Small requests on real prices, searched and judged once for all tests of this folder."""

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
class Searched:
    """A finished search: its trials in the order in which they were stored, and all that was reported."""

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
def asked() -> Callable[..., OptimizationRequest]:
    """Twelve trials on a hundred paths of a year, in the base case and a bear market."""

    def make(**changes: Any) -> OptimizationRequest:
        return OptimizationRequest(**{"trials": 12, "scenarios": SCENARIOS, "seed": 3, "stopping": "budget"} | changes)

    return make


@pytest.fixture(scope="session")
def job() -> Callable[..., SearchJob]:
    return job_of


@pytest.fixture(scope="session")
def searching() -> Callable[..., Searched]:
    """Run a job; `known` holds what is already stored."""

    def run(world: World, job: SearchJob | None = None, known: Mapping[str, Trial] | None = None) -> Searched:
        saved: Saved = []
        batches: list[int] = []
        reports: list[JobStatus] = []

        def save(trials: Saved) -> None:
            batches.append(len(trials))
            saved.extend(trials)

        stopped = run_search(world, job or job_of(world.request), known or {}, save, reports.append)
        return Searched(world, saved, tuple(batches), tuple(reports), stopped)

    return run


@pytest.fixture(scope="session")
def judging() -> Callable[..., Judgement]:
    def run(
        searched: Searched, *, world: World | None = None, trials: Sequence[Trial] | None = None, ledger: int = 12
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
            world or searched.world,
            searched.trials if trials is None else trials,
            searched.series,
            view=None,
            decisions=(),
            counts=counts,
            ledger_trials=ledger,
        )

    return run


@pytest.fixture(scope="session")
def world(prices: Prices, asked: Callable[..., OptimizationRequest]) -> World:
    request = asked()
    return World(build_market(prices, request), request)


@pytest.fixture(scope="session")
def searched(world: World, searching: Callable[..., Searched]) -> Searched:
    return searching(world)


@pytest.fixture(scope="session")
def judged(searched: Searched, judging: Callable[..., Judgement]) -> Judgement:
    return judging(searched)


@pytest.fixture(scope="session")
def bent() -> Callable[[Prices, int], Prices]:
    """`prices` whose closes from a row on go another way."""

    def bend(prices: Prices, row: int) -> Prices:
        closes = prices.closes.copy()
        later = closes[row:] / closes[row - 1]
        closes[row:] = closes[row - 1] * later**0.7 * np.linspace(0.999, 0.8, len(later))[:, None]
        return replace(prices, closes=closes)

    return bend
