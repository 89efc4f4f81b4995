"""Response types of the portfolio optimizers."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, JsonValue

from desk.base.camel_case import Camel
from desk.base.frames import frame
from desk.portfolios.correlation_schemas import CorrelationRepair
from desk.portfolios.optimizers.requests import Covariance

if TYPE_CHECKING:
    import pandas as pd

Kind: TypeAlias = Literal["risk-parity", "hrp", "minimum-cvar", "maximum-diversification", "efficient-frontier"]


class History(Camel):
    """The history that the optimizer used."""

    source: str
    datasets: tuple[str, ...] = Field(description="With their versions; empty if the request contained returns")
    assets: tuple[str, ...]
    periods: int
    first_date: date | None = Field(description="Date of the first return; null for returns without dates")
    last_date: date | None
    """Last day; null if the returns were sent without dates."""


class Residual(Camel):
    """Numerical residual of the optimality conditions."""

    value: float
    accepted: float = Field(description="Largest accepted value; above it the solution is rejected")
    meaning: str
    """What the number measures."""


class WeightInterval(Camel):
    estimate: float
    """Weight from the whole history."""
    lower: float
    """Lower end of the interval."""
    upper: float
    """Upper end of the interval."""
    mean: float
    """Mean over the resampled histories."""
    deviation: float
    """Standard deviation over the resampled histories."""


class Intervals(Camel):
    """Bootstrap quantiles of the weights over resampled histories."""

    level: float
    draws: int
    """Number of resampled histories."""
    refused: int = Field(description="Draws without a solution, which are left out")
    seed: int
    weights: dict[str, WeightInterval]
    """Interval of each weight."""


class RiskParityMetrics(Camel):
    portfolio_volatility: float
    """Annual volatility of the portfolio, a fraction."""
    risk_contribution: dict[str, float] = Field(description="Parts of the volatility, whose sum it is")
    risk_shares: dict[str, float] = Field(description="The same as shares, whose sum is 1")


class RiskParityResult(Camel):
    weights: dict[str, float]
    metrics: RiskParityMetrics
    """Volatility and contributions to risk."""
    intervals: Intervals | None


class HrpMetrics(RiskParityMetrics):
    cluster_tree: list[tuple[int, int]] = Field(
        description="The two clusters of each join; assets are 0 to N - 1, the cluster of join k is N + k"
    )
    linkage_matrix: list[tuple[int, int, float, int]] = Field(description="Joins with their distance and joint size")
    order: list[str] = Field(description="The assets from one end of the tree to the other")


class HrpResult(Camel):
    weights: dict[str, float]
    metrics: HrpMetrics
    """Volatility and the tree."""
    intervals: Intervals | None


class MinimumCvarMetrics(RiskParityMetrics):
    value_at_risk: float = Field(description="Loss of the period at the edge of the tail; not annualized")
    conditional_value_at_risk: float = Field(
        description="Mean loss of the worst 1 - level of the periods, a fraction of wealth per period, which no other "
        "weights within the bounds undercut; negative for a gain; not annualized"
    )
    cvar_contribution: dict[str, float] = Field(description="Parts of the conditional value at risk, whose sum it is")


class MinimumCvarResult(Camel):
    weights: dict[str, float]
    metrics: MinimumCvarMetrics
    """Tail risk and contributions to it."""
    intervals: Intervals | None


class MaximumDiversificationMetrics(RiskParityMetrics):
    diversification_ratio: float = Field(
        description="Mean volatility of the assets over that of the portfolio, the highest under the constraints"
    )


class MaximumDiversificationResult(Camel):
    weights: dict[str, float]
    metrics: MaximumDiversificationMetrics
    """Volatility and the diversification ratio."""
    intervals: Intervals | None


class FrontierPortfolio(Camel):
    weights: dict[str, float]
    expected: float = Field(
        validation_alias="return",
        serialization_alias="return",
        description="A year's mean return, if past means came again",
    )
    risk: float = Field(description="A year's volatility")


class SharpePortfolio(FrontierPortfolio):
    sharpe: float
    """Annual Sharpe ratio."""


class Corner(FrontierPortfolio):
    """A corner portfolio, where the set of assets between their bounds changes; zero weights are left out."""

    multiplier: float = Field(description="Least lambda at which it minimises variance / 2 - lambda * return")


class ResampledPortfolio(FrontierPortfolio):
    """Portfolio of one rank, averaged over the frontiers of resampled histories."""

    deviations: dict[str, float] = Field(description="Of the weights over the draws")


class FrontierIntervals(Camel):
    min_volatility: Intervals
    max_sharpe: Intervals | None


class FrontierResult(Camel):
    portfolios: list[FrontierPortfolio] = Field(description="From the least risk to the highest return")
    min_volatility_portfolio: FrontierPortfolio
    """The portfolio of least volatility."""
    max_sharpe_portfolio: SharpePortfolio | None = Field(description="null if no portfolio beats the risk-free rate")
    corners: list[Corner] | None = Field(
        description="null with groups or turnover, for which there is no critical line"
    )
    resampled: list[ResampledPortfolio] | None
    """Portfolios averaged over resampled histories; null without a bootstrap."""
    intervals: FrontierIntervals | None
    """Intervals of two portfolios; null without a bootstrap."""


class Optimized(Camel):
    """Fields common to all responses."""

    id: str = Field(examples=["o-1f0c9c2be5b74d0d8f4a"])
    portfolio_id: str | None
    parameters: dict[str, JsonValue]
    """Options of the request, with their defaults."""
    history: History
    covariance_method: Covariance
    """Estimator of the covariance."""
    condition_number: float | None = Field(description="Condition number of the covariance; null if it is singular")
    correlation_repair: CorrelationRepair | None = Field(
        default=None, description="Of the correlations that were set; null if the matrix needed none"
    )
    annualization: float
    """Periods in a year."""
    residual: Residual
    warnings: list[str]
    created_at: datetime


def _weights_frame(
    weights: Mapping[str, float], metrics: RiskParityMetrics, intervals: Intervals | None
) -> "pd.DataFrame":
    def row(symbol: str, weight: float) -> dict[str, Any]:
        columns: dict[str, Any] = {
            "symbol": symbol,
            "weight": weight,
            "risk_contribution": metrics.risk_contribution[symbol],
            "risk_share": metrics.risk_shares[symbol],
        }
        if intervals is not None:
            interval = intervals.weights[symbol]
            columns |= {"lower": interval.lower, "upper": interval.upper}
        return columns

    return frame((row(symbol, weight) for symbol, weight in weights.items()), index="symbol")


class RiskParityOptimization(Optimized):
    type: Literal["risk-parity"] = "risk-parity"
    """Method."""
    result: RiskParityResult
    """The weights and what they imply."""

    def to_frame(self) -> "pd.DataFrame":
        """One row per symbol: weight, risk contribution and share, and the weight's interval if it was asked for."""
        return _weights_frame(self.result.weights, self.result.metrics, self.result.intervals)


