"""The main job: from a request, through four agents and the numeric core, to a judged and explained result.

START -> prepare -> approve -+-> risk_manager ---+-> optimizer -> search -> aggregate -> explainer -> render -> END
                             +-> market_analyst -+       ^           |
                                                         +-----------+  while trials are left, at most three plans

Above a threshold the graph stops at `approve` until a person has decided, before any agent is asked.

State holds typed values and counts; prices, trials and results are in the store.
"""

import asyncio
import operator
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias, TypedDict, get_args

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agents.build import Agent
from agents.models.failures import ModelFailure
from agents.table import AGENTS, INTERRUPTIONS, OPTIMIZATION_AGENTS, absence_sentences, order_decisions
from desk.base.errors import InvalidInput
from desk.figures.figures import Claim, Figure, RenderedClaim, Section
from desk.figures.guard.claims import Draft, render, violations
from desk.governance.approvals import Approval, Thresholds
from desk.governance.spending import agents_usage
from desk.governance.usage import AgentName
from desk.optimization.answers import Decision, Explanation, MarketView, RiskAssessment, SearchPlan
from desk.optimization.briefing.mandate_risk import risk_figures
from desk.optimization.briefing.scenario_list import scenario_figures
from desk.optimization.briefing.search_status import search_report
from desk.optimization.briefing.training_regime import regime_report
from desk.optimization.durations import load_durations
from desk.optimization.estimate import estimate
from desk.optimization.jobs import SearchJob
from desk.optimization.judgement.counts import count_work
from desk.optimization.judgement.verification import require_verified
from desk.optimization.partial_results import label_claims, labelled, reasons
from desk.optimization.permitted_names import permitted_by
from desk.optimization.reading.findings import explainable_figures
from desk.optimization.reading.template import AUTHOR, template_claims
from desk.optimization.repositories.ledger import load_earlier_trials, save_ledger, with_ledger
from desk.optimization.repositories.result_repository import load_result, save_result
from desk.optimization.repositories.trial_repository import load_all_series, load_trials, save_series
from desk.optimization.request import MAX_PLANS
from desk.optimization.result import Counts, OptimizationResult
from desk.optimization.search import plans
from desk.optimization.stopping import (
    SPENT,
    SearchLimit,
    SearchStop,
    StopReason,
    remaining_limit,
    require_few_failed,
    spent_budget,
)
from desk.runs.context import Context
from desk.runs.events.judgement import ClaimReleased, VerdictReached
from desk.runs.events.run import NodeFinished, NodeStarted
from desk.runs.events.search import EstimateMade, ScenariosChecked, TrialsFinished
from desk.runs.events.table import TraceEvent
from graphs.agent_decisions import AgentAnswer, Question, decide
from graphs.runs.approval import APPROVE, approval_events, check_payable, request_launch_approval
from graphs.runs.event_log import EventLog, NodeLog
from graphs.runs.search_progress import SearchWatch
from graphs.runs.trial_events import TrialEvents
from quant.strategies.trial import Trial

RECURSION_LIMIT = 40
"""Recursion limit: far above three plans, far below an endless loop."""


