"""One point of the search space, and the values of a search."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from quant.numeric.frozen import digest_of
from quant.strategies.family import ACTIVE, FAMILY, Grids, Shape, WeightFunction

Estimator: TypeAlias = Literal["rolling", "ewma", "ewma_max", "garch", "range", "implied", "downside"]
"""V1 to V7: sample deviation, exponentially weighted, the larger of two such, forecast of a GJR-GARCH model fitted on
training days, range of the day's prices, an implied volatility index, downside semideviation. `range` and `implied`
need data that simulated worlds do not have: they work on history alone and are never searched."""

Rebalancing: TypeAlias = Literal["daily", "weekly", "monthly", "quarterly"]
InnerPortfolio: TypeAlias = Literal[
    "equal_weight",
    "inverse_volatility",
    "risk_parity",
    "hierarchical_risk_parity",
    "minimum_variance",
    "risk_control",
]
"""How several risky assets are mixed. `risk_control` takes two, the riskier first, and mixes them to the target
volatility; cash takes over where even the calmest mix is above it (S&P risk control 2.0)."""

Lookback: TypeAlias = Annotated[int, Field(ge=10, le=504)]
Decay: TypeAlias = Annotated[float, Field(ge=0.80, le=0.995)]
Band: TypeAlias = Annotated[float, Field(ge=0.0, le=0.25)]
Target: TypeAlias = Annotated[float, Field(ge=0.05, le=0.20)]
"""The range of each parameter, in one config and in the values of a search."""

REBALANCING_DAYS: dict[Rebalancing, int] = {
    "daily": 1,
    "weekly": 5,
    "monthly": 21,
    "quarterly": 63,
}
"""Days between two rebalancings of a simulated path."""

TREND_DAYS = (50, 200, 252)
"""Sessions of the two moving averages and of the momentum of `trend_overlay`."""
MOMENTUM_SKIP = 21
"""The most recent sessions that momentum leaves out."""
INNER_LOOKBACK = 252
"""Sessions of the covariance behind an inner portfolio."""
AVERAGE_DAYS = 63
"""Warm-up in sessions of an estimator without a window."""
LOCKED_DAYS = 63
"""Sessions below `LOCKED_WEIGHT` after which a path counts as locked in cash and its floor or peak restarts."""
LOCKED_WEIGHT = 0.01

SHAPES = tuple(Shape.model_fields)
BY_WINDOW: tuple[Estimator, ...] = ("rolling", "range", "downside")
BY_DECAY: tuple[Estimator, ...] = ("ewma", "ewma_max")
"""The estimators that have a lookback, and those that have a decay; the others have neither."""
ON_HISTORY_ALONE: tuple[Estimator, ...] = ("range", "implied")


def length_of(estimator: Estimator) -> Literal["lookback_days", "decay"] | None:
    """The parameter that says how far `estimator` looks back."""
    return "lookback_days" if estimator in BY_WINDOW else "decay" if estimator in BY_DECAY else None


class StrategyConfig(Shape):
    """One point of the search space; equal configs are the same strategy.

    A parameter that has no effect under the chosen estimator and weight function must be None.
    """

    weight_function: WeightFunction
    estimator: Estimator = "rolling"
    lookback_days: Lookback | None = None
    decay: Decay | None = None
    rebalancing: Rebalancing = "monthly"
    no_trade_band: Band = 0.0
    inner: InnerPortfolio | None = None
    """How the risky assets are mixed; None for a single asset."""
    target_volatility: Target | None = None
    """Replaces the mandate's target where the manager freed it."""

    @model_validator(mode="after")
    def _only_active_parameters_are_set(self) -> Self:
        active = set(ACTIVE[self.weight_function])
        if FAMILY[self.weight_function].volatility:
            active |= {name for name in (length_of(self.estimator),) if name is not None}
        elif self.estimator != "rolling":
            msg = (
                f"estimator {self.estimator!r} has no effect with {self.weight_function}; expected rolling, its default"
            )
            raise ValueError(msg)
        for name in (*SHAPES, "lookback_days", "decay"):
            present = getattr(self, name) is not None
            if present and name not in active:
                msg = f"{name} has no effect with {self.weight_function} and {self.estimator}; expected null"
                raise ValueError(msg)
            if not present and name in active:
                msg = f"{name} is required with {self.weight_function} and {self.estimator}; expected not null"
                raise ValueError(msg)
        return self

    def longest_lookback(self) -> int:
        """Sessions that its slowest signal needs before it is defined."""
        looks = FAMILY[self.weight_function]
        return max(
            # overnight returns, which ranges may hold, begin a session late
            (self.lookback_days or 0) + (1 if self.estimator == "range" else 0),
            AVERAGE_DAYS if looks.volatility and self.estimator in (*BY_DECAY, "garch") else 0,
            AVERAGE_DAYS if looks.signal == "regime" else 0,
            max(TREND_DAYS) if looks.signal == "trend" else 0,
            INNER_LOOKBACK if self.inner not in (None, "equal_weight") else 0,
        )

    def digest(self) -> str:
        """Names the strategy; a parameter that it does not have is no part of its name, whichever may be added."""
        return digest_of(self, empty=False)


