"""Claims of the embedded planner before a search, with the figures that they may reference."""

from collections.abc import Iterator

from langchain_core.messages import HumanMessage, ToolMessage

from agents.embedded_planner import EmbeddedPlanner
from desk.figures.figures import Claim, Figure
from desk.optimization.briefing.mandate_risk import risk_figures, risk_report
from desk.optimization.briefing.scenario_list import scenario_figures, scenario_list
from desk.optimization.briefing.training_regime import regime_report
from desk.optimization.evaluation import World
from quant.numeric.frozen import Frozen

ClaimsWithFigures = tuple[list[Claim], tuple[Figure, ...]]


def risk_claims(world: World) -> ClaimsWithFigures:
    reports = [risk_report(world.market, world.request, s) for s in ("asset", "constant_exposure", "current_rule")]
    tight = [report.model_copy(update={"drawdown_beyond_limit": True}) for report in reports]
    return claims_of("RiskAssessment", *(("assess_risk", r) for r in tight)), risk_figures(world.market, world.request)


def market_claims(world: World) -> Iterator[ClaimsWithFigures]:
    """The analyst's claims for each trend and band of volatility."""
    report, scenarios = regime_report(world.market), scenario_list(world.market, world.request.scenarios)
    for trend, band in (("rising", "low"), ("flat", "middle"), ("falling", "high")):
        in_sample = report.model_copy(update={"trend": trend, "volatility_band": band})
        claims = claims_of("MarketView", ("read_market", in_sample), ("list_scenarios", scenarios))
        yield claims, (*report.figures, *scenario_figures(world.request.scenarios))


def claims_of(role: str, *results: tuple[str, Frozen]) -> list[Claim]:
    messages = [ToolMessage(r.model_dump_json(), name=name, tool_call_id=str(n)) for n, (name, r) in enumerate(results)]
    [call] = EmbeddedPlanner(answers_with=role).invoke([HumanMessage("Go."), *messages]).tool_calls
    return [Claim.model_validate(claim) for claim in call["args"]["claims"]]
