"""One generated history through the job's own search, selection and judge."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from desk.market.prices import Prices
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.jobs import SearchJob
from desk.optimization.judgement.judge import judge
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import Counts, OptimizationResult
from desk.optimization.search.search import run_search
from quant.numeric.arrays import Floats
from quant.overfitting.predictive_ability import utility_contributions
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.search import sobol
from quant.strategies.trial import Trial
from quant.worlds.scenario import BUILT_IN
from tests.calibration.families import Family

TRIALS, PATHS = 60, 256
SCORED_DAYS = 33 * 252
"""Days of train and validate."""
_WARM_UP = 260
_DAYS = math.ceil((SCORED_DAYS + _WARM_UP) / 0.8)
"""Days in all: the last fifth is the locked holdout."""
_BLOCK = 1386
"""Days whose sum is one observation of a long-run variance: a sixth of a history, many times a planted state."""


def request(seed: int = 0, goal: str = "robust_utility") -> OptimizationRequest:
    scenarios = tuple(scenario.model_copy(update={"paths": PATHS}) for scenario in BUILT_IN)
    return OptimizationRequest.model_validate({"trials": TRIALS, "scenarios": scenarios, "goal": goal, "seed": seed})


def build_world(family: Family, seed: int, asked: OptimizationRequest) -> World:
    generator = np.random.default_rng([zlib.crc32(family.name.encode()), seed])
    returns = family.draw(generator, _DAYS)
    prices = Prices(
        dates=np.busday_offset("1985-01-02", np.arange(_DAYS + 1), roll="forward"),
        assets=("generated",),
        closes=np.asarray(100.0 * np.cumprod(np.concatenate([[1.0], 1.0 + returns]))[:, None], dtype=np.float64),
        price_index=False,
        survivors=False,
        source=family.title,
        calendar="none",
    )
    return World(build_market(prices, asked), asked)


def optimize(world: World) -> OptimizationResult:
    """Run the search and the judge of a job in this process."""
    trials: list[Trial] = []
    series: dict[str, Floats] = {}

    def save(chunk: Sequence[tuple[Trial, Floats]]) -> None:
        trials.extend(trial for trial, _ in chunk)
        series.update({trial.series: values for trial, values in chunk})

    job = SearchJob(
        owner="calibration", run="calibration", plan=0, request=world.request, space=world.request.space,
        candidates=(), first=0, budget=world.request.trials,
    )  # fmt: skip
    stopped = run_search(world, job, {}, save, lambda _: None)
    counts = Counts.model_validate(
        {"trials": len(trials), "screened": 0, "scenarios": len(world.request.scenarios), "paths": PATHS,
         "years": world.request.scenarios[0].years, "evaluations": 0, "plans": 1, "path_days": 0, "stopped": stopped}
    )  # fmt: skip
    ordered = sorted(trials, key=lambda trial: trial.number)
    return judge(
        world, ordered, series, view=None, decisions=(), counts=counts, ledger_trials=len(trials), sensitivity=False
    ).result


@dataclass
class LongRun:
    """Active utility of configurations over many histories of a family, for their true t-ratio."""

    family: Family
    histories: int = 40

    def __post_init__(self) -> None:
        asked = request()
        self._worlds = [build_world(self.family, 10**6 + n, asked) for n in range(self.histories)]

    def t_ratios(self, configs: Sequence[StrategyConfig]) -> Floats:
        """The t-ratio that the active utility of each config has on a history of `SCORED_DAYS`, on average."""
        sums: list[Floats] = []
        for world in self._worlds:
            part = slice(world.market.train.start, world.market.validate.stop)
            returns = np.ascontiguousarray(world.replay(configs).series[:, 0, part].T)
            gamma = world.request.mandate.risk_aversion
            own = world.own_benchmarks(returns)
            active = utility_contributions(returns, gamma) - utility_contributions(own, gamma)
            whole = active[: active.shape[0] // _BLOCK * _BLOCK].reshape(-1, _BLOCK, len(configs))
            sums.append(whole.sum(axis=1))
        blocks = np.concatenate(sums)
        deviation = blocks.std(axis=0, ddof=1) / math.sqrt(_BLOCK)
        mean = blocks.mean(axis=0) / _BLOCK
        varying = deviation > 1e-7
        return np.where(varying, mean / np.where(varying, deviation, 1.0), 0.0) * math.sqrt(SCORED_DAYS)

    def training_utilities(self, configs: Sequence[StrategyConfig]) -> Floats:
        """Utility of each config on the training days of a history, on average."""
        rows = [
            [
                world.on_history(config, record, world.market.train).metrics.utility.value
                for config, record in zip(
                    configs, world.replay(configs, end=world.market.train.stop).series, strict=True
                )
            ]
            for world in self._worlds
        ]
        return np.mean(rows, axis=0)

    def best_t_ratio(self, configs: int = 192) -> float:
        return float(np.max(self.t_ratios(sobol(SearchSpace(), configs, seed=1))))
