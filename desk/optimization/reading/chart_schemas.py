"""Chart data of a job; clients draw it without further arithmetic."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from quant.numeric.frozen import Frozen

MOST_POINTS = 5_000
"""Maximum points of a line or scatter; longer series are downsampled deterministically."""

ChartName: TypeAlias = Literal[
    "convergence",
    "risk_return",
    "scenarios",
    "sensitivity",
    "growth",
    "weights",
    "drawdown",
    "rolling_volatility",
    "years",
    "logits",
    "fan",
    "monthly_returns",
    "rolling_sharpe",
    "falls",
    "distribution",
]


class Provenance(Frozen):
    """Source of the figures, stated in every file and chart."""

    job: str
    as_of: str | None = Field(description="Last day of the prices; null where no result is there yet")
    data_version: str = Field(description="Digest of the prices")
    code_version: str
    result_digest: str | None


class Convergence(Frozen):
    """One entry per trial in order of proposal, in sample."""

    trial: tuple[int, ...]
    """Numbers of the trials."""
    objective: tuple[float, ...]
    """Objective of each trial."""
    feasible: tuple[bool, ...]
    """Whether each trial meets all limits."""
    running_maximum: tuple[float | None, ...] = Field(description="Of the trials within the limits so far")
    by_scenario: dict[str, tuple[float, ...]] = Field(description="Running maximum of the utility in each scenario")


class Strategy(Frozen):
    """A trial as a point."""

    trial: int
    digest: str
    weight_function: str
    volatility: float
    excess_return: float
    drawdown: float
    objective: float
    feasible: bool
    screened: bool
    pareto: bool = Field(
        description="None within the limits is as good in both and better in one; of equal ones the first"
    )
    chosen: bool
    """Whether it is the winner."""


class RiskReturn(Frozen):
    """Annual fractions, means over the scenarios with their weights."""

    points: tuple[Strategy, ...]
    """One point per trial."""


class Bar(Frozen):
    """One scenario. `low` and `high` enclose 95%, Monte Carlo error only; null on history, which is one path."""

    scenario: str
    weight: float
    """Share of the scenario in the objective."""
    benefit_bps: float
    """Winner minus benchmark, in basis points a year."""
    low: float | None
    high: float | None
    timing_bps: float
    """Benefit over the constant weight with the winner's volatility in this scenario, in basis points a year."""
    utility: float
    """Annual utility of the winner, a fraction."""
    benchmark_utility: float
    """Annual utility of the benchmark, a fraction."""


class Heatmap(Frozen):
    """Mean objective and number of trials for each pair of values; `values[i][j]` stands at `rows[i]`, `columns[j]`."""

    row_parameter: str
    """Parameter of the rows."""
    column_parameter: str
    """Parameter of the columns."""
    rows: tuple[str, ...]
    """Values of the row parameter."""
    columns: tuple[str, ...]
    """Values of the column parameter."""
    mean: tuple[tuple[float | None, ...], ...]
    """Mean objective of each pair; null without a trial."""
    n: tuple[tuple[int, ...], ...]
    """Number of trials of each pair."""


class Period(Frozen):
    """Days of one market phase, both included."""

    first: str
    last: str
    phase: Literal["bear", "undetermined", "bull"]
    """Phase of the market."""


class Rebalance(Frozen):
    date: str
    before: float
    """Weight before the trade."""
    after: float
    """Weight after the trade."""


class AssetWeights(Frozen):
    """The strategy's weight in one asset, at the dates of the chart."""

    name: str
    weights: tuple[float, ...]
    """Weights at the dates of the chart."""


class Weights(Frozen):
    dates: tuple[str, ...]
    strategy: tuple[float, ...]
    """Weight of the risky leg in the strategy."""
    constant_weight: tuple[float, ...]
    """Weight of the benchmark."""
    safe: Annotated[
        tuple[float, ...] | None,
        Field(exclude_if=lambda weights: weights is None, description="Of the strategy in a bond; absent for cash"),
    ] = None
    assets: Annotated[
        tuple[AssetWeights, ...],
        Field(
            exclude_if=lambda assets: not assets,
            description="Of the strategy in each asset, a bond included; absent for one asset and cash",
        ),
    ] = ()
    rebalances: tuple[Rebalance, ...]
    """Trades of the strategy."""
    rebalance_count: int = Field(description="All of them; `rebalances` holds at most as many as points were asked for")
    phases: tuple[Period, ...] = Field(description="Bull and bear markets by the rule of a fifth, as they became known")
    train_end: str


class Growth(Frozen):
    """Wealth at the end of each day, cash included, from 1 before the first."""

    dates: tuple[str, ...]
    strategy: tuple[float, ...]
    """Wealth with the strategy."""
    constant_weight: tuple[float, ...]
    asset: tuple[float, ...]
    train_end: str


