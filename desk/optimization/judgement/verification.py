"""Verifies that figures and released text of a result match what was computed, before storage and on reading."""

from collections.abc import Iterator

from desk.figures.figures import Claim, Figure, RenderedClaim
from desk.figures.guard.claims import REFERENCE, render
from desk.optimization.briefing.scenario_list import scenario_figures
from desk.optimization.judgement.result_figures import result_figures
from desk.optimization.result import OptimizationResult

_TOOLS = ("assess_risk.", "read_market.", "list_scenarios.", "search_status.")
"""Sources of the figures that agents use before the result exists."""


class Unverified(RuntimeError):
    """The released text or its figures do not match the computation."""


def require_verified(result: OptimizationResult) -> None:
    if wrong := find_discrepancies(result):
        raise Unverified("; ".join(wrong))


def find_discrepancies(result: OptimizationResult) -> list[str]:
    """Return the discrepancies of figures and released text, each as `code: detail`; empty if there are none."""
    return [*_figures(result), *_claims(result)]


def _figures(result: OptimizationResult) -> Iterator[str]:
    computed_figures = {figure.id: figure for figure in result_figures(result)}
    request_figures = {figure.id: figure for figure in scenario_figures(result.manifest.request.scenarios)}
    stored_figures = {figure.id: figure for figure in result.figures}
    if len(stored_figures) < len(result.figures):
        yield "repeated_figure: an id stands for more than one figure"
    for id_, figure in computed_figures.items():
        if id_ not in stored_figures:
            yield f"missing_figure: {id_} is not among the figures"
        elif stored_figures[id_] != figure:
            yield f"changed_figure: {id_} is not what the result gives"
    for id_, figure in stored_figures.items():
        if id_ in request_figures and figure != request_figures[id_]:
            yield f"changed_figure: {id_} is not what the request gives"
        if id_ not in computed_figures and not figure.source.startswith(_TOOLS):
            yield f"foreign_figure: {id_} comes from {figure.source}, which is no part of the result"


def _claims(result: OptimizationResult) -> Iterator[str]:
    figures_by_id = {figure.id: figure for figure in result.figures}
    for n, claim in enumerate(result.explanation.claims if result.explanation else (), 1):
        wrong = _claim(claim, figures_by_id)
        if wrong:
            yield f"{wrong} (claim {n})"


def _claim(claim: RenderedClaim, figures_by_id: dict[str, Figure]) -> str | None:
    references = tuple(dict.fromkeys(REFERENCE.findall(claim.template)))
    if unknown := [id_ for id_ in references if id_ not in figures_by_id]:
        return f"unknown_reference: {unknown} are no figures of the result"
    if claim.figures != references:
        return f"wrong_figures: the text refers to {list(references)}"
    original_claim = Claim.model_construct(section=claim.section, text=claim.template)
    return (
        None
        if render(original_claim, figures_by_id.values()) == claim
        else "changed_text: it is not what its figures render"
    )
