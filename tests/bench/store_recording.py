"""Records the calls of the store that one job, one turn of a chat and one change make, with sizes of documents."""

import asyncio
import json
import zlib
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from api.app import create_app
from desk.compute.local import LocalRunner
from desk.market.bundled import BundledPrices
from desk.optimization.inputs.owned_market import load_owned_market
from graphs.dependencies import Dependencies
from store.embedded import open_store
from store.events import Event, Events
from store.keys import SYSTEM
from store.records import Key, Page, PageQuery, Put, Record, Records
from store.serialization import Document
from store.sqlite.queue import open_sqlite_queue
from tests.api.http.application import open_client, settings_of
from tests.api.http.routes.thread_requests import RISK, answer_events, create_thread
from tests.api.http.sample_requests import TECH_PORTFOLIO
from tests.graphs.dependencies import QUICK
from tests.graphs.jobs.queued_runs import eventually, working

OWNER = "recorded-owner"
ACTIVITIES = ("job", "turn", "change")
AUDIT = "audit"
"""Kinds of records that begin with it are written by `AuditLog`, which the simulation drives itself."""
JOB = {"name": "Recorded", "trials": 100, "seed": 3, "stopping": "budget"}
Call = list[Any]
"""Name, seconds since the start, and arguments."""


@dataclass
class Recorder:
    calls: list[Call] = field(default_factory=list[Call])
    audited: int = 0
    """Entries of the audit log."""
    began: float = 0.0

    def start(self) -> None:
        self.calls, self.audited, self.began = [], 0, asyncio.get_running_loop().time()

    def note(self, name: str, *arguments: Any) -> None:
        self.calls.append([name, round(asyncio.get_running_loop().time() - self.began, 2), *arguments])


class RecordedRecords(Records):
    def __init__(self, records: Records, recorder: Recorder) -> None:
        self._records, self._recorder = records, recorder

    async def put_many(self, puts: Sequence[Put]) -> tuple[int, ...]:
        recorded = [_put(put) for put in puts if not put.key.kind.startswith(AUDIT)]
        self._recorder.audited += sum(put.key.kind.startswith(f"{AUDIT}-") for put in puts) // 2
        if recorded:
            self._recorder.note("put", recorded)
        return await self._records.put_many(puts)

    async def get(self, key: Key) -> Record | None:
        record = await self._records.get(key)
        if not key.kind.startswith(AUDIT):
            self._recorder.note("get", _key(key), record and _sizes(record.document))
        return record

    async def get_many(self, keys: Sequence[Key]) -> tuple[Record | None, ...]:
        self._recorder.note("get_many", [_key(key) for key in keys])
        return await self._records.get_many(keys)

    async def read_page(self, query: PageQuery) -> Page:
        if not query.kind.startswith(AUDIT) and query.owner != SYSTEM:
            arguments = [query.owner, query.kind, query.prefix, query.label, query.limit, query.newest_first]
            self._recorder.note("list", *arguments)
        return await self._records.read_page(query)

    async def delete(self, key: Key, *, expected: int | None = None) -> bool:
        self._recorder.note("delete", _key(key))
        return await self._records.delete(key, expected=expected)

    async def sweep(self) -> int:
        return await self._records.sweep()


