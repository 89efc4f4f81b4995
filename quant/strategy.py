"""The strategy family: the mandate that is given, one point of the search space, and the ranges of a search."""

import hashlib
import json
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

WeightFunction: TypeAlias = Literal[
    "inverse_vol",
    "inverse_vol_squared",
    "linear_decay",
    "sigmoid",
    "merton",
    "cppi",
    "trend_overlay",
    "drawdown_control",
    "constant",
]
"""W1 to W6, W8 and W10 of the specification; `constant` is the benchmarks' rule and is never searched."""

Estimator: TypeAlias = Literal["rolling", "ewma", "ewma_max", "downside"]
"""V1, V2, V3 and V7: sample deviation, exponentially weighted, the larger of two such, downside semideviation."""

Rebalancing: TypeAlias = Literal["daily", "weekly", "monthly", "quarterly"]
InnerPortfolio: TypeAlias = Literal["equal_weight", "inverse_volatility"]

Lookback: TypeAlias = Annotated[int, Field(ge=10, le=504)]
Decay: TypeAlias = Annotated[float, Field(ge=0.80, le=0.995)]
Band: TypeAlias = Annotated[float, Field(ge=0.0, le=0.25)]
Slope: TypeAlias = Annotated[float, Field(ge=0.5, le=20.0)]
Midpoint: TypeAlias = Annotated[float, Field(ge=0.05, le=0.40)]
Scale: TypeAlias = Annotated[float, Field(ge=0.005, le=0.20)]
Floor: TypeAlias = Annotated[float, Field(ge=0.5, le=0.99)]
Multiplier: TypeAlias = Annotated[float, Field(ge=1.0, le=10.0)]
Hysteresis: TypeAlias = Annotated[float, Field(ge=0.0, le=0.05)]
DrawdownCap: TypeAlias = Annotated[float, Field(ge=0.05, le=0.50)]
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
"""Sessions of the volatilities behind the inner portfolio `inverse_volatility`."""
AVERAGE_DAYS = 63
"""Sessions that an exponentially weighted estimator is given before it is used."""
LOCKED_DAYS = 63
"""Sessions below `LOCKED_WEIGHT` after which a path counts as locked in cash and its floor or peak restarts."""
LOCKED_WEIGHT = 0.01

ACTIVE: dict[WeightFunction, tuple[str, ...]] = {
    "inverse_vol": (),
    "inverse_vol_squared": ("variance_constant",),
    "linear_decay": ("slope",),
    "sigmoid": ("midpoint", "scale"),
    "merton": (),
    "cppi": ("floor", "multiplier"),
    "trend_overlay": ("hysteresis",),
    "drawdown_control": ("drawdown_cap",),
    "constant": ("constant_weight",),
}
"""The shape parameters that have an effect, by weight function."""

SHAPES = tuple(dict.fromkeys(name for names in ACTIVE.values() for name in names))


class Frozen(BaseModel):
    """Base of every type that crosses a process or a model boundary: immutable, closed, finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def digest_of(model: BaseModel) -> str:
    """SHA-256 of the canonical JSON of `model`: sorted keys, no spaces, shortest exact floats."""
    content = json.dumps(model.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


class Mandate(Frozen):
    """What the manager fixes: never a dimension of a search unless it is freed by name."""

    target_volatility: Annotated[
        float, Field(ge=0.05, le=0.20, description="Annual volatility aimed at, as a fraction")
    ] = 0.10
    min_weight: Annotated[float, Field(ge=0.0, le=1.0, description="Smallest risky weight")] = 0.0
    max_weight: Annotated[float, Field(ge=0.0, le=2.0, description="Largest risky weight; above 1 is borrowed")] = 1.0
    risk_aversion: Annotated[float, Field(ge=0.5, le=10.0, description="Gamma of the utility, and of `merton`")] = 2.0
    transaction_cost_bps: Annotated[
        float, Field(ge=0.0, le=50.0, description="Cost of a trade, basis points of its value")
    ] = 5.0
    borrow_spread_bps: Annotated[
        float, Field(ge=0.0, le=500.0, description="Yearly charge on weights above 1, over cash")
    ] = 50.0
    decision_lag: Annotated[
        int, Field(ge=1, le=5, description="Sessions between the last return used and the trade")
    ] = 2
    max_change: Annotated[
        float, Field(gt=0.0, le=2.0, description="Largest change of the weight at one rebalancing")
    ] = 2.0
    expected_premium: Annotated[
        float, Field(ge=0.0, le=0.15, description="Assumed excess return a year, for `merton`")
    ] = 0.05

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if self.min_weight > self.max_weight:
            msg = (
                f"min_weight {self.min_weight:g} is above max_weight {self.max_weight:g}; "
                "allowed: min_weight <= max_weight"
            )
            raise ValueError(msg)
        return self


class StrategyConfig(Frozen):
    """One point of the search space; equal configs are the same strategy.

    A parameter that has no effect under the chosen estimator and weight function must be None.
    """

    weight_function: WeightFunction
    estimator: Estimator = "rolling"
    lookback_days: Lookback | None = None
    decay: Decay | None = None
    rebalancing: Rebalancing = "monthly"
    no_trade_band: Band = 0.0
    variance_constant: Literal["target", "trained"] | None = None
    slope: Slope | None = None
    midpoint: Midpoint | None = None
    scale: Scale | None = None
    floor: Floor | None = None
    multiplier: Multiplier | None = None
    hysteresis: Hysteresis | None = None
    drawdown_cap: DrawdownCap | None = None
    constant_weight: Annotated[float, Field(ge=0.0, le=2.0)] | None = None
    inner: InnerPortfolio | None = None
    """How the risky assets are mixed; None for a single asset."""
    target_volatility: Target | None = None
    """Replaces the mandate's target where the manager freed it."""

    @model_validator(mode="after")
    def _only_active_parameters_are_set(self) -> Self:
        active = set(ACTIVE[self.weight_function])
        if self.weight_function not in ("constant", "cppi"):
            active.add("lookback_days" if self.estimator in ("rolling", "downside") else "decay")
        elif self.estimator != "rolling":
            msg = (
                f"estimator {self.estimator!r} has no effect with {self.weight_function}; allowed: rolling, its default"
            )
            raise ValueError(msg)
        for name in (*SHAPES, "lookback_days", "decay"):
            given = getattr(self, name) is not None
            if given and name not in active:
                msg = f"{name} has no effect with {self.weight_function} and {self.estimator}; allowed: null"
                raise ValueError(msg)
            if not given and name in active:
                msg = f"{name} is required with {self.weight_function} and {self.estimator}; allowed: not null"
                raise ValueError(msg)
        return self

    def longest_lookback(self) -> int:
        """Sessions that its slowest signal needs before it is defined."""
        return max(
            self.lookback_days or 0,
            AVERAGE_DAYS if self.decay is not None else 0,
            max(TREND_DAYS) if self.weight_function == "trend_overlay" else 0,
            INNER_LOOKBACK if self.inner == "inverse_volatility" else 0,
        )

    def digest(self) -> str:
        """Names the strategy."""
        return digest_of(self)


