"""Assistant tools on stored results: explain, compare, list, open the holdout."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, get_args

from langchain.tools import ToolRuntime, tool

from desk.base.errors import InvalidInput
from desk.base.text import plural, spaced
from desk.conversation.answers import (
    Kept,
    KeptList,
    OpenedHoldout,
    Refusal,
    ResultComparison,
    ResultExplanation,
    RunList,
    RunSummary,
)
from desk.conversation.context import ChatContext, compute_once
from desk.conversation.days import find_crisis
from desk.conversation.focus import PRICES
from desk.conversation.listings import list_kept
from desk.conversation.model_view import shown_to_model
from desk.conversation.readings import TOPICS
from desk.conversation.wishes import Name
from desk.figures.figures import Figure
from desk.figures.sheet import sentence_figure
from desk.optimization.reading.alternative import explain_alternative
from desk.optimization.reading.comparison import compare
from desk.optimization.reading.findings import build_findings
from desk.optimization.reading.in_words.next_step import describe_next_step
from desk.optimization.reading.ranking import build_ranking
from desk.optimization.reading.topic_sentences import topic_sentences
from desk.optimization.reading.topics import Topic
from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.result import OptimizationResult
from quant.strategies.family import WeightFunction

MOST_LISTED = 10
"""Runs that a list shows."""
_OF_TOPIC: dict[Topic, str] = {
    "summary": r"verdict_|winner_|benefit_|trials|ledger_trials|single_step_p|loss$|worst_scenario|validate_adv|"
    r"driver_1|benchmark_weight|indistinguishable|binding_limit|feasible_with|costs_|premium_(low|high)|parameter_error_(low|high)|timing_|"
    r"worst_year",
    "ranking": r"rank_|indistinguishable|trials",
    "why": r"driver_|interaction_|winner_(name|function)|indistinguishable",
    "where_it_loses": r"worst_|best_scenario|in_",
    "scenario": r"in_|worst_scenario|best_scenario",
    "costs": r"costs_|transaction_cost|winner_cost|winner_turnover",
    "premium": r"premium_",
    "parameter_error": r"parameter_error_",
    "probabilities": r"probabilities_",
    "limits": r"limit_|binding_limit|feasible_with",
    "luck": r"verdict_|winner_p|single_step_p|loss$|active_|deflated|overfitting|ledger_trials|validate_|minimum_track|"
    r"cross_validation_|walk_forward_|probabilistic_sharpe|spa_p|trials|indistinguishable|effective",
    "benchmarks": r"versus_|own_series_|benefit_|benchmark_weight|winner_name|ledger_trials",
    "plateau": r"rank_|indistinguishable|winner_name",
    "alternative": r"alternative_|winner_(name|function)|benefit_bps",
    "counter_argument": r"verdict_|benefit_bps|benchmark_weight|premium_|winner_p|single_step_p",
    "years": r"worst_year|fact_",
    "data": r"data_source|held_|cash_earns|converted_|own_benchmark|window_|"
    r"currency$|first_day|train_end|validate_end|last_day|target_volatility",
    "next_trade": r"as_of|today_|next_trade|safe_|step_\d+_",
    "assets": r"asset_\d+_",
    "what_would_change": r"premium_|parameter_error_|costs_|probabilities_|verdict_|winner_p|single_step_p|loss$",
    "report": r"trials$",
    "beginner": r"trials$",
    "computed": r"trials|screened|paths|evaluations|plans|scenario_count|path_years",
}
"""Pattern for the start of the ids of a topic's figures."""


_TOPICS = f"What is asked: {'; '.join(f'`{topic}`: {words}' for topic, words in TOPICS.items())}."


