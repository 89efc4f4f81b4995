"""Overhead of graph, trace, checks and storage per model call, compared with a bare `create_agent` loop."""

import asyncio
import operator
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

import prompts
from agents.build import Agent, build
from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from agents.table import AGENTS
from desk.compute.local import LocalRunner
from desk.figures.figures import Claim, Figure
from desk.figures.guard.claims import violations
from desk.governance.principals import Principal
from desk.market.bundled import BundledPrices
from desk.optimization.answers import Decision, RiskAssessment
from desk.optimization.briefing.mandate_risk import RiskReport, Subject
from desk.optimization.inputs.market_data import load_market
from desk.optimization.request import OptimizationRequest
from desk.runs.context import Context, RunMarket
from desk.runs.events.run import NodeFinished, NodeStarted
from graphs.agent_decisions import Question, decide
from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.optimization import Execution
from graphs.runs.event_log import EventLog, NodeLog
from graphs.stream_parts import GraphStopped, trace_events
from store.embedded import open_store
from store.store import Store
from tests.bench.comparison import Comparison, Row

pytestmark = pytest.mark.bench

OWNER = "local"
WANTED = 0.015
DECISIONS, CALLS, RUNS = 6, 2, 20
"""As in an optimization: six decisions a run, of two model calls each."""
SUBJECTS: tuple[Subject, ...] = ("asset", "constant_exposure", "current_rule")
TEXT = "Assess the mandate before the search."


def report(subject: Subject) -> RiskReport:
    names = ("volatility", "drawdown", "value_at_risk", "shortfall", "average_weight")
    return RiskReport(
        subject=subject,
        figures=tuple(
            Figure(id=f"{subject}_{name}", quantity=name, value=0.1, unit="percent", source=f"assess_risk.{name}")
            for name in names
        ),
        drawdown_beyond_limit=False,
        value_at_risk_beyond_limit=False,
        shortfall_beyond_limit=False,
        costly=False,
        target_unreachable=False,
        short_history=False,
    )


REPORTS = {subject: report(subject) for subject in SUBJECTS}
FIGURES = tuple(figure for each in REPORTS.values() for figure in each.figures)
ANSWER = RiskAssessment(
    concerns=("none",),
    claims=(
        Claim(section="risk", text="Held alone, the asset ran at a yearly volatility of {{asset_volatility}}."),
        Claim(section="risk", text="A constant weight would have fallen by {{constant_exposure_drawdown}}."),
    ),
)
ASKED = AIMessage("", tool_calls=[{"name": "assess_risk", "args": {"subject": s}, "id": s} for s in SUBJECTS])
ANSWERED = AIMessage(
    "", tool_calls=[{"name": "RiskAssessment", "args": ANSWER.model_dump(mode="json"), "id": "answer"}]
)


@tool(response_format="content_and_artifact")
async def assess_risk(subject: Subject) -> tuple[str, RiskReport]:
    """Fixed reports, which cost no computation."""
    return REPORTS[subject].model_dump_json(), REPORTS[subject]


class Instant(EmbeddedPlanner):
    """Answers at once: three tool calls, then the answer."""

    def _reply(self, messages: Any) -> AIMessage:
        return ANSWERED if isinstance(messages[-1], ToolMessage) else ASKED


QUESTION = {
    "agent": "risk_manager",
    "text": TEXT,
    "answer": RiskAssessment,
    "problems": lambda answer, _: violations(answer.claims, FIGURES),
    "reduced": lambda _: None,
}


class State(TypedDict):
    decisions: Annotated[list[Decision], operator.add]


async def node(state: State, runtime: Runtime[Execution]) -> dict[str, Any]:
    """As a node of the optimization, without what it computes."""
    run, step = runtime.context, len(state["decisions"])
    node_log = NodeLog(run.log, "risk_manager", step)
    await node_log.emit(NodeStarted, step=step)
    question = Question(**QUESTION, ordinal=step)
    answer = await decide(question, run.agents["risk_manager"], context=run.context, node_log=node_log, trials=0)
    await node_log.emit(NodeFinished, step=step)
    await node_log.flush()
    return {"decisions": [answer.decision]}


