"""The hyperparameter optimizer steers the search, plan by plan."""

from collections.abc import Sequence
from typing import Any

from agents.declaration import Declaration, ToolCall, ToolOutput, claims_of, read_outputs
from desk.optimization.answers import SearchPlan
from desk.optimization.briefing.search_status import SearchStatus
from desk.optimization.request import MAX_PLANS
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.family import ACTIVE


def _tools():
    from tools.search_status import search_status

    return [search_status]


def _rule(_: str, outputs: Sequence[ToolOutput]) -> SearchPlan | list[ToolCall]:
    if not outputs:
        return [("search_status", {})]
    status = read_outputs(outputs, "search_status", SearchStatus)[-1]
    if status.stage == "first":
        text = "The search begins broadly and keeps a part of its trials for what the broad part finds."
        return SearchPlan(
            action="search",
            share="two_thirds",
            candidates=_candidates(status.space),
            claims=claims_of("search", [text]),
        )
    if status.stage == "second" and status.best:
        text = "Now the remaining trials go to the surroundings of the best configurations so far."
        return SearchPlan(action="search", focus="around_best", share="all", claims=claims_of("search", [text]))
    text = "The surroundings of the best were searched; more trials would mostly add luck."
    return SearchPlan(action="stop", claims=claims_of("search", [text]))


def _candidates(space: SearchSpace) -> tuple[StrategyConfig, ...]:
    """The manager's spreadsheet rule and a risk-control index, if the search space contains their values."""
    strategies: tuple[dict[str, Any], ...] = (
        {"estimator": "rolling", "lookback_days": 252, "rebalancing": "monthly"},
        {"estimator": "ewma_max", "decay": 0.94, "rebalancing": "daily"},
        {"estimator": "rolling", "lookback_days": 21, "rebalancing": "weekly"},
    )
    fits = [w for w in strategies if _in_space(w, space)] if "inverse_vol" in space.weight_functions else []
    fixed = {
        "inner": space.inner[0] if space.inner else None,
        "target_volatility": space.target_volatility[0] if space.target_volatility else None,
    }
    assert not ACTIVE["inverse_vol"]
    return tuple(StrategyConfig(weight_function="inverse_vol", **w, **fixed) for w in fits)


def _in_space(settings: dict[str, Any], space: SearchSpace) -> bool:
    grids = {
        "estimator": space.estimators,
        "lookback_days": space.lookback_days,
        "decay": space.decay,
    }
    grids |= {"rebalancing": space.rebalancing}
    return 0.0 in space.no_trade_band and all(value in grids[name] for name, value in settings.items())


AGENT = Declaration(
    name="optimizer",
    task="where to search",
    works_in="optimization",
    start_share=0.07,
    tools=_tools,
    answer=SearchPlan,
    max_tool_calls=4,
    max_model_calls=5,
    absence="all trials that were left were spent on a broad search",
    interruption="optimizer had planned all of the search: code did not search on, or searched without its guidance",
    rule=_rule,
    prompt_values={"max_plans": MAX_PLANS},
)
