"""Tables that code puts beside an answer: every cell is a label of code's or a reference to a figure."""

from collections.abc import Callable, Mapping
from typing import Any

from quant.strategy import Frozen
from tools.figures import Figure


class Exhibit(Frozen):
    """`rows` hold labels and references such as `{{benefit_bps}}`; a cell without a value is empty."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def ids(self) -> tuple[str, ...]:
        cells = [cell for row in self.rows for cell in row if cell.startswith("{{")]
        return tuple(dict.fromkeys(cell[2:-2] for cell in cells))


def table(title: str, columns: tuple[str, ...], rows: "list[tuple[str, ...]]", figures: tuple[Figure, ...]) -> Exhibit:
    """Each row is a label and ids; an id without a figure leaves its cell empty, a row without any is left out."""
    known = {figure.id for figure in figures}
    filled = [(row[0], *(f"{{{{{id_}}}}}" if id_ in known else "" for id_ in row[1:])) for row in rows]
    kept = tuple(row for row in filled if any(row[1:]))
    return Exhibit(title=title, columns=columns, rows=kept)


def exhibits_of(result: Frozen) -> tuple[Exhibit, ...]:
    """The tables of a tool's result, without the empty ones."""
    made = _TABLES.get(type(result).__name__)
    return tuple(exhibit for exhibit in made(result) if exhibit.rows) if made else ()


_TABLES: Mapping[str, Callable[[Any], "list[Exhibit]"]] = {}