class SearchSpace(Frozen):
    """The values that a search may give each parameter; a parameter with no effect is not searched.

    Grids, not intervals: a proposal is then the same on every machine to the last bit.
    """

    weight_functions: Annotated[tuple[WeightFunction, ...], Field(min_length=1)] = (
        "inverse_vol",
        "inverse_vol_squared",
        "linear_decay",
        "sigmoid",
        "merton",
        "cppi",
        "trend_overlay",
        "drawdown_control",
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
    variance_constant: Annotated[tuple[Literal["target", "trained"], ...], Field(min_length=1)] = (
        "target",
        "trained",
    )
    slope: Annotated[tuple[Slope, ...], Field(min_length=1)] = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    midpoint: Annotated[tuple[Midpoint, ...], Field(min_length=1)] = (0.10, 0.12, 0.14, 0.16, 0.18, 0.20, 0.25)
    scale: Annotated[tuple[Scale, ...], Field(min_length=1)] = (0.01, 0.02, 0.03, 0.04, 0.06, 0.10)
    floor: Annotated[tuple[Floor, ...], Field(min_length=1)] = (0.80, 0.85, 0.90, 0.95)
    multiplier: Annotated[tuple[Multiplier, ...], Field(min_length=1)] = (2.0, 3.0, 4.0, 5.0)
    hysteresis: Annotated[tuple[Hysteresis, ...], Field(min_length=1)] = (0.0, 0.01, 0.02)
    drawdown_cap: Annotated[tuple[DrawdownCap, ...], Field(min_length=1)] = (0.10, 0.15, 0.20, 0.25)
    inner: tuple[InnerPortfolio, ...] = ()
    """Filled for a universe of several assets, empty for one."""
    target_volatility: tuple[Target, ...] = ()
    """Filled when the manager frees the target, otherwise empty."""

    @model_validator(mode="after")
    def _values_are_distinct_and_searchable(self) -> Self:
        for name in SearchSpace.model_fields:
            values = getattr(self, name)
            if len(set(values)) != len(values):
                msg = f"{name} {values!r} repeats a value; allowed: distinct values"
                raise ValueError(msg)
        if "constant" in self.weight_functions:
            msg = "weight_functions: 'constant' is the benchmarks' rule; allowed: any other function"
            raise ValueError(msg)
        return self

    def longest_lookback(self) -> int:
        """Sessions that the slowest signal of the space needs before it is defined."""
        needs = [0]
        uses_estimator = any(f != "cppi" for f in self.weight_functions)
        if uses_estimator and {"rolling", "downside"} & set(self.estimators):
            needs.append(max(self.lookback_days))
        if uses_estimator and {"ewma", "ewma_max"} & set(self.estimators):
            needs.append(AVERAGE_DAYS)
        if "trend_overlay" in self.weight_functions:
            needs.append(max(TREND_DAYS))
        if "inverse_volatility" in self.inner:
            needs.append(INNER_LOOKBACK)
        return max(needs)
