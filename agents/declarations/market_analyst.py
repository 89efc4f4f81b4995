"""The market analyst judges the regime and tilts the probabilities of the scenarios."""

from collections.abc import Sequence

from agents.declaration import Declaration, ToolCall, ToolOutput, claims_of, read_outputs
from desk.market.regimes import Direction, RegimeReport
from desk.optimization.answers import MarketView, ScenarioTilt
from desk.optimization.briefing.scenario_list import ScenarioCard, ScenarioList

_TREND: dict[Direction, str] = {
    "rising": "The price stood {{market_trend_distance}} above its mean of the past year.",
    "flat": "The price stood close to its mean of the past year, which shows no trend.",
    "falling": "The price stood {{market_trend_distance}} below its mean of the past year.",
}


def _tools():
    from tools.regime import read_market
    from tools.scenarios import list_scenarios

    return [read_market, list_scenarios]


def _rule(_: str, outputs: Sequence[ToolOutput]) -> MarketView | list[ToolCall]:
    if not outputs:
        return [("read_market", {}), ("list_scenarios", {"which": "all"})]
    [market] = read_outputs(outputs, "read_market", RegimeReport)
    [listing] = read_outputs(outputs, "list_scenarios", ScenarioList)
    stressed = market.volatility_band == "high"
    calm = market.volatility_band == "low" and not market.in_drawdown
    tilts = tuple(
        tilt for card in listing.scenarios if card.weighted and (tilt := _tilt(card, stressed=stressed, calm=calm))
    )
    texts = [
        "This regime is that of {{market_day}}, the last day of the training window, and not of the day of the trade.",
        "At the end of the training window volatility stood at {{market_current_volatility}}; the share of its months "
        "that had been calmer is {{market_volatility_percentile}}.",
        _TREND[market.trend],
        "The price was {{market_current_drawdown}} below its peak.",
        "Volatility persists, so rough scenarios deserve more weight than by default and calm scenarios less."
        if stressed
        else "Volatility persists, so calm scenarios deserve more weight than by default and rough scenarios less."
        if calm
        else "Nothing in the regime calls for leaning away from the default probabilities.",
    ]
    return MarketView(
        regime="stressed" if stressed else "calm" if calm else "normal",
        trend=market.trend,
        tilts=tilts,
        claims=claims_of("market", texts),
    )


def _tilt(card: ScenarioCard, *, stressed: bool, calm: bool) -> ScenarioTilt | None:
    if not (stressed or calm):
        return None
    return ScenarioTilt(scenario=card.name, lean="more" if card.rougher_than_history == stressed else "less")


AGENT = Declaration(
    name="market_analyst",
    task="regime and scenarios",
    works_in="optimization",
    start_share=0.05,
    tools=_tools,
    answer=MarketView,
    max_tool_calls=6,
    max_model_calls=6,
    absence="the default probabilities were used",
    interruption="market analyst had answered: the default probabilities stand in place of its view",
    rule=_rule,
)
