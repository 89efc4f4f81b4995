"""Audit log of the installation: who did what, when and from where, as a hash chain of entries."""

import asyncio
import hashlib
import hmac
import json
import random
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from pydantic import AwareDatetime, Field

from desk.base.errors import Conflicting
from desk.governance.roles import Role
from quant.numeric.frozen import Frozen
from store.errors import Conflict, Corrupted, Unavailable
from store.events import Event
from store.keys import SYSTEM
from store.records import Key
from store.store import Store

RUN = "audit"
"""Run id of the log under the system owner; it is never deleted."""
HEAD = Key(SYSTEM, "audit", "head")
"""Number and hash of the last entry; reveals truncation of the log."""
BATCH_SIZE = 50
"""Entries per write, which is one transaction in every store; the head lags the log by at most as many."""
MAX_OBJECT_LENGTH = 500
_VERIFY_HINT = "run `python -m api audit verify` for the cause"
RETRY_SECONDS = 10.0
MAX_PAUSE_SECONDS = 0.1


class Entry(Frozen):
    """One entry precedes an action, so that none is unlogged; a second one holds its outcome."""

    id: str = Field(default_factory=lambda: secrets.token_hex(8), description="Unique id of the entry")
    at: AwareDatetime
    owner: str = Field(description="Who acted")
    via: str = Field(description="How the user was authenticated: local, key:<id> or token:<client id>")
    roles: tuple[Role, ...] = Field(description="Roles at that time")
    action: str = Field(
        description="Method and route, or the name of a command", examples=["POST /api/jobs/{job_id}/approval"]
    )
    object: str = Field(
        max_length=MAX_OBJECT_LENGTH, description="What was acted on", examples=["jobs/9f0c9c2b/approval"]
    )
    request: str = Field(description="Request id, as in X-Request-Id")
    address: str = Field(description="Client address; empty for a local command")
    begun: int | None = Field(default=None, description="Number of the entry before the action; null in that entry")
    outcome: str | None = Field(
        default=None, description="HTTP status or exit state; null in the entry that precedes the action"
    )


class LogEntry(Entry):
    number: int = Field(ge=1, description="1, 2, 3, ... without gaps")
    hash: str = Field(description="Hash over the previous hash, the number and the content of the entry")


class Link(NamedTuple):
    number: int
    hash: str


EMPTY_LOG = Link(0, "")


def canonical_text(entry: Entry) -> str:
    """Return the canonical JSON that is stored and hashed."""
    return json.dumps(entry.model_dump(mode="json", exclude_none=True), sort_keys=True, separators=(",", ":"))


def next_link(key: str, previous: Link, text: str) -> Link:
    number = previous.number + 1
    content = f"stratigos audit 1\n{number}\n{previous.hash}\n{text}".encode()
    digest = hmac.new(key.encode(), content, hashlib.sha256) if key else hashlib.sha256(content)
    return Link(number, digest.hexdigest())


def parse_entry(event: Event) -> LogEntry:
    """Parse a stored entry without checking its hash; `Corrupted` if it is no entry."""
    try:
        return LogEntry(**json.loads(event.payload["entry"]), number=event.number, hash=event.event_id)
    except (TypeError, LookupError, ValueError) as error:
        raise Corrupted(f"entry {event.number} of the audit log is malformed") from error


class _End(NamedTuple):
    """The last entry, and the version of the head record that points to it."""

    link: Link
    version: int


class _Batch:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.write_task: asyncio.Task[list[int]] | None = None


class AuditLog:
    """Appends entries in batches: entries that arrive during a write share the next one."""

    def __init__(self, store: Store, key: str = "") -> None:
        self._store = store
        self._key = key
        self._lock = asyncio.Lock()
        self._open: _Batch | None = None
        self._end: _End | None = None

    async def append(self, entry: Entry) -> int:
        """Store the entry and return its number."""
        batch = self._open
        if batch is None or len(batch.texts) == BATCH_SIZE:
            batch = self._open = _Batch()
            batch.write_task = asyncio.create_task(self._write(batch))
        place = len(batch.texts)
        batch.texts.append(canonical_text(entry))
        assert batch.write_task is not None
        return (await asyncio.shield(batch.write_task))[place]

    async def page(self, after: int, limit: int) -> tuple[list[LogEntry], int | None]:
        """Return the entries from `after` + 1 on, and the cursor of the next page."""
        events = self._store.events
        try:
            stored_events = await events.read(SYSTEM, RUN, after, limit)
            entries = [parse_entry(event) for event in stored_events]
        except Corrupted as error:
            raise _incomplete(str(error)) from error
        end = after + len(entries)
        more = await events.last(SYSTEM, RUN) > end
        if (entries and entries[-1].number != end) or (more and len(entries) < limit):
            raise _incomplete(f"entries after {after} are missing from the audit log")
        return entries, end if more else None

    async def _write(self, batch: _Batch) -> list[int]:
        async with self._lock:
            if self._open is batch:
                self._open = None
            deadline = time.monotonic() + RETRY_SECONDS
            while True:
                try:
                    return await self._append(batch.texts)
                except Corrupted as error:
                    raise Unavailable(f"{error}; no entry can be added; {_VERIFY_HINT}") from error
                except Conflict as error:
                    if time.monotonic() > deadline:
                        msg = f"the audit log had write conflicts for {RETRY_SECONDS:g} s; retry later"
                        raise Unavailable(msg) from error
                await asyncio.sleep(random.uniform(0, MAX_PAUSE_SECONDS))  # noqa: S311 - no secret depends on it

    async def _append(self, texts: Sequence[str]) -> list[int]:
        end, self._end = self._end or await self._find_end(), None
        link, links = end.link, list[Link]()
        for text in texts:
            link = next_link(self._key, link, text)
            links.append(link)
        events = [(link.hash, {"entry": text}) for link, text in zip(links, texts, strict=True)]
        numbers = await self._store.events.append_many(SYSTEM, RUN, events, expected=end.link.number)
        with suppress(Conflict):  # a later writer has updated the head already
            self._end = await self._remember(link, end.version)
        return numbers

    async def _find_end(self) -> _End:
        """Find the last entry; first repair a head that lags because a process died between two writes."""
        head, version = await read_head(self._store)
        last = await self._store.events.last(SYSTEM, RUN)
        if last < head.number:
            raise Corrupted(f"the audit log ends at entry {last}, its head at {head.number}")
        if last == head.number:
            return _End(head, version)
        event = next(iter(await self._store.events.read(SYSTEM, RUN, last - 1, 1)), None)
        if event is None:
            raise Unavailable(f"entry {last} of the audit log is not readable yet; retry later")
        return await self._remember(Link(last, event.event_id), version)

    async def _remember(self, link: Link, version: int) -> _End:
        return _End(link, await self._store.records.put(HEAD, link._asdict(), expected=version))


async def read_head(store: Store) -> tuple[Link, int]:
    """Return the head and its version; `EMPTY_LOG` and 0 if there is none."""
    record = await store.records.get(HEAD)
    if record is None:
        return EMPTY_LOG, 0
    try:
        return Link(int(record.document["number"]), str(record.document["hash"])), record.version
    except (LookupError, ValueError, TypeError) as error:
        raise Corrupted("the head of the audit log is malformed") from error


def _incomplete(reason: str) -> Conflicting:
    return Conflicting(f"{reason}; {_VERIFY_HINT}")
