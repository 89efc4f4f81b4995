"""Translates constraints by symbol to the numeric core's arrays by index, and its errors back to symbols."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from desk.base.errors import InvalidInput
from desk.portfolios.optimizers.requests import Constraints
from desk.portfolios.optimizers.sample import Sample
from quant.allocate import Group
from quant.allocation.constraints import checked_bounds
from quant.allocation.risk_budgeting import BUDGET_SUM
from quant.numeric.arrays import Floats
from quant.numeric.errors import Infeasible

_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Limits:
    lower: Floats
    upper: Floats
    groups: tuple[Group, ...]
    turnover: float | None
    current: Floats | None

    @property
    def bounds_only(self) -> bool:
        return not self.groups and self.turnover is None

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `quant.allocate`."""
        return {
            "lower": self.lower,
            "upper": self.upper,
            "groups": self.groups,
            "turnover": self.turnover,
            "current": self.current,
        }


def build_limits(constraints: Constraints, sample: Sample) -> Limits:
    symbols = sample.symbols
    groups = tuple(
        Group(
            group.name,
            tuple(_indices(f"constraints.groups.{n}.members", group.members, symbols)),
            -np.inf if group.lower is None else group.lower,
            np.inf if group.upper is None else group.upper,
        )
        for n, group in enumerate(constraints.groups)
    )
    return Limits(
        lower=_bounds("constraints.lower", constraints.lower, symbols, 0.0),
        upper=_bounds("constraints.upper", constraints.upper, symbols, 1.0),
        groups=groups,
        turnover=constraints.turnover,
        current=None if constraints.turnover is None else _current(constraints, sample),
    )


def by_symbol(symbols: Sequence[str], values: Floats) -> dict[str, float]:
    return {symbol: float(value) for symbol, value in zip(symbols, values, strict=True)}


def order_budgets(budgets: Mapping[str, float] | None, symbols: Sequence[str]) -> Floats | None:
    """Risk budgets in the order of `symbols`."""
    if budgets is None:
        return None
    _indices("riskBudgets", budgets, symbols)
    missing = [symbol for symbol in symbols if symbol not in budgets]
    if missing:
        reason = f"the budget of {', '.join(missing[:10])} is missing"
        raise InvalidInput("riskBudgets", missing, reason=reason, allowed="one for each asset")
    shares = np.array([budgets[symbol] for symbol in symbols])
    total = math.fsum(shares)
    if abs(total - 1.0) > BUDGET_SUM:
        raise InvalidInput(
            "riskBudgets", total, reason=f"they add up to {total:.9g}", allowed=f"the sum 1, to {BUDGET_SUM:g}"
        )
    return shares / total


def require(weights: Floats, limits: Limits, symbols: Sequence[str]) -> None:
    """Raise `Infeasible`, with the constraint, if the solution of a method that does not take it violates one."""
    checked_bounds(limits.lower, limits.upper, len(symbols))
    for symbol, weight, low, high in zip(symbols, weights, limits.lower, limits.upper, strict=True):
        if not low - _ROUNDING <= weight <= high + _ROUNDING:
            raise _violation(f"the weight of {symbol}", float(weight), _between(float(low), float(high)))
    for group in limits.groups:
        total = math.fsum(weights[list(group.members)])
        if not group.lower - _ROUNDING <= total <= group.upper + _ROUNDING:
            raise _violation(f"group {group.name!r}", total, _between(group.lower, group.upper))
    if limits.current is not None and limits.turnover is not None:
        traded = 0.5 * math.fsum(np.abs(weights - limits.current))
        if traded > limits.turnover + _ROUNDING:
            raise _violation("the turnover", traded, f"at most {limits.turnover:g}")


def with_symbols(message: str, symbols: Sequence[str]) -> str:
    """Replace asset indices by symbols in a message of the numeric core."""

    def replace_index(match: re.Match[str]) -> str:
        names = re.sub(r"\d+", lambda one: symbols[int(one[0])] if int(one[0]) < len(symbols) else one[0], match[2])
        return f"{match[1]} {names}"

    return re.sub(r"\b(assets?|columns?) (\d+(?:, \d+)*(?: and \d+(?! more))?)", replace_index, message)


def _between(low: float, high: float) -> str:
    if math.isinf(low):
        return f"at most {high:g}"
    return f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"


def _violation(what: str, value: float, allowed: str) -> Infeasible:
    return Infeasible(
        f"in the solution of the method {what} is {value:.6g}; expected {allowed}. The efficient frontier and maximum "
        "diversification take all constraints"
    )


def _bounds(field: str, bound: float | Mapping[str, float], symbols: Sequence[str], default: float) -> Floats:
    if not isinstance(bound, Mapping):
        return np.full(len(symbols), float(bound))
    _indices(field, bound, symbols)
    return np.array([bound.get(symbol, default) for symbol in symbols])


def _indices(field: str, names: Mapping[str, float] | Sequence[str], symbols: Sequence[str]) -> list[int]:
    place = {symbol: n for n, symbol in enumerate(symbols)}
    unknown = next((name for name in names if name not in place), None)
    if unknown is not None:
        raise InvalidInput(field, unknown, reason=f"{unknown} is not among the assets", allowed=", ".join(symbols[:60]))
    return [place[name] for name in names]


def _current(constraints: Constraints, sample: Sample) -> Floats:
    weights = sample.current if constraints.current_weights is None else constraints.current_weights
    if not weights:
        reason = "the current weights are unknown"
        allowed = "currentWeights, or a portfolioId with weights"
        raise InvalidInput("constraints.currentWeights", None, reason=reason, allowed=allowed)
    _indices("constraints.currentWeights", {name: weight for name, weight in weights.items() if weight}, sample.symbols)
    return np.array([weights.get(symbol, 0.0) for symbol in sample.symbols])
