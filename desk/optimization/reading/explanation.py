"""A result in words: what to do, why, how sure that is, and the figure behind each number."""

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from desk.base.text import join_words
from desk.figures.figures import Figure, RenderedClaim, Unit, format_figure
from desk.figures.guard.claims import split_by_figures
from desk.optimization.judgement.verdict import verdict_statistics
from desk.optimization.limits import check_limits
from desk.optimization.mandate_limits import limit_label
from desk.optimization.reading.error_rates import how_often_wrong
from desk.optimization.result import Benefit, OptimizationResult
from desk.scenarios.schemas import HISTORY
from quant.numeric.frozen import Frozen
from quant.overfitting.verdict import VERDICT
from quant.worlds.scenario import GBM_BANNER

HINDSIGHT = "With hindsight, no forecast"
"""Opens the benefit of a red verdict."""
ONE_HISTORY = "One history holds few crises: read every number here with that in mind."
HEADINGS = {
    "winner": "What won",
    "why": "Why",
    "where_it_loses": "Where it loses",
    "costs": "What it costs",
    "what_would_change": "What would change the answer",
    "luck": "Luck",
    "data": "The data",
    "counter_argument": "The case against it",
    "risk": "Risk",
    "market": "The market",
    "search": "The search",
}
"""By section of a claim, in reading order."""


COMPUTATIONS = {
    "attribution": "What each asset adds",
    "benchmarks": "The winner against each benchmark",
    "benefit": "The winner against the constant weight of the same volatility",
    "costs": "The benefit at other transaction costs",
    "counts": "What the search tried",
    "facts": "The winner on the training and validation days",
    "finalists": "The finalists on fresh paths",
    "importance": "What mattered in the search",
    "limits": "The check of the limits",
    "luck": "The tests for luck",
    "manifest": "What was asked for, and on which prices",
    "next_step": "The next trade",
    "out_of_sample": "The tests out of sample",
    "parameter_effects": "What mattered in the search",
    "parameter_error": "The benefit if the parameters are wrong",
    "premium": "The benefit under other premiums",
    "probabilities": "The benefit under other scenario probabilities",
    "scenarios": "The winner in each scenario",
    "series_benchmark": "The winner against your own series",
    "verdict": "The verdict",
    "winner": "The winner on the training days",
    "worlds": "The simulated worlds",
    "years": "The calendar years",
    "assess_risk": "The risk of the asset and of simple rules on the training days",
    "list_scenarios": "The scenarios as assumed",
    "read_market": "The market on the last training day",
    "search_status": "The state of the search",
}
"""What gives a figure, by the part of the result, or the tool, that its source names."""


class Evidence(Frozen):
    """One test of the verdict."""

    statistic: str = Field(description="Id of its figure")
    label: str
    value: float | None = Field(description="A fraction for `percent`; null where it cannot be computed")
    unit: Literal["ratio", "percent", "bps"]
    digits: int = Field(description="Decimals in its unit")
    requirement: str = Field(description="What green requires", examples=["below 5%"])
    amber_requirement: str = Field(description="What amber requires; empty if nothing", examples=["below 15%"])
    passed: bool
    """Whether the value is enough for green."""
    decides: bool = Field(description="Whether it has a part in the verdict; false where another test replaces it")


class TextPiece(Frozen):
    text: str
    figure: str | None = Field(default=None, description="Id of the figure whose number the text is")


class ExplanationSection(Frozen):
    section: str
    """Name of the section, such as `why`."""
    heading: str
    """Its heading."""
    claims: tuple[tuple[TextPiece, ...], ...]
    """The sentences, each in pieces that follow each other without a space."""


class FigureSource(Frozen):
    """A number of the result and how it was computed."""

    id: str
    quantity: str
    """What it measures."""
    text: str = Field(description="As sentences show it", examples=["12 bps a year, plus or minus 4"])
    value: float | int | str
    unit: Unit
    error: float | None = Field(description="One standard error")
    computation: str = Field(description="What gave it; empty where that has no name", examples=["The tests for luck"])
    field: str = Field(description="Field of the computation", examples=["benefit.basis_points"])
    tool: str = Field(description="Tool that lists it to the agents")


class ResultExplanation(Frozen):
    job: str
    colour: Literal["green", "amber", "red", "infeasible"]
    advice: str = Field(description="What to do; empty in results of earlier versions")
    headline: str
    reason: str
    certainty: tuple[str, ...] = Field(description="How sure the verdict is, in sentences")
    hindsight: str | None = Field(description="Stands before the benefit of a red verdict")
    benefit_error: str | None = Field(description="What the interval of the benefit holds")
    warnings: tuple[str, ...] = Field(description="To be read first: partial, an opened holdout, a simple model")
    evidence: tuple[Evidence, ...]
    """The tests of the verdict."""
    author: str | None = Field(description="Of the sections")
    sections: tuple[ExplanationSection, ...]
    """The explanation by section, in reading order."""
    figures: tuple[FigureSource, ...]


