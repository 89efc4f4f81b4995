"""The embedded planner: fixed rules behind the interface of a chat model; it is not a language model.

It drives the agents through the tool calls that a language model would make: it reads the tools' results from the
conversation and answers through the structured-output tool. All comparisons that it uses are made by tools.
"""

# ruff: noqa: ARG002  (the arguments are the interface of a chat model)

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import BaseModel

from agents.messages import unfence
from agents.planner.assistant import assistant_calls
from desk.conversation.reply import Reply
from desk.figures.figures import Claim
from desk.figures.guard.claims import Draft
from desk.market.regimes import Direction, RegimeReport
from desk.optimization.answers import Concern, MarketView, RiskAssessment, ScenarioTilt, SearchPlan
from desk.optimization.briefing.mandate_risk import RiskReport
from desk.optimization.briefing.scenario_list import ScenarioCard, ScenarioList
from desk.optimization.briefing.search_status import SearchStatus
from desk.optimization.reading.findings import Findings
from desk.optimization.reading.template import findings_claims
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.family import ACTIVE

PLANNER = "embedded planner (rule-based)"
ASSISTANT = Reply.__name__
"""The answer type of the assistant, whose tool calls depend on the user's message."""

Result = TypeVar("Result", bound=BaseModel)

_TREND: dict[Direction, str] = {
    "rising": "The price stood {{market_trend_distance}} above its mean of the past year.",
    "flat": "The price stood close to its mean of the past year, which shows no trend.",
    "falling": "The price stood {{market_trend_distance}} below its mean of the past year.",
}


class EmbeddedPlanner(BaseChatModel):
    """Rules, not a language model: the same conversation always gets the same answer."""

    name: str | None = PLANNER
    answers_with: str = ""
    """The structured-output tool that is bound; it determines the agent."""

    @property
    def _llm_type(self) -> str:
        return PLANNER

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        names = [_name_of(tool) for tool in tools]
        for name in names:
            if name in ROLES or name == ASSISTANT:
                return self.model_copy(update={"answers_with": name})
        raise ValueError(f"tools: {names} hold no answer of an agent; expected one of {[*ROLES, ASSISTANT]}")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for index, call in enumerate(self._reply(messages).tool_calls):
            chunk = tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[chunk]))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk

    def _reply(self, messages: Sequence[BaseMessage]) -> AIMessage:
        if self.answers_with == ASSISTANT:
            return _calls(*assistant_calls(messages))
        role = ROLES[self.answers_with]
        tools = {name for name, _ in role.tool_calls}
        results = [m for m in messages if isinstance(m, ToolMessage) and m.name in tools]
        if not results:
            return _calls(*role.tool_calls)
        answer = role.answer(results)
        return _calls((self.answers_with, answer.model_dump(mode="json", exclude_defaults=True)))


def _name_of(tool: dict[str, Any] | type | Callable[..., Any] | BaseTool) -> str:
    """The name of a tool given as an object, as OpenAI's function or as Converse's `toolSpec`."""
    if isinstance(tool, BaseTool):
        return tool.name
    if isinstance(tool, dict):
        return tool.get("function", tool.get("toolSpec", tool)).get("name", "")
    return tool.__name__


def _calls(*calls: tuple[str, dict[str, Any]]) -> AIMessage:
    return AIMessage(
        "",
        tool_calls=[{"name": name, "args": args, "id": f"{n}-{name}"} for n, (name, args) in enumerate(calls)],
    )


def _read(messages: Sequence[ToolMessage], tool: str, kind: type[Result]) -> list[Result]:
    return [kind.model_validate_json(unfence(m.text)) for m in messages if m.name == tool and m.status == "success"]


def _assess(results: Sequence[ToolMessage]) -> RiskAssessment:
    asset, constant, rule = _read(results, "assess_risk", RiskReport)
    concerns: list[Concern] = []
    if asset.drawdown_beyond_limit or constant.drawdown_beyond_limit or rule.drawdown_beyond_limit:
        concerns.append("drawdown_limit_tight")
    if constant.value_at_risk_beyond_limit or constant.shortfall_beyond_limit or rule.shortfall_beyond_limit:
        concerns.append("tail_limit_tight")
    if asset.costly:
        concerns.append("cost_limit_tight")
    if asset.target_unreachable:
        concerns.append("target_unreachable")
    if asset.short_history:
        concerns.append("short_history")
    texts = [
        "Held alone, the asset ran at a yearly volatility of {{asset_volatility}} over the training window and fell by "
        "{{asset_drawdown}} at its worst.",
        "A constant weight of {{constant_exposure_average_weight}} would have fallen by "
        "{{constant_exposure_drawdown}}, "
        "the current rule by {{current_rule_drawdown}}.",
    ]
    if "drawdown_limit_tight" in concerns:
        texts.append("The drawdown limit lies inside what this history contains, so it will shape the search.")
    if "target_unreachable" in concerns:
        texts.append("Even the largest weight stays below the target volatility on this history.")
    return RiskAssessment(concerns=tuple(concerns) or ("none",), claims=_claims("risk", texts))


