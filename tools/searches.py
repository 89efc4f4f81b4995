"""Assistant tools: estimate a search, and launch one that streams into the conversation."""

from typing import Any

from langchain.tools import ToolRuntime, tool

from desk.base.text import plural
from desk.conversation.answers import FinishedSearch, Refusal, SearchEstimate
from desk.conversation.context import ChatContext, compute_once
from desk.conversation.focus import PRICES
from desk.conversation.model_view import shown_to_model
from desk.conversation.optimization_requests import build_request
from desk.conversation.universes import find_universe, require_currency, risky_assets
from desk.conversation.wishes import Wish
from desk.figures.figures import Figure, Unit
from desk.figures.sheet import sentence_figure
from desk.governance.estimates import Estimate
from desk.optimization.judgement.leg_figures import leg_figures
from desk.optimization.reading.findings import build_findings
from desk.optimization.reading.ranking import build_ranking
from desk.optimization.request import OptimizationRequest
from desk.scenarios.repository import load_catalog


@tool(response_format="content_and_artifact")
async def estimate_optimization(
    wish: Wish, runtime: ToolRuntime[ChatContext, Any]
) -> tuple[str, SearchEstimate | Refusal]:
    """What a search would take, in trials, evaluations, seconds and money; launches nothing.

    For "what would 500 trials with 5,000 paths take?" and for a search that the person is not sure of yet. Not for
    the costs of trading, which a search and `explain_result` tell.
    """
    context = runtime.context

    async def compute() -> tuple[SearchEstimate, dict[str, Any]]:
        request = await _request(context, wish)
        figures = _estimate_figures(await context.runs.estimate(request), request)
        return SearchEstimate(figures=figures), {"request": request.model_dump(mode="json"), "last": "estimate"}

    result = await compute_once(context, "estimate_optimization", {"wish": wish}, SearchEstimate, compute)
    return shown_to_model("estimate_optimization", result, context.message), result


@tool(response_format="content_and_artifact")
async def run_optimization(wish: Wish, runtime: ToolRuntime[ChatContext, Any]) -> tuple[str, FinishedSearch | Refusal]:
    """Search strategies for a mandate, judge the best for luck, and return the findings; takes seconds to minutes.

    For a person who wants the best rule found: "optimize the S&P 500 with 10% volatility and at most 20% drawdown,
    100 trials", and for a change of the last search: "the same with twice the costs" (base `last`). Not for one
    strategy that the person names (`evaluate_strategy`), not for what a search would take
    (`estimate_optimization`), and not for a question about a result (`explain_result`). A search above the desk's
    thresholds waits until a person approves it.
    """
    context = runtime.context

    async def compute() -> tuple[FinishedSearch, dict[str, Any]]:
        request = await _request(context, wish)
        run = await context.runs.launch(request, request.content_digest())
        _, result = await context.runs.result(run)
        launched = FinishedSearch(run=run, findings=build_findings(result), ranking=build_ranking(result))
        changes = {
            "run": run,
            "previous_run": context.current_focus.run,
            "request": result.manifest.request.on_any_data().model_dump(mode="json"),
            **{name: getattr(request, name) for name in PRICES},
            "rule": None,
            "strategy": None,
            "last": "optimize",
        }
        return launched, changes

    result = await compute_once(context, "run_optimization", {"wish": wish}, FinishedSearch, compute)
    return shown_to_model("run_optimization", result, context.message), result


async def _request(context: ChatContext, wish: Wish) -> OptimizationRequest:
    universe, last = None, context.current_focus.request
    if wish.assets:
        universe = await find_universe(context.prices, wish.assets)
    elif wish.safe is not None and wish.base == "last" and last is not None:
        universe = await risky_assets(context.prices, last.universe, last.safe)
    book = await load_catalog(context.store, context.owner)
    request = build_request(wish, context.current_focus, book, universe)
    if wish.currency is not None:
        await require_currency(context.prices, request, wish.currency)
    return request


def _estimate_figures(estimate: Estimate, request: OptimizationRequest) -> tuple[Figure, ...]:
    rows: tuple[tuple[str, str, float | str, Unit], ...] = (
        ("estimate_trials", "configurations that would be tried", estimate.trials, "count"),
        ("estimate_scenarios", "scenarios in which each would be tried", len(request.scenarios), "count"),
        ("estimate_paths", "simulated paths of each scenario", request.scenarios[0].paths, "count"),
        ("estimate_years", "years of each path", float(request.scenarios[0].years), "years"),
        ("estimate_evaluations", "evaluations that the search would take", estimate.evaluations, "count"),
        ("estimate_time", "time that the search would take on this machine", _describe_time(estimate), "text"),
        ("estimate_memory", "megabytes of memory", estimate.memory_mb, "count"),
        *(
            (("estimate_limit", "budget that may end the search early", estimate.limit, "text"),)
            if estimate.limit
            else ()
        ),
    )
    sentence = (
        f"About {_describe_time(estimate)} on this machine, "
        + (f"at {estimate.dollars:.2f} dollars" if estimate.dollars else "at no charge")
        + f", for {plural(estimate.evaluations, 'evaluation')}: {plural(estimate.trials, 'configuration')} in "
        f"{plural(len(request.scenarios), 'scenario')}, each on {plural(request.scenarios[0].paths, 'simulated path')}."
    )
    return (
        sentence_figure("estimate_sentence", sentence, "estimate_optimization.sentence"),
        *leg_figures(request, "estimate_optimization.request"),
        *(
            Figure(id=id_, quantity=quantity, value=value, unit=unit, source=f"estimate_optimization.{id_}")
            for id_, quantity, value, unit in rows
        ),
    )


def _describe_time(estimate: Estimate) -> str:
    expected = estimate.expected_time
    if expected is None:
        return _duration(estimate.seconds)
    size, unit, digits = (1.0, "seconds", 0) if expected.seconds < 100.0 else (60.0, "minutes", 1)
    time, low, high = (f"{value / size:.{digits}f}" for value in (expected.seconds, expected.low, expected.high))
    return f"{time} {unit} ({low} to {high} {unit}, {expected.describe_source()})"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 100.0 else f"{seconds / 60.0:.0f} minutes"