class HrpOptimization(Optimized):
    type: Literal["hrp"] = "hrp"
    """Method."""
    result: HrpResult
    """The weights and what they imply."""

    def to_frame(self) -> "pd.DataFrame":
        """One row per symbol: weight, risk contribution and share, and the weight's interval if it was asked for."""
        return _weights_frame(self.result.weights, self.result.metrics, self.result.intervals)


class MinimumCvarOptimization(Optimized):
    type: Literal["minimum-cvar"] = "minimum-cvar"
    """Method."""
    result: MinimumCvarResult
    """The weights and what they imply."""

    def to_frame(self) -> "pd.DataFrame":
        """One row per symbol: weight, risk contribution and share, and the weight's interval if it was asked for."""
        return _weights_frame(self.result.weights, self.result.metrics, self.result.intervals)


class MaximumDiversificationOptimization(Optimized):
    type: Literal["maximum-diversification"] = "maximum-diversification"
    """Method."""
    result: MaximumDiversificationResult
    """The weights and what they imply."""

    def to_frame(self) -> "pd.DataFrame":
        """One row per symbol: weight, risk contribution and share, and the weight's interval if it was asked for."""
        return _weights_frame(self.result.weights, self.result.metrics, self.result.intervals)


class FrontierOptimization(Optimized):
    type: Literal["efficient-frontier"] = "efficient-frontier"
    """Method."""
    result: FrontierResult
    """The portfolios on the frontier."""

    def to_frame(self) -> "pd.DataFrame":
        """One row per portfolio, from the least risk to the highest return: return, risk and `weights.SYMBOL`."""
        return frame({"return": p.expected, "risk": p.risk, "weights": p.weights} for p in self.result.portfolios)


Optimization: TypeAlias = Annotated[
    RiskParityOptimization
    | HrpOptimization
    | MinimumCvarOptimization
    | MaximumDiversificationOptimization
    | FrontierOptimization,
    Field(discriminator="type"),
]


class OptimizationSummary(Camel):
    """An entry of a list; the full result is at `/optimization/results/{id}`."""

    id: str
    portfolio_id: str | None
    type: Kind
    """Method."""
    parameters: dict[str, JsonValue]
    """Options of the request, with their defaults."""
    history: History
    created_at: datetime


class OptimizationPage(Camel):
    items: list[OptimizationSummary]
    next: str | None = Field(description="`after` of the next page; null on the last")