class RecordedEvents(Events):
    def __init__(self, events: Events, recorder: Recorder) -> None:
        self._events, self._recorder = events, recorder

    async def append_many(
        self, owner: str, run_id: str, events: Iterable[tuple[str, Document]], *, expected: int | None = None
    ) -> list[int]:
        events = list(events)
        self._recorder.note("append", owner, run_id, [[id_, _sizes(payload)] for id_, payload in events])
        return await self._events.append_many(owner, run_id, events, expected=expected)

    async def read(self, owner: str, run_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
        events = await self._events.read(owner, run_id, after, limit)
        if events:
            self._recorder.note("read", owner, run_id, after)
        return events

    async def last(self, owner: str, run_id: str) -> int:
        return await self._events.last(owner, run_id)

    async def wait(self, owner: str, run_id: str, after: int, *, timeout: float) -> bool:  # noqa: ASYNC109
        return await self._events.wait(owner, run_id, after, timeout=timeout)

    async def delete(self, owner: str, run_id: str) -> int:
        return await self._events.delete(owner, run_id)


class RecordedBlobs:
    def __init__(self, blobs: Any, recorder: Recorder) -> None:
        self._blobs, self._recorder = blobs, recorder

    async def put(self, key: str, data: bytes) -> None:
        self._recorder.note("store", key, len(data))
        await self._blobs.put(key, data)

    async def get(self, key: str) -> bytes:
        data = await self._blobs.get(key)
        self._recorder.note("load", key, len(data))
        return data

    async def exists(self, key: str) -> bool:
        return await self._blobs.exists(key)

    async def delete(self, key: str) -> None:
        await self._blobs.delete(key)


async def record(home: Path) -> dict[str, Any]:
    """The calls of each activity, with `{owner}` and `{id}` for the user and the job or thread."""
    recorder = Recorder()
    settings = settings_of(home, OWNER)
    recorded: dict[str, Any] = {}

    def close(activity: str, id_: str) -> None:
        text = json.dumps(list(_without_looks(recorder.calls))).replace(OWNER, "{owner}").replace(id_, "{id}")
        recorded[activity] = {"audited": recorder.audited, "calls": json.loads(text)}

    async with _dependencies(home, recorder) as workers, _dependencies(home, recorder) as service:

        @asynccontextmanager
        async def given() -> AsyncGenerator[Dependencies]:
            yield service

        async with open_client(create_app(settings, given())) as client, working(workers):
            thread = await create_thread(client)
            await answer_events(client, thread, RISK)
            recorder.start()
            await answer_events(client, thread, "and how deep did it fall?")
            close("turn", thread)
            recorder.start()
            portfolio = (await client.post("/api/portfolios", json=TECH_PORTFOLIO)).raise_for_status().json()["id"]
            close("change", portfolio)
            recorder.start()
            job = (await client.post("/api/jobs", json=JOB)).raise_for_status().json()["id"]
            await eventually(partial(_completed, service, job), seconds=600)
            await client.get(f"/api/jobs/{job}/trials")
            close("job", job)
    return recorded


def _without_looks(calls: Iterable[Call]) -> Iterator[Call]:
    """The calls without repeated reads of the newest events, whose number depends on the duration."""
    seen: set[str] = set()
    for call in calls:
        name, _, *arguments = call
        text = json.dumps([name, *arguments])
        if name != "read" or not arguments[-1] or text not in seen:
            yield call
        seen.add(text)


async def _completed(dependencies: Dependencies, job: str) -> bool:
    await asyncio.sleep(0.5)
    return await dependencies.store.events.last(OWNER, job) > 0 and any(
        event.payload["event"] in ("run_finished", "run_failed")
        for event in await dependencies.store.events.read(OWNER, job, after=50)
    )


@asynccontextmanager
async def _dependencies(home: Path, recorder: Recorder) -> AsyncGenerator[Dependencies]:
    prices = BundledPrices()
    async with open_store(home) as plain, open_sqlite_queue(home) as queue:
        store = replace(
            plain,
            records=RecordedRecords(plain.records, recorder),
            events=RecordedEvents(plain.events, recorder),
            blobs=RecordedBlobs(plain.blobs, recorder),
        )
        yield Dependencies(
            store=store,
            prices=prices,
            jobs=LocalRunner(store, partial(load_owned_market, store, prices)),
            models=single_model(EmbeddedPlanner(), QUICK),
            checkpoints=home / "checkpoints.sqlite",
            queue=queue,
        )


def _put(put: Put) -> list[Any]:
    return [_key(put.key), _sizes(put.document), put.expected, dict(put.labels), put.expires is not None]


def _key(key: Key) -> list[str]:
    return [key.owner, key.kind, key.id]


def _sizes(document: Document) -> list[int]:
    """Bytes of a document as text, and compressed."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return [len(text), len(zlib.compress(text))]
