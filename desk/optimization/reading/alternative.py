"""Explains why another weight function did not win: its distance and whether chance explains it."""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from desk.base.text import join_words
from desk.figures import labels
from desk.figures.figures import Figure, Unit
from desk.figures.sheet import Sheet
from desk.optimization.evaluation import goal_values
from desk.optimization.judgement.finalists import objective_against
from desk.optimization.limits import check_limits
from desk.optimization.mandate_limits import limit_label
from desk.optimization.reading.ranking import to_display_unit
from desk.optimization.request import LimitName, OptimizationRequest
from desk.optimization.result import Finalist, OptimizationResult
from desk.optimization.search.search import evaluations_by_scenario, is_selectable
from quant.numeric.arrays import Floats
from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured
from quant.strategies.config import StrategyConfig
from quant.strategies.family import WeightFunction
from quant.strategies.goal import GOAL_METRIC, RATIO_GOALS
from quant.strategies.objective import scenario_weights
from quant.strategies.trial import Trial

Standing: TypeAlias = Literal[
    "won", "indistinguishable", "behind", "infeasible", "screened", "not_tried", "not_searched"
]


class Alternative(Frozen):
    """Another weight function beside the winner; `behind` is the best objective minus its own, in `unit`."""

    function: WeightFunction
    standing: Standing
    tried: int
    screened: int
    config: StrategyConfig | None
    """Best tried config of the function."""
    behind: Measured | None
    unit: Unit
    fresh_paths: bool
    """Whether `behind` is paired on fresh paths; otherwise in sample, with an error that ignores the pairing and is
    too large."""
    distinguishable: bool | None
    """Whether `behind` exceeds two errors; None without a reliable error."""
    breaches: tuple[LimitName, ...]
    figures: tuple[Figure, ...]


def explain_alternative(result: OptimizationResult, trials: Sequence[Trial], function: WeightFunction) -> Alternative:
    """Explain why `function` did not win; `trials` are all trials of the run."""
    own = [trial for trial in trials if trial.config.weight_function == function]
    finalists = [f for f in result.finalists if f.config.weight_function == function]
    ratio = result.manifest.request.goal in RATIO_GOALS
    if finalists:
        standing, config, behind, breaches = _among_finalists(result, finalists)
    else:
        standing, config, behind, breaches = _among_trials(result.manifest.request, trials, own, function)
    distance, unit = to_display_unit(behind or Measured(value=0.0), ratio=ratio)
    comparison = Alternative(
        function=function,
        standing=standing,
        tried=len(own),
        screened=len([trial for trial in own if trial.screened]),
        config=config,
        behind=distance if behind else None,
        unit=unit,
        fresh_paths=bool(finalists),
        distinguishable=_distinguishable(behind, fresh=bool(finalists)),
        breaches=breaches,
        figures=(),
    )
    return comparison.model_copy(update={"figures": _figures_of_alternative(result, comparison)})


def _distinguishable(behind: Measured | None, *, fresh: bool) -> bool | None:
    if behind is None or behind.error is None:
        return None
    return behind.value > 2.0 * behind.error or (False if fresh else None)


_Found: TypeAlias = tuple[Standing, StrategyConfig | None, Measured | None, tuple[LimitName, ...]]


def _among_finalists(result: OptimizationResult, finalists: Sequence[Finalist]) -> _Found:
    winner = result.winner.digest if result.winner else None
    best = max(finalists, key=lambda f: (f.digest == winner, f.feasible, f.objective))
    if best.digest == winner:
        return "won", best.config, best.behind_best, ()
    if not best.feasible:
        return "infeasible", best.config, None, best.breaches
    return "indistinguishable" if best.indistinguishable else "behind", best.config, best.behind_best, ()


def _among_trials(
    request: OptimizationRequest, trials: Sequence[Trial], own: Sequence[Trial], function: WeightFunction
) -> _Found:
    if not own:
        return "not_tried" if function in request.space.weight_functions else "not_searched", None, None, ()
    full = [trial for trial in trials if not trial.screened]
    mine = [place for place, trial in enumerate(full) if trial.config.weight_function == function]
    if not mine:
        return "screened", own[0].config, None, ()
    values = goal_values(request, full)
    scores = _objectives(request, values, np.max(values, axis=0))
    feasible_places = [place for place, trial in enumerate(full) if is_selectable(request, trial)]
    own_feasible = [place for place in mine if place in feasible_places]
    if not own_feasible:
        best = full[max(mine, key=lambda place: scores[place])]
        checks = check_limits(request, evaluations_by_scenario(best))
        return "infeasible", best.config, None, tuple(dict.fromkeys(c.limit for c in checks if not c.passed))
    top, place = (max(group, key=lambda place: scores[place]) for group in (feasible_places, own_feasible))
    gap = float(scores[top] - scores[place])
    error = math.hypot(*(_error(request, full[k], values[k], np.max(values, axis=0)) for k in (top, place)))
    return "behind", full[place].config, Measured(value=gap, error=error), ()


def _objectives(request: OptimizationRequest, rows: Floats, best: Floats) -> Floats:
    weights = scenario_weights([scenario.probability for scenario in request.scenarios])
    return objective_against(rows, weights, best, request.goal)


def _error(request: OptimizationRequest, trial: Trial, row: Floats, best: Floats) -> float:
    """Monte Carlo error of one objective; every goal is piecewise linear in the scenarios."""
    step = 1e-6 * np.eye(row.size)
    slopes = (_objectives(request, row + step, best) - _objectives(request, row - step, best)) / 2e-6
    metric = GOAL_METRIC[request.goal]
    errors = [getattr(trial.evaluation(s.name).metrics, metric).error or 0.0 for s in request.scenarios]
    return math.hypot(*(slope * error for slope, error in zip(slopes, errors, strict=False)))


def _figures_of_alternative(result: OptimizationResult, alternative: Alternative) -> tuple[Figure, ...]:
    sheet = Sheet("explain_alternative", "alternative")
    sheet.add(
        "function", "the weight function that was asked about", labels.function_label(alternative.function), "text"
    )
    sheet.add("tried", "configurations tried of that weight function", alternative.tried, "count")
    sheet.add("screened", "of these, configurations dropped after few paths", alternative.screened, "count")
    if alternative.config is not None:
        name = labels.strategy_label(alternative.config)
        sheet.add("best", "its best configuration", name, "text")
    if result.winner is not None:
        sheet.add("winner", "the winning configuration", labels.strategy_label(result.winner.config), "text")
    where = (
        "on fresh paths, behind the best finalist" if alternative.fresh_paths else "in sample, behind the best trial"
    )
    quantity = f"distance of that weight function's best configuration {where}"
    sheet.add("behind", quantity, alternative.behind, alternative.unit)
    if alternative.breaches:
        breached_limits = join_words([limit_label(name) for name in alternative.breaches])
        sheet.add("breaches", "limit that it breaks", breached_limits, "text")
        best = "" if alternative.config is None else f", {labels.strategy_label(alternative.config)},"
        sheet.say(
            "infeasible_sentence",
            f"The weight function {labels.function_label(alternative.function)} did not win because its best "
            f"configuration{best} breaks {breached_limits}.",
        )
    return sheet.figures
