"""Enforces hard limits (drawdown, value at risk, shortfall, turnover, cost, leverage) in code, without any model.

`desk.optimization.search.search` excludes the trials that break one.
"""

import math
from collections.abc import Mapping

from desk.base.errors import InvalidInput
from desk.optimization.evaluation import World
from desk.optimization.mandate_limits import LIMITS
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import LimitCheck
from desk.scenarios.schemas import HISTORY
from quant.strategies.evaluation import Evaluation

_ROUNDING = 1e-9


def check_limits(request: OptimizationRequest, evaluations: Mapping[str, Evaluation]) -> tuple[LimitCheck, ...]:
    """Check every limit in every scenario of its set; `evaluations` by scenario, training history included."""
    checks: list[LimitCheck] = []
    for name, limit in request.limits.defined().items():
        row = LIMITS[name]
        threshold = row.allowed(limit)
        for scenario in limit.scenarios:
            value = row.statistic(evaluations[scenario].metrics)
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


def check_minimum_exposure(world: World) -> None:
    """Reject limits that even the smallest allowed weight breaks, because no search can meet them."""
    request = world.request
    if not request.limits.defined():
        return
    smallest = world.constant(request.mandate.min_weight)
    scenario_names = {s for limit in request.limits.defined().values() for s in limit.scenarios}
    evaluations = {s.name: world.evaluate([smallest], s)[0] for s in request.scenarios if s.name in scenario_names}
    record = world.replay([smallest], end=world.market.train.stop).series[0]
    evaluations[HISTORY] = world.on_history(smallest, record, world.market.train)
    for check in check_limits(request, evaluations):
        if not check.passed:
            raise InvalidInput(
                f"limits.{check.limit}",
                check.bound,
                allowed=f"a limit that the minimum weight {request.mandate.min_weight:g} keeps: in {check.scenario} "
                f"its statistic is {check.statistic:.4g} and {check.allowed:.4g} is allowed",
            )
