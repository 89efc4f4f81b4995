"""Minimum conditional value at risk and maximum diversification."""

import math

import numpy as np

from desk.base.errors import InvalidInput
from desk.portfolios.optimizers.constraints import by_symbol, require
from desk.portfolios.optimizers.requests import MaximumDiversificationRequest, MinimumCvarRequest
from desk.portfolios.optimizers.responses import (
    MaximumDiversificationMetrics,
    MaximumDiversificationResult,
    MinimumCvarMetrics,
    MinimumCvarResult,
    Residual,
)
from desk.portfolios.optimizers.risk_based import MAX_GAP, Problem, Solution, bootstrap_intervals, risk_metrics
from quant.allocate import maximum_diversification, minimum_cvar
from quant.allocation.cvar import minimum_cvar_portfolio
from quant.allocation.optimality import sharpe_gap
from quant.numeric.returns import Returns
from quant.risk.portfolio import component_contributions

_CVAR_GAP = 1e-8
"""Largest accepted gap of the conditional value at risk, relative to it."""


def solve_minimum_cvar(problem: Problem, request: MinimumCvarRequest) -> Solution[MinimumCvarResult]:
    values, limits, symbols, level = problem.sample.values, problem.limits, problem.symbols, request.level
    periods = len(values)
    if (1.0 - level) * periods < 1.0 - 1e-9:
        reason = f"a level of {level:g} leaves less than one of {periods} periods in the tail"
        raise InvalidInput("level", level, reason=reason, allowed=f"at most {1.0 - 1.0 / periods:.6g}, or more periods")
    weights, gap = minimum_cvar_portfolio(values, level, limits.lower, limits.upper)
    require(weights, limits, symbols)
    history = Returns(np.arange(periods).astype("datetime64[D]"), symbols, values)
    tail = component_contributions(weights, history, measure="expected_shortfall", level=level)
    edge = component_contributions(weights, history, measure="value_at_risk", level=level)
    metrics = MinimumCvarMetrics(
        **risk_metrics(weights, problem).model_dump(),
        value_at_risk=edge.total,
        conditional_value_at_risk=tail.total,
        cvar_contribution=by_symbol(symbols, np.array(tail.components)),
    )
    intervals = bootstrap_intervals(
        problem,
        lambda resampled: minimum_cvar(resampled, level, limits.lower, limits.upper),
        seconds=5e-3 + 4e-7 * values.size,
    )
    result = MinimumCvarResult(weights=by_symbol(symbols, weights), metrics=metrics, intervals=intervals)
    meaning = "the proved gap: how far the conditional value at risk may lie above the least, relative to it"
    return Solution(result, Residual(value=gap, accepted=_CVAR_GAP, meaning=meaning), {})


def solve_maximum_diversification(
    problem: Problem, _: MaximumDiversificationRequest
) -> Solution[MaximumDiversificationResult]:
    cov, limits, symbols = problem.cov, problem.limits.arguments, problem.symbols
    weights = maximum_diversification(cov, **limits)
    volatilities = np.sqrt(np.diag(cov))
    risk = risk_metrics(weights, problem)
    ratio = math.fsum(weights * volatilities) / risk.portfolio_volatility
    metrics = MaximumDiversificationMetrics(**risk.model_dump(), diversification_ratio=ratio)
    intervals = bootstrap_intervals(
        problem,
        lambda values: maximum_diversification(problem.cov_of(values), **limits),
        seconds=problem.seconds_per_portfolio,
    )
    result = MaximumDiversificationResult(weights=by_symbol(symbols, weights), metrics=metrics, intervals=intervals)
    gap = abs(sharpe_gap(weights, volatilities, cov, **limits))
    meaning = "the first-order gap: what any portfolio that satisfies the constraints could gain, relative to the ratio"
    return Solution(result, Residual(value=gap, accepted=MAX_GAP, meaning=meaning), {})
