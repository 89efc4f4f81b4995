"""No tool of the assistant reads a day of the locked holdout."""

import asyncio
from dataclasses import replace

import pytest

from desk.market.prices import PriceSource
from desk.portfolios.allocations import compare_allocations
from desk.portfolios.market_regimes import analyse_market
from desk.portfolios.risk import assess
from desk.strategies.evaluation import run_evaluation
from desk.strategies.evaluation_schemas import QuickEvaluation
from desk.strategies.templates import StrategyValues, build_rule
from desk.wealth.projection import simulate
from desk.wealth.savings_plan import SavingsPlan
from quant.worlds.scenario import BUILT_IN
from tests.doubles.price_source import FixedPrices

SEEDED = BUILT_IN[0].model_copy(update={"engine": "bootstrap"})
INDEX = SavingsPlan(holdings={"sp500": 1.0}, scenario=SEEDED, paths=200, years=2)
STOCKS = SavingsPlan(holdings={"AAPL": 0.5, "sp500": 0.5}, paths=200, years=2)
TREND = build_rule(StrategyValues(template="trend_overlay"))


async def evaluate(source: PriceSource) -> QuickEvaluation:
    return (await run_evaluation(source, TREND)).evaluation


QUESTIONS = {
    "risk": lambda source: assess(source, {"AAPL": 0.5, "sp500": 0.3, "cash": 0.2}),
    "allocations": lambda source: compare_allocations(source, ("AAPL", "JNJ", "sp500")),
    "regime": lambda source: analyse_market(source, ("AAPL", "sp500")),
    "wealth of an index": lambda source: simulate(source, INDEX),
    "wealth of stocks": lambda source: simulate(source, STOCKS),
    "one strategy": evaluate,
}


@pytest.fixture(scope="module")
def last_shown(world) -> int:
    """Row of the close that the last shown return ends with."""
    return world.market.validate.stop


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_other_prices_in_the_holdout_change_no_figure(prices, stocks, bend_prices, last_shown, question) -> None:
    figures = [
        asyncio.run(question(FixedPrices({"sp500": one, "stocks": several}))).figures
        for one, several in (
            (prices, stocks),
            (bend_prices(prices, last_shown + 1), bend_prices(stocks, last_shown + 1)),
        )
    ]
    assert figures[0] == figures[1]


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_other_prices_before_it_change_some(prices, stocks, last_shown, question) -> None:
    def change_closes(prices, row):
        closes = prices.closes.copy()
        closes[row:] *= 0.9
        return replace(prices, closes=closes)

    row = last_shown // 2
    figures = [
        asyncio.run(question(FixedPrices({"sp500": one, "stocks": several}))).figures
        for one, several in ((prices, stocks), (change_closes(prices, row), change_closes(stocks, row)))
    ]
    assert figures[0] != figures[1]
