"""How often the interval of the benefit holds the truth, for configurations fixed in advance.

The truth is the same weighted benefit, over the constant weight that the report names, under the law that generated the
history: the utilities of many paths in each scenario, and the mean of the history's utility over all histories.
"""

from dataclasses import dataclass

import numpy as np

from desk.optimization.evaluation import World
from desk.optimization.judgement.benefit import history_error, measure_benefit, measure_timing
from desk.optimization.judgement.finalists import score
from desk.optimization.judgement.judge import matched_weight
from desk.optimization.judgement.sensitivity import weights_by_scenario
from desk.scenarios.schemas import HISTORY
from quant.numeric.arrays import Floats
from quant.numeric.measured import Measured
from quant.strategies.config import StrategyConfig
from tests.calibration.families import FAMILIES, Family
from tests.calibration.histories import LongRun, build_world, request

TRUE_PATHS = 8192
GRID = np.linspace(0.0, 1.0, 6)
"""Constant weights whose utility is computed; in between it is a cubic to within a thousandth of a basis point."""
FIXED = (
    StrategyConfig(weight_function="inverse_vol", lookback_days=63, rebalancing="monthly"),
    StrategyConfig(weight_function="inverse_vol", estimator="ewma", decay=0.97, rebalancing="weekly"),
    StrategyConfig(weight_function="trend_overlay", lookback_days=126, hysteresis=0.01, rebalancing="monthly"),
)
FAMILIES_COVERED = tuple(f for f in FAMILIES if f.name in ("no_premium", "garch_premium", "trend_4"))


@dataclass(frozen=True)
class Estimate:
    """A reported benefit on one history, and what the truth needs from that history."""

    family: str
    config: int
    benefit: float
    low: float
    high: float
    weight: float
    history_utility: float
    constant_utilities: tuple[float, ...]
    """Of the weights of `GRID`, on the training history."""


def estimates(family: Family, seed: int) -> list[Estimate]:
    """The product's benefit and interval of each fixed configuration on one history."""
    world = build_world(family, seed, request(seed))
    scenarios = world.request.scenarios
    weights = weights_by_scenario(scenarios, [s.probability for s in scenarios])
    train = world.market.train
    records = world.replay([world.constant(float(w)) for w in GRID], end=train.stop).series
    grid = tuple(
        world.on_history(world.constant(float(w)), record, train).metrics.utility.value
        for w, record in zip(GRID, records, strict=True)
    )
    rows: list[Estimate] = []
    for place, config in enumerate(FIXED):
        weight = matched_weight(world, config)
        constants = (world.constant(weight, config.rebalancing), world.constant(1.0, config.rebalancing))
        table = score(world, (config, *constants), scenarios, keep="drawdowns")
        timing = {**measure_timing(world, table, 0, 2), HISTORY: Measured(value=0.0)}
        error = history_error(
            *np.ascontiguousarray(world.replay([config, constants[0]], end=train.stop).series[:, 0, train]),
            risk_aversion=world.request.mandate.risk_aversion,
            seed=place,
        )
        benefit = measure_benefit(table, 0, 1, weights, weight, timing, error)
        rows.append(
            Estimate(
                family=family.name,
                config=place,
                benefit=benefit.basis_points.value,
                low=benefit.low,
                high=benefit.high,
                weight=weight,
                history_utility=float(table.history[0]),
                constant_utilities=grid,
            )
        )
    return rows


def scenario_utilities(world: World) -> tuple[Floats, Floats]:
    """Weighted utilities over the simulated scenarios on many paths: of the fixed configurations, of the constants."""
    configs = (*FIXED, *(world.constant(float(w)) for w in GRID))
    scenarios = world.request.scenarios
    weights = weights_by_scenario(scenarios, [s.probability for s in scenarios])
    total = np.zeros(len(configs))
    for scenario in scenarios:
        evaluations = world.evaluate(configs, scenario, paths=TRUE_PATHS)
        total += weights[scenario.name] * np.array([e.metrics.utility.value for e in evaluations])
    return total[: len(FIXED)], total[len(FIXED) :]


def coverage(rows: list[Estimate]) -> tuple[int, int]:
    """Number of intervals of one family that hold the truth, and number of all."""
    family = next(f for f in FAMILIES if f.name == rows[0].family)
    world = build_world(family, 0, request())
    scenarios = world.request.scenarios
    history_weight = weights_by_scenario(scenarios, [s.probability for s in scenarios])[HISTORY]
    simulated, simulated_constants = scenario_utilities(world)
    history_constants = np.mean([row.constant_utilities for row in rows], axis=0)
    held = 0
    for place in range(len(FIXED)):
        own = [row for row in rows if row.config == place]
        history = float(np.mean([row.history_utility for row in own]))
        for row in own:
            gained = simulated[place] - _interpolate(row.weight, simulated_constants)
            remembered = history - _interpolate(row.weight, history_constants)
            truth = 1e4 * (gained + history_weight * remembered)
            held += row.low <= truth <= row.high
    return int(held), len(rows)


def true_benefit(world: World, long_run: LongRun, config: StrategyConfig, weight: float) -> float:
    """The weighted benefit of any configuration over a constant weight under the generating law, in basis points."""
    scenarios = world.request.scenarios
    weights = weights_by_scenario(scenarios, [s.probability for s in scenarios])
    pair = (config, world.constant(weight, config.rebalancing))
    first, second = long_run.training_utilities(pair)
    total = weights[HISTORY] * (first - second)
    for scenario in scenarios:
        first, second = (e.metrics.utility.value for e in world.evaluate(pair, scenario, paths=TRUE_PATHS))
        total += weights[scenario.name] * (first - second)
    return 1e4 * total


def _interpolate(weight: float, utilities: Floats) -> float:
    return float(np.polynomial.Polynomial.fit(GRID, utilities, 3)(weight))
