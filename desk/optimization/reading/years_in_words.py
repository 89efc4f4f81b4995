"""Calendar years and crises of a result, in sentences."""

import re
from collections.abc import Iterator

from desk.base.errors import InvalidInput
from desk.base.text import number
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.optimization.result import Crisis, OptimizationResult, Year
from quant.performance.crises import crisis_phrase

WORST = 3
"""Years that the sentence names."""


def describe_years(result: OptimizationResult, detail: str | None) -> tuple[Figure, ...]:
    """The worst years, or the year or crisis that `detail` names, as sentences; `InvalidInput` for another."""
    sheet = Sheet("explain_result", "years")
    if detail is not None:
        sheet.say("asked_sentence", " ".join(_asked(result, detail)))
    elif result.years:
        sheet.say("worst_sentence", _worst(result.years))
        sheet.say("best_sentence", _best(result.years))
    return sheet.figures


def _worst(years: tuple[Year, ...]) -> str:
    worst, *others = sorted(years, key=lambda year: year.winner)[:WORST]
    then = "".join(f", then {year.year} with {_percent(year.winner)}" for year in others)
    return (
        f"The worst year of the winner was {worst.year} with {_percent(worst.winner)}{then}; in {worst.year} the "
        f"constant weight of the same volatility returned {_percent(worst.benchmark)} and full investment "
        f"{_percent(worst.asset)}."
    )


def _best(years: tuple[Year, ...]) -> str:
    best, *others = sorted(years, key=lambda year: -year.winner)[:WORST]
    then = "".join(f", then {year.year} with {_percent(year.winner)}" for year in others)
    return f"Its best year was {best.year} with {_percent(best.winner)}{then}."


def _asked(result: OptimizationResult, detail: str) -> Iterator[str]:
    wanted = detail.casefold()
    years = [year for year in result.years if str(year.year) in re.findall(r"\d{4}", detail)]
    crises = [crisis for crisis in result.crises if wanted in crisis.name.casefold()]
    if not years and not crises:
        names = ", ".join(crisis.name for crisis in result.crises)
        known = f"{result.years[0].year} to {result.years[-1].year}" if result.years else "none"
        allowed = f"a year from {known}" + (f", or {names}" if names else "")
        raise InvalidInput("detail", detail, reason=f"the days used do not cover {detail}", allowed=allowed)
    for year in years:
        part = ", of which the days used cover a part," if year.partial else ""
        yield f"In {year.year}{part} {_returns(year)}."
    for crisis in crises:
        yield f"In {crisis_phrase(crisis.name)} ({crisis.start} to {crisis.end}) {_returns(crisis)}."


def _returns(row: Year | Crisis) -> str:
    return (
        f"the winner returned {_percent(row.winner)}, the constant weight of the same volatility "
        f"{_percent(row.benchmark)} and full investment {_percent(row.asset)}"
    )


def _percent(value: float) -> str:
    return f"{number(100.0 * value, 1)}%"
