"""Risk on the training window of the asset, a constant weight or the current rule, compared with the limits."""

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from desk.figures.figures import Figure
from desk.figures.metric_figures import metric_figures
from desk.market.regimes import volatility
from desk.optimization.request import Limit, OptimizationRequest
from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured
from quant.numeric.units import DAYS
from quant.strategies.metrics import Metric, Metrics

if TYPE_CHECKING:
    from desk.optimization.inputs.market_data import Market

Subject: TypeAlias = Literal["asset", "constant_exposure", "current_rule"]

LONG_HISTORY = 20 * DAYS
"""Sessions below which the training window holds few crises."""
_LABEL: dict[Subject, str] = {
    "asset": "the risky asset alone",
    "constant_exposure": "the constant weight that matches the target volatility",
    "current_rule": "the current rule",
}


class RiskReport(Frozen):
    """Risk of one rule on the training window; comparisons are made by code."""

    subject: Subject
    figures: tuple[Figure, ...]
    drawdown_beyond_limit: bool
    value_at_risk_beyond_limit: bool
    shortfall_beyond_limit: bool
    costly: bool
    """Whether a cost limit is below one percent a year, or a turnover limit below one."""
    target_unreachable: bool
    """Whether even the largest weight stays below the target volatility."""
    short_history: bool


def risk_report(market: "Market", request: OptimizationRequest, subject: Subject) -> RiskReport:
    from desk.optimization.evaluation import World  # imports numba, which the list of tools does not need

    world = World(market, request)
    asset = volatility(market.asset[market.train])
    match subject:
        case "asset":
            config = world.constant(1.0)
        case "constant_exposure":
            mandate = request.mandate
            weight = min(max(mandate.target_volatility / asset, mandate.min_weight), mandate.max_weight)
            config = world.constant(weight)
        case "current_rule":
            config = request.current_rule
    replayed = world.replay([config], end=market.train.stop)
    evaluation = world.on_history(config, replayed.series[0], market.train)
    metrics, limits = evaluation.metrics, request.limits
    return RiskReport(
        subject=subject,
        figures=_figures(subject, metrics),
        drawdown_beyond_limit=_beyond(metrics.max_drawdown, limits.max_drawdown),
        value_at_risk_beyond_limit=_beyond(metrics.value_at_risk, limits.value_at_risk),
        shortfall_beyond_limit=_beyond(metrics.expected_shortfall, limits.expected_shortfall),
        costly=_tight(limits.cost_bps, 100.0) or _tight(limits.turnover, 1.0),
        target_unreachable=request.mandate.max_weight * asset < request.mandate.target_volatility,
        short_history=evaluation.days < LONG_HISTORY,
    )


def risk_figures(market: "Market", request: OptimizationRequest) -> tuple[Figure, ...]:
    """Every figure that the risk manager may refer to."""
    return tuple(f for subject in get_args(Subject) for f in risk_report(market, request, subject).figures)


def _beyond(statistic: Measured, limit: Limit | None) -> bool:
    return limit is not None and statistic.value > limit.bound


def _tight(limit: Limit | None, bound: float) -> bool:
    return limit is not None and limit.bound < bound


def _figures(subject: Subject, metrics: Metrics) -> tuple[Figure, ...]:
    return tuple(
        Figure(
            id=f"{subject}_{figure.row.short or figure.name}",
            quantity=f"{_quantity(figure.row, _LABEL[subject])}, training window",
            value=figure.value.value,
            unit=figure.unit,
            source=f"assess_risk.{subject}.{figure.row.short or figure.name}",
        )
        for figure in metric_figures(metrics, "briefing")
    )


def _quantity(row: Metric, label: str) -> str:
    definition = f": the {row.definition}" if row.gloss else ""
    return f"{row.quantity} of {label}{definition}"