def explain_result(result: OptimizationResult, *, job: str, watermark: str | None = None) -> ResultExplanation:
    """Return the explanation of `result`; `watermark` says that its holdout was opened."""
    verdict = result.verdict
    return ResultExplanation(
        job=job,
        colour=verdict.colour,
        advice=verdict.advice,
        headline=verdict.headline,
        reason=verdict.reason,
        certainty=tuple(_certainty(result)),
        hindsight=HINDSIGHT if verdict.colour == "red" and result.benefit else None,
        benefit_error=error_sources(result.benefit) if result.benefit else None,
        warnings=tuple(_warnings(result, watermark)),
        evidence=tuple(build_evidence(result)),
        author=result.explanation.author if result.explanation else None,
        sections=tuple(
            ExplanationSection(
                section=section,
                heading=HEADINGS[section],
                claims=tuple(_pieces(claim, result.figures) for claim in claims),
            )
            for section, claims in claims_by_section(result).items()
        ),
        figures=tuple(map(_source, result.figures)),
    )


def claims_by_section(result: OptimizationResult) -> dict[str, list[RenderedClaim]]:
    """The claims of the explanation by section, in reading order; sections without a claim are absent."""
    claims = result.explanation.claims if result.explanation else ()
    groups = {section: [claim for claim in claims if claim.section == section] for section in HEADINGS}
    return {section: group for section, group in groups.items() if group}


def build_evidence(result: OptimizationResult) -> Iterator[Evidence]:
    """The rules of the verdict with their statistics; nothing without a winner."""
    if result.luck is None or result.benefit is None:
        return
    statistics = verdict_statistics(result.luck, result.benefit.basis_points.value)
    for rule in VERDICT:
        value = statistics[rule.statistic]
        yield Evidence(
            statistic=rule.statistic,
            label=rule.label,
            value=value,
            unit=rule.unit,
            digits=rule.digits,
            requirement=rule.requirement("green"),
            amber_requirement=rule.requirement("amber"),
            passed=rule.holds(value, "green"),
            decides=rule.decides(statistics, VERDICT),
        )


def error_sources(benefit: Benefit) -> str:
    """What the interval of the benefit holds."""
    if benefit.history_error_bps is None:
        return "Monte Carlo error only"
    return (
        "as if the winner had been the only configuration ever tried, which it was not; errors of the paths and of "
        "the one history"
    )


def origin(figure: Figure) -> tuple[str, str]:
    """The field it was computed as, and the tool that lists it."""
    tool, _, field = figure.source.partition(".")
    return field, "list_figures" if tool == "result" else tool


def _certainty(result: OptimizationResult) -> Iterator[str]:
    if result.verdict.advice and result.luck:
        yield how_often_wrong()
    yield ONE_HISTORY


def _warnings(result: OptimizationResult, watermark: str | None) -> Iterator[str]:
    yield from result.partial
    yield from _limits_of_own_rule(result)
    if result.depends_on_premium:
        yield "The answer depends on the premium assumption: the sign of the benefit changes with it."
    if watermark:
        yield watermark
    if any(scenario.engine == "gbm" for scenario in result.manifest.request.scenarios):
        yield GBM_BANNER


def _limits_of_own_rule(result: OptimizationResult) -> Iterator[str]:
    """Which limits that were asked for the current rule breaks: to keep it is no way to keep them."""
    request = result.manifest.request
    own = next((rule for rule in result.benchmarks if rule.name == "current_rule"), None)
    if own is None or not result.verdict.advice:
        return
    evaluations = {each.scenario: each for each in own.evaluations} | {HISTORY: own.train}
    checks = [check for check in check_limits(request, evaluations) if check.limit in request.limits.defined()]
    if broken := dict.fromkeys(limit_label(check.limit) for check in checks if not check.passed):
        yield f"Your current rule itself breaks {join_words([*broken])} that you asked for."


def _pieces(claim: RenderedClaim, figures: tuple[Figure, ...]) -> tuple[TextPiece, ...]:
    return tuple(
        TextPiece(text=text, figure=figure.id if figure else None) for text, figure in split_by_figures(claim, figures)
    )


def _source(figure: Figure) -> FigureSource:
    field, tool = origin(figure)
    part = re.split(r"[.\[]", field)[0]
    return FigureSource(
        id=figure.id,
        quantity=figure.quantity,
        text=format_figure(figure),
        value=figure.value,
        unit=figure.unit,
        error=figure.error,
        computation=COMPUTATIONS.get(tool, COMPUTATIONS.get(part, "")),
        field=field,
        tool=tool,
    )
