"""The goals of a search: what each maximises, and the metric of an evaluation that it aggregates."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

Goal: TypeAlias = Literal["robust_utility", "sharpe", "worst_case", "cvar_utility", "benefit"]
GoalMetric: TypeAlias = Literal["utility", "sharpe", "benefit"]

DEFAULT_GOAL: Final[Goal] = "benefit"
"""Goal of a request that names none."""
GOAL_METRIC: Final[Mapping[Goal, GoalMetric]] = {
    "robust_utility": "utility",
    "sharpe": "sharpe",
    "worst_case": "utility",
    "cvar_utility": "utility",
    "benefit": "benefit",
}
"""The metric whose values over scenarios and history a goal combines into one number."""