def again(state: State) -> str:
    return "risk_manager" if len(state["decisions"]) < DECISIONS else END


def execution(store: Store, agent: Agent, run: str) -> Execution:
    request, prices = OptimizationRequest(), BundledPrices()

    async def load(*_: Any) -> Any:
        return await load_market(prices, request)

    context = Context(
        principal=Principal(owner=OWNER),
        run=run,
        request=request,
        store=store,
        jobs=LocalRunner(store, load),
        market=RunMarket(load, request),
        ledger="",
    )
    log = EventLog(store, OWNER, run, ())
    return Execution(context=context, log=log, agents={"risk_manager": agent}, author="instant")


async def ours(home: Path) -> tuple[list[float], list[RiskAssessment]]:
    """Seconds per model call in each run, and the answers of the last."""
    agent = build(replace(AGENTS["risk_manager"], tools=lambda: [assess_risk]), single_model(Instant()).common)
    graph = StateGraph(State, context_schema=Execution)
    graph.add_node("risk_manager", node)
    graph.add_edge(START, "risk_manager")
    graph.add_conditional_edges("risk_manager", again, ["risk_manager", END])
    seconds: list[float] = []
    answers: list[RiskAssessment] = []
    async with open_store(home) as store, open_checkpoints(home / "checkpoints.sqlite") as checkpointer:
        compiled = graph.compile(checkpointer=checkpointer)
        for number in range(RUNS):
            run = f"run-{number}"
            config: Any = {"configurable": {"thread_id": run}}
            start = time.perf_counter()
            parts = compiled.astream(
                {"decisions": []},
                config,
                context=execution(store, agent, run),
                stream_mode=["custom"],
                version="v2",
                durability="sync",
            )
            received = [event async for event in trace_events(parts) if not isinstance(event, GraphStopped)]
            seconds.append((time.perf_counter() - start) / (DECISIONS * CALLS))
            assert sum(event.event == "model_answered" for event in received) == DECISIONS * CALLS
            decisions = (await compiled.aget_state(config)).values["decisions"]
            answers = [RiskAssessment.model_validate(decision.answer) for decision in decisions]
    return seconds, answers


async def bare() -> tuple[list[float], list[RiskAssessment]]:
    """The same conversations without a store, a trace, a check, a limit or a checkpoint."""
    rules = prompts.load("rules", max_tool_calls=AGENTS["risk_manager"].max_tool_calls, answer="RiskAssessment")
    text = f"{prompts.load('risk_manager')}\n{rules}"
    loop = create_agent(Instant(), [assess_risk], system_prompt=text, response_format=ToolStrategy(RiskAssessment))
    seconds: list[float] = []
    answers: list[RiskAssessment] = []
    for _ in range(RUNS):
        start = time.perf_counter()
        replies = [await loop.ainvoke({"messages": [HumanMessage(TEXT)]}) for _ in range(DECISIONS)]
        seconds.append((time.perf_counter() - start) / (DECISIONS * CALLS))
        answers = [each["structured_response"] for each in replies]
    return seconds, answers


def test_what_a_model_call_costs(comparison: Comparison, tmp_path: Path) -> None:
    seconds, answers = asyncio.run(ours(tmp_path))
    bare_seconds, bare_answers = asyncio.run(bare())
    assert answers == bare_answers == [ANSWER] * DECISIONS
    per_call, least = statistics.median(seconds), statistics.median(bare_seconds)
    calls = RUNS * DECISIONS * CALLS
    suffix = " (missed)" if per_call >= WANTED else ""
    note = f"median per call of {calls}; below {WANTED * 1e3:g} ms wanted{suffix}; ours checks, traces and stores"
    size = f"{DECISIONS} decisions, {CALLS} calls and {len(SUBJECTS)} tools each"
    comparison.rows.append(
        Row("a model call that is answered at once", size, per_call, {"bare create_agent": least}, None, note)
    )