@tool(parse_docstring=True, response_format="content_and_artifact")
async def explain_result(
    topic: Annotated[Topic, _TOPICS],
    runtime: ToolRuntime[ChatContext, Any],
    run: Name = "last",
    detail: Name | None = None,
) -> tuple[str, ResultExplanation | Refusal]:
    """Findings and figures of a stored result; nothing is computed anew.

    For every question about a search that has ended: "is it luck?", "why is it red?", "why not sigmoid?", "and with
    double the costs?", "what speaks against it?", "what do I do now?". Choose the topic whose description answers
    the question; `summary` only if nothing else was asked. Not for the meaning of a term (`define_term`), and not
    for a new search (`run_optimization`).

    Args:
        run: `last`, `previous`, or the beginning of a run's id.
        detail: The weight function of an alternative, the name of a scenario, or years or crises: 2008 and Lehman.
    """
    context = runtime.context

    async def compute() -> tuple[ResultExplanation, dict[str, Any]]:
        run_id, result = await context.runs.result(run)
        about = _times(detail) if topic == "years" and detail else detail
        extra: dict[str, Any] = {}
        if topic in ("ranking", "plateau"):
            extra["ranking"] = build_ranking(result)
        if topic == "alternative":
            trials = await load_trials(context.store, context.owner, run_id)
            extra["alternative"] = explain_alternative(result, trials, _function(detail))
        if topic == "scenario":
            _check_scenario(result, detail)
        findings = build_findings(result)
        topic_figures = _of_topic(findings.figures, topic, about)
        topic_figures += topic_sentences(result, topic, about, context.message)
        if topic == "report":
            topic_figures += (_report(run_id),)
        if topic == "next_trade":
            extra["withheld"] = (*_of_topic(result.figures, topic, None), *describe_next_step(result))
        explained = ResultExplanation(
            run=run_id,
            topic=topic,
            detail=about,
            findings=findings.model_copy(update={"figures": topic_figures}),
            **extra,
        )
        changes = {"topic": topic, "last": "explain"}
        if run_id != context.current_focus.run:
            request = result.manifest.request
            changes |= {
                "run": run_id,
                "previous_run": context.current_focus.run,
                "request": request.model_dump(mode="json"),
                **{name: getattr(request, name) for name in PRICES},
                "rule": None,
                "strategy": None,
            }
        return explained, changes

    arguments = {"topic": topic, "run": run, "detail": detail}
    result = await compute_once(context, "explain_result", arguments, ResultExplanation, compute)
    return shown_to_model("explain_result", result, context.message), result


@tool(parse_docstring=True, response_format="content_and_artifact")
async def compare_results(
    runtime: ToolRuntime[ChatContext, Any], first: Name = "previous", second: Name = "last"
) -> tuple[str, ResultComparison | Refusal]:
    """Why two stored results differ: requests, data, code, and the differences of their key figures.

    For "why do the last two runs differ?". Not for two strategies or two ways to mix stocks, which were not
    searched (`evaluate_strategy`, `compare_allocations`).

    Args:
        first: `previous`, `last`, or the beginning of a run's id.
        second: The other one.
    """
    context = runtime.context

    async def compute() -> tuple[ResultComparison, dict[str, Any]]:
        former, latter = (second, first) if (first, second) == ("last", "previous") else (first, second)
        one, earlier = await context.runs.result(former)
        other, later = await context.runs.result(latter)
        if one == other:
            raise InvalidInput("second", second, reason="both are the same run", allowed="two runs")
        return ResultComparison(first=one, second=other, comparison=compare(earlier, later)), {
            "last": "compare_results"
        }

    result = await compute_once(
        context, "compare_results", {"first": first, "second": second}, ResultComparison, compute
    )
    return shown_to_model("compare_results", result, context.message), result


@tool(response_format="content_and_artifact")
async def list_results(runtime: ToolRuntime[ChatContext, Any]) -> tuple[str, RunList | Refusal]:
    """The person's runs, newest first.

    For "list my runs" and "what did I search for last week?". Not for what one of them found (`explain_result`).
    """
    context = runtime.context

    async def compute() -> tuple[RunList, dict[str, Any]]:
        runs = await context.runs.latest(MOST_LISTED)
        return RunList(runs=runs, figures=(*_listed(runs), *_in_words(runs))), {"last": "list_results"}

    result = await compute_once(context, "list_results", {}, RunList, compute)
    return shown_to_model("list_results", result, context.message), result


