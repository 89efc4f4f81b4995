"""Request and response types of simulated wealth."""

import math
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from desk.base.camel_case import Camel
from desk.base.frames import frame
from desk.portfolios.correlation_schemas import CorrelationRepair, Correlations, RepairCorrelations
from quant.worlds.scenario import Engine, Label

if TYPE_CHECKING:
    import pandas as pd

Rebalancing: TypeAlias = Literal["daily", "weekly", "monthly", "quarterly", "yearly", "none"]
Symbol: TypeAlias = Annotated[str, Field(min_length=1, max_length=32)]
Weight: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Amount: TypeAlias = Annotated[float, Field(ge=0.0, le=1e12)]
DailyReturn: TypeAlias = Annotated[float, Field(gt=-1.0, le=10.0)]
Probability: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]

MAX_SYMBOLS = 50
MAX_OBSERVATIONS = 10_000
MAX_WORK = 500_000_000
"""Largest value of simulations x periods x (symbols + 2), about ten seconds of one core."""
MAX_CLOSES = 1_000_000
"""Largest number of values in a file of trajectories, 8 bytes each."""
WEIGHT_TOLERANCE = 1e-4
"""Tolerance of the sum of weights."""
CASH = "cash"
_BLOCKS = ("bootstrap", "conditional_bootstrap")
MOMENTS = ("gbm", "heston", "merton", "bates", "regime_switching")
"""Engines that are given means, volatilities and correlations; the others draw from the days themselves."""

Series: TypeAlias = Annotated[list[DailyReturn], Field(min_length=2, max_length=MAX_OBSERVATIONS, fail_fast=True)]


class Terms(Camel):
    """Cash flows, costs and the simulated world."""

    initial_investment: Annotated[float, Field(gt=0.0, le=1e12)] = 10_000.0
    """Money at the start."""
    num_simulations: Annotated[int, Field(ge=2, le=200_000, description="Paths")] = 1_000
    num_periods: Annotated[int, Field(ge=1, le=15_120, description="Sessions of each path; a year has 252")] = 252
    engine: Annotated[
        Engine,
        Field(
            description="How the assets' days are simulated jointly. `gbm`: normal shocks; `bootstrap`: blocks of the "
            "given days; the others: as in the scenarios. All but the three that replay days use the sample's means, "
            "volatilities and correlations"
        ),
    ] = "gbm"
    label: Annotated[Label | None, Field(description="Days that `conditional_bootstrap` resamples")] = None
    mean_block: Annotated[
        int | None, Field(ge=20, le=60, description="Mean sessions of a block in the two bootstraps; 40 by default")
    ] = None
    correlations: Correlations | None = None
    """Correlations by pair that replace those of the history."""
    repair_correlations: RepairCorrelations = False
    seed: Annotated[int, Field(ge=0, lt=2**32, description="The same request gives the same numbers")] = 1
    rebalancing: Annotated[Rebalancing, Field(description="How often the weights are restored")] = "monthly"
    contribution: Annotated[Amount, Field(description="Paid in after every 21 sessions")] = 0.0
    withdrawal: Annotated[
        Amount, Field(description="Taken out after every 21 sessions, as far as the account permits")
    ] = 0.0
    indexed: Annotated[bool, Field(description="Contributions and withdrawals grow with inflation")] = True
    inflation: Annotated[float, Field(ge=-0.05, le=0.25, description="A year")] = 0.02
    fee: Annotated[float, Field(ge=0.0, le=0.10, description="A year, of wealth")] = 0.0
    transaction_cost_bps: Annotated[float, Field(ge=0.0, le=50.0, description="Of the value of each trade")] = 5.0
    goal: Annotated[float | None, Field(gt=0.0, le=1e15, description="Target wealth at the end, in today's money")] = (
        None
    )
    ruin: Annotated[
        Amount, Field(description="Wealth at or below which the account is closed; at 0 only withdrawals ruin")
    ] = 0.0
    trajectories: Annotated[
        int, Field(ge=0, le=200_000, description="Paths to store day by day; download them with the trajectories route")
    ] = 0


