"""The embedded planner, with results of the real tools."""

import asyncio
import json
from typing import TypeVar

import pytest
from langchain_core.messages import HumanMessage, ToolMessage

from agents.build import build
from agents.embedded_planner import AGENT_OF_ANSWER, PLANNER, EmbeddedPlanner
from agents.models.factory import single_model
from agents.table import OPTIMIZATION_AGENTS
from desk.figures.guard.claims import Draft, check
from desk.market.bundled import BundledPrices
from desk.market.regimes import RegimeReport
from desk.optimization.answers import MarketView, RiskAssessment, SearchPlan
from desk.optimization.briefing.mandate_risk import RiskReport, risk_figures
from desk.optimization.briefing.scenario_list import ScenarioCard, ScenarioList, scenario_figures
from desk.optimization.briefing.search_status import BestOf, SearchStatus
from desk.optimization.briefing.training_regime import regime_report
from desk.optimization.inputs.market_data import build_market
from desk.optimization.request import OptimizationRequest
from quant.numeric.frozen import Frozen
from quant.strategies.config import SearchSpace, StrategyConfig

Answer = TypeVar("Answer", bound=Frozen)

CALM = RegimeReport(volatility_band="low", trend="rising", in_drawdown=False, figures=())
SCENARIOS = ScenarioList(
    scenarios=(
        ScenarioCard(name="rough", rougher_than_history=True, losing=True, weighted=True, figures=()),
        ScenarioCard(name="smooth", rougher_than_history=False, losing=False, weighted=True, figures=()),
        ScenarioCard(name="idle", rougher_than_history=True, losing=False, weighted=False, figures=()),
    )
)


def risk(**flags: bool) -> RiskReport:
    quiet = dict.fromkeys(
        (
            "drawdown_beyond_limit",
            "value_at_risk_beyond_limit",
            "shortfall_beyond_limit",
            "costly",
            "target_unreachable",
            "short_history",
        ),
        False,
    )
    return RiskReport(subject="asset", figures=(), **quiet | flags)


def status(stage, space: SearchSpace | None = None) -> SearchStatus:
    config = StrategyConfig(weight_function="inverse_vol", lookback_days=63)
    best = () if stage == "first" else (BestOf(weight_function="inverse_vol", trial="0", config=config),)
    return SearchStatus(stage=stage, tried=0, left=100, best=best, space=space or SearchSpace(), figures=())


def ask(answer: type[Answer], *results: tuple[str, Frozen]) -> Answer:
    model = EmbeddedPlanner(answers_with=answer.__name__)
    messages = [ToolMessage(r.model_dump_json(), name=n, tool_call_id=str(i)) for i, (n, r) in enumerate(results)]
    [call] = model.invoke([HumanMessage("Go."), *messages]).tool_calls
    assert call["name"] == answer.__name__
    return answer.model_validate_json(json.dumps(call["args"]))


def test_the_name_denies_that_it_is_a_language_model() -> None:
    assert EmbeddedPlanner().get_name() == PLANNER == "embedded planner (rule-based)"
    assert EmbeddedPlanner()._llm_type == PLANNER


@pytest.mark.parametrize("name", OPTIMIZATION_AGENTS)
def test_the_planner_calls_tools_and_arguments_that_the_agent_has(name: str) -> None:
    tools = build(OPTIMIZATION_AGENTS[name], single_model(EmbeddedPlanner()).common).tools
    calls = EmbeddedPlanner(answers_with=OPTIMIZATION_AGENTS[name].answer.__name__).invoke("Go.").tool_calls
    assert calls
    for call in calls:
        assert set(call["args"]) == set(tools[call["name"]].args)


@pytest.mark.anyio
@pytest.mark.parametrize("role", [agent.answer.__name__ for agent in OPTIMIZATION_AGENTS.values()])
async def test_a_streamed_answer_equals_the_whole_answer(role: str) -> None:
    model = EmbeddedPlanner(answers_with=role)
    whole = model.invoke("Go.")
    first, *rest = list(model.stream("Go."))
    for chunk in rest:
        first += chunk
    assert first.tool_calls == whole.tool_calls == (await model.ainvoke("Go.")).tool_calls
    assert whole.tool_calls


@pytest.mark.parametrize(
    ("flag", "concern"),
    [
        ("drawdown_beyond_limit", "drawdown_limit_tight"),
        ("shortfall_beyond_limit", "tail_limit_tight"),
        ("costly", "cost_limit_tight"),
        ("target_unreachable", "target_unreachable"),
        ("short_history", "short_history"),
    ],
)
def test_the_risk_manager_names_what_a_comparison_shows(flag: str, concern: str) -> None:
    reports = [("assess_risk", risk(**{flag: True}))] * 3
    assert ask(RiskAssessment, *reports).concerns == (concern,)
    assert ask(RiskAssessment, *[("assess_risk", risk())] * 3).concerns == ("none",)


@pytest.mark.parametrize(
    ("band", "regime", "leans"),
    [
        ("low", "calm", {"rough": "less", "smooth": "more"}),
        ("middle", "normal", {}),
        ("high", "stressed", {"rough": "more", "smooth": "less"}),
    ],
)
def test_the_analyst_leans_with_the_regime(band, regime, leans) -> None:
    report = CALM.model_copy(update={"volatility_band": band})
    view = ask(MarketView, ("read_market", report), ("list_scenarios", SCENARIOS))
    assert (view.regime, view.trend) == (regime, "rising")
    assert {tilt.scenario: tilt.lean for tilt in view.tilts} == leans


def test_the_optimizer_searches_broadly_then_around_the_best_then_stops() -> None:
    first, second, third = (ask(SearchPlan, ("search_status", status(stage))) for stage in ("first", "second", "later"))
    assert (first.action, first.focus, first.share) == ("search", "broad", "two_thirds")
    assert (second.action, second.focus, second.share) == ("search", "around_best", "all")
    assert third.action == "stop"
    assert [(c.estimator, c.lookback_days, c.decay) for c in first.candidates] == [
        ("rolling", 252, None),
        ("ewma_max", None, 0.94),
        ("rolling", 21, None),
    ]


def test_candidates_come_from_the_space_only() -> None:
    narrow = SearchSpace(weight_functions=("inverse_vol",), estimators=("rolling",), lookback_days=(21, 42))
    assert [c.lookback_days for c in ask(SearchPlan, ("search_status", status("first", narrow))).candidates] == [21]
    without = SearchSpace(weight_functions=("sigmoid",))
    assert ask(SearchPlan, ("search_status", status("first", without))).candidates == ()


def test_no_claim_of_its_own_rules_is_ever_refused() -> None:
    answers = [
        ask(RiskAssessment, *[("assess_risk", risk(drawdown_beyond_limit=True, target_unreachable=True))] * 3),
        *(
            ask(
                MarketView,
                ("read_market", CALM.model_copy(update={"volatility_band": band})),
                ("list_scenarios", SCENARIOS),
            )
            for band in ("low", "middle", "high")
        ),
        *(ask(SearchPlan, ("search_status", status(stage))) for stage in ("first", "second", "later")),
    ]
    request = OptimizationRequest()
    market = build_market(asyncio.run(BundledPrices().load("sp500")), request)
    figures = (*risk_figures(market, request), *regime_report(market).figures, *scenario_figures(request.scenarios))
    assert [check(claim, figures) for answer in answers for claim in answer.claims if check(claim, figures)] == []
    assert Draft.__name__ in AGENT_OF_ANSWER
