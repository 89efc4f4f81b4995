"""Stored trials: a record each, with the historical series as a content-addressed blob.

numpy is imported in the functions, because callers that only list trials do not need it.
"""

import asyncio
import hashlib
from typing import TYPE_CHECKING

from quant.strategies.trial import Trial
from store.records import Document, Key, Put, iterate_records
from store.store import Store

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats

KIND = "trial"
_BATCH = 100


def series_address(series: "Floats") -> str:
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(series, dtype="<f8").tobytes()).hexdigest()


def _blob(owner: str, address: str) -> str:
    return f"{owner}/series/{address}"


async def save_series(store: Store, owner: str, series: "Floats") -> str:
    """Store a float64 array and return its content address; its shape is not stored."""
    import numpy as np

    address = series_address(series)
    await store.blobs.put(_blob(owner, address), np.ascontiguousarray(series, dtype="<f8").tobytes())
    return address


async def load_series(store: Store, owner: str, address: str, *, rows: int) -> "Floats":
    """Load the array at `address`, shape (rows, T)."""
    import numpy as np

    content = await store.blobs.get(_blob(owner, address))
    return np.frombuffer(content, dtype="<f8").reshape(rows, -1)


async def copy_series(store: Store, target: Store, owner: str, address: str) -> None:
    """Copy a stored series into another store."""
    await target.blobs.put(_blob(owner, address), await store.blobs.get(_blob(owner, address)))


async def save_trials(store: Store, owner: str, run: str, trials: "list[tuple[Trial, Floats]]") -> None:
    """Store the series before the records, so that every stored trial is complete."""
    for _, series in trials:
        await save_series(store, owner, series)
    puts = [Put(Key(owner, KIND, f"{run}.{t.digest}"), t.model_dump(mode="json")) for t, _ in trials]
    for first in range(0, len(puts), _BATCH):
        await store.records.put_many(puts[first : first + _BATCH])


async def load_trials(store: Store, owner: str, run: str) -> tuple[Trial, ...]:
    """Load the finished trials of a run, in order of proposal."""
    documents = [record.document async for record in iterate_records(store.records, owner, KIND, prefix=f"{run}.")]
    return await asyncio.to_thread(_in_order, documents)  # parsing thousands would block the event loop


def _in_order(documents: list[Document]) -> tuple[Trial, ...]:
    return tuple(sorted((Trial.model_validate(document) for document in documents), key=lambda trial: trial.number))
