"""Compares the winner with the benchmark series of the request."""

import math

import numpy as np

from desk.optimization.benchmark_schemas import SeriesBenchmark
from desk.optimization.evaluation import World
from desk.optimization.judgement.benefit import history_error
from desk.optimization.judgement.historical_record import unlocked_days
from quant.numeric.arrays import Floats
from quant.numeric.measured import Measured
from quant.numeric.moments import moments
from quant.numeric.units import BASIS_POINTS, DAYS
from quant.performance.growth import worst_drawdown
from quant.performance.regression import tracking_error
from quant.strategies.history_metrics import utility


def compare_with_series(world: World, winner: Floats) -> SeriesBenchmark | None:
    """The comparison on train and validate, from the winner's daily excess returns there; None without a series."""
    benchmark = world.market.benchmark
    if benchmark is None:
        return None
    part, gamma = unlocked_days(world), world.request.mandate.risk_aversion
    total = np.ascontiguousarray(benchmark.returns[part])
    excess = total - world.market.cash[part]
    own, fall = moments(excess), worst_drawdown(total)
    return SeriesBenchmark(
        name=benchmark.name,
        excess_return=DAYS * own.mean,
        volatility=math.sqrt(DAYS) * own.deviation,
        sharpe=math.sqrt(DAYS) * own.sharpe,
        max_drawdown=fall.depth if fall else 0.0,
        winner_minus_bps=Measured(
            value=BASIS_POINTS * (utility(winner, gamma) - utility(excess, gamma)),
            error=history_error(winner, excess, risk_aversion=gamma),
        ),
        tracking_error=tracking_error(winner, excess),
    )
