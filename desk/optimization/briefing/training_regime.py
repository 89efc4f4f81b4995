"""Market regime at the end of the training window."""

from typing import TYPE_CHECKING

from desk.market.regimes import RegimeReport, regime_of

if TYPE_CHECKING:
    from desk.optimization.inputs.market_data import Market


def regime_report(market: "Market") -> RegimeReport:
    return regime_of(market.asset[market.train], "market", "read_market", "training window")
