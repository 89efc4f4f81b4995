"""Audit log of the installation, as chains of hashes: each process writes its own, one per day.

Writers share no record, so they never wait for each other. `audit_anchors` joins the chains in a global one.
"""

import asyncio
import json
import time
from typing import NamedTuple

from desk.base.errors import Conflicting
from desk.governance import audit_single_chain
from desk.governance.audit_chains import (
    SHARDS,
    Chain,
    chain_puts,
    day_of,
    entries_kind,
    iterate_days,
    open_chain,
    parse_place,
)
from desk.governance.audit_entries import Entry, LogEntry, canonical_text
from store.errors import Conflict, Corrupted, Unavailable
from store.keys import SYSTEM
from store.records import MAX_PAGE, Record
from store.store import Store

BATCH_SIZE = 50
"""Entries per write, which is one transaction in every store."""
ATTEMPTS = 3
_VERIFY_HINT = "run `python -m api audit verify` for the cause"


class _Batch:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.write_task: asyncio.Task[list[str]] | None = None


class LogPage(NamedTuple):
    entries: list[LogEntry]
    after: str | None
    """The cursor of the next page."""


class AuditLog:
    """Appends entries in batches: entries that arrive during a write share the next one."""

    def __init__(self, store: Store, key: str = "") -> None:
        self._store = store
        self._key = key
        self._lock = asyncio.Lock()
        self._open: _Batch | None = None
        self._chain: Chain | None = None
        self._last_stamp = 0

    async def append(self, entry: Entry) -> str:
        """Store the entry and return its place."""
        batch = self._open
        if batch is None or len(batch.texts) == BATCH_SIZE:
            batch = self._open = _Batch()
            batch.write_task = asyncio.create_task(self._write(batch))
        index = len(batch.texts)
        batch.texts.append(canonical_text(entry))
        assert batch.write_task is not None
        return (await asyncio.shield(batch.write_task))[index]

    async def page(self, after: str | None, limit: int) -> LogPage:
        """The entries after a place, the oldest first: those of the single chain, then those of all chains by time.

        `after` is a place for which `audit_chains.is_place` holds.
        """
        try:
            entries = await self._read(after, limit + 1)
        except Corrupted as error:
            raise Conflicting(f"{error}; {_VERIFY_HINT}") from error
        shown = entries[:limit]
        return LogPage(shown, shown[-1].place if len(entries) > limit else None)

    async def _read(self, after: str | None, limit: int) -> list[LogEntry]:
        entries: list[LogEntry] = []
        place = None if after is None else parse_place(after)
        if place is None:
            entries = await audit_single_chain.read_page(self._store, int(after or 0), min(limit, MAX_PAGE))
        async for day in iterate_days(self._store, "" if place is None else day_of(place.stamp)):
            if len(entries) >= limit:
                break
            entries += await self._read_day(day, None if place is None else str(place), limit - len(entries))
        return entries

    async def _read_day(self, day: str, after: str | None, limit: int) -> list[LogEntry]:
        """The first entries of a day after a place; a shard may hold all of them."""

        async def of_shard(shard: int) -> list[Record]:
            kind, size = entries_kind(day, shard), min(limit, MAX_PAGE)
            page = await self._store.records.list(SYSTEM, kind, after=after, limit=size)
            return list(page.records)

        shards = await asyncio.gather(*(of_shard(shard) for shard in range(SHARDS)))
        records = sorted((record for each in shards for record in each), key=lambda record: record.key.id)
        return [_parse(record) for record in records[:limit]]

    async def _write(self, batch: _Batch) -> list[str]:
        async with self._lock:
            if self._open is batch:
                self._open = None
            for _ in range(ATTEMPTS):
                try:
                    return await self._append(batch.texts)
                except Conflict:  # its head was changed from outside, so that it stays as evidence, or its name exists
                    continue
            raise Unavailable(f"new chains of the audit log were refused {ATTEMPTS} times; {_VERIFY_HINT}")

    async def _append(self, texts: list[str]) -> list[str]:
        """Append to the chain; one whose write fails gets no further entry, since its end is not known."""
        stamps = self._next_stamps(len(texts))
        chain, self._chain = self._chain, None
        if chain is None or chain.day != day_of(stamps[0]):
            chain = open_chain(stamps[0])
        puts, places, extended = chain_puts(chain, self._key, stamps, texts)
        await self._store.records.put_many(puts)
        self._chain = extended
        return places

    def _next_stamps(self, count: int) -> range:
        """Increasing times in microseconds, all of one day."""
        first = max(self._last_stamp + 1, time.time_ns() // 1000)
        while day_of(first) != day_of(first + count):  # at most the last microseconds of a day are skipped
            first += count
        self._last_stamp = first + count
        return range(first, first + count)


def _parse(record: Record) -> LogEntry:
    """Parse a stored entry without checking its hash; `Corrupted` if it is no entry."""
    place = parse_place(record.key.id)
    if place is None:
        raise Corrupted(f"{record.key.id!r} is not the place of an entry of the audit log")
    try:
        fields = json.loads(record.document["entry"])
        link = {"place": str(place), "chain": place.chain, "number": place.number, "hash": record.document["hash"]}
        return LogEntry(**fields | link)
    except (TypeError, LookupError, ValueError) as error:
        raise Corrupted(f"entry {record.key.id} of the audit log is malformed") from error
