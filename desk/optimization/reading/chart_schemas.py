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
    "weights",
    "drawdown",
    "rolling_volatility",
    "years",
    "logits",
    "fan",
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
    objective: tuple[float, ...]
    feasible: tuple[bool, ...]
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


class RiskReturn(Frozen):
    """Annual fractions, means over the scenarios with their weights."""

    points: tuple[Strategy, ...]


class Bar(Frozen):
    """One scenario. `low` and `high` enclose 95%, Monte Carlo error only; null on history, which is one path."""

    scenario: str
    weight: float
    benefit_bps: float
    low: float | None
    high: float | None
    timing_bps: float
    utility: float
    benchmark_utility: float


class Heatmap(Frozen):
    """Mean objective and number of trials for each pair of values; `values[i][j]` stands at `rows[i]`, `columns[j]`."""

    row_parameter: str
    column_parameter: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    mean: tuple[tuple[float | None, ...], ...]
    n: tuple[tuple[int, ...], ...]


class Period(Frozen):
    """Days of one market phase, both included."""

    first: str
    last: str
    phase: Literal["bear", "undetermined", "bull"]


class Rebalance(Frozen):
    date: str
    before: float
    after: float


class AssetWeights(Frozen):
    """The strategy's weight in one asset, at the dates of the chart."""

    name: str
    weights: tuple[float, ...]


class Weights(Frozen):
    dates: tuple[str, ...]
    strategy: tuple[float, ...]
    constant_weight: tuple[float, ...]
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
    rebalance_count: int = Field(description="All of them; `rebalances` holds at most as many as points were asked for")
    phases: tuple[Period, ...] = Field(description="Bull and bear markets by the rule of a fifth, as they became known")
    train_end: str


class Drawdown(Frozen):
    """Drawdowns from the highest wealth so far, positive fractions."""

    dates: tuple[str, ...]
    strategy: tuple[float, ...]
    constant_weight: tuple[float, ...]
    asset: tuple[float, ...]
    train_end: str


class RollingVolatility(Frozen):
    """Annual volatility of the last `window` sessions."""

    window: int
    target: float
    dates: tuple[str, ...]
    strategy: tuple[float, ...]
    constant_weight: tuple[float, ...]
    train_end: str


class CalendarYear(Frozen):
    year: int
    strategy: float
    constant_weight: float
    asset: float
    partial: bool


class Logits(Frozen):
    """Out-of-sample ranks of the rule selected in sample, over the splits; at or below 0 it ranks below the median."""

    left_edges: tuple[float, ...]
    counts: tuple[int, ...]
    overfitting: float
    overfitting_low: float
    overfitting_high: float


class Fan(Frozen):
    """Wealth, starting at 1, in a block bootstrap of the strategy's own days."""

    years: tuple[float, ...]
    levels: tuple[float, ...]
    bands: tuple[tuple[float, ...], ...]
    paths: int
    seed: int


class Charts(Frozen):
    """Charts of a job; null for a chart that was not requested or has no data."""

    provenance: Provenance
    partial: tuple[str, ...] = Field(description="Why they are not those of a whole result; empty for a whole one")
    convergence: Convergence | None = None
    risk_return: RiskReturn | None = None
    scenarios: tuple[Bar, ...] | None = None
    sensitivity: tuple[Heatmap, ...] | None = None
    weights: Weights | None = None
    drawdown: Drawdown | None = None
    rolling_volatility: RollingVolatility | None = None
    years: tuple[CalendarYear, ...] | None = None
    logits: Logits | None = None
    fan: Fan | None = None


Points: TypeAlias = Annotated[int, Field(ge=100, le=MOST_POINTS, description="Most points of a line")]
