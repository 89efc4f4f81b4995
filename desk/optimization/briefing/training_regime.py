"""Market regime at the end of the training window."""

from typing import TYPE_CHECKING

from desk.figures.figures import Figure
from desk.market.regimes import RegimeReport, regime_of

if TYPE_CHECKING:
    from desk.optimization.inputs.market_data import Market


def regime_report(market: "Market") -> RegimeReport:
    """The regime, with the day on which it stood: years may lie between it and the next trade."""
    report = regime_of(market.asset[market.train], "market", "read_market", "training window")
    day = Figure(
        id="market_day",
        quantity="day of the regime, the last of the training window",
        value=str(market.dates[market.train.stop - 1]),
        unit="date",
        source="read_market.day",
    )
    return report.model_copy(update={"figures": (day, *report.figures)})