class Drawdown(Frozen):
    """Drawdowns from the highest wealth so far, positive fractions."""

    dates: tuple[str, ...]
    strategy: tuple[float, ...]
    """Drawdown of the strategy."""
    constant_weight: tuple[float, ...]
    """Drawdown of the benchmark."""
    asset: tuple[float, ...]
    """Drawdown of the risky leg held alone."""
    train_end: str


class RollingVolatility(Frozen):
    """Annual volatility of the last `window` sessions."""

    window: int
    target: float
    """Annual target volatility, a fraction."""
    dates: tuple[str, ...]
    strategy: tuple[float, ...]
    """Volatility of the strategy."""
    constant_weight: tuple[float, ...]
    """Volatility of the benchmark."""
    train_end: str


class CalendarYear(Frozen):
    year: int
    strategy: float
    """Return of the strategy, a fraction."""
    constant_weight: float
    """Return of the benchmark, a fraction."""
    asset: float
    """Return of the risky leg held alone, a fraction."""
    partial: bool
    """Whether the data do not cover the whole year."""


class Logits(Frozen):
    """Out-of-sample ranks of the rule selected in sample, over the splits; at or below 0 it ranks below the median."""

    left_edges: tuple[float, ...]
    """Left edges of the bins."""
    counts: tuple[int, ...]
    """Number of splits in each bin."""
    overfitting: float
    """Probability of backtest overfitting."""
    overfitting_low: float
    """Lower end of its interval."""
    overfitting_high: float
    """Upper end of its interval."""


class Fan(Frozen):
    """Wealth, starting at 1, in a block bootstrap of the strategy's own days."""

    years: tuple[float, ...]
    """Years since the start."""
    levels: tuple[float, ...]
    """Percentiles of the bands, as fractions."""
    bands: tuple[tuple[float, ...], ...]
    """Wealth by percentile, each as long as `years`."""
    paths: int
    seed: int


class MonthlyReturn(Frozen):
    """Returns of a calendar month, fractions, cash included; the first and the last may be incomplete."""

    year: int
    """Calendar year."""
    month: int
    """Calendar month, 1 to 12."""
    strategy: float
    """Return of the strategy."""
    constant_weight: float
    """Return of the benchmark."""


class RollingSharpe(Frozen):
    """Annual Sharpe ratio of the last `window` sessions."""

    window: int
    """Sessions of each window."""
    dates: tuple[str, ...]
    """Last days of the windows."""
    strategy: tuple[float, ...]
    """Sharpe ratio of the strategy."""
    constant_weight: tuple[float, ...]
    """Sharpe ratio of the benchmark."""
    train_end: str
    """Last day that the search was fitted on."""


class Fall(Frozen):
    """A fall of the strategy from a peak of wealth to its recovery."""

    depth: float
    """Depth, a positive fraction."""
    peak: str | None
    """Day of the peak; null where the first day is the peak."""
    trough: str
    """Day of the lowest wealth."""
    recovery: str | None
    """Day on which the peak is regained; null while it is not."""
    sessions: int
    """Sessions from the peak to the recovery, or to the last day."""


class ReturnDistribution(Frozen):
    """Histograms of daily returns, cash included; the outermost bins hold everything beyond."""

    edges: tuple[float, ...]
    """Edges of the bins, one more than bins."""
    strategy: tuple[int, ...]
    """Days of the strategy in each bin."""
    constant_weight: tuple[int, ...]
    """Days of the benchmark in each bin."""


class Charts(Frozen):
    """Charts of a job; null for a chart that was not requested or has no data."""

    provenance: Provenance
    partial: tuple[str, ...] = Field(description="Why they are not those of a whole result; empty for a whole one")
    findings: dict[str, str] = Field(
        default_factory=dict,
        description="What each chart shows, in a sentence, by the chart's name; `importance` is with the sensitivity",
    )
    convergence: Convergence | None = None
    risk_return: RiskReturn | None = None
    scenarios: tuple[Bar, ...] | None = None
    """Benefit by scenario."""
    sensitivity: tuple[Heatmap, ...] | None = None
    """Objective by pairs of parameters."""
    growth: Growth | None = None
    """Wealth over time."""
    weights: Weights | None = None
    """Weight of the risky leg over time."""
    drawdown: Drawdown | None = None
    rolling_volatility: RollingVolatility | None = None
    years: tuple[CalendarYear, ...] | None = None
    """Returns by calendar year."""
    logits: Logits | None = None
    fan: Fan | None = None
    monthly_returns: tuple[MonthlyReturn, ...] | None = None
    """Returns by calendar month."""
    rolling_sharpe: RollingSharpe | None = None
    falls: tuple[Fall, ...] | None = None
    """The ten deepest falls of the strategy, the deepest first."""
    distribution: ReturnDistribution | None = None


Points: TypeAlias = Annotated[int, Field(ge=100, le=MOST_POINTS, description="Most points of a line")]
