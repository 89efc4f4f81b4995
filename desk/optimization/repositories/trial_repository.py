"""Finished trials in the store: the record, and its historical series as a content-addressed blob."""

import asyncio
import hashlib
from typing import TYPE_CHECKING

from quant.strategies.trial import Trial
from store.records import Document, Key, Put, iterate_records
from store.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KIND = "trial"
_BATCH = 100


def series_address(series: "NDArray[np.float64]") -> str:
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(series, dtype="<f8").tobytes()).hexdigest()


def _blob(owner: str, address: str) -> str:
    return f"{owner}/series/{address}"


async def save_series(store: Store, owner: str, series: "NDArray[np.float64]") -> str:
    """Keep an array of float64 and return its content address; its shape is the reader's to know."""
    import numpy as np

    address = series_address(series)
    await store.blobs.put(_blob(owner, address), np.ascontiguousarray(series, dtype="<f8").tobytes())
    return address


async def load_series(store: Store, owner: str, address: str, *, rows: int) -> "NDArray[np.float64]":
    """The array behind `address`, shape (rows, T)."""
    import numpy as np

    content = await store.blobs.get(_blob(owner, address))
    return np.frombuffer(content, dtype="<f8").reshape(rows, -1)


async def save_trials(store: Store, owner: str, run: str, trials: "list[tuple[Trial, NDArray[np.float64]]]") -> None:
    """Series first, then the records in one transaction: a trial that is there is there whole."""
    for _, series in trials:
        await save_series(store, owner, series)
    puts = [Put(Key(owner, KIND, f"{run}.{t.digest}"), t.model_dump(mode="json")) for t, _ in trials]
    for first in range(0, len(puts), _BATCH):
        await store.records.put_many(puts[first : first + _BATCH])


async def load_trials(store: Store, owner: str, run: str) -> tuple[Trial, ...]:
    """The run's finished trials in the order in which they were proposed."""
    documents = [record.document async for record in iterate_records(store.records, owner, KIND, prefix=f"{run}.")]
    return await asyncio.to_thread(_in_order, documents)  # thousands of them would hold up everybody else


def _in_order(documents: list[Document]) -> tuple[Trial, ...]:
    return tuple(sorted((Trial.model_validate(document) for document in documents), key=lambda trial: trial.number))
