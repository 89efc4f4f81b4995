"""Finds the header of a table below titles and comments, and drops footers and empty columns."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeAlias

from desk.market.files import tables
from desk.market.files.columns import is_date_name, role_of
from desk.market.files.dates import looks_like_date
from desk.market.files.numbers import MISSING
from desk.market.files.tables import A_HEADER, Cell, Row, Table, count_noun, is_blank, text_of, too_many_cells

_COMMENT = re.compile(r"\s*#(?!n/?a)", re.IGNORECASE)
"""A comment line, which Excel's #N/A does not begin."""
_MAX_TOP = 60
_MAX_FOOTERS = 10
_FIELD_LABELS = ("price", "prices", "ticker", "tickers", "symbols", "attributes", "")
Top: TypeAlias = "list[tuple[int, list[Cell]]]"


def with_header(table: Table, date_name: str | None = None) -> tuple[Table, tuple[str, ...]]:
    """The table with its header and rows as lists, and notes on what was skipped.

    `date_name` is the name of the date column if the caller knows it. Raises `InvalidInput` for rows of another width.
    """
    if table.header:
        rows = _limited(table, table.rows)
        return _without_empty_columns(table.with_rows([name.strip() for name in table.header], list(rows))), ()
    rows = iter(_limited(table, table.rows))
    top: Top = []
    for row in rows:
        top.append(row)
        if len(top) == _MAX_TOP:
            break
    if not top:
        raise table.error("is empty", allowed=A_HEADER, code="empty")
    header, first = _header(top, date_name)
    notes = [f"{count_noun(first[0], 'row')} above the header skipped"] if first[0] else []
    data, footers = _data(table, header, chain(top[first[1] :], rows))
    if footers:
        notes.append(f"{count_noun(footers, 'row')} of text below the prices skipped")
    return _without_empty_columns(table.with_rows(header, data)), tuple(notes)


def has_prices(table: Table, date_name: str | None = None) -> bool:
    """Whether the beginning of a table has a date column with a row of data below."""
    top: Top = []
    for row in _limited(table, table.rows):
        top.append(row)
        if len(top) == _MAX_TOP:
            break
    if not top:
        return False
    header, (_, start) = _header(top, date_name)
    names = [_matches(name, date_name) or not name for name in header]
    return any(
        n < len(names) and names[n] and looks_like_date(cell)
        for _, cells in top[start:]
        for n, cell in enumerate(cells)
    )


def _limited(table: Table, rows: Iterable[Row]) -> Iterator[Row]:
    """Rows with content that are no comments; raises `InvalidInput` for too many cells."""
    count = 0
    for number, cells in rows:
        count += len(cells)
        if count > tables.MAX_CELLS:
            raise too_many_cells(table)
        first = next((cell for cell in cells if not is_blank(cell)), None)
        if first is None or (not table.header and isinstance(first, str) and _COMMENT.match(first)):
            continue
        yield number, cells


def _header(top: Top, date_name: str | None) -> tuple[list[str], tuple[int, int]]:
    """The header, the number of rows above it, and the place of the first row below it."""
    for n, (_, cells) in enumerate(top):
        names = [text_of(cell) for cell in cells]
        place = next((i for i, name in enumerate(names) if _matches(name, date_name)), None)
        if place is None or any(looks_like_date(cell) for i, cell in enumerate(cells) if i != place):
            continue
        filled = [i for i, name in enumerate(names) if name]
        if filled == [place] and n >= 2 and (header := _levels(top[n - 2][1], top[n - 1][1], place, names[place])):
            return header, (n - 2, n + 1)
        if len(filled) > 1 or n == 0:
            below = top[n + 1][1] if n + 1 < len(top) else []
            if header := _levels(cells, below, place, names[place]):
                return header, (n, n + 2)
            return names, (n, n + 1)
    return _nameless(top)


def _matches(name: str, date_name: str | None) -> bool:
    return name.casefold() == date_name.strip().casefold() if date_name else is_date_name(name)


