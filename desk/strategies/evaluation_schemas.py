"""The words of one configuration that is evaluated at once."""

from datetime import date
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from desk.figures.figures import Figure
from desk.strategies.templates import Rule
from quant.numeric.frozen import Frozen
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.mandate import Mandate
from quant.worlds.scenario import BUILT_IN, Scenario

Subject: TypeAlias = Literal["strategy", "same_volatility", "sixty_forty_cash", "equity"]
Caution: TypeAlias = Literal["half_at_target", "target_unreachable", "lookback_below_rebalancing", "gap_beyond_floor"]


class CurvePoint(Frozen):
    volatility: float
    weight: float


class YearlyReturn(Frozen):
    """Of a calendar year; the first and the last may be parts of one."""

    year: int
    strategy: float
    sixty_forty_cash: float
    equity: float


class Held(Frozen):
    """One rule: on history, and in the scenario."""

    subject: Subject
    config: StrategyConfig
    history: Evaluation
    simulated: Evaluation


class QuickEvaluation(Frozen):
    """Of one configuration; `held` begins with it."""

    rule: Rule
    name: str
    universe: str
    scenario: str
    first_day: str
    last_day: str
    held: tuple[Held, ...]
    curve: tuple[CurvePoint, ...]
    """The weight in a calm, rising market without losses so far; one point where volatility has no effect."""
    years: tuple[YearlyReturn, ...]
    warnings: tuple[Caution, ...]
    caveats: tuple[str, ...]
    figures: tuple[Figure, ...]


class Window(Frozen):
    """Days to look at; None leaves that end open."""

    first_day: date | None = None
    last_day: date | None = None

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.first_day and self.last_day and self.first_day >= self.last_day:
            msg = f"first_day {self.first_day} is not before last_day {self.last_day}; expected an earlier one"
            raise ValueError(msg)
        return self


EVERY_DAY = Window()
MOST_PATH_YEARS = 50_000
"""Of the scenario: paths times years."""


class EvaluationRequest(Frozen):
    """One configuration and what it is held under; costs are the mandate's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "config": {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63},
                    "mandate": {"target_volatility": 0.10, "transaction_cost_bps": 5},
                    "window": {"first_day": "2005-01-01", "last_day": "2014-12-31"},
                    "scenario": "bear_market",
                }
            ]
        }
    )

    config: StrategyConfig
    mandate: Mandate = Mandate()
    universe: Annotated[str, Field(min_length=1, max_length=400)] = "sp500"
    window: Annotated[Window, Field(description="Of the days that are not locked; all of them by default")] = EVERY_DAY
    scenario: Annotated[
        str | Scenario,
        Field(
            description="World that it is simulated in: the name of a scenario, built in or your own, or a whole one"
        ),
    ] = BUILT_IN[0].name
    points: Annotated[int, Field(ge=2, le=2_000, description="Of the lines, at most")] = 250

    @model_validator(mode="after")
    def _is_quick(self) -> Self:
        scenario = self.scenario
        if isinstance(scenario, Scenario) and scenario.paths * scenario.years > MOST_PATH_YEARS:
            msg = (
                f"scenario: {scenario.paths} paths of {scenario.years} years take too long at once; "
                f"expected at most {MOST_PATH_YEARS} paths times years, or a job"
            )
            raise ValueError(msg)
        return self


class Lines(Frozen):
    """Day by day, thinned out: wealth at the end of each stretch, from 1 on, and the deepest fall within it."""

    dates: tuple[date, ...]
    wealth: dict[Subject, tuple[float, ...]]
    drawdown: dict[Subject, tuple[float, ...]]
    """Fall from the highest wealth so far, a positive fraction."""
    weight: tuple[float, ...]
    """Risky weight of the strategy."""


class Today(Frozen):
    """After the last close. It uses the latest prices, the locked days among them, and evaluates nothing on them."""

    as_of: date
    weight: float
    volatility: float
    """Of the risky asset in the weeks before, a year."""


class Warned(Frozen):
    code: Caution
    message: str


class DetailedEvaluation(QuickEvaluation):
    lines: Lines
    today: Today
    cautions: tuple[Warned, ...]
    """The warnings in words."""
