"""Stored trials: a record each, and the historical series of those saved together in one file.

A series is found by its content address: a record names its file and its place there; without one it has a file of its
own. The file of an archived run is a part of its archive.

numpy is imported in the functions, because callers that only list trials do not need it.
"""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from desk.optimization.repositories.series_files import decode_series, encode_series
from quant.strategies.trial import Trial
from store.errors import Conflict, Corrupted, Missing
from store.records import Document, Key, Put, batches, iterate_records
from store.store import Store

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats

KIND = "trial"
SERIES = "series"
"""Record kind of the places of series that share a file, and folder of these files in an archive."""
_READS = 3
"""Attempts to read a file, which is moved while its run is archived or restored."""
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
    wanted = list(dict.fromkeys(addresses))
    for attempt in range(_READS):
        try:
            for (file, part), places in (await _files(store, owner, wanted)).items():
                content = await store.blobs.get(file)
                arrays = await asyncio.to_thread(_arrays, content, part)
                for address, place in places.items():
                    if place >= len(arrays) or series_address(arrays[place]) != address:
                        raise Corrupted(f"the file {file!r} does not hold the series {address!r}")
                    series[address] = arrays[place].reshape(rows, -1)
        except Missing:
            if attempt + 1 == _READS:
                raise
            continue
        break
    return series


async def series_files(store: Store, owner: str, addresses: Iterable[str]) -> dict[str, bytes]:
    """The files that hold these series together with others, by name, apart from those of archives."""
    places = [place for place in (await _places(store, owner, list(addresses))).values() if "archive" not in place]
    files: dict[str, bytes] = {}
    for name in sorted({str(place["file"]) for place in places}):
        with suppress(Missing):  # another run is being archived, which shares it
            files[name] = await store.blobs.get(_shared_file(owner, name))
    return files


async def archive_series(store: Store, owner: str, files: Mapping[str, bytes], archive: str) -> None:
    """Let the places of all series in these files name the archive that holds the files, and delete them."""
    for name, content in files.items():
        await _move(store, owner, content, {"file": name}, {"archive": archive, "file": name})
        await store.blobs.delete(_shared_file(owner, name))


async def restore_series(store: Store, owner: str, files: Mapping[str, bytes], archive: str) -> None:
    """Undo `archive_series`; the archive may be deleted afterwards."""
    for name, content in files.items():
        await store.blobs.put(_shared_file(owner, name), content)
        await _move(store, owner, content, {"archive": archive, "file": name}, {"file": name})


async def _move(store: Store, owner: str, content: bytes, before: Document, after: Document) -> None:
    """Change the places of the series of a file that are still as before; a later search may have stored them again."""
    arrays = await asyncio.to_thread(decode_series, content)
    keys = [Key(owner, SERIES, series_address(array)) for array in arrays]
    for place, record in enumerate(await store.records.get_many(keys)):
        if record is not None and record.document == {**before, "place": place}:
            with suppress(Conflict):
                await store.records.put(record.key, {**after, "place": place}, expected=record.version)


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


async def _files(store: Store, owner: str, addresses: Sequence[str]) -> dict[tuple[str, str | None], dict[str, int]]:
    """The files of the series, each with its part of an archive, and the places of the series in it."""
    files: dict[tuple[str, str | None], dict[str, int]] = {}
    places = await _places(store, owner, addresses)
    for address in addresses:
        place = places.get(address)
        if place is None:
            files[_own_file(owner, address), None] = {address: 0}
        elif "archive" in place:
            files.setdefault((place["archive"], f"{SERIES}/{place['file']}"), {})[address] = place["place"]
        else:
            files.setdefault((_shared_file(owner, place["file"]), None), {})[address] = place["place"]
    return files


async def _places(store: Store, owner: str, addresses: Sequence[str]) -> dict[str, Document]:
    """The place of each series that shares a file."""
    places: dict[str, Document] = {}
    for first in range(0, len(addresses), _BATCH):
        records = await store.records.get_many([Key(owner, SERIES, each) for each in addresses[first : first + _BATCH]])
        places |= {record.key.id: record.document for record in records if record is not None}
    return places


def _arrays(content: bytes, part: str | None) -> "list[Floats]":
    if part is not None:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read(part)
    return decode_series(content)


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
