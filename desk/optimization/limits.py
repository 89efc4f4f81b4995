"""Enforces hard limits (drawdown, value at risk, turnover, distance from target volatility ...) without any model.

`desk.optimization.search.search` excludes the trials that break one.
"""

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from desk.base.errors import InvalidInput
from desk.optimization.mandate_limits import LIMITS
from desk.optimization.request import Limit, OptimizationRequest
from desk.optimization.result import LimitCheck
from desk.scenarios.schemas import HISTORY
from quant.strategies.evaluation import Evaluation

if TYPE_CHECKING:
    from desk.optimization.evaluation import World

_ROUNDING = 1e-9


def check_limits(request: OptimizationRequest, evaluations: Mapping[str, Evaluation]) -> tuple[LimitCheck, ...]:
    """Check every limit in every scenario of its set; `evaluations` by scenario, training history included."""
    checks: list[LimitCheck] = []
    for name, limit in request.limits_in_force().items():
        row = LIMITS[name]
        threshold = row.allowed(limit)
        for scenario in limit.scenarios:
            value = row.statistic(evaluations[scenario].metrics, request.mandate)
            checks.append(
                LimitCheck(
                    limit=name,
                    scenario=scenario,
                    statistic=value,
                    allowed=threshold,
                    bound=limit.bound,
                    passed=value <= threshold + _ROUNDING,
                    binds=False,
                )
            )
    return tuple(checks)


def total_violation(checks: tuple[LimitCheck, ...]) -> float:
    """Sum of the relative excesses over broken limits; 0 when all limits hold."""
    return math.fsum((c.statistic - c.allowed) / max(c.allowed, 0.01) for c in checks if not c.passed)


def check_minimum_exposure(world: "World") -> None:
    """Reject limits that no allowed weight meets, because no search can meet them.

    The smallest weight meets a limit if any does, except that a target volatility needs one between both bounds.
    """
    request = world.request
    limits = request.limits_in_force()
    if not limits:
        return
    scenario_names = {s for limit in limits.values() for s in limit.scenarios}
    smallest = _constant_evaluations(world, request.mandate.min_weight, scenario_names)
    for check in check_limits(request, smallest):
        if not check.passed and LIMITS[check.limit].around is None:
            raise InvalidInput(
                f"limits.{check.limit}",
                check.bound,
                allowed=f"a limit that the minimum weight {request.mandate.min_weight:g} keeps: in {check.scenario} "
                f"its statistic is {check.statistic:.4g} and {check.allowed:.4g} is allowed",
            )
    if "volatility_error" in limits:
        largest = _constant_evaluations(world, request.mandate.max_weight, {*limits["volatility_error"].scenarios})
        _check_target_volatility(request, limits["volatility_error"], smallest, largest)


def _constant_evaluations(world: "World", weight: float, scenarios: Collection[str]) -> dict[str, Evaluation]:
    """A constant weight in `scenarios` and on the training history."""
    config = world.constant(weight)
    evaluations = {s.name: world.evaluate([config], s)[0] for s in world.request.scenarios if s.name in scenarios}
    record = world.replay([config], end=world.market.train.stop).series[0]
    return {**evaluations, HISTORY: world.on_history(config, record, world.market.train)}


def _check_target_volatility(
    request: OptimizationRequest, limit: Limit, smallest: Mapping[str, Evaluation], largest: Mapping[str, Evaluation]
) -> None:
    mandate = request.mandate
    for scenario in limit.scenarios:
        low, high = (evaluations[scenario].metrics.volatility.value for evaluations in (smallest, largest))
        if not low - limit.bound <= mandate.target_volatility <= high + limit.bound:
            raise InvalidInput(
                "mandate.target_volatility",
                mandate.target_volatility,
                reason=f"in {scenario} weights from {mandate.min_weight:g} to {mandate.max_weight:g} have volatilities "
                f"from {low:.4f} to {high:.4f}",
                allowed=f"a target within {limit.bound:g} of these, or a larger limits.volatility_error",
            )
