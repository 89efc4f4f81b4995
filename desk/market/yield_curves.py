"""Yield curves of imported data sets of the kind curve."""

from datetime import date
from typing import Annotated

from pydantic import Field

from desk.base.errors import InvalidInput
from desk.market.datasets.repository import read_bars, read_head, read_version
from quant.numeric.frozen import Frozen
from store.store import Store

MOST_DAYS = 10_000


class YieldCurves(Frozen):
    """Curves of consecutive days, the oldest first."""

    dataset: Annotated[str, Field(description="The data set", examples=["treasury"])]
    version: Annotated[str, Field(description="Hash of its version")]
    tenors: Annotated[tuple[str, ...], Field(description="Columns of the file, in order", examples=[["2Y", "10Y"]])]
    dates: Annotated[tuple[date, ...], Field(description="Days of the curves")]
    yields: Annotated[
        tuple[tuple[float | None, ...], ...],
        Field(description="One row per day and one value per tenor, as in the file; null where a day has none"),
    ]


async def load_yield_curves(
    store: Store, owner: str, dataset: str, *, first: date | None, last: date | None
) -> YieldCurves:
    """The last `MOST_DAYS` curves of the latest version between two days."""
    import numpy as np  # a light route does without

    head = await read_head(store, owner, dataset)
    if head.kind != "curve":
        reason = f"{dataset} is of the kind {head.kind}"
        raise InvalidInput("query.dataset", dataset, reason=reason, allowed="a data set of the kind curve")
    version = await read_version(store, owner, dataset, head.history[-1].hash)
    bars = await read_bars(store, owner, version)
    low = 0 if first is None else int(np.searchsorted(bars.dates, np.datetime64(first, "D")))
    high = len(bars.dates) if last is None else int(np.searchsorted(bars.dates, np.datetime64(last, "D"), "right"))
    rows = slice(max(low, high - MOST_DAYS), high)
    return YieldCurves(
        dataset=dataset,
        version=version.hash,
        tenors=bars.assets,
        dates=tuple(bars.dates[rows].tolist()),
        yields=tuple(
            tuple(None if np.isnan(value) else float(value) for value in curve) for curve in bars.closes[rows]
        ),
    )
