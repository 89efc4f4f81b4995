"""The market analyst judges the regime and tilts the probabilities of the scenarios."""

from agents.build import Agent, build
from agents.models.factory import ModelChain
from desk.optimization.answers import MarketView
from tools.regime import read_market
from tools.scenarios import list_scenarios


def market_analyst(models: ModelChain) -> Agent:
    tools = [read_market, list_scenarios]
    return build("market_analyst", models, tools, MarketView, max_tool_calls=6, max_model_calls=6)
