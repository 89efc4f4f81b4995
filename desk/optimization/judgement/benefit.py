"""Benefit of the winner over another rule: paired on common paths, weighted over scenarios and history."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from desk.optimization.evaluation import HIGHEST_WEIGHT, World
from desk.optimization.judgement.finalists import ScoreTable, fresh_block, variance
from desk.optimization.result import Benefit
from desk.scenarios.schemas import HISTORY
from quant.numeric.arrays import Floats
from quant.numeric.measured import Measured
from quant.numeric.units import BASIS_POINTS, DAYS
from quant.overfitting.predictive_ability import utility_contributions
from quant.performance.mean_error import PARTS, mean_error, student_quantile
from quant.strategies.evaluation import Evaluation
from quant.strategies.own_benchmark import mix_weights

_SMALL_SHARE = 1e-3
"""Share of the history in the total error below which the quantile is that of the normal law."""


def utility_difference(table: ScoreTable, first: int, second: int, weights: Mapping[str, float]) -> Measured:
    """Utility of `first` minus that of `second`, in basis points a year; `weights` by scenario, history included."""
    total, error = 0.0, 0.0
    for name, weight in weights.items():
        if name == HISTORY:
            total += weight * float(table.history[first] - table.history[second])
            continue
        gap = table.paths[name][first][0] - table.paths[name][second][0]
        total += weight * float(np.sum(gap)) / gap.size
        error += weight * weight * variance(gap) / gap.size
    # a single history has no Monte Carlo error, which differs from an error of zero
    return Measured(
        value=BASIS_POINTS * total, error=BASIS_POINTS * math.sqrt(error) if set(weights) - {HISTORY} else None
    )


def simulated_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights of the simulated worlds alone, which sum to 1."""
    simulated = {name: weight for name, weight in weights.items() if name != HISTORY}
    total = math.fsum(simulated.values())
    return {name: weight / total for name, weight in simulated.items()}


def measure_timing(world: World, table: ScoreTable, winner: int, constants: Mapping[float, int]) -> dict[str, Measured]:
    """Utility of the winner minus that of the constant weight with its volatility in the same scenario.

    `constants` are the indices of rules of constant weight by their weight; the last one, 1, suffices beside cash.
    """
    timing: dict[str, Measured] = {}
    for scenario in world.request.scenarios:
        weight = _matched_weight(world, table.evaluations[scenario.name], winner, constants)
        matched = world.constant(weight, table.configs[winner].rebalancing)
        simulated = world.simulate(
            [matched], scenario, first_block=fresh_block(world), keep_paths=True, keep_drawdowns=False
        )
        gap = table.paths[scenario.name][winner][0] - simulated.utilities[0]
        timing[scenario.name] = Measured(
            value=BASIS_POINTS * float(np.sum(gap)) / gap.size, error=BASIS_POINTS * math.sqrt(variance(gap) / gap.size)
        )
    return timing


def _matched_weight(
    world: World, evaluations: Sequence[Evaluation], winner: int, constants: Mapping[float, int]
) -> float:
    """Constant weight of the winner's volatility; with a bond, of two such mixes the one of higher utility."""
    own, *volatilities = (evaluations[k].metrics.volatility.value for k in (winner, *constants.values()))
    if world.market.bond is None:
        return min(own / volatilities[-1], HIGHEST_WEIGHT)
    utilities = [evaluations[k].metrics.utility.value for k in constants.values()]
    return float(mix_weights([own], volatilities, utilities, weights=tuple(constants), highest=HIGHEST_WEIGHT)[0])


def history_error(winner: Floats, benchmark: Floats, *, risk_aversion: float) -> float:
    """Error of the difference of utility on one history, in basis points a year; daily excess returns."""
    utilities = utility_contributions(np.column_stack([winner, benchmark]), risk_aversion)
    return BASIS_POINTS * DAYS * mean_error(utilities[:, 0] - utilities[:, 1])


def measure_benefit(
    table: ScoreTable,
    winner: int,
    benchmark: int,
    weights: Mapping[str, float],
    benchmark_weight: float,
    timing: Mapping[str, Measured],
    history_error_bps: float,
    *,
    apart: bool = True,
) -> Benefit:
    """Measure the benefit with its total interval; `timing` by scenario, history included.

    `history_error_bps` is the error of the difference of utility on the training history, as one sample. It has few
    degrees of freedom; those of the total are by Welch and Satterthwaite. With `apart` the benefit on history and the
    one in the simulated worlds stand beside the whole; results of earlier versions lack them.
    """
    gain = utility_difference(table, winner, benchmark, weights)
    on_history = utility_difference(table, winner, benchmark, {HISTORY: 1.0})
    total, error = 0.0, 0.0
    for name, weight in weights.items():
        if name == HISTORY:
            falls = [table.evaluations[HISTORY][k].metrics.max_drawdown.value for k in (winner, benchmark)]
            total += weight * (falls[1] - falls[0])
            continue
        gap = table.paths[name][benchmark][1] - table.paths[name][winner][1]
        total += weight * float(np.sum(gap)) / gap.size
        error += weight * weight * variance(gap) / gap.size
    history_part = weights.get(HISTORY, 0.0) * history_error_bps
    total_error = math.hypot(gain.error or 0.0, history_part)
    share = history_part / total_error if total_error > 0.0 else 0.0
    half = total_error * student_quantile(0.975, (PARTS - 1) / max(share, _SMALL_SHARE) ** 4)
    parts = [weight * (timing[name].error or 0.0) for name, weight in weights.items()]
    return Benefit(
        basis_points=gain,
        low=gain.value - half,
        high=gain.value + half,
        history_error_bps=history_part,
        total=Measured(value=gain.value, error=total_error),
        history_bps=Measured(value=on_history.value, error=history_error_bps) if apart else None,
        worlds_bps=utility_difference(table, winner, benchmark, simulated_weights(weights)) if apart else None,
        drawdown_points=Measured(value=100.0 * total, error=100.0 * math.sqrt(error)),
        benchmark_weight=benchmark_weight,
        timing_bps=Measured(
            value=math.fsum(weight * timing[name].value for name, weight in weights.items()),
            error=math.sqrt(math.fsum(part * part for part in parts)),
        ),
    )
