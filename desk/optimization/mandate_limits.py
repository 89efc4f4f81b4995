"""The limits of a mandate, one table: the metric that each bounds, its name, unit and the wish that sets it.

The fields of a request are `desk.optimization.request.Limits`; `desk.optimization.limits` checks them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from desk.figures.figures import Unit
from desk.optimization.request import Limit, LimitName
from quant.numeric.units import BASIS_POINTS
from quant.strategies.mandate import Mandate
from quant.strategies.metrics import Metrics

LimitUnit: TypeAlias = Literal["probability", "percent", "bps", "multiple"]


@dataclass(frozen=True, kw_only=True)
class MandateLimit:
    """One row of the table."""

    metric: str
    """The metric whose value is bounded, a row of `METRICS`."""
    label: str
    name: str
    """In a sentence, after "the"."""
    wish: str | None
    """Field of a conversation's wish that sets it."""
    unit: LimitUnit
    """Of the statistic; a probability is bounded by what the mandate tolerates instead of by the bound itself."""
    figure_unit: Unit
    scale: float = 1.0
    """The statistic is the metric times this."""
    around: Literal["target_volatility"] | None = None
    """Field of the mandate from which the statistic is the distance of the metric."""

    def statistic(self, metrics: Metrics, mandate: Mandate) -> float:
        """Value that the limit bounds."""
        value = getattr(metrics, self.metric).value * self.scale
        return value if self.around is None else abs(value - getattr(mandate, self.around))

    def allowed(self, limit: Limit) -> float:
        """Largest value of the statistic that `limit` allows."""
        return limit.tolerated if self.unit == "probability" else limit.bound


LIMITS: Final[Mapping[LimitName, MandateLimit]] = {
    "max_drawdown": MandateLimit(
        metric="drawdown_breach",
        label="Maximum drawdown",
        name="drawdown limit",
        wish="max_drawdown",
        unit="probability",
        figure_unit="probability",
    ),
    "value_at_risk": MandateLimit(
        metric="value_at_risk",
        label="Value at risk, 95%, 21 sessions",
        name="value-at-risk limit",
        wish="value_at_risk",
        unit="percent",
        figure_unit="percent",
    ),
    "expected_shortfall": MandateLimit(
        metric="expected_shortfall",
        label="Expected shortfall, 95%, 21 sessions",
        name="expected-shortfall limit",
        wish="expected_shortfall",
        unit="percent",
        figure_unit="percent",
    ),
    "turnover": MandateLimit(
        metric="turnover",
        label="Turnover a year",
        name="turnover limit",
        wish="max_turnover",
        unit="multiple",
        figure_unit="percent",
    ),
    "cost_bps": MandateLimit(
        metric="cost",
        label="Cost a year",
        name="cost limit",
        wish="max_cost",
        unit="bps",
        figure_unit="bps",
        scale=BASIS_POINTS,
    ),
    "leverage": MandateLimit(
        metric="largest_weight",
        label="Leverage",
        name="leverage limit",
        wish="max_leverage",
        unit="multiple",
        figure_unit="weight",
    ),
    "volatility_error": MandateLimit(
        metric="volatility",
        label="Distance from target volatility",
        name="limit on the distance from target volatility",
        wish=None,
        unit="percent",
        figure_unit="percent",
        around="target_volatility",
    ),
}


def limit_label(name: LimitName) -> str:
    return f"the {LIMITS[name].name}"
