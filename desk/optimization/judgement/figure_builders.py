"""Builds the figures of single values of a result."""

from collections.abc import Iterator

from desk.figures.figures import Figure, Unit
from quant.numeric.measured import Measured


def number_figures(
    id_: str, quantity: str, value: float | Measured | None, unit: Unit, source: str
) -> Iterator[Figure]:
    if value is None:
        return
    number, error = (value.value, value.error) if isinstance(value, Measured) else (value, None)
    yield Figure(id=id_, quantity=quantity, value=number, unit=unit, error=error, source=f"result.{source}")


def text_figure(id_: str, quantity: str, value: str, source: str, unit: Unit = "text") -> Figure:
    return Figure(id=id_, quantity=quantity, value=value, unit=unit, source=f"result.{source}")
