"""The objective that a search maximises."""

from typing import Literal, TypeAlias

Goal: TypeAlias = Literal["robust_utility", "sharpe", "worst_case", "cvar_utility"]
