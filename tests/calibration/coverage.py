"""How often the interval of the benefit holds the truth, for configurations fixed in advance.

The truth is the same weighted benefit, over the constant weight that the report names, under the law that generated the
history: the utilities of many paths in each scenario, and the mean of the history's utility over all histories.
"""

from collections.abc import Sequence

import numpy as np

from desk.optimization.evaluation import World
from desk.optimization.judgement.benefit import history_error, measure_benefit, measure_timing
from desk.optimization.judgement.finalists import score
from desk.optimization.judgement.judge import matched_weight
from desk.optimization.judgement.sensitivity import weights_by_scenario
from desk.scenarios.schemas import HISTORY
from quant.numeric.arrays import Floats
from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured
from quant.numeric.units import BASIS_POINTS
from quant.strategies.config import StrategyConfig
from tests.calibration.families import FAMILIES, Family
from tests.calibration.histories import LongRun, build_world, request

TRUE_PATHS = 8192
_WINNER_PATHS = 2048
"""Paths for the truth of one winner, whose error is then a tenth of that of its interval."""
GRID = np.linspace(0.0, 1.0, 6)
"""Constant weights whose utility is computed; in between it is a cubic to within a thousandth of a basis point."""
FIXED = (
    StrategyConfig(weight_function="inverse_vol", lookback_days=63, rebalancing="monthly"),
    StrategyConfig(weight_function="inverse_vol", estimator="ewma", decay=0.97, rebalancing="weekly"),
    StrategyConfig(weight_function="trend_overlay", lookback_days=126, hysteresis=0.01, rebalancing="monthly"),
)
FAMILIES_COVERED = tuple(f for f in FAMILIES if f.name in ("no_premium", "garch_premium", "trend_4"))


class FixedBenefit(Frozen):
    """The reported benefit of a configuration on one history, and what the truth needs from that history."""

    config: int
    """Index in `FIXED`."""
    low: float
    high: float
    weight: float
    """Of the constant that the configuration is compared with."""
    history_utility: float
    constant_utilities: tuple[float, ...]
    """Of the weights of `GRID`, on the training history."""


class ScenarioTruth(Frozen):
    """Weighted utilities over the simulated scenarios, on many paths."""

    utilities: tuple[float, ...]
    """Of the configurations of `FIXED`."""
    constant_utilities: tuple[float, ...]
    """Of the weights of `GRID`."""


def _weights() -> dict[str, float]:
    scenarios = request().scenarios
    return weights_by_scenario(scenarios, [s.probability for s in scenarios])


def fixed_benefits(family: Family, seed: int) -> list[FixedBenefit]:
    """The product's interval of each fixed configuration on one history."""
    world = build_world(family, seed, request(seed))
    train = world.market.train
    records = world.replay([world.constant(float(w)) for w in GRID], end=train.stop).series
    constants = tuple(
        world.on_history(world.constant(float(w)), record, train).metrics.utility.value
        for w, record in zip(GRID, records, strict=True)
    )
    return [_fixed_benefit(world, place, constants) for place in range(len(FIXED))]


def _fixed_benefit(world: World, place: int, constant_utilities: tuple[float, ...]) -> FixedBenefit:
    config, train = FIXED[place], world.market.train
    weight = matched_weight(world, config)
    constants = (world.constant(weight, config.rebalancing), world.constant(1.0, config.rebalancing))
    table = score(world, (config, *constants), world.request.scenarios, keep="drawdowns")
    timing = {**measure_timing(world, table, 0, {1.0: 2}), HISTORY: Measured(value=0.0)}
    error = history_error(
        *np.ascontiguousarray(world.replay([config, constants[0]], end=train.stop).series[:, 0, train]),
        risk_aversion=world.request.mandate.risk_aversion,
    )
    benefit = measure_benefit(table, 0, 1, _weights(), weight, timing, error)
    return FixedBenefit(
        config=place,
        low=benefit.low,
        high=benefit.high,
        weight=weight,
        history_utility=float(table.history[0]),
        constant_utilities=constant_utilities,
    )


def scenario_truth(family: Family) -> ScenarioTruth:
    world = build_world(family, 0, request())
    configs = (*FIXED, *(world.constant(float(w)) for w in GRID))
    total = np.zeros(len(configs))
    for scenario in world.request.scenarios:
        evaluations = world.evaluate(configs, scenario, paths=TRUE_PATHS)
        total += _weights()[scenario.name] * np.array([e.metrics.utility.value for e in evaluations])
    values = tuple(float(value) for value in total)
    return ScenarioTruth(utilities=values[: len(FIXED)], constant_utilities=values[len(FIXED) :])


def count_covered(benefits: Sequence[FixedBenefit], truth: ScenarioTruth) -> int:
    """Number of intervals of one family that hold the truth; `benefits` are those of all its histories."""
    history_weight = _weights()[HISTORY]
    history_constants = np.mean([benefit.constant_utilities for benefit in benefits], axis=0)
    covered = 0
    for place in range(len(FIXED)):
        own = [benefit for benefit in benefits if benefit.config == place]
        history = float(np.mean([benefit.history_utility for benefit in own]))
        for benefit in own:
            simulated = truth.utilities[place] - _interpolate(benefit.weight, truth.constant_utilities)
            historical = history - _interpolate(benefit.weight, history_constants)
            covered += benefit.low <= BASIS_POINTS * (simulated + history_weight * historical) <= benefit.high
    return covered


def true_benefit(world: World, long_run: LongRun, config: StrategyConfig, weight: float) -> float:
    """The weighted benefit of any configuration over a constant weight under the generating law, in basis points."""
    weights = _weights()
    pair = (config, world.constant(weight, config.rebalancing))
    first, second = long_run.training_utilities(pair)
    total = weights[HISTORY] * (first - second)
    for scenario in world.request.scenarios:
        first, second = (e.metrics.utility.value for e in world.evaluate(pair, scenario, paths=_WINNER_PATHS))
        total += weights[scenario.name] * (first - second)
    return BASIS_POINTS * total


def _interpolate(weight: float, utilities: Sequence[float] | Floats) -> float:
    return float(np.polynomial.Polynomial.fit(GRID, utilities, 3)(weight))
