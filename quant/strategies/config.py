"""One point of the search space, and the values of a search."""

from typing import Annotated, Self, TypeAlias

from pydantic import Field, model_validator

from quant.numeric.frozen import digest_of
from quant.strategies.choices import ESTIMATORS, REBALANCING, Estimator, InnerPortfolio, Rebalancing
from quant.strategies.family import ACTIVE, FAMILY, Grids, Shape, WeightFunction

Lookback: TypeAlias = Annotated[int, Field(ge=10, le=504)]
Decay: TypeAlias = Annotated[float, Field(ge=0.80, le=0.995)]
Band: TypeAlias = Annotated[float, Field(ge=0.0, le=0.25)]
Target: TypeAlias = Annotated[float, Field(ge=0.05, le=0.20)]
"""The range of each parameter, in one config and in the values of a search."""

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
LENGTHS = ("lookback_days", "decay")
"""The parameters that say how far an estimator looks back."""


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
        active: set[str | None] = {*ACTIVE[self.weight_function]}
        if FAMILY[self.weight_function].volatility:
            active |= {ESTIMATORS[self.estimator].length}
        elif self.estimator != "rolling":
            msg = (
                f"estimator {self.estimator!r} has no effect with {self.weight_function}; expected rolling, its default"
            )
            raise ValueError(msg)
        for name in (*SHAPES, *LENGTHS):
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
            AVERAGE_DAYS if looks.volatility and _has_no_window(self.estimator) else 0,
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
    """Rules that set the weight of the risky leg."""
    estimators: Annotated[tuple[Estimator, ...], Field(min_length=1)] = tuple(
        name for name, row in ESTIMATORS.items() if row.searched
    )
    """Estimators of the volatility."""
    lookback_days: Annotated[tuple[Lookback, ...], Field(min_length=1)] = (10, 15, 21, 31, 42, 63, 84, 126, 189, 252)
    decay: Annotated[tuple[Decay, ...], Field(min_length=1)] = (0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
    rebalancing: Annotated[tuple[Rebalancing, ...], Field(min_length=1)] = tuple(REBALANCING)
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
        benchmarks = [name for name in self.weight_functions if FAMILY[name].benchmark]
        if benchmarks:
            msg = f"weight_functions: {benchmarks[0]!r} is the benchmarks' rule; expected any other function"
            raise ValueError(msg)
        blind = [name for name in self.estimators if not ESTIMATORS[name].simulated]
        if blind:
            msg = f"estimators: {blind[0]!r} needs data that simulated worlds do not have; expected any other estimator"
            raise ValueError(msg)
        return self

    def longest_lookback(self) -> int:
        """Sessions that the slowest signal of the space needs before it is defined."""
        looks = [FAMILY[name] for name in self.weight_functions]
        estimators = self.estimators if any(row.volatility for row in looks) else ()
        lengths = {ESTIMATORS[name].length for name in estimators}
        regime = any(row.signal == "regime" for row in looks)
        return max(
            max(self.lookback_days) if "lookback_days" in lengths else 0,
            AVERAGE_DAYS if regime or lengths - {"lookback_days"} else 0,
            max(TREND_DAYS) if any(row.signal == "trend" for row in looks) else 0,
            INNER_LOOKBACK if set(self.inner) - {"equal_weight"} else 0,
        )


def _has_no_window(estimator: Estimator) -> bool:
    """Whether its warm-up is `AVERAGE_DAYS`: an average or a model, neither a window nor a series of its own."""
    row = ESTIMATORS[estimator]
    return row.length != "lookback_days" and row.simulated