def _nameless(top: Top) -> tuple[list[str], tuple[int, int]]:
    """The header above the first date, if the date column has no name; otherwise the first row of several cells."""
    for n, (_, cells) in enumerate(top):
        place = next((i for i, cell in enumerate(cells) if looks_like_date(cell)), None)
        if place is None or n == 0 or sum(not is_blank(cell) for cell in cells) < 2:
            continue
        if n >= 2 and (header := _levels(top[n - 2][1], top[n - 1][1], place, "")):
            return header, (n - 2, n)
        return [text_of(cell) for cell in top[n - 1][1]], (n - 1, n)
    n = next((n for n, (_, cells) in enumerate(top) if sum(not is_blank(cell) for cell in cells) > 1), 0)
    return [text_of(cell) for cell in top[n][1]], (n, n + 1)


def _levels(one: Sequence[Cell], two: Sequence[Cell], date: int, date_name: str) -> list[str] | None:
    """One header from two rows, fields and tickers in either order, as yfinance writes them; None if they are not."""
    upper, lower = [text_of(cell) for cell in one], [text_of(cell) for cell in two]
    width = max(len(upper), len(lower))
    upper, lower = _padded(upper, width), _padded(lower, width)
    if date + 1 < width and upper[date + 1]:  # merged cells of a workbook have their text in the first one
        for i in range(date + 2, width):
            upper[i] = upper[i] or upper[i - 1]
    if date >= width or lower[date].casefold() not in _FIELD_LABELS:
        return None
    places = [i for i in range(len(upper)) if i != date]
    for fields, assets in ((upper, lower), (lower, upper)):
        if all(assets[i] and (role_of(fields[i]) or _is_field(fields[i])) not in (None, "date") for i in places):
            if any(looks_like_date(assets[i]) or _is_number(assets[i]) for i in places):
                return None
            return [date_name if i == date else str((fields[i], assets[i])) for i in range(len(upper))]
    return None


def _padded(names: list[str], width: int) -> list[str]:
    return names + [""] * (width - len(names))


def _is_field(name: str) -> str | None:
    return "other" if name.casefold() in ("capital gains", "repaired?") else None


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+\d.,' ]*[.,][\d.,' ]+", text))


def _data(table: Table, header: list[str], rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Rows as wide as the header; texts below the last of them are footers."""
    data: list[Row] = []
    footers: Top = []
    width = len(header)
    while header and not header[-1]:
        header.pop()
    named = len(header)
    header += [""] * (width - named)
    for number, cells in rows:
        if _is_footer(cells):
            footers.append((number, cells))
            continue
        if footers:
            raise _ragged(table, footers[0], width)
        if len(cells) > width and all(is_blank(cell) for cell in cells[width:]):
            cells = cells[:width]  # noqa: PLW2901
        elif named <= len(cells) < width or (len(cells) < width and table.name.startswith("sheet ")):
            cells = [*cells, *[""] * (width - len(cells))]  # noqa: PLW2901
        if len(cells) != width:
            raise _ragged(table, (number, cells), width)
        data.append((number, cells))
    if len(footers) > _MAX_FOOTERS:
        raise _ragged(table, footers[0], width)
    return data, len(footers)


def _is_footer(cells: Sequence[Cell]) -> bool:
    """Whether a row is a sentence, which commas may have split; prices, dates and missing values are not."""
    filled = [cell for cell in cells if not is_blank(cell)]
    texts = [cell.strip() for cell in filled if isinstance(cell, str)]
    if len(texts) < len(filled) or len(texts[0]) < 6 or not any(c in texts[0] for c in " :"):
        return False
    return all(any(map(str.isalpha, text)) and text.casefold() not in MISSING for text in texts) and not any(
        looks_like_date(text) or text[0].isdigit() for text in texts
    )


def _ragged(table: Table, row: Row, width: int) -> Exception:
    number, cells = row
    return table.error(
        f"has {count_noun(len(cells), 'cell')}, the header has {width}",
        row=number,
        allowed="as many cells as the header; numbers with separators in quotes",
        code="ragged_row",
    )


def _without_empty_columns(table: Table) -> Table:
    rows = list(table.rows)
    blank = [
        i for i, name in enumerate(table.header) if not name and rows and all(is_blank(cells[i]) for _, cells in rows)
    ]
    if not blank:
        return table.with_rows(table.header, rows)
    keep = [i for i in range(len(table.header)) if i not in set(blank)]
    return table.with_rows([table.header[i] for i in keep], [(n, [cells[i] for i in keep]) for n, cells in rows])
