"""Translates a search plan to a search space and budget; a plan selects among the values of the request."""

import math
from collections.abc import Sequence

from desk.optimization.answers import SearchPlan
from desk.optimization.request import OptimizationRequest
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.family import Grids
from quant.strategies.goal import GOAL_METRIC
from quant.strategies.search import off_grid
from quant.strategies.trial import Trial

LEADERS = 5
"""Number of best trials whose neighbourhoods `around_best` keeps."""

SHARES = {"all": 1.0, "two_thirds": 2 / 3, "half": 0.5}

_PARAMETERS: dict[str, str] = {
    "estimators": "estimator",
    "lookback_days": "lookback_days",
    "decay": "decay",
    "rebalancing": "rebalancing",
    "no_trade_band": "no_trade_band",
    **{name: name for name in Grids.model_fields},
    "inner": "inner",
    "target_volatility": "target_volatility",
}
"""Config parameter of each grid of the space, except weight functions."""
_UNORDERED = {"estimators", "variance_constant", "inner"}


def remaining_trials(request: OptimizationRequest, trials: int) -> int:
    return max(0, request.trials - trials)


def plan_budget(plan: SearchPlan, trials_left: int) -> int:
    return min(trials_left, max(1, math.ceil(trials_left * SHARES[plan.share])))


def plan_violations(plan: SearchPlan, space: SearchSpace, trials: int) -> list[str]:
    """Return the violations of a plan as `code: correction`."""
    if plan.action == "stop":
        return [] if trials else ["nothing_tried: stop is possible once something was tried"]
    violations = [
        f"unknown_value: weight function {name!r}; expected {list(space.weight_functions)}"
        for name in plan.weight_functions
        if name not in space.weight_functions
    ]
    for config in plan.candidates:
        violations += off_grid_values(config, space)
    if plan.focus == "around_best" and not trials:
        violations.append("nothing_tried: around_best needs trials; begin with broad")
    return violations


def off_grid_values(config: StrategyConfig, space: SearchSpace) -> list[str]:
    """Return a violation for each value of `config` off the grid of `space`."""
    return [
        f"unknown_value: {name} {'is missing' if value is None else repr(value)}; expected {list(allowed)}"
        for name, value, allowed in off_grid(space, config)
    ]


def narrow_space(plan: SearchPlan, request: OptimizationRequest, trials: Sequence[Trial]) -> SearchSpace:
    """Return the part of the request's space that the plan selects."""
    space = request.space
    if plan.weight_functions:
        functions = tuple(f for f in space.weight_functions if f in plan.weight_functions)
        space = space.model_copy(update={"weight_functions": functions})
    if plan.focus == "around_best" and trials:
        space = _around([t.config for t in rank_trials(request, trials)[:LEADERS]], space)
    return space


def _around(best: Sequence[StrategyConfig], space: SearchSpace) -> SearchSpace:
    functions = {config.weight_function for config in best} & set(space.weight_functions)
    narrowed_grids: dict[str, tuple[object, ...]] = {}
    if functions:
        narrowed_grids["weight_functions"] = tuple(f for f in space.weight_functions if f in functions)
    for grid, parameter in _PARAMETERS.items():
        values = getattr(space, grid)
        indices = {values.index(v) for c in best if (v := getattr(c, parameter)) in values}
        reach = 0 if grid in _UNORDERED else 1
        near = tuple(v for i, v in enumerate(values) if any(abs(i - u) <= reach for u in indices))
        if near:
            narrowed_grids[grid] = near
    return space.model_copy(update=narrowed_grids)


def rank_trials(request: OptimizationRequest, trials: Sequence[Trial]) -> list[Trial]:
    """Rank the trials evaluated on all paths, best first by the goal; ties in order of proposal."""
    from quant.strategies.objective import scenario_weights, scores  # imports numpy, which reading plans does not need

    whole = [t for t in trials if not t.screened]
    if not whole:
        return []
    names = [s.name for s in request.scenarios]
    weights = scenario_weights([s.probability for s in request.scenarios])
    metric = GOAL_METRIC[request.goal]
    rows = [[*(t.evaluation(n).metrics for n in names), t.train.metrics] for t in whole]
    values = [[m.gain(metric) for m in row] for row in rows]
    objective = scores(values, weights, goal=request.goal, sharpes=values)
    order = sorted(range(len(whole)), key=lambda k: (-objective[k], whole[k].number))
    return [whole[k] for k in order]
