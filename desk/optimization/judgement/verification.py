"""Whether a finished result still says what was computed: the last look before it is kept, and at what was stored."""

from collections.abc import Iterator

from desk.figures.figures import Claim, Figure, RenderedClaim
from desk.figures.guard.claims import REFERENCE, render
from desk.optimization.briefing.scenario_list import scenario_figures
from desk.optimization.judgement.result_figures import figures_of
from desk.optimization.result import OptimizationResult

_TOOLS = ("assess_risk.", "read_market.", "list_scenarios.", "search_status.")
"""Where the figures come from that agents used before there was a result."""


class Unverified(RuntimeError):
    """The released text and its figures do not say what was computed."""


def require_verified(result: OptimizationResult) -> None:
    if wrong := verify(result):
        raise Unverified("; ".join(wrong))


def verify(result: OptimizationResult) -> list[str]:
    """What is wrong with the figures and the released text of `result`, each as `code: what`; empty if nothing is."""
    return [*_figures(result), *_claims(result)]


def _figures(result: OptimizationResult) -> Iterator[str]:
    computed = {figure.id: figure for figure in figures_of(result)}
    given = {figure.id: figure for figure in scenario_figures(result.manifest.request.scenarios)}
    stored = {figure.id: figure for figure in result.figures}
    if len(stored) < len(result.figures):
        yield "repeated_figure: an id stands for more than one figure"
    for id_, figure in computed.items():
        if id_ not in stored:
            yield f"missing_figure: {id_} is not among the figures"
        elif stored[id_] != figure:
            yield f"changed_figure: {id_} is not what the result gives"
    for id_, figure in stored.items():
        if id_ in given and figure != given[id_]:
            yield f"changed_figure: {id_} is not what the request gives"
        if id_ not in computed and not figure.source.startswith(_TOOLS):
            yield f"foreign_figure: {id_} comes from {figure.source}, which is no part of the result"


def _claims(result: OptimizationResult) -> Iterator[str]:
    known = {figure.id: figure for figure in result.figures}
    for n, claim in enumerate(result.explanation.claims if result.explanation else (), 1):
        wrong = _claim(claim, known)
        if wrong:
            yield f"{wrong} (claim {n})"


def _claim(claim: RenderedClaim, known: dict[str, Figure]) -> str | None:
    used = tuple(dict.fromkeys(REFERENCE.findall(claim.template)))
    if unknown := [id_ for id_ in used if id_ not in known]:
        return f"unknown_reference: {unknown} are no figures of the result"
    if claim.figures != used:
        return f"wrong_figures: the text refers to {list(used)}"
    written = Claim.model_construct(section=claim.section, text=claim.template)
    return None if render(written, known.values()) == claim else "changed_text: it is not what its figures render"
