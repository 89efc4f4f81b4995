"""The metrics of a configuration, one table: label, unit, direction, definition, formula and words of each.

A metric is added here: a field of `Metrics` with its `Metric`. Its formula is over the accounts of one path; the kernel
compiles it, and it serves a history too. A metric that needs another sum over days adds it to `PathSums` and to the
accounts of `quant.strategies.kernel`. One that is no mean over paths has a function in
`quant.strategies.simulation.OVER_PATHS`; one that only a goal needs is marked as `for_a_goal` and computed by
`quant.strategies.own_benchmark` or `quant.strategies.goal`; one that has a standard error or another estimator
on history has one in `quant.strategies.history_metrics.ON_HISTORY`. Evaluations, pages of trials, figures, reports,
exports, the guard's phrases and the tables of a conversation iterate `METRICS`.

The statistics of a tear sheet, `quant.performance.statistics.STATISTICS`, describe any return series, of any
frequency and without paths or weights; those of the same name have the same label and unit.

The bounds of a mandate are a table of their own, `desk.optimization.mandate_limits.LIMITS`: each names the metric that
it bounds.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured
from quant.numeric.units import DAYS
from quant.strategies.config import LOCKED_DAYS

Unit: TypeAlias = Literal["percent", "ratio", "weight", "bps", "probability"]
"""How a value is shown; it is stored as a fraction (a ratio for `ratio`), `bps` too."""
Place: TypeAlias = Literal["winner", "evaluation", "holdout", "scenarios", "benchmarks", "comparison", "briefing"]
"""Where some metrics are shown: the figures of a result's winner, a quick evaluation, the opened holdout, the scenarios
and the benchmarks of a report, the comparison of two results, and the briefing of the risk manager. Trials, client
frames and exports have all of them."""


class PathSums(NamedTuple):
    """Accounts of one path at its end."""

    days: float
    """Scored sessions."""
    risk_aversion: float
    drawdown_limit: float
    """Of the mandate; 0 for none."""
    mean: float
    """Of the daily excess returns, net of costs."""
    variance: float
    """Of the same, divided by days - 1."""
    wealth: float
    """Cash included; 1 at the start."""
    deepest: float
    """Largest fall of wealth from its peak."""
    weight: float
    """Mean of the daily risky weights."""
    squared_weight: float
    """Mean of their squares."""
    largest_weight: float
    traded: float
    """Sum of one-way turnover."""
    charged: float
    """Sum of transaction costs and borrowing charges."""
    longest_idle: float
    """Longest run of sessions in cash."""
    exp: Callable[[float], float]
    log: Callable[[float], float]
    """Exponential and logarithm with the same bits on every machine."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row of the table."""

    label: str
    """Heading of a column."""
    unit: Unit
    definition: str
    quantity: str
    """What a figure of it measures, in a sentence: "deepest fall", followed by "of the winner"."""
    gloss: str = ""
    """The quantity in plain words, in apposition to it."""
    better: Literal["higher", "lower"] | None = None
    """Which of two values a manager prefers, all else equal; None where neither."""
    path: Callable[[PathSums], float] | None = None
    """Value of one path; None for a metric of all paths together."""
    for_a_goal: bool = False
    """Whether it is there only where the goal of a search needs it."""
    concept: str = ""
    """What the guard calls the quantity; metrics of one concept share its words."""
    words: str = ""
    """Phrases that speak of the concept, separated by commas; `*` ends a stem, `>` requires a number before."""
    signed: bool = False
    """Whether a value is shown with its sign and two decimals."""
    short: str = ""
    """Name in the figures of a comparison and a briefing, where it is another one."""
    shown: frozenset[Place] = frozenset()

    @property
    def glossed_quantity(self) -> str:
        """The quantity with its gloss."""
        return f"{self.quantity}, {self.gloss}," if self.gloss else self.quantity

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "description": f"{self.label}: {self.definition}"}


def _shown(*places: Place) -> frozenset[Place]:
    return frozenset(places)


Added: TypeAlias = Annotated[Measured | None, Field(default=None, exclude_if=lambda value: value is None)]
"""Type of a metric that older stored results lack: they open without it and keep their digests."""


