"""All manipulations that put another number into a released text; the guard must detect each."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from desk.figures.figures import Claim, Figure, format_figure
from desk.figures.guard.claims import check, render
from desk.figures.guard.quantities import REFERENCE, wrong_quantities
from desk.optimization.answers import Explanation
from desk.optimization.result import OptimizationResult
from quant.numeric.frozen import Frozen

UNITS = (" bps a year", "%", " points", " years", " days")


def all_found(claims: Sequence[Claim], figures: Sequence[Figure], every: int = 1) -> int:
    """Assert that each deception of accepted claims, or each `every`th, is refused, and return their number.

    A deception has the prose of an accepted claim, so that only its quantities can be wrong; every tenth passes
    through the whole check.
    """
    assert [check(claim, figures) for claim in claims] == [[]] * len(claims)
    others = [other for claim in claims for deceive in (swapped_in, swapped) for other in deceive(claim, figures)]
    others = others[::every]
    assert [other.text for other in others if not any(wrong_quantities(other.text, figures))] == []
    assert [other.text for other in others[::10] if not check(other, figures)] == []
    return len(others)


def swapped_in(claim: Claim, figures: Sequence[Figure]) -> Iterator[Claim]:
    """Each reference replaced by each other figure that reads differently and measures something else."""
    by_id = {figure.id: figure for figure in figures}
    for match in REFERENCE.finditer(claim.text):
        own = by_id[match[1]]
        for other in figures:
            if other.quantity != own.quantity and format_figure(other) != format_figure(own):
                yield _with(claim, match, f"{{{{{other.id}}}}}")


def swapped(claim: Claim, figures: Sequence[Figure]) -> Iterator[Claim]:
    """Each pair of references of a claim, swapped, if they read differently."""
    by_id = {figure.id: figure for figure in figures}
    for one, other in combinations(REFERENCE.finditer(claim.text), 2):
        if format_figure(by_id[one[1]]) != format_figure(by_id[other[1]]):
            first = _with(claim, other, one[0])
            yield _with(first, one, other[0])


def perturbed(result: OptimizationResult) -> Iterator[OptimizationResult]:
    """Each digit, sign and unit of each number in the released text changed."""
    assert result.explanation is not None
    for n, claim in enumerate(result.explanation.claims):
        for text in _perturbations(claim.text):
            yield _with_claim(result, n, claim.model_copy(update={"text": text}))


def changed(result: OptimizationResult) -> Iterator[OptimizationResult]:
    """Each figure of a result with another value, error, unit, quantity or source; one more, one less, one twice."""
    for n, figure in enumerate(result.figures):
        for update in _updates(figure):
            other = figure.model_copy(update=update)
            yield _with_figures(result, (*result.figures[:n], other, *result.figures[n + 1 :]))
    first = result.figures[0]
    yield _with_figures(result, result.figures[1:])
    yield _with_figures(result, (*result.figures, first))
    yield _with_figures(result, (*result.figures, first.model_copy(update={"id": "of_another_run"})))


def with_claims(result: OptimizationResult, claims: Sequence[Claim]) -> OptimizationResult:
    rendered_claim = tuple(render(claim, result.figures) for claim in claims)
    return result.model_copy(update={"explanation": Explanation(claims=rendered_claim, author="test")})


def _perturbations(text: str) -> Iterator[str]:
    for match in re.finditer(r"\d", text):
        yield text[: match.start()] + str((int(match[0]) + 1) % 10) + text[match.end() :]
    for match in re.finditer(r"(?<![\w.,-])[−]?\d", text):
        sign = match[0][1:] if match[0].startswith("−") else f"−{match[0]}"
        yield text[: match.start()] + sign + text[match.end() :]
    for unit in UNITS:
        for match in re.finditer(rf"(?<=\d){re.escape(unit)}", text):
            for other in UNITS:
                if other != unit:
                    yield text[: match.start()] + other + text[match.end() :]


def _updates(figure: Figure) -> list[dict[str, Any]]:
    value = f"{figure.value}x" if isinstance(figure.value, str) else figure.value * (1 + 1e-9) + 1e-12
    negative = [] if isinstance(figure.value, str) or not figure.value else [{"value": -figure.value}]
    return [
        {"value": value},
        *negative,
        {"error": 1e-9 if figure.error is None else figure.error * 1.0001},
        *([] if figure.error is None else [{"error": None}]),
        {"unit": "count" if figure.unit != "count" else "days"},
        {"quantity": f"twice the {figure.quantity}"},
        {"source": "result.benefit.another"},
    ]


def _with(claim: Claim, match: re.Match[str], reference: str) -> Claim:
    text = claim.text[: match.start()] + reference + claim.text[match.end() :]
    return Claim.model_construct(section=claim.section, text=text)


def _with_claim(result: OptimizationResult, n: int, claim: Frozen) -> OptimizationResult:
    assert result.explanation is not None
    claims = result.explanation.claims
    update = {"claims": (*claims[:n], claim, *claims[n + 1 :])}
    return result.model_copy(update={"explanation": result.explanation.model_copy(update=update)})


def _with_figures(result: OptimizationResult, figures: tuple[Figure, ...]) -> OptimizationResult:
    return result.model_copy(update={"figures": figures})
