"""Response types of a portfolio's risk."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from desk.base.frames import frame
from desk.figures.figures import Figure
from desk.portfolios.stress_schemas import FactorStress, ReverseStress
from quant.numeric.frozen import Frozen

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT = 0.05
"""p-value below which a backtest rejects the announced value at risk."""


class TailRequest(Frozen):
    """What is told in words: the level and horizon of the value at risk, and the days of a period."""

    level: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    sessions: Annotated[int, Field(ge=1, le=252)] = 21
    first_day: date | None = None
    last_day: date | None = None


class Component(Frozen):
    """A holding, its weight, and its contributions to the portfolio's one-session risk."""

    asset: str
    weight: float
    volatility: float
    """Contribution to the volatility of one session."""
    shortfall: float
    """Contribution to the historical expected shortfall at 95%."""


class Tail(Frozen):
    """Tail losses as positive fractions; None with a reason if the method does not apply."""

    method: str
    """How the loss was estimated."""
    horizon: int
    """Sessions of the horizon."""
    level: float
    value_at_risk: float | None
    """Loss that is exceeded with the probability 1 - `level`."""
    expected_shortfall: float | None
    """Mean loss beyond the value at risk."""
    reason: str | None


class Episode(Frozen):
    """A past crisis with its loss as a positive fraction; None with a reason if it is not available."""

    name: str
    first: str
    last: str
    loss: float | None
    reason: str | None


class Backtest(Frozen):
    """Backtest of the one-session value at risk: exceedances and tests."""

    level: float
    observations: int
    exceedances: int
    """Sessions with a larger loss than the value at risk."""
    expected: float
    """Exceedances that the level implies."""
    right_share: float
    """p-value of Kupiec's test."""
    independent: float
    """p-value of Christoffersen's test of independence."""
    held: bool
    """Whether neither p-value is below 5%."""


class PortfolioRisk(Frozen):
    first_day: str
    last_day: str
    components: tuple[Component, ...]
    """Holdings with their contributions to risk."""
    tails: tuple[Tail, ...]
    """Value at risk and expected shortfall by method, horizon and level."""
    episodes: tuple[Episode, ...]
    """Losses in past crises."""
    backtests: tuple[Backtest, ...]
    """Empty for fewer than 500 sessions."""
    concentrated: bool
    """Whether one of several holdings contributes more than half of the volatility."""
    caveats: tuple[str, ...]
    figures: tuple[Figure, ...]
    reverse_stress: ReverseStress | None = None
    factor_stress: FactorStress | None = None
    """None if the source has no index and no shocks were asked for."""

    def to_frame(self) -> "pd.DataFrame":
        """One row per figure, by its id: quantity, value, unit, currency and the computation that it comes from."""
        return frame((figure.model_dump(exclude={"error"}) for figure in self.figures), index="id")
