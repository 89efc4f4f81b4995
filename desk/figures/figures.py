"""Figures: the only numbers that a text may contain. Claims refer to them by id; code inserts value and unit."""

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import Field

from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured

Unit: TypeAlias = Literal[
    "percent",
    "bps",
    "points",
    "years",
    "days",
    "ratio",
    "weight",
    "count",
    "probability",
    "money",
    "text",
    "date",
]


class Figure(Frozen):
    """A number (or name) that code computed, with its unit and source."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]
    quantity: str
    """What it measures, in words: "benefit over the volatility-matched constant weight"."""
    value: float | int | str
    """Fractions are stored as fractions: 0.10 with unit percent reads 10.0%. Basis points are yearly."""
    unit: Unit
    error: float | None = None
    """Standard error, in the same unit; null where it has no meaning."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """Currency of a money amount."""
    source: str
    """The tool result and field, such as `result.benefit.basis_points`."""


WHOLE_SENTENCE = 'a "whole sentence"'
"""Quantity of a sentence that code wrote: it may stand alone in a claim, and no other words describe it."""

Section: TypeAlias = Literal[
    "winner",
    "why",
    "where_it_loses",
    "costs",
    "what_would_change",
    "luck",
    "data",
    "counter_argument",
    "risk",
    "market",
    "search",
    "answer",
]


class Claim(Frozen):
    """A sentence as an agent writes it: its numbers are references such as `{{benefit_bps}}`."""

    section: Section
    text: Annotated[str, Field(min_length=1, max_length=600)]


def format_figure(figure: Figure) -> str:
    """Format a figure for a sentence, rounded by its unit, with its standard error."""
    if isinstance(figure.value, str):
        return figure.value
    if figure.unit == "probability" and figure.error is None and 0.0 < figure.value < 0.005:
        return "below 1%"
    if figure.unit == "probability" and figure.error is None and 0.995 < figure.value < 1.0:
        return "above 99%"
    scale, decimals, suffix, noun = _STYLE[figure.unit]
    money = f"{figure.currency} " if figure.currency else ""
    text = _counted(f"{money}{_rounded(figure.value * scale, decimals)}", suffix)
    if figure.error is None:
        return text
    error = figure.error * scale
    least = 1.0 / 10**decimals
    if error < least / 2:
        return f"{text}, plus or minus less than {_counted(f'{least:,.{decimals}f}', noun)}"
    return f"{text}, plus or minus {_counted(_rounded(error, decimals), noun)}"


def format_measured(measured: Measured, unit: Unit) -> str:
    """Format a value with its error, as a figure of that unit in a sentence."""
    return format_figure(
        Figure(id="measured", quantity="", value=measured.value, error=measured.error, unit=unit, source="")
    )


def format_cell(figure: Figure) -> str:
    """Format a figure for a table cell."""
    value_text = format_figure(figure.model_copy(update={"error": None}))
    if figure.error is None or isinstance(figure.value, str):
        return value_text.removesuffix(" a year")
    scale, decimals, _, _ = _STYLE[figure.unit]
    error = figure.error * scale
    least = 1.0 / 10**decimals
    error_text = f"<{least:,.{decimals}f}" if error < least / 2 else _rounded(error, decimals)
    return f"{value_text.removesuffix(' a year')} ±{error_text}"


_STYLE: dict[str, tuple[float, int, str, str]] = {
    "percent": (100.0, 1, "%", " points"),
    "bps": (1.0, 0, " bps a year", ""),
    "points": (1.0, 1, " points", ""),
    "years": (1.0, 1, " years", ""),
    "days": (1.0, 0, " days", ""),
    "ratio": (1.0, 2, "", ""),
    "weight": (100.0, 0, "%", " points"),
    "count": (1.0, 0, "", ""),
    "probability": (100.0, 0, "%", " points"),
    "money": (1.0, 0, "", ""),
}
"""By unit: factor, decimals, suffix of the value, suffix of the error."""


def _counted(text: str, noun: str) -> str:
    """`1 point`, `2 points`."""
    return f"{text}{noun.removesuffix('s') if text == '1' else noun}"


def _rounded(value: float, decimals: int) -> str:
    text = f"{abs(value):,.{decimals}f}"
    return f"\N{MINUS SIGN}{text}" if value < 0.0 and float(text.replace(",", "")) > 0.0 else text


def collect_figures(result: Frozen) -> tuple[Figure, ...]:
    """Return the figures of a tool result, nested ones included."""
    return tuple(_figures(result))


def _figures(value: object) -> Iterator[Figure]:
    if isinstance(value, Figure):
        yield value
    elif isinstance(value, Frozen):
        for name in type(value).model_fields:
            yield from _figures(getattr(value, name))
    elif isinstance(value, tuple):
        for item in cast("tuple[object, ...]", value):
            yield from _figures(item)


class RenderedClaim(Frozen):
    """A released sentence and the figures behind its numbers."""

    section: str
    """Section of the text that the sentence belongs to."""
    text: str
    figures: tuple[str, ...]
    """Ids of the figures, in the order of the text."""
    template: str
    """The sentence with references in place of the figures, as the agent wrote it."""