class SearchSpace(Grids):
    """The values that a search may give each parameter; a parameter with no effect is not searched.

    Grids, not intervals: a proposal is then the same on every machine to the last bit.
    """

    weight_functions: Annotated[tuple[WeightFunction, ...], Field(min_length=1)] = tuple(
        name for name, row in FAMILY.items() if row.searched
    )
    estimators: Annotated[tuple[Estimator, ...], Field(min_length=1)] = (
        "rolling",
        "ewma",
        "ewma_max",
        "downside",
    )
    lookback_days: Annotated[tuple[Lookback, ...], Field(min_length=1)] = (10, 15, 21, 31, 42, 63, 84, 126, 189, 252)
    decay: Annotated[tuple[Decay, ...], Field(min_length=1)] = (0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
    rebalancing: Annotated[tuple[Rebalancing, ...], Field(min_length=1)] = (
        "daily",
        "weekly",
        "monthly",
        "quarterly",
    )
    no_trade_band: Annotated[tuple[Band, ...], Field(min_length=1)] = (0.0, 0.02, 0.05, 0.10)
    inner: tuple[InnerPortfolio, ...] = ()
    """Filled for a universe of several assets, empty for one."""
    target_volatility: tuple[Target, ...] = ()
    """Filled when the manager frees the target, otherwise empty."""

    @model_validator(mode="after")
    def _values_are_distinct_and_searchable(self) -> Self:
        for name in SearchSpace.model_fields:
            values = getattr(self, name)
            if len(set(values)) != len(values):
                msg = f"{name} {values!r} repeats a value; expected distinct values"
                raise ValueError(msg)
        if "constant" in self.weight_functions:
            msg = "weight_functions: 'constant' is the benchmarks' rule; expected any other function"
            raise ValueError(msg)
        blind = [name for name in self.estimators if name in ON_HISTORY_ALONE]
        if blind:
            msg = f"estimators: {blind[0]!r} needs data that simulated worlds do not have; expected any other estimator"
            raise ValueError(msg)
        return self

    def longest_lookback(self) -> int:
        """Sessions that the slowest signal of the space needs before it is defined."""
        looks = [FAMILY[name] for name in self.weight_functions]
        estimators = self.estimators if any(row.volatility for row in looks) else ()
        lengths = {length_of(name) for name in estimators}
        regime = any(row.signal == "regime" for row in looks)
        return max(
            max(self.lookback_days) if "lookback_days" in lengths else 0,
            AVERAGE_DAYS if regime or lengths - {"lookback_days"} else 0,
            max(TREND_DAYS) if any(row.signal == "trend" for row in looks) else 0,
            INNER_LOOKBACK if set(self.inner) - {"equal_weight"} else 0,
        )
