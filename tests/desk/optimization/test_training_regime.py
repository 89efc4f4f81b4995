import asyncio
from datetime import date

from desk.market.bundled import BundledPrices
from desk.optimization.briefing.training_regime import regime_report
from desk.optimization.inputs.market_data import build_market
from desk.optimization.request import OptimizationRequest


def test_the_regime_is_said_with_its_day_the_last_of_the_training_window() -> None:
    prices = asyncio.run(BundledPrices().load("sp500"))
    figures = {figure.id: figure for figure in regime_report(build_market(prices, OptimizationRequest())).figures}
    day = date.fromisoformat(str(figures["market_day"].value))
    returns = prices.dates.size - 1
    assert str(day) == str(prices.dates[round(0.75 * (returns - round(0.2 * returns)))])  # 60, 20 and 20%
    assert figures["market_day"].unit == "date"