class Metrics(Frozen):
    """Annual fractions unless the name says otherwise; losses, drawdowns and costs are positive.

    In a simulation `value` is the mean over paths and `error` its deviation over paths / sqrt(paths).
    On history there is one path and `error` comes from the daily series, where a formula is known.
    """

    utility: Annotated[
        Measured,
        Metric(
            label="Utility",
            unit="percent",
            definition="certainty equivalent a year: 252 mean(x) - gamma / 2 * 252 var(x), with x the daily excess "
            "return net of costs and gamma the risk aversion",
            quantity="utility",
            better="higher",
            path=lambda path: DAYS * path.mean - 0.5 * path.risk_aversion * DAYS * path.variance,
            concept="utility",
            words="utility, certainty equivalent, objective",
            signed=True,
            shown=_shown("holdout", "scenarios", "benchmarks"),
        ),
    ]
    excess_return: Annotated[
        Measured,
        Metric(
            label="Return over cash",
            unit="percent",
            definition="252 mean(x), with x the daily excess return net of costs",
            quantity="return over cash",
            better="higher",
            path=lambda path: DAYS * path.mean,
            concept="return",
            words="return, returns, returned, lost, rose, made",
            signed=True,
            shown=_shown("holdout"),
        ),
    ]
    geometric_return: Annotated[
        Measured,
        Metric(
            label="Growth a year",
            unit="percent",
            definition="yearly growth of wealth, cash included, net of costs",
            quantity="geometric yearly return",
            gloss="its growth",
            better="higher",
            path=lambda path: path.exp(DAYS / path.days * path.log(path.wealth)) - 1.0,
            concept="return",
            signed=True,
            shown=_shown("evaluation"),
        ),
    ]
    volatility: Annotated[
        Measured,
        Metric(
            label="Volatility",
            unit="percent",
            definition="sqrt(252 var(x)), with x the daily excess return",
            quantity="yearly volatility",
            path=lambda path: math.sqrt(DAYS * path.variance),
            concept="volatility",
            words="volatility, volatile, standard deviation, fluctuat*",
            shown=_shown("winner", "evaluation", "holdout", "scenarios", "benchmarks", "comparison", "briefing"),
        ),
    ]
    sharpe: Annotated[
        Measured,
        Metric(
            label="Sharpe ratio",
            unit="ratio",
            definition="mean over paths of mean(x) / deviation(x) * sqrt(252), with x the daily excess return",
            quantity="Sharpe ratio",
            better="higher",
            # a rule that never left cash has rounding errors for excess returns, and no Sharpe ratio
            path=lambda path: path.mean / math.sqrt(path.variance) * math.sqrt(DAYS) if path.variance > 1e-20 else 0.0,
            concept="Sharpe ratio",
            words="sharpe ratio, sharpe",
            shown=_shown("winner", "evaluation", "holdout", "scenarios", "benchmarks"),
        ),
    ]
    sharpe_pooled: Annotated[
        Measured,
        Metric(
            label="Sharpe ratio, pooled",
            unit="ratio",
            definition="the Sharpe ratio over all days of all paths together",
            quantity="Sharpe ratio over all paths together",
            better="higher",
            concept="Sharpe ratio",
        ),
    ]
    max_drawdown: Annotated[
        Measured,
        Metric(
            label="Maximum drawdown",
            unit="percent",
            definition="deepest fall of wealth from its peak, mean over paths",
            quantity="deepest fall",
            better="lower",
            path=lambda path: path.deepest,
            concept="drawdown",
            words="drawdown*, maximum drawdown, max drawdown, loss of, worst loss, largest loss, deepest loss, fall, "
            "falls, fell, fallen, decline*, below its peak, from the peak, from its peak, trough",
            short="drawdown",
            shown=_shown("winner", "evaluation", "holdout", "scenarios", "comparison", "briefing"),
        ),
    ]
    max_drawdown_p80: Annotated[
        Measured,
        Metric(
            label="Maximum drawdown, four paths of five",
            unit="percent",
            definition="deepest fall that four paths of five stay within",
            quantity="deepest fall that most paths stay within",
            better="lower",
            concept="drawdown",
        ),
    ]
    value_at_risk: Annotated[
        Measured,
        Metric(
            label="Value at risk, 95%, 21 sessions",
            unit="percent",
            definition="95% loss over 21 sessions",
            quantity="value at risk",
            gloss="the loss over a month at the usual confidence",
            better="lower",
            concept="value at risk",
            words="value at risk, value-at-risk, var",
            shown=_shown("winner", "briefing"),
        ),
    ]
    expected_shortfall: Annotated[
        Measured,
        Metric(
            label="Expected shortfall, 95%, 21 sessions",
            unit="percent",
            definition="mean loss beyond value at risk",
            quantity="expected shortfall",
            gloss="the mean loss beyond value at risk",
            better="lower",
            concept="shortfall",
            words="expected shortfall, shortfall, cvar, conditional value at risk, average loss, tail loss, "
            "mean loss beyond, loss beyond",
            short="shortfall",
            shown=_shown("winner", "briefing"),
        ),
    ]
    turnover: Annotated[
        Measured,
        Metric(
            label="Turnover a year",
            unit="percent",
            definition="one-way turnover a year, as a share of wealth",
            quantity="yearly one-way turnover, as a share of wealth",
            better="lower",
            path=lambda path: path.traded * DAYS / path.days,
            concept="turnover",
            words="turnover, trades",
            shown=_shown("winner", "evaluation"),
        ),
    ]
    average_weight: Annotated[
        Measured,
        Metric(
            label="Average weight",
            unit="weight",
            definition="mean of the daily risky weight",
            quantity="average risky weight",
            path=lambda path: path.weight,
            concept="weight",
            words="weight, weights, exposure, allocation, constant weight of, equity share, invested share, "
            "rule holds, strategy holds, portfolio holds, >in equities, >in stocks, >in the risky asset",
            shown=_shown("winner", "evaluation", "briefing"),
        ),
    ]
    weight_volatility: Annotated[
        Measured,
        Metric(
            label="Deviation of the weight",
            unit="weight",
            definition="root of the mean squared distance of the daily risky weight from its mean",
            quantity="deviation of the risky weight",
            path=lambda path: math.sqrt(max(path.squared_weight - path.weight * path.weight, 0.0)),
            concept="weight",
        ),
    ]
    largest_weight: Annotated[
        Measured,
        Metric(
            label="Largest weight",
            unit="weight",
            definition="largest daily risky weight",
            quantity="largest risky weight",
            path=lambda path: path.largest_weight,
            concept="weight",
            shown=_shown("winner"),
        ),
    ]
    cost: Annotated[
        Measured,
        Metric(
            label="Costs a year",
            unit="bps",
            definition="transaction costs and borrowing charges a year, as a fraction of wealth",
            quantity="yearly costs",
            better="lower",
            path=lambda path: path.charged * DAYS / path.days,
            concept="cost of trading",
            words="cost, costs, costly, drag, friction*, expense*, charge, charges, fee, fees, trading cheaply",
            shown=_shown("winner", "evaluation"),
        ),
    ]
    loss_probability: Annotated[
        Measured,
        Metric(
            label="Probability of loss",
            unit="probability",
            definition="share of paths that end below their start",
            quantity="probability of an end below the start",
            better="lower",
            path=lambda path: 1.0 if path.wealth < 1.0 else 0.0,
            concept="probability",
            words="probability, chance, likelihood",
        ),
    ]
    drawdown_breach: Annotated[
        Measured,
        Metric(
            label="Probability of breaking the drawdown limit",
            unit="probability",
            definition="share of paths whose drawdown exceeds the mandate's limit; 0 where there is none",
            quantity="probability of a drawdown beyond the limit",
            better="lower",
            path=lambda path: 1.0 if path.drawdown_limit > 0.0 and path.deepest > path.drawdown_limit else 0.0,
            concept="probability",
        ),
    ]
    locked_in_cash: Annotated[
        Measured,
        Metric(
            label="Probability of being locked in cash",
            unit="probability",
            definition="share of paths with 63 sessions in a row below 1% risky weight; counted for rules that look at "
            "their own wealth: `cppi`, `tipp` and `drawdown_control`",
            quantity="probability of being locked in cash",
            better="lower",
            path=lambda path: 1.0 if path.longest_idle >= LOCKED_DAYS else 0.0,
            concept="probability",
        ),
    ]
    benefit: Annotated[
        Added,
        Metric(
            label="Utility over the own benchmark",
            unit="percent",
            definition="utility less that of the constant weight of the same volatility on the same paths or days, "
            "rebalanced monthly, net of costs; computed for the goal benefit. Its error takes the two as independent, "
            "which is too large",
            quantity="utility over its own benchmark",
            gloss="the constant weight of its own volatility",
            better="higher",
            for_a_goal=True,
            concept="utility",
            signed=True,
            shown=_shown("winner"),
        ),
    ] = None
    calmar: Annotated[
        Added,
        Metric(
            label="Calmar ratio",
            unit="ratio",
            definition="growth a year over maximum drawdown, of the means over paths; computed for the goal calmar. "
            "Its error is an upper bound",
            quantity="Calmar ratio",
            better="higher",
            for_a_goal=True,
            concept="Calmar ratio",
            words="calmar ratio, calmar",
            shown=_shown("winner"),
        ),
    ] = None
    volatility_error: Annotated[
        Added,
        Metric(
            label="Error of the target volatility",
            unit="percent",
            definition="root mean squared distance of a path's yearly volatility from the target of the mandate; "
            "computed for the goal volatility_error",
            quantity="distance of yearly volatility from the target",
            better="lower",
            for_a_goal=True,
            concept="volatility",
            shown=_shown("winner"),
        ),
    ] = None

    def gain(self, name: str) -> float:
        """Value of a metric; its negative if lower is better."""
        measured: Measured = getattr(self, name)
        return -measured.value if METRICS[name].better == "lower" else measured.value

    def error_of(self, name: str) -> float:
        """Standard error of a metric; 0 if it is unknown."""
        measured: Measured = getattr(self, name)
        return measured.error or 0.0

    def measured(self) -> Iterator[tuple[str, Metric, Measured]]:
        """Name, row and value of each metric that is there."""
        for name, row in METRICS.items():
            value: Measured | None = getattr(self, name)
            if value is not None:
                yield name, row, value


METRICS: Final[Mapping[str, Metric]] = {
    name: row for name, field in Metrics.model_fields.items() for row in field.metadata if isinstance(row, Metric)
}
"""The row of each metric, by the name of its field."""


def metrics_shown(place: Place) -> dict[str, Metric]:
    """The rows that are shown in `place`, in the order of the table."""
    return {name: row for name, row in METRICS.items() if place in row.shown}
