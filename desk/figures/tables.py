"""Tables beside an answer: every cell is a label or a reference to a figure."""

from collections.abc import Iterable, Mapping, Sequence

from desk.figures.figures import Figure
from quant.numeric.frozen import Frozen


class Exhibit(Frozen):
    """A table of labels and references such as `{{benefit_bps}}`; a cell without a value is empty."""

    title: str
    columns: tuple[str, ...]
    """Headers of the columns."""
    rows: tuple[tuple[str, ...], ...]
    """Cells by row."""

    def ids(self) -> tuple[str, ...]:
        cells = [cell for row in self.rows for cell in row if cell.startswith("{{")]
        return tuple(dict.fromkeys(cell[2:-2] for cell in cells))


def build_table(
    title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], figures: Iterable[Figure]
) -> Exhibit:
    """Build a table from rows of a label and figure ids; rows and columns without any figure are dropped."""
    figure_ids = {figure.id for figure in figures}
    cells = [(row[0], *(f"{{{{{id_}}}}}" if id_ in figure_ids else "" for id_ in row[1:])) for row in rows]
    non_empty = [row for row in cells if any(row[1:]) and (not row[0].startswith("{{") or row[0][2:-2] in figure_ids)]
    columns_with_values = [0, *(n for n in range(1, len(columns)) if any(row[n] for row in non_empty))]
    return Exhibit(
        title=title,
        columns=tuple(columns[n] for n in columns_with_values),
        rows=tuple(tuple(row[n] for n in columns_with_values) for row in non_empty),
    )


def build_listing(title: str, rows: Mapping[str, str], figures: Iterable[Figure]) -> Exhibit:
    """Build a table with a label and a figure in each row."""
    return build_table(title, ("", ""), [(label, id_) for id_, label in rows.items()], figures)


def build_notes(title: str, texts: Sequence[str]) -> Exhibit:
    """Build a list of sentences on data and assumptions; their numbers are not figures."""
    return Exhibit(title=title, columns=("",), rows=tuple((f"· {text}",) for text in texts))