class State(TypedDict):
    """Each key exists once the node that writes it has run."""

    data_digest: str
    view: MarketView | None
    plans: Annotated[list[SearchPlan], operator.add]
    trials: int
    stopped: StopReason | Literal["agent"]
    seconds: float
    """Duration of the search so far."""
    failures: Annotated[list[str], operator.add]
    """Why configurations could not be evaluated."""
    decisions: Annotated[list[Decision], operator.add]
    claims: Annotated[list[RenderedClaim], operator.add]
    figures: Annotated[list[Figure], operator.add]
    explanation: list[Claim]
    author: str


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Objects that the nodes of one execution share; rebuilt on a resume."""

    context: Context
    log: EventLog
    agents: dict[AgentName, Agent]
    """Empty for a run that follows supplied decisions only."""
    author: str
    """Name of the models behind the agents."""
    thresholds: Thresholds | None = None
    """Limits above which a person is asked; None asks no one."""
    approval: Approval | None = None
    """The approval as read with the request, since a decision may change the request."""


Update: TypeAlias = dict[str, Any]
Body: TypeAlias = Callable[[State, Execution, NodeLog], Awaitable[Update]]


def optimization_graph(
    checkpointer: BaseCheckpointSaver[str],
) -> CompiledStateGraph[State, Execution, Any, Any]:
    return _compiled().copy({"checkpointer": checkpointer})


@cache
def _compiled() -> CompiledStateGraph[State, Execution, Any, Any]:
    """Without checkpoints; once per process, as LangGraph disassembles every node."""
    graph = StateGraph(State, context_schema=Execution)
    for body in (prepare, assess, view, plan, search, aggregate, explain, finish):
        graph.add_node(NODES[body], _node(body))
    graph.add_node(APPROVE, approve)
    graph.add_edge(START, "prepare")
    graph.add_edge("prepare", APPROVE)
    graph.add_edge(APPROVE, "risk_manager")
    graph.add_edge(APPROVE, "market_analyst")
    graph.add_edge(["risk_manager", "market_analyst"], "optimizer")
    graph.add_conditional_edges("optimizer", _search_or_judge, ["search", "aggregate"])
    graph.add_conditional_edges("search", _plan_or_judge, ["optimizer", "aggregate"])
    graph.add_edge("aggregate", "explainer")
    graph.add_edge("explainer", "render")
    graph.add_edge("render", END)
    return graph.compile(name="optimization")


async def prepare(state: State, run: Execution, node_log: NodeLog) -> Update:  # noqa: ARG001  (as every node)
    """Load and check the prices, which fixes the data version and the worlds; check the paths of every scenario."""
    from desk.optimization.evaluation import World  # lazy: imports numba and scipy
    from desk.optimization.scenario_checks import check_paths, require_passed

    market = await run.context.market.get()
    world = World(market, run.context.request)
    checks = (await asyncio.to_thread(check_paths, world)).scenarios
    request = world.request
    await node_log.emit(ScenariosChecked, worlds=request.worlds, base=request.worlds_base, checks=checks)
    require_passed(*checks)
    return {"data_digest": market.data_digest, "trials": 0, "seconds": 0.0}


async def approve(state: State, runtime: Runtime[Execution]) -> Update:  # noqa: ARG001  (as every node)
    """Stop the execution above a threshold, unless a person has approved the run.

    A run below all thresholds emits no event here.
    """
    run = runtime.context
    approval = run.approval or await request_launch_approval(run.context, run.thresholds, run.log.now())
    if approval is not None:
        await NodeLog(run.log, APPROVE).publish(
            *approval_events(run.log, approval, run.context.request, run.context.jobs.machines)
        )
        while not approval.granted:  # the decision is read from the store; the value passed to a resume is ignored
            interrupt(approval.asked.model_dump(mode="json"))
    return {}


async def assess(state: State, run: Execution, node_log: NodeLog) -> Update:
    market = await _load_same_market(state, run)
    figures = await asyncio.to_thread(risk_figures, market, run.context.request)
    question = Question(
        agent="risk_manager",
        ordinal=0,
        text=f"Assess the mandate before the search. {_mandate(run)}",
        answer=RiskAssessment,
        problems=lambda answer, _: violations(answer.claims, figures, permitted_by(run.context.request, market.assets)),
        reduced=_without_claims,
    )
    agent_answer = await _ask(question, state, run, node_log)
    return await _release_claims(agent_answer, figures, node_log)


async def view(state: State, run: Execution, node_log: NodeLog) -> Update:
    market = await _load_same_market(state, run)
    scenarios = market.resolve_worlds(run.context.request).scenarios
    report = await asyncio.to_thread(regime_report, market)
    figures = (*report.figures, *scenario_figures(scenarios))

    def problems(answer: MarketView, _: int) -> list[str]:
        names = [tilt.scenario for tilt in answer.tilts]
        unknown = [f"unknown_value: a scenario is not among {[s.name for s in scenarios]}"]
        repetition = ["repeated_value: a scenario is leaned on more than once"]
        return [
            *(unknown if set(names) - {s.name for s in scenarios} else []),
            *(repetition if len(set(names)) < len(names) else []),
            *violations(answer.claims, figures, permitted_by(run.context.request, market.assets)),
        ]

    question = Question(
        agent="market_analyst",
        ordinal=0,
        text="Judge the regime at the end of the training window and lean on the scenarios.",
        answer=MarketView,
        problems=problems,
        reduced=_without_claims,
    )
    agent_answer = await _ask(question, state, run, node_log)
    return {**await _release_claims(agent_answer, figures, node_log), "view": agent_answer.answer}


async def plan(state: State, run: Execution, node_log: NodeLog) -> Update:
    context = run.context
    trials = (await load_trials(context.store, context.owner, context.run))[: state["trials"]]

    def figures(count: int) -> tuple[Figure, ...]:
        return search_report(context.request, trials[:count]).figures

    question = Question(
        agent="optimizer",
        ordinal=node_log.step,
        text="Plan the next part of the search, or stop it.",
        answer=SearchPlan,
        problems=lambda answer, count: [
            *plans.plan_violations(answer, context.request.space, count),
            *violations(answer.claims, figures(count), permitted_by(context.request)),
        ],
        reduced=_without_claims,
    )
    agent_answer = await _ask(question, state, run, node_log)
    search_plan = agent_answer.answer or _default_plan(agent_answer.decision, state["trials"])
    return {**await _release_claims(agent_answer, figures(agent_answer.trials), node_log), "plans": [search_plan]}


async def search(state: State, run: Execution, node_log: NodeLog) -> Update:
    context, search_plan, first = run.context, state["plans"][-1], state["trials"]
    request = context.request
    await _load_same_market(state, run)
    trials = await load_trials(context.store, context.owner, context.run)
    space = plans.narrow_space(search_plan, request, trials[:first])
    failed = len(state.get("failures", []))
    budget = plans.plan_budget(search_plan, plans.remaining_trials(request, first + failed))
    job = SearchJob(
        owner=context.owner,
        run=context.run,
        plan=node_log.step,
        request=request,
        space=space,
        candidates=(*request.start, *search_plan.candidates),  # the search skips configurations that were tried
        first=first,
        budget=budget,
        failed=failed,
        limit=_search_limit(run, state["seconds"], node_log.step),
    )
    durations = await load_durations(context.store, context.jobs.machines)
    plan_estimate = estimate(request, budget, context.jobs.machines, durations)
    await node_log.emit(EstimateMade, plan=node_log.step, estimate=plan_estimate)
    trial_events = TrialEvents(context, node_log, trials, first)
    watch = SearchWatch(context, node_log, trial_events, lambda: check_payable(context, run.thresholds, run.approval))
    try:
        status = await watch.until_ended(job)
    except asyncio.CancelledError:
        if not context.jobs.machines.remote:
            await context.jobs.cancel(job.id())  # the result of the job is no longer needed
        raise
    assert status.stopped is not None
    trial_count = first + status.done  # not the stored count: another process may be ahead with the same run
    finish_event = node_log.make(TrialsFinished, plan=node_log.step, trials=trial_count, stopped=status.stopped)
    await node_log.publish(*await trial_events.up_to(trial_count), finish_event)
    seconds, failures = state["seconds"] + status.seconds, [failure.reason for failure in status.failures]
    tried = trial_count + failed + len(failures)
    spent = spent_budget(_search_limit(run, seconds, node_log.step + 1), tried) if tried < request.trials else None
    return {
        "trials": trial_count,
        "stopped": spent or status.stopped,
        "seconds": seconds,
        "failures": failures,
    }


async def aggregate(state: State, run: Execution, node_log: NodeLog) -> Update:
    from desk.optimization.evaluation import World  # lazy: imports numba and scipy
    from desk.optimization.judgement.judge import judge

    context = run.context
    market = await _load_same_market(state, run)
    trials = (await load_trials(context.store, context.owner, context.run))[: state["trials"]]
    series = await load_all_series(context.store, context.owner, [trial.series for trial in trials], rows=2)
    earlier = await load_earlier_trials(
        context.store, context.owner, context.ledger, context.request.mandate, [trial.digest for trial in trials]
    )
    earlier_series = await load_all_series(context.store, context.owner, earlier.series, rows=2)
    decisions = order_decisions(state["decisions"])
    failures = state.get("failures", [])
    require_few_failed(failures, len(trials) + len(failures))
    stop = threading.Event()
    try:
        judgement = await asyncio.to_thread(
            judge,
            World(market, context.request, stop.is_set),
            trials,
            series,
            view=state["view"],
            decisions=decisions,
            counts=_counts(state, run, trials),
            ledger_trials=len(trials) + len(earlier.entries),
            earlier=[earlier_series[address] for address in earlier.series],
        )
    except asyncio.CancelledError:
        stop.set()  # otherwise the thread would keep the process from ending
        raise
    await save_ledger(context.store, context.owner, earlier.entries)
    result = with_ledger(labelled(judgement.result, reasons(decisions, INTERRUPTIONS)), earlier)
    for array in (judgement.history, judgement.asset_weights):
        if array is not None:
            await save_series(context.store, context.owner, array)
    await save_result(context.store, context.owner, context.run, "judged", result)
    await node_log.emit(VerdictReached, colour=result.verdict.colour, headline=result.verdict.headline)
    return {}


async def explain(state: State, run: Execution, node_log: NodeLog) -> Update:
    context = run.context
    result = await load_result(context.store, context.owner, context.run, "judged")
    question = Question(
        agent="explainer",
        ordinal=0,
        text=f"Explain the result. The verdict is {result.verdict.colour}.",
        answer=Draft,
        problems=lambda answer, _: [
            *_missing_sections(answer.claims),
            *violations(answer.claims, explainable_figures(result), permitted_by(context.request)),
        ],
        reduced=lambda _: None,
    )
    agent_answer = await _ask(question, state, run, node_log)
    claims = agent_answer.answer.claims if agent_answer.answer else template_claims(result)
    author = agent_answer.decision.author if agent_answer.answer else AUTHOR
    return {"explanation": list(claims), "author": author, "decisions": [agent_answer.decision]}


async def finish(state: State, run: Execution, node_log: NodeLog) -> Update:
    """Render the figures of the explanation and store the result."""
    context = run.context
    judged_result = await load_result(context.store, context.owner, context.run, "judged")
    decisions = order_decisions(state["decisions"])
    partial = reasons(decisions, INTERRUPTIONS)
    explanation = [*label_claims(partial), *(render(claim, judged_result.figures) for claim in state["explanation"])]
    final = labelled(_final(judged_result, explanation, state), partial)
    require_verified(final)
    await node_log.publish(*_claim_events(explanation, state["author"], node_log))
    usage = await agents_usage(context.store, context.owner, context.run, AGENTS)
    final = final.model_copy(update={"usage": usage})
    await save_result(context.store, context.owner, context.run, "final", final)
    return {}


NODES: dict[Body, str] = {
    prepare: "prepare",
    assess: "risk_manager",
    view: "market_analyst",
    plan: "optimizer",
    search: "search",
    aggregate: "aggregate",
    explain: "explainer",
    finish: "render",
}


def _node(body: Body) -> Any:
    name = NODES[body]

    async def node(state: State, runtime: Runtime[Execution]) -> Update:
        run = runtime.context
        step = {
            "optimizer": len(state.get("plans", [])),
            "search": len(state.get("plans", [])) - 1,
        }.get(name, 0)
        node_log = NodeLog(run.log, name, step, after="risk_manager" if name == "market_analyst" else None)
        started = OPTIMIZATION_AGENTS[name].node_fields if name in OPTIMIZATION_AGENTS else {}
        await node_log.emit(NodeStarted, step=step, **started)
        try:
            update = await body(state, run, node_log)
        except ModelFailure:
            await node_log.flush()  # store the events before the fault, in their order
            raise
        await node_log.emit(NodeFinished, step=step)
        await node_log.flush()
        return update

    return node


def _search_or_judge(state: State) -> Literal["search", "aggregate"]:
    return "search" if state["plans"][-1].action == "search" else "aggregate"


def _plan_or_judge(state: State, runtime: Runtime[Execution]) -> Literal["optimizer", "aggregate"]:
    tried = state["trials"] + len(state.get("failures", []))
    trials_left = 0 if state["stopped"] in SPENT else plans.remaining_trials(runtime.context.context.request, tried)
    return "optimizer" if trials_left and len(state["plans"]) < MAX_PLANS else "aggregate"


async def _load_same_market(state: State, run: Execution):
    """The prices of the run; raises `InvalidInput` if the file has changed since the run started."""
    market = await run.context.market.get()
    if market.data_digest != state["data_digest"]:
        raise InvalidInput(
            "prices_file",
            run.context.request.prices_file,
            allowed="the prices with which the run began",
        )
    return market


async def _ask(question: Question[Any], state: State, run: Execution, node_log: NodeLog) -> AgentAnswer[Any]:
    return await decide(
        question,
        run.agents.get(question.agent),
        context=run.context,
        node_log=node_log,
        trials=state["trials"],
    )


async def _release_claims(answer: AgentAnswer[Any], figures: Sequence[Figure], node_log: NodeLog) -> Update:
    """Release an agent's rendered claims and store them with the figures they use."""
    claims = [render(claim, figures) for claim in answer.answer.claims] if answer.answer else []
    await node_log.publish(*_claim_events(claims, answer.decision.author, node_log))
    figure_ids = {id_ for claim in claims for id_ in claim.figures}
    return {
        "decisions": [answer.decision],
        "claims": claims,
        "figures": [figure for figure in figures if figure.id in figure_ids],
    }


