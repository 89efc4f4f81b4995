"""State of the search for the optimizer."""

from collections.abc import Sequence
from typing import Literal

from desk.figures.figures import Figure
from desk.optimization.request import OptimizationRequest
from desk.optimization.search.plans import rank_trials, remaining_trials
from quant.numeric.frozen import Frozen
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.trial import Trial


class BestOf(Frozen):
    """The best trial of one weight function."""

    weight_function: str
    trial: str
    """Digest of its config."""
    config: StrategyConfig


class SearchStatus(Frozen):
    """Trials so far, best first, and the values that a plan may use."""

    stage: Literal["first", "second", "later"]
    """Number of the next plan, by name."""
    tried: int
    left: int
    best: tuple[BestOf, ...]
    space: SearchSpace
    figures: tuple[Figure, ...]


def search_report(request: OptimizationRequest, trials: Sequence[Trial], *, plans: int = 0) -> SearchStatus:
    """Summarize the search; ids contain the number of trials, so that a figure never changes its value."""
    after = f"after_{len(trials)}"
    leaders: dict[str, Trial] = {}
    for trial in rank_trials(request, trials):
        leaders.setdefault(trial.config.weight_function, trial)
    trials_left = remaining_trials(request, len(trials))
    return SearchStatus(
        stage=("first", "second", "later")[min(plans, 2)],
        tried=len(trials),
        left=trials_left,
        best=tuple(BestOf(weight_function=f, trial=t.digest, config=t.config) for f, t in leaders.items()),
        space=request.space,
        figures=(
            _figure(f"{after}_tried", "configurations tried so far", len(trials), "count"),
            _figure(f"{after}_left", "trials left of the budget", trials_left, "count"),
            *(figure for function, trial in leaders.items() for figure in _of(after, function, trial)),
        ),
    )


def _of(after: str, function: str, trial: Trial) -> tuple[Figure, ...]:
    utility = trial.train.metrics.utility.value
    volatility = trial.train.metrics.volatility.value
    benefit = trial.train.metrics.benefit
    compared = (
        f"{after}_{function}_benefit",
        f'utility of the best "{function}" in training, over the constant weight of its volatility',
    )
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
        *(() if benefit is None else (_figure(*compared, benefit.value, "percent"),)),
    )


def _figure(id_: str, quantity: str, value: float, unit: Literal["count", "percent"]) -> Figure:
    return Figure(id=id_, quantity=quantity, value=value, unit=unit, source=f"search_status.{id_}")
