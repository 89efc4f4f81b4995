"""Reads series and holdings of a tear sheet from files of any format that imports accept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from desk.base.errors import InvalidInput
from desk.market.bars import Bars
from desk.market.files.bars_parser import parse_bars
from desk.market.files.price_file import read_bytes, symbol_of
from desk.market.files.tables import escape_unprintable
from desk.tearsheets.schemas import MOST_ASSETS, MOST_HOLDINGS, MOST_OBSERVATIONS, DatedHoldings, GivenSeries

Checked = TypeVar("Checked", bound=BaseModel)


def read_series(
    path: Path, kind: Literal["prices", "returns"], columns: Sequence[str | None], *, field: str
) -> list[GivenSeries]:
    """The named columns of a file of prices or simple returns; None is the only or the first one."""
    bars = _read(path, positive=kind == "prices")
    return [_series(bars, kind, column, path, field) for column in columns]


def read_holdings(path: Path) -> tuple[DatedHoldings, ...]:
    """One row per day, one column of weights per asset; an empty cell is 0."""
    bars = _read(path, positive=False)
    if bars.dates.size > MOST_HOLDINGS:
        reason = f"{path.name} has {bars.dates.size} days"
        raise InvalidInput("holdings", path.name, reason=reason, allowed=f"at most {MOST_HOLDINGS} days")
    return tuple(
        _validate(
            DatedHoldings,
            "holdings",
            path,
            date=day.item(),
            weights={a: float(w) for a, w in zip(bars.assets, row, strict=True) if w == w},
        )
        for day, row in zip(bars.dates, bars.closes, strict=True)
    )


def _validate(model: type[Checked], field: str, path: Path, **fields: object) -> Checked:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise InvalidInput(
            field,
            path.name,
            reason=f"{'.'.join(map(str, first['loc']))} of {path.name}: {first['msg']}",
            allowed=f"at most {MOST_OBSERVATIONS} values of a series and {MOST_ASSETS} assets of holdings",
        ) from error


def _read(path: Path, *, positive: bool) -> Bars:
    name = escape_unprintable(path.name or str(path))
    parsed = parse_bars(read_bytes(path, name), name=name, symbol=symbol_of(name), positive=positive)
    if parsed.faults:
        raise parsed.faults[0]
    return parsed.bars


def _series(bars: Bars, kind: Literal["prices", "returns"], column: str | None, path: Path, field: str) -> GivenSeries:
    names = {asset.casefold(): n for n, asset in enumerate(bars.assets)}
    if column is not None and column.casefold() not in names:
        raise InvalidInput(
            field, column, reason=f"{path.name} has no column {column}", allowed=", ".join(bars.assets[:40])
        )
    place = 0 if column is None else names[column.casefold()]
    values = bars.closes[:, place]
    known = ~np.isnan(values)
    days = bars.dates[known]
    if days.size < 2:
        raise InvalidInput(field, path.name, reason="fewer than two values", allowed="a series of two values or more")
    fields = {"name": bars.assets[place], "dates": tuple(days.tolist()), kind: tuple(values[known].tolist())}
    return _validate(GivenSeries, kind, path, **fields)