def _claim_events(claims: Sequence[RenderedClaim], author: str, node_log: NodeLog) -> list[TraceEvent]:
    return [node_log.make(ClaimReleased, ordinal, author=author, claim=claim) for ordinal, claim in enumerate(claims)]


def _default_plan(decision: Decision, trials: int) -> SearchPlan:
    """The plan of an absent optimizer: search all that is left; after a spent budget, only if there are no trials."""
    return SearchPlan(action="stop" if decision.abstained_for == "budget" and trials else "search")


def _without_claims(answer: Any) -> Any:
    return answer.model_copy(update={"claims": ()})


def _missing_sections(claims: Sequence[Claim]) -> list[str]:
    sections = {claim.section for claim in claims}
    return [f"missing_section: {name} is required" for name in ("winner", "counter_argument") if name not in sections]


def _mandate(run: Execution) -> str:
    limits = list(run.context.request.limits_in_force())
    return f"It sets these limits: {limits}." if limits else "It sets no limits."


def _counts(state: State, run: Execution, trials: Sequence[Trial]) -> Counts:
    stop_reason = state.get("stopped", "agent")
    failed = len(state.get("failures", []))
    if stop_reason == "budget" and plans.remaining_trials(run.context.request, len(trials) + failed):
        stop_reason = "agent"
    searches = sum(p.action == "search" for p in state["plans"])
    return count_work(run.context.request, trials, stopped=stop_reason, plans=searches, failed=failed)


def _search_limit(run: Execution, seconds: float, plan: int) -> SearchLimit | SearchStop | None:
    """What ends the search of a plan early, after `seconds` of earlier ones."""
    context = run.context
    return context.stop or remaining_limit(context.request, context.jobs.machines, seconds=seconds, plan=plan)


def _final(judged_result: OptimizationResult, explanation: list[RenderedClaim], state: State) -> OptimizationResult:
    decisions = order_decisions(state["decisions"])
    known_ids = {figure.id for figure in judged_result.figures}
    extra = {f.id: f for f in state.get("figures", []) if f.id not in known_ids}
    return judged_result.model_copy(
        update={
            "manifest": judged_result.manifest.model_copy(update={"decisions": decisions}),
            "explanation": Explanation(claims=(*explanation, *_by_section(state)), author=state["author"]),
            "figures": (*judged_result.figures, *extra.values()),
            "caveats": (*judged_result.caveats, *absence_sentences(decisions)),
        }
    )


def _by_section(state: State) -> list[RenderedClaim]:
    return sorted(state.get("claims", []), key=lambda claim: get_args(Section).index(claim.section))