@tool(parse_docstring=True, response_format="content_and_artifact")
async def list_saved(what: Kept, runtime: ToolRuntime[ChatContext, Any]) -> tuple[str, KeptList | Refusal]:
    """The person's saved strategies, stored portfolios or imported data sets, or the assets with bundled prices.

    For results use `list_results`, and for scenarios `show_scenarios`.

    Args:
        what: What is listed.
    """
    context = runtime.context

    async def compute() -> tuple[KeptList, dict[str, Any]]:
        return await list_kept(context.store, context.owner, context.prices, what), {"last": "list_results"}

    result = await compute_once(context, "list_saved", {"what": what}, KeptList, compute)
    return shown_to_model("list_saved", result, context.message), result


@tool(parse_docstring=True, response_format="content_and_artifact")
async def open_holdout(
    runtime: ToolRuntime[ChatContext, Any], run: Name = "last"
) -> tuple[str, OpenedHoldout | Refusal]:
    """Ask the person to open the locked holdout of a result; it can be opened once, and is logged.

    Only where the person asks for it: "open the holdout". A person decides; without approval it stays locked.

    Args:
        run: `last`, `previous`, or the beginning of a run's id.
    """
    context = runtime.context

    async def compute() -> tuple[OpenedHoldout, dict[str, Any]]:
        run_id, _ = await context.runs.result(run)
        return OpenedHoldout(run=run_id, figures=await context.runs.holdout(run_id)), {"last": "open_holdout"}

    result = await compute_once(context, "open_holdout", {"run": run}, OpenedHoldout, compute)
    return shown_to_model("open_holdout", result, context.message), result


def _of_topic(figures: Sequence[Figure], topic: Topic, detail: str | None) -> tuple[Figure, ...]:
    pattern = re.compile(_OF_TOPIC[topic])
    topic_figures = tuple(figure for figure in figures if pattern.match(figure.id))
    if topic != "scenario":
        return topic_figures
    return tuple(figure for figure in topic_figures if figure.id.startswith(f"in_{detail}_"))


def _report(run: str) -> Figure:
    text = f"The report is on the page of run {run[:12]}, and python -m api show {run[:12]} writes it."
    return sentence_figure("report_sentence", text, "explain_result.report")


def _times(detail: str) -> str:
    """The years and crises that a detail names, crises by their full names; what names none stays as it is."""
    names: list[str] = []
    for part in re.split(r"\s+(?:and|or)\s+|\s*&\s*", detail):
        crisis = find_crisis(part)
        names += [crisis.name] if crisis else re.findall(r"\b(?:19|20)\d{2}\b", part) or [part]
    return "; ".join(dict.fromkeys(names))


def _function(detail: str | None) -> WeightFunction:
    functions = {name: name for name in get_args(WeightFunction)}
    if detail not in functions:
        raise InvalidInput(
            "detail", detail, reason="it is no weight function", allowed=", ".join(map(spaced, functions))
        )
    return functions[detail]


def _check_scenario(result: OptimizationResult, detail: str | None) -> None:
    names = [outcome.scenario for outcome in result.scenarios]
    if detail not in names:
        known = ", ".join(map(spaced, names))
        raise InvalidInput(
            "detail", detail, reason=f"{spaced(detail or 'nothing')} is no scenario of this result", allowed=known
        )


def _in_words(runs: Sequence[RunSummary]) -> Iterator[Figure]:
    """The list in a sentence, with the newest run."""
    if runs:
        newest = f"{runs[0].name}, {runs[0].state}, of {runs[0].created_at} ({runs[0].run[:12]})"
        count = "at least " if len(runs) == MOST_LISTED else ""
        text = f"You have {count}{plural(len(runs), 'result')}; the newest is {newest}."
        yield sentence_figure("run_list_sentence", text, "list_results.sentence")


def _listed(runs: Sequence[RunSummary]) -> list[Figure]:
    figures: list[Figure] = []
    for n, run in enumerate(runs, 1):
        rows = (("id", "id", run.run[:12]), ("name", "name", run.name), ("state", "state", run.state))
        figures += [
            Figure(
                id=f"run_{n}_{name}",
                quantity=f"{label} of the run listed at place {n}",
                value=text,
                unit="text",
                source=f"list_results.{n}.{name}",
            )
            for name, label, text in (*rows, ("created", "day of making", run.created_at))
        ]
    return figures
