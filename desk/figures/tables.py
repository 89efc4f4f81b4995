"""Tables that code puts beside an answer: every cell is a label of code's or a reference to a figure."""

from collections.abc import Iterable, Mapping, Sequence

from desk.figures.figures import Figure
from quant.numeric.frozen import Frozen


class Exhibit(Frozen):
    """`rows` hold labels and references such as `{{benefit_bps}}`; a cell without a value is empty."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def ids(self) -> tuple[str, ...]:
        cells = [cell for row in self.rows for cell in row if cell.startswith("{{")]
        return tuple(dict.fromkeys(cell[2:-2] for cell in cells))


def table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], figures: Iterable[Figure]) -> Exhibit:
    """Rows of a label, or a reference to one, and ids; what has no figure is empty, and left out if all of it is."""
    known = {figure.id for figure in figures}
    filled = [(row[0], *(f"{{{{{id_}}}}}" if id_ in known else "" for id_ in row[1:])) for row in rows]
    kept = [row for row in filled if any(row[1:]) and (not row[0].startswith("{{") or row[0][2:-2] in known)]
    used = [0, *(n for n in range(1, len(columns)) if any(row[n] for row in kept))]
    return Exhibit(
        title=title,
        columns=tuple(columns[n] for n in used),
        rows=tuple(tuple(row[n] for n in used) for row in kept),
    )


def listing(title: str, rows: Mapping[str, str], figures: Iterable[Figure]) -> Exhibit:
    """A label and a figure in each row."""
    return table(title, ("", ""), [(label, id_) for id_, label in rows.items()], figures)


def notes(title: str, texts: Sequence[str]) -> Exhibit:
    """Sentences of code's, whose numbers are no findings: what the data are, what was assumed."""
    return Exhibit(title=title, columns=("",), rows=tuple((f"· {text}",) for text in texts))
