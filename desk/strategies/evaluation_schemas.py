"""Request and response types of the immediate evaluation of one configuration."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Self, TypeAlias, get_args

from pydantic import ConfigDict, Field, create_model, model_validator
from pydantic.fields import FieldInfo

from desk.base.frames import series_frame
from desk.figures.figures import Figure
from desk.optimization.caution_messages import Caution
from desk.optimization.request import BUNDLED_CASH, CASH, Cash, ExchangeRateName, SafeLegName
from desk.strategies.templates import Rule
from quant.numeric.frozen import Frozen
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.mandate import Mandate
from quant.worlds.scenario import BUILT_IN, Scenario

if TYPE_CHECKING:
    import pandas as pd

Subject: TypeAlias = Literal["strategy", "same_volatility", "sixty_forty_cash", "sixty_forty", "equity"]
"""`sixty_forty` is a mix with the bond that is the safe leg, `sixty_forty_cash` one with cash."""


class CurvePoint(Frozen):
    volatility: float
    weight: float


class YearlyReturn(Frozen):
    """Returns of a calendar year; the first and the last may be incomplete."""

    year: int
    strategy: float
    """Return of the strategy, a fraction."""
    sixty_forty_cash: Annotated[float | None, Field(exclude_if=lambda value: value is None)] = None
    """Return of 60% in the risky leg and 40% in cash, a fraction; absent with a bond as the safe leg."""
    sixty_forty: Annotated[float | None, Field(exclude_if=lambda value: value is None)] = None
    """Return of 60% in the risky leg and 40% in the bond, a fraction; absent with cash as the safe leg."""
    equity: float
    """Return of the risky leg held alone, a fraction."""

    @property
    def mixed(self) -> float:
        """Return of 60% in the risky leg and 40% in the safe leg."""
        mixed = self.sixty_forty_cash if self.sixty_forty is None else self.sixty_forty
        assert mixed is not None
        return mixed


class RuleEvaluation(Frozen):
    """Evaluation of one rule on history and in the scenario."""

    subject: Subject
    """Which of the compared rules it is."""
    config: StrategyConfig
    history: Evaluation
    simulated: Evaluation | None = Field(
        description="Null for an estimator that needs ranges or an index, which simulated worlds do not have"
    )


class QuickEvaluation(Frozen):
    """Evaluation of one configuration, which is the first of `held`, and of the rules it is compared with."""

    rule: Rule
    name: str
    universe: str
    safe: Annotated[str, Field(exclude_if=lambda safe: safe == CASH)] = CASH
    """Name of the other leg; absent for cash."""
    scenario: str
    first_day: str
    last_day: str
    held: tuple[RuleEvaluation, ...]
    """The strategy and the rules that it is compared with."""
    curve: tuple[CurvePoint, ...]
    """Weight in a calm, rising market without losses; one point if volatility has no effect."""
    years: tuple[YearlyReturn, ...]
    """Returns by calendar year."""
    warnings: tuple[Caution, ...]
    """Codes of the cautions."""
    caveats: tuple[str, ...]
    figures: tuple[Figure, ...]


class Window(Frozen):
    """Days to evaluate; None leaves that end open."""

    first_day: date | None = None
    """First day; null for the first of the data."""
    last_day: date | None = None
    """Last day; null for the last that is not locked."""

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.first_day and self.last_day and self.first_day >= self.last_day:
            msg = f"first_day {self.first_day} is not before last_day {self.last_day}; expected an earlier one"
            raise ValueError(msg)
        return self


EVERY_DAY = Window()
MAX_PATH_YEARS = 50_000
"""Limit on paths times years of the scenario."""


class EvaluationRequest(Frozen):
    """A configuration and its mandate, which holds the costs."""

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
    window: Annotated[Window, Field(description="Days to evaluate, among those not locked; all by default")] = EVERY_DAY
    scenario: Annotated[
        str | Scenario,
        Field(description="Scenario to simulate: the name of a built-in or own scenario, or a whole one"),
    ] = BUILT_IN[0].name
    volatility_index: Annotated[
        str | None,
        Field(min_length=1, max_length=400, description="Data set of an index such as the VIX, for `implied`"),
    ] = None
    cash: Cash = BUNDLED_CASH
    safe: SafeLegName = CASH
    exchange_rate: ExchangeRateName = None
    points: Annotated[int, Field(ge=2, le=2_000, description="Maximum number of points of each series")] = 250

    @model_validator(mode="after")
    def _is_quick(self) -> Self:
        scenario = self.scenario
        if isinstance(scenario, Scenario) and scenario.paths * scenario.years > MAX_PATH_YEARS:
            msg = (
                f"scenario: {scenario.paths} paths of {scenario.years} years take too long at once; "
                f"expected at most {MAX_PATH_YEARS} paths times years, or a job"
            )
            raise ValueError(msg)
        return self


class Lines(Frozen):
    """Downsampled daily series: wealth at the end of each interval, starting at 1, and its deepest drawdown."""

    dates: tuple[date, ...]
    wealth: dict[Subject, tuple[float, ...]]
    """Wealth by rule, starting at 1."""
    drawdown: dict[Subject, tuple[float, ...]]
    """Drawdown from the highest wealth so far, a positive fraction."""
    weight: tuple[float, ...]
    """Risky weight of the strategy."""

    def to_frame(self) -> "pd.DataFrame":
        """One row per date: `weight` of the strategy, and `wealth.SUBJECT` and `drawdown.SUBJECT` of each subject."""
        wealth = {f"wealth.{subject}": values for subject, values in self.wealth.items()}
        drawdown = {f"drawdown.{subject}": values for subject, values in self.drawdown.items()}
        return series_frame(self.dates, {"weight": self.weight, **wealth, **drawdown})


class Today(Frozen):
    """State after the last close; uses the latest prices, including locked days, but evaluates nothing on them."""

    as_of: date
    """Last day of the prices."""
    weight: float
    """Weight of the risky leg that the strategy wants now."""
    volatility: float
    """Yearly volatility of the risky asset over the latest weeks."""


class CautionMessage(Frozen):
    code: Caution
    """Kind of the caution."""
    message: str
    """The caution, for people."""


class DetailedEvaluation(QuickEvaluation):
    lines: Lines
    today: Today
    cautions: tuple[CautionMessage, ...]
    """Messages for the warnings."""

    def to_frame(self) -> "pd.DataFrame":
        """The table of `lines`."""
        return self.lines.to_frame()


EvaluationField: TypeAlias = Literal[
    "rule",
    "name",
    "universe",
    "scenario",
    "first_day",
    "last_day",
    "held",
    "curve",
    "years",
    "warnings",
    "caveats",
    "figures",
    "lines",
    "today",
    "cautions",
]
"""A field of a `DetailedEvaluation`."""
EVERY_FIELD: frozenset[EvaluationField] = frozenset(get_args(EvaluationField))


def _optional(name: str, field: FieldInfo) -> Any:
    """The field for a type in which it may be absent."""
    description = f"`{name}` of an evaluation; absent unless it is selected"
    return Optional[field.annotation], Field(default=None, description=description)  # noqa: UP045 - of a value


SelectedEvaluation = create_model(
    "SelectedEvaluation",
    __base__=Frozen,
    __doc__="The selected fields of an evaluation; the others are absent.",
    **{name: _optional(name, field) for name, field in DetailedEvaluation.model_fields.items()},
)
