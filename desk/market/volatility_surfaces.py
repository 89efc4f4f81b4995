"""Surfaces of implied volatilities, from imported data sets of the kind index."""

import re
from datetime import date
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from desk.base.errors import InvalidInput
from desk.market.datasets.repository import read_bars, read_head, read_version
from quant.numeric.frozen import Frozen
from store.store import Store

MOST_VALUES: Final = 500_000
"""Of a response, days x tenors x strikes."""
COLUMN: Final = re.compile(r"(?P<tenor>(?P<count>\d{1,3})(?P<unit>[DWMY]))_(?P<strike>\d{1,3}(\.\d{1,2})?)")
"""Name of a column: the tenor, and the strike in percent of the spot price."""
_DAYS: Final = {"D": 1, "W": 7, "M": 30, "Y": 365}
_ALLOWED: Final = "columns such as 1M_90 and 3M_110: the tenor, and the strike in percent of the spot price"


class VolatilitySurfaces(Frozen):
    """Surfaces of consecutive days, the oldest first."""

    dataset: Annotated[str, Field(description="The data set", examples=["spx_surface"])]
    version: Annotated[str, Field(description="Hash of its version")]
    tenors: Annotated[tuple[str, ...], Field(description="From the shortest to the longest", examples=[["1M", "3M"]])]
    strikes: Annotated[
        tuple[float, ...], Field(description="In percent of the spot price, ascending", examples=[[90.0, 100.0, 110.0]])
    ]
    dates: Annotated[tuple[date, ...], Field(description="Days of the surfaces")]
    volatilities: Annotated[
        tuple[tuple[tuple[float | None, ...], ...], ...],
        Field(
            description="By day, tenor and strike, in percent a year as in the file; null where the file has none",
            examples=[[[[19.2, 15.1, 12.9], [20.4, 16.8, 14.2]]]],
        ),
    ]


class _Column(NamedTuple):
    tenor: str
    days: int
    strike: float


async def load_volatility_surfaces(
    store: Store, owner: str, dataset: str, *, first: date | None, last: date | None
) -> VolatilitySurfaces:
    """The last surfaces of the latest version between two days, at most `MOST_VALUES` values."""
    import numpy as np  # a light route does without

    head = await read_head(store, owner, dataset)
    if head.kind != "index":
        reason = f"{dataset} is of the kind {head.kind}"
        raise InvalidInput(
            "query.dataset", dataset, reason=reason, allowed=f"a data set of the kind index with {_ALLOWED}"
        )
    version = await read_version(store, owner, dataset, head.history[-1].hash)
    bars = await read_bars(store, owner, version)
    columns = [_column(dataset, name) for name in bars.assets]
    if len(set(columns)) < len(columns):
        raise InvalidInput("query.dataset", dataset, reason="two columns have one tenor and strike", allowed=_ALLOWED)
    tenors = {each.tenor: each.days for each in sorted(columns, key=lambda each: each.days)}
    strikes = sorted({each.strike for each in columns})
    low = 0 if first is None else int(np.searchsorted(bars.dates, np.datetime64(first, "D")))
    high = len(bars.dates) if last is None else int(np.searchsorted(bars.dates, np.datetime64(last, "D"), "right"))
    rows = slice(max(low, high - MOST_VALUES // (len(tenors) * len(strikes))), high)
    days = bars.dates[rows]
    grid = np.full((days.size, len(tenors), len(strikes)), np.nan)
    places = {tenor: place for place, tenor in enumerate(tenors)}
    for place, column in enumerate(columns):
        grid[:, places[column.tenor], strikes.index(column.strike)] = bars.closes[rows, place]
    return VolatilitySurfaces(
        dataset=dataset,
        version=version.hash,
        tenors=tuple(tenors),
        strikes=tuple(strikes),
        dates=tuple(days.tolist()),
        volatilities=tuple(
            tuple(tuple(None if np.isnan(value) else float(value) for value in curve) for curve in surface)
            for surface in grid
        ),
    )


def _column(dataset: str, name: str) -> _Column:
    parts = COLUMN.fullmatch(name)
    if parts is None:
        raise InvalidInput("query.dataset", dataset, reason=f"its column {name!r} is of no surface", allowed=_ALLOWED)
    return _Column(parts["tenor"], int(parts["count"]) * _DAYS[parts["unit"]], float(parts["strike"]))
