"""Finds closes that a new version of a data set changes, and the runs affected by them."""

from datetime import date, datetime

import numpy as np

from desk.market.bars import Bars
from desk.market.datasets.repository import PIN
from desk.market.datasets.schemas import Adjustment, Stale
from desk.market.universe import split_universe
from store.records import Key, Put, iterate_records
from store.store import Store

KIND = "stale"
TOLERANCE = 0.005
"""Relative change of a close that counts as rounding."""
MAX_DATES = 20


def find_adjustments(earlier: Bars, later: Bars) -> tuple[Adjustment, ...]:
    """Assets whose earlier closes changed by more than half a percent."""
    _, before, after = np.intersect1d(earlier.dates, later.dates, assume_unique=True, return_indices=True)
    adjustments: list[Adjustment] = []
    for n, asset in enumerate(later.assets):
        if asset not in earlier.assets:
            continue
        old = earlier.closes[before, earlier.assets.index(asset)]
        new = later.closes[after, n]
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.abs(new - old) / np.abs(old)
        rows = np.flatnonzero(change > TOLERANCE + 1e-9)  # 10.05 after 10 is half a percent and a last bit
        if rows.size:
            days = [_day(day) for day in later.dates[after[rows]]]
            largest = float(change[rows].max())
            adjustments.append(
                Adjustment(
                    symbol=asset,
                    count=len(days),
                    first=days[0],
                    last=days[-1],
                    largest=largest if np.isfinite(largest) else None,
                    dates=tuple(days[:MAX_DATES]),
                )
            )
    return tuple(adjustments)


async def affected_runs(store: Store, owner: str, dataset: str, changed: set[str], version: str) -> tuple[str, ...]:
    """Runs on other versions of the data set that use an asset with changed closes."""
    runs: list[str] = []
    async for record in iterate_records(store.records, owner, "run"):
        request = record.document["request"]
        if request.get("prices_file") is not None:
            continue
        name, assets = split_universe(request["universe"])
        base, _, pin = name.partition("@")
        if base == dataset and pin and not version.startswith(pin) and (not assets or changed & set(assets)):
            runs.append(record.key.id)
    return tuple(runs)


def stale_records(
    owner: str, runs: tuple[str, ...], dataset: str, version: str, now: datetime, changed: set[str]
) -> list[Put]:
    """Records that mark runs as stale; the latest reason replaces earlier ones."""
    reason = f"closes of {', '.join(sorted(changed)[:10])} were changed after the fact by {dataset}@{version[:PIN]}"
    return [
        Put(
            Key(owner, KIND, run),
            Stale(run=run, reason=reason, at=now, dataset=dataset, version=version).model_dump(mode="json"),
        )
        for run in runs
    ]


async def read_stale(store: Store, owner: str, run: str) -> Stale | None:
    """The record of a run whose prices were changed later, or None."""
    record = await store.records.get(Key(owner, KIND, run))
    return None if record is None else Stale.model_validate(record.document)


def _day(value: object) -> date:
    return date.fromisoformat(str(value))
