"""What a new version of a data set changes of what was known before, and which runs that concerns."""

from datetime import date, datetime

import numpy as np

from desk.market.bars import Bars
from desk.market.datasets.repository import PIN
from desk.market.datasets.schemas import Adjustment, Stale
from desk.market.universe import split_universe
from store.records import Key, Put, iterate_records
from store.store import Store

KIND = "stale"
TOLERATED = 0.005
"""Relative change of a close that counts as rounding."""
SHOWN = 20


def find_adjustments(earlier: Bars, later: Bars) -> tuple[Adjustment, ...]:
    """Assets whose closes of days known before have changed by more than half a percent."""
    _, before, after = np.intersect1d(earlier.dates, later.dates, assume_unique=True, return_indices=True)
    found: list[Adjustment] = []
    for n, asset in enumerate(later.assets):
        if asset not in earlier.assets:
            continue
        old = earlier.closes[before, earlier.assets.index(asset)]
        new = later.closes[after, n]
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.abs(new - old) / np.abs(old)
        rows = np.flatnonzero(change > TOLERATED + 1e-9)  # 10.05 after 10 is half a percent and a last bit
        if rows.size:
            days = [_day(day) for day in later.dates[after[rows]]]
            largest = float(change[rows].max())
            found.append(
                Adjustment(
                    symbol=asset,
                    count=len(days),
                    first=days[0],
                    last=days[-1],
                    largest=largest if np.isfinite(largest) else None,
                    dates=tuple(days[:SHOWN]),
                )
            )
    return tuple(found)


async def affected_runs(store: Store, owner: str, dataset: str, changed: set[str], version: str) -> tuple[str, ...]:
    """Runs on other versions of the data set that use an asset whose closes have changed."""
    found: list[str] = []
    async for record in iterate_records(store.records, owner, "run"):
        request = record.document["request"]
        if request.get("prices_file") is not None:
            continue
        name, assets = split_universe(request["universe"])
        base, _, pin = name.partition("@")
        if base == dataset and pin and not version.startswith(pin) and (not assets or changed & set(assets)):
            found.append(record.key.id)
    return tuple(found)


def stale_records(
    owner: str, runs: tuple[str, ...], dataset: str, version: str, now: datetime, changed: set[str]
) -> list[Put]:
    """The records that say so; the latest reason stands."""
    reason = f"closes of {', '.join(sorted(changed)[:10])} were changed after the fact by {dataset}@{version[:PIN]}"
    return [
        Put(
            Key(owner, KIND, run),
            Stale(run=run, reason=reason, at=now, dataset=dataset, version=version).model_dump(mode="json"),
        )
        for run in runs
    ]


async def read_stale(store: Store, owner: str, run: str) -> Stale | None:
    """Why a run's prices are no longer what they were; None where they are."""
    record = await store.records.get(Key(owner, KIND, run))
    return None if record is None else Stale.model_validate(record.document)


def _day(value: object) -> date:
    return date.fromisoformat(str(value))