def _view(results: Sequence[ToolMessage]) -> MarketView:
    [market] = _read(results, "read_market", RegimeReport)
    [listing] = _read(results, "list_scenarios", ScenarioList)
    stressed = market.volatility_band == "high"
    calm = market.volatility_band == "low" and not market.in_drawdown
    tilts = tuple(
        tilt for card in listing.scenarios if card.weighted and (tilt := _tilt(card, stressed=stressed, calm=calm))
    )
    texts = [
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
        claims=_claims("market", texts),
    )


def _tilt(card: ScenarioCard, *, stressed: bool, calm: bool) -> ScenarioTilt | None:
    if not (stressed or calm):
        return None
    return ScenarioTilt(scenario=card.name, lean="more" if card.rougher_than_history == stressed else "less")


def _plan(results: Sequence[ToolMessage]) -> SearchPlan:
    status = _read(results, "search_status", SearchStatus)[-1]
    if status.stage == "first":
        text = "The search begins broadly and keeps a part of its trials for what the broad part finds."
        return SearchPlan(
            action="search",
            share="two_thirds",
            candidates=_candidates(status.space),
            claims=_claims("search", [text]),
        )
    if status.stage == "second" and status.best:
        text = "Now the remaining trials go to the surroundings of the best configurations so far."
        return SearchPlan(action="search", focus="around_best", share="all", claims=_claims("search", [text]))
    return SearchPlan(
        action="stop",
        claims=_claims(
            "search",
            ["The surroundings of the best were searched; more trials would mostly add luck."],
        ),
    )


def _candidates(space: SearchSpace) -> tuple[StrategyConfig, ...]:
    """The manager's spreadsheet rule and a risk-control index, if the search space contains their values."""
    strategies: tuple[dict[str, Any], ...] = (
        {"estimator": "rolling", "lookback_days": 252, "rebalancing": "monthly"},
        {"estimator": "ewma_max", "decay": 0.94, "rebalancing": "daily"},
        {"estimator": "rolling", "lookback_days": 21, "rebalancing": "weekly"},
    )
    fits = [w for w in strategies if _in_space(w, space)] if "inverse_vol" in space.weight_functions else []
    fixed = {
        "inner": space.inner[0] if space.inner else None,
        "target_volatility": space.target_volatility[0] if space.target_volatility else None,
    }
    assert not ACTIVE["inverse_vol"]
    return tuple(StrategyConfig(weight_function="inverse_vol", **w, **fixed) for w in fits)


def _in_space(settings: dict[str, Any], space: SearchSpace) -> bool:
    grids = {
        "estimator": space.estimators,
        "lookback_days": space.lookback_days,
        "decay": space.decay,
    }
    grids |= {"rebalancing": space.rebalancing}
    return 0.0 in space.no_trade_band and all(value in grids[name] for name, value in settings.items())


def _explain(results: Sequence[ToolMessage]) -> Draft:
    return Draft(claims=findings_claims(_read(results, "list_figures", Findings)[-1]))


def _claims(section: Any, texts: Sequence[str]) -> tuple[Claim, ...]:
    return tuple(Claim(section=section, text=text) for text in texts)


@dataclass(frozen=True)
class Role:
    """The tool calls of the planner as one agent, and how it answers from their results."""

    tool_calls: tuple[tuple[str, dict[str, Any]], ...]
    answer: Callable[[Sequence[ToolMessage]], BaseModel]


ROLES: dict[str, Role] = {
    "RiskAssessment": Role(
        tuple(("assess_risk", {"subject": s}) for s in ("asset", "constant_exposure", "current_rule")),
        _assess,
    ),
    "MarketView": Role((("read_market", {}), ("list_scenarios", {"which": "all"})), _view),
    "SearchPlan": Role((("search_status", {}),), _plan),
    "Draft": Role((("list_figures", {}),), _explain),
}
"""By the structured-output tool of each agent."""