class SimulationRequest(Terms):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "weights": {"AAPL": 0.5, "JNJ": 0.3, "cash": 0.2},
                    "numPeriods": 2520,
                    "contribution": 100.0,
                    "goal": 25_000.0,
                    "engine": "bootstrap",
                },
                {
                    "weights": {"A": 0.6, "B": 0.4},
                    "returns": {"A": [0.01, -0.02, 0.015, 0.0], "B": [0.002, 0.001, -0.001, 0.003]},
                    "initialInvestment": 10_000,
                    "numSimulations": 1_000,
                    "numPeriods": 252,
                },
            ]
        }
    )

    portfolio_id: Annotated[
        str | None,
        Field(min_length=1, max_length=100, description="Id of one of your portfolios, whose weights are used"),
    ] = None
    weights: Annotated[
        dict[Symbol, Weight] | None,
        Field(min_length=1, max_length=MAX_SYMBOLS, description="In place of portfolioId; the remainder is cash"),
    ] = None
    returns: Annotated[
        dict[Symbol, Series] | None,
        Field(
            min_length=1,
            max_length=MAX_SYMBOLS,
            description="Daily simple returns, oldest first, of equal length; by default those of the server's prices",
        ),
    ] = None
    start_date: Annotated[date | None, Field(description="First day of the prices that is used")] = None
    end_date: Annotated[date | None, Field(description="Last day of the prices that is used")] = None
    cash_rate: Annotated[
        float | None,
        Field(ge=-0.05, le=0.25, description="Per year; by default that of the days used, or 2% with `returns`"),
    ] = None
    standard_error: Annotated[
        float | None,
        Field(
            gt=0.0,
            description="Of the mean final value, in money; simulations are added until it is reached",
        ),
    ] = None

    @model_validator(mode="after")
    def _check_holdings(self) -> Self:
        if (self.portfolio_id is None) == (self.weights is None):
            kind = "missing" if self.weights is None else "combined"
            msg = f"portfolioId and weights are {kind}; expected exactly one of them"
            raise ValueError(msg)
        if self.weights is not None:
            if len({name.casefold() for name in self.weights}) < len(self.weights):
                msg = "weights: a symbol occurs twice; expected each symbol once, ignoring case"
                raise ValueError(msg)
            total = math.fsum(self.weights.values())
            if total > 1.0 + WEIGHT_TOLERANCE:
                msg = f"weights sum to {total:g}; expected at most 1, the remainder is cash"
                raise ValueError(msg)
            if not any(weight > 0.0 for name, weight in self.weights.items() if name.casefold() != CASH):
                msg = "weights contain only cash; expected at least one other symbol with a weight above 0"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_returns(self) -> Self:
        if self.returns is None:
            if self.start_date and self.end_date and self.start_date >= self.end_date:
                msg = (
                    f"startDate {self.start_date} is not before endDate {self.end_date}; expected an earlier startDate"
                )
                raise ValueError(msg)
            return self
        if self.start_date or self.end_date:
            msg = "startDate and endDate select days of the server's prices; expected neither with returns"
            raise ValueError(msg)
        lengths = {len(values) for values in self.returns.values()}
        if len(lengths) > 1:
            msg = f"returns: the symbols have {min(lengths)} to {max(lengths)} observations; expected the same number"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if (self.label is not None) != (self.engine == "conditional_bootstrap"):
            msg = f"label does not fit the engine {self.engine}; expected a label with conditional_bootstrap only"
            raise ValueError(msg)
        if self.mean_block is not None and self.engine not in _BLOCKS:
            msg = f"meanBlock has no effect under {self.engine}; expected the engine {' or '.join(_BLOCKS)}"
            raise ValueError(msg)
        if self.correlations is not None and self.engine not in MOMENTS:
            msg = f"correlations have no effect under {self.engine}; expected the engine {', '.join(MOMENTS)}"
            raise ValueError(msg)
        if self.ruin >= self.initial_investment:
            msg = f"ruin {self.ruin:g} is not below the initialInvestment; expected below {self.initial_investment:g}"
            raise ValueError(msg)
        most = min(self.num_simulations, MAX_CLOSES // (self.num_periods + 1))
        if self.trajectories > most:
            msg = (
                f"trajectories {self.trajectories} are too many for {self.num_simulations} simulations of "
                f"{self.num_periods} periods; expected up to {most}"
            )
            raise ValueError(msg)
        return self


class Parameters(Terms):
    """The terms with all defaults filled in."""

    weights: dict[str, float]
    cash_weight: float
    """Fraction of wealth in cash."""
    cash_rate: float
    """Annual rate of cash, a fraction."""
    expected_returns: dict[str, float]
    """Annual means of simple daily returns of the paths; `volatilities` has their volatilities."""
    volatilities: dict[str, float]
    """Annual volatilities by asset."""
    correlation_repair: CorrelationRepair | None = None
    """Change of the correlations that were set; null if the matrix needed none."""
    observations: int
    first_day: date | None
    last_day: date | None
    returns_digest: str
    """SHA-256 of the returns that the simulation uses."""


class StandardErrors(Camel):
    mean_final_value: float
    """Standard error of the mean."""
    median_final_value: float
    """Standard error of the median."""
    percentiles: dict[str, float]
    """Standard error of each percentile."""


class Statistics(Camel):
    """Statistics of final wealth in nominal money."""

    mean_final_value: float
    """Mean."""
    median_final_value: float
    """Median."""
    min_final_value: float
    """Lowest of the paths."""
    max_final_value: float
    """Highest of the paths."""
    standard_deviation: float
    """Standard deviation."""
    percentiles: dict[str, float]
    """Final wealth by percentile."""
    standard_errors: StandardErrors
    """Monte Carlo errors."""


class Bands(Camel):
    """Wealth by date: monthly up to twenty years, less often beyond, always with the last date."""

    periods: tuple[int, ...]
    """Sessions since the start."""
    years: tuple[float, ...]
    """Years since the start."""
    mean: tuple[float, ...]
    """Mean wealth."""
    percentiles: dict[str, tuple[float, ...]]
    """Wealth by percentile, each as long as `periods`."""
    price_level: tuple[float, ...]
    """Divide wealth by it for today's money."""
    probability_of_ruin: tuple[float, ...]
    """Probability of ruin up to each date."""

    def to_frame(self) -> "pd.DataFrame":
        """One row per date, by its period: mean, `percentiles.P`, price level and probability of ruin."""
        rows = (
            {
                "period": period,
                "years": self.years[row],
                "mean": self.mean[row],
                "percentiles": {name: values[row] for name, values in self.percentiles.items()},
                "price_level": self.price_level[row],
                "probability_of_ruin": self.probability_of_ruin[row],
            }
            for row, period in enumerate(self.periods)
        )
        return frame(rows, index="period")


class Extremes(Camel):
    mean: float
    median: float
    max: float
    """Largest of the paths."""


class ExtremesErrors(Camel):
    """Standard errors of `Extremes`; a maximum has none."""

    mean: float
    """Standard error of the mean."""
    median: float
    """Standard error of the median."""


class Tails(Camel):
    """Losses by level; negative if the tail gains."""

    value_at_risk: dict[str, float]
    """Loss of money that is exceeded with the probability 1 - level."""
    expected_shortfall: dict[str, float]
    """Mean loss of money beyond the value at risk."""
    value_at_risk_fraction: dict[str, float]
    """The value at risk as a fraction of the money paid in."""
    expected_shortfall_fraction: dict[str, float]
    """The expected shortfall as a fraction of the money paid in."""


class AnalysisErrors(Tails):
    probability_of_loss: float
    """Standard error of the probability of a loss."""
    probability_of_gain: float
    """Standard error of the probability of a gain."""
    probability_of_ruin: float
    """Standard error of the probability of ruin."""
    probability_of_goal: float | None
    """Standard error of the probability of the goal; null without a goal."""
    expected_return: float
    """Standard error of the expected return."""
    expected_risk: float
    """Standard error of the expected risk."""
    annualized_return: float | None
    """Standard error of the annual return; null where it is not defined."""
    max_drawdown: ExtremesErrors


class AnalysisResult(Tails):
    """Statistics over the whole horizon, as fractions of the money paid in unless stated otherwise."""

    horizon_periods: int
    """Sessions of the horizon."""
    paid_in: float
    """Money paid in over the horizon."""
    probability_of_loss: Probability
    """Probability that final wealth is below the money paid in."""
    probability_of_gain: Probability
    """Probability of no loss."""
    probability_of_ruin: Probability
    """Probability that wealth falls to the level of ruin."""
    probability_of_goal: Probability | None
    """Probability that final wealth reaches the goal; null without a goal."""
    expected_return: float
    """Mean gain."""
    expected_risk: float
    """Standard deviation of the return over the horizon."""
    annualized_return: float | None
    """Yearly growth without contributions and withdrawals; null for less than a year."""
    max_drawdown: Extremes
    """Largest drawdown as a positive fraction, without contributions and withdrawals."""
    standard_errors: AnalysisErrors
    """Monte Carlo errors."""


class SummaryResult(Camel):
    statistics: Statistics


class SimulationResult(SummaryResult):
    bands: Bands


class SimulationSummary(Camel):
    """A simulation without its bands."""

    id: str
    portfolio_id: str | None
    parameters: Parameters
    result: SummaryResult
    """Statistics of final wealth."""
    caveats: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    """Time after which the simulation is deleted."""


class Simulation(SimulationSummary):
    result: SimulationResult  # pyright: ignore[reportIncompatibleVariableOverride]  frozen

    def to_frame(self) -> "pd.DataFrame":
        """The table of the result's bands."""
        return self.result.bands.to_frame()


class Analysis(Camel):
    id: str
    simulation_id: str
    result: AnalysisResult
    created_at: datetime
