"""Stored trials: a record each, and the historical series of those saved together in one file.

A series is found by its content address: a record names its file and its place there; without one it has a file of its
own.

numpy is imported in the functions, because callers that only list trials do not need it.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from desk.optimization.repositories.series_files import decode_series, encode_series
from quant.strategies.trial import Trial
from store.errors import Corrupted
from store.records import Document, Key, Put, batches, iterate_records
from store.store import Store

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats

KIND = "trial"
SERIES = "series"
"""Record kind of the places of series that share a file."""
_BATCH = 100


def series_address(series: "Floats") -> str:
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(series, dtype="<f8").tobytes()).hexdigest()


async def save_series(store: Store, owner: str, series: "Floats") -> str:
    """Store a float64 array in a file of its own and return its content address; its shape is not stored."""
    address = series_address(series)
    await store.blobs.put(_own_file(owner, address), await asyncio.to_thread(encode_series, [series]))
    return address


async def load_series(store: Store, owner: str, address: str, *, rows: int) -> "Floats":
    """Load the array at `address`, shape (rows, T)."""
    return (await load_all_series(store, owner, [address], rows=rows))[address]


async def load_all_series(store: Store, owner: str, addresses: Iterable[str], *, rows: int) -> "dict[str, Floats]":
    """Load the arrays at `addresses`, shape (rows, T) each, reading each file once."""
    series: dict[str, Floats] = {}
    for file, places in (await _files(store, owner, list(dict.fromkeys(addresses)))).items():
        arrays = await asyncio.to_thread(decode_series, await store.blobs.get(file))
        for address, place in places.items():
            if place >= len(arrays) or series_address(arrays[place]) != address:
                raise Corrupted(f"the file {file!r} does not hold the series {address!r}")
            series[address] = arrays[place].reshape(rows, -1)
    return series


async def copy_series(store: Store, target: Store, owner: str, addresses: Iterable[str]) -> None:
    """Copy stored series into another store."""
    for series in (await load_all_series(store, owner, addresses, rows=1)).values():
        await save_series(target, owner, series)


async def save_trials(store: Store, owner: str, run: str, trials: "Sequence[tuple[Trial, Floats]]") -> None:
    """Store the series before the records, so that every stored trial is complete."""
    if not trials:
        return
    puts = await _save_together(store, owner, {trial.series: series for trial, series in trials})
    puts += [Put(Key(owner, KIND, f"{run}.{t.digest}"), t.model_dump(mode="json")) for t, _ in trials]
    for batch in batches(puts):
        await store.records.put_many(batch)


async def _save_together(store: Store, owner: str, series: "Mapping[str, Floats]") -> list[Put]:
    """Store the series in one file; returns the writes of their places."""
    content = await asyncio.to_thread(encode_series, list(series.values()))
    name = hashlib.sha256(content).hexdigest()
    await store.blobs.put(_shared_file(owner, name), content)
    return [Put(Key(owner, SERIES, address), {"file": name, "place": place}) for place, address in enumerate(series)]


async def _files(store: Store, owner: str, addresses: Sequence[str]) -> dict[str, dict[str, int]]:
    """The files of the series, with the places of those that are wanted of each."""
    files: dict[str, dict[str, int]] = {}
    for first in range(0, len(addresses), _BATCH):
        batch = addresses[first : first + _BATCH]
        records = await store.records.get_many([Key(owner, SERIES, address) for address in batch])
        for address, record in zip(batch, records, strict=True):
            name = _own_file(owner, address) if record is None else _shared_file(owner, record.document["file"])
            files.setdefault(name, {})[address] = 0 if record is None else record.document["place"]
    return files


def _own_file(owner: str, address: str) -> str:
    return f"{owner}/series/{address}"


def _shared_file(owner: str, name: str) -> str:
    return f"{owner}/series/shared/{name}"


async def load_trials(store: Store, owner: str, run: str) -> tuple[Trial, ...]:
    """Load the finished trials of a run, in order of proposal."""
    documents = [record.document async for record in iterate_records(store.records, owner, KIND, prefix=f"{run}.")]
    return await asyncio.to_thread(_in_order, documents)  # parsing thousands would block the event loop


def _in_order(documents: list[Document]) -> tuple[Trial, ...]:
    return tuple(sorted((Trial.model_validate(document) for document in documents), key=lambda trial: trial.number))
