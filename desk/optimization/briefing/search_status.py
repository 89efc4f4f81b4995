"""How far the search is, as the optimizer sees it."""

from collections.abc import Sequence
from typing import Any, Literal

from langchain.tools import ToolRuntime, tool

from quant.strategy import Frozen, SearchSpace, StrategyConfig
from quant.trial import Trial
from tools.context import Context
from tools.figures import Figure
from tools.optimization import OptimizationRequest
from tools.plans import ranked, remaining


class BestOf(Frozen):
    """The best trial of one weight function."""

    weight_function: str
    trial: str
    """Digest of its config."""
    config: StrategyConfig


class SearchStatus(Frozen):
    """Trials so far, best first, and the values that a plan may use."""

    stage: Literal["first", "second", "later"]
    """Which plan is wanted now."""
    tried: int
    left: int
    best: tuple[BestOf, ...]
    space: SearchSpace
    figures: tuple[Figure, ...]


def search_report(request: OptimizationRequest, trials: Sequence[Trial], *, plans: int = 0) -> SearchStatus:
    """Ids begin with the number of trials, so that a figure keeps its value when the search goes on."""
    after = f"after_{len(trials)}"
    leaders: dict[str, Trial] = {}
    for trial in ranked(request, trials):
        leaders.setdefault(trial.config.weight_function, trial)
    left = remaining(request, len(trials))
    return SearchStatus(
        stage=("first", "second", "later")[min(plans, 2)],
        tried=len(trials),
        left=left,
        best=tuple(BestOf(weight_function=f, trial=t.digest, config=t.config) for f, t in leaders.items()),
        space=request.space,
        figures=(
            _figure(f"{after}_tried", "configurations tried so far", len(trials), "count"),
            _figure(f"{after}_left", "trials left of the budget", left, "count"),
            *(figure for function, trial in leaders.items() for figure in _of(after, function, trial)),
        ),
    )


def _of(after: str, function: str, trial: Trial) -> tuple[Figure, ...]:
    utility = trial.train.metrics.utility.value
    volatility = trial.train.metrics.volatility.value
    return (
        _figure(
            f"{after}_{function}_utility",
            f'utility of the best "{function}" in training',
            utility,
            "percent",
        ),
        _figure(
            f"{after}_{function}_volatility",
            f'volatility of the best "{function}" in training',
            volatility,
            "percent",
        ),
    )


def _figure(id_: str, quantity: str, value: float, unit: Literal["count", "percent"]) -> Figure:
    return Figure(id=id_, quantity=quantity, value=value, unit=unit, source=f"search_status.{id_}")


@tool(response_format="content_and_artifact")
async def search_status(runtime: ToolRuntime[Context, Any]) -> tuple[str, SearchStatus]:
    """What was tried, the best trial of each weight function, the trials left, and the values that a plan may use."""
    from tools.decisions import count_decisions
    from tools.trials import stored_trials

    context = runtime.context
    trials = await stored_trials(context.store, context.owner, context.run)
    plans = await count_decisions(context.store, context.owner, context.run, "optimizer")
    status = search_report(context.request, trials, plans=plans)
    return status.model_dump_json(), status
