"""Who did what to what, when and from where: one log of the installation, each entry chained to the one before it."""

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
"""The log's name among those of the owner `_desk`; nothing deletes it."""
HEAD = Key(SYSTEM, "audit", "head")
"""Remembers the number and the hash of the last entry, so that one is missed that was taken off the end."""
TOGETHER = 50
"""Entries of one write, which is one transaction everywhere; by no more does the head ever lag behind the log."""
LONGEST = 500
_ASK = "`python -m api audit verify` tells what was done to it"
PATIENCE_SECONDS = 10.0
LONGEST_PAUSE = 0.1


class Entry(Frozen):
    """One before the work, so that nothing is done that is not told, and one with its outcome."""

    id: str = Field(default_factory=lambda: secrets.token_hex(8), description="No other entry has it")
    at: AwareDatetime
    owner: str = Field(description="Who acted")
    via: str = Field(description="How it was known: local, key: and the key's id, token: and the client's")
    roles: tuple[Role, ...] = Field(description="What the person was then")
    action: str = Field(
        description="Method and route, or the name of a command", examples=["POST /api/jobs/{job_id}/approval"]
    )
    object: str = Field(max_length=LONGEST, description="What was acted on", examples=["jobs/9f0c9c2b/approval"])
    request: str = Field(description="The id of the request, as X-Request-Id told it")
    address: str = Field(description="Where it came from; empty for a command on the machine itself")
    begun: int | None = Field(default=None, description="Number of the entry before the work; null in that one")
    outcome: str | None = Field(
        default=None, description="The status that was answered, or how a command ended; null before the work"
    )


class Logged(Entry):
    number: int = Field(ge=1, description="1, 2, 3, ... without gaps")
    hash: str = Field(description="Of the hash before it, the number and everything that the entry says")


class Link(NamedTuple):
    number: int
    hash: str


BEGINNING = Link(0, "")


def text_of(entry: Entry) -> str:
    """Canonical JSON: what is stored and hashed, to the byte."""
    return json.dumps(entry.model_dump(mode="json", exclude_none=True), sort_keys=True, separators=(",", ":"))


def linked(key: str, before: Link, text: str) -> Link:
    number = before.number + 1
    content = f"stratigos audit 1\n{number}\n{before.hash}\n{text}".encode()
    made = hmac.new(key.encode(), content, hashlib.sha256) if key else hashlib.sha256(content)
    return Link(number, made.hexdigest())


def entry_of(event: Event) -> Logged:
    """What the event says, whether or not its hash is right; `Corrupted` if it says nothing."""
    try:
        return Logged(**json.loads(event.payload["entry"]), number=event.number, hash=event.event_id)
    except (TypeError, LookupError, ValueError) as error:
        raise Corrupted(f"entry {event.number} of the audit log is none") from error


class _End(NamedTuple):
    """The last entry, and the version of the head that remembers it."""

    link: Link
    version: int


class _Batch:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.written: asyncio.Task[list[int]] | None = None


class AuditLog:
    """Entries that come while others are being written go together with the next write."""

    def __init__(self, store: Store, key: str = "") -> None:
        self._store = store
        self._key = key
        self._lock = asyncio.Lock()
        self._open: _Batch | None = None
        self._end: _End | None = None

    async def append(self, entry: Entry) -> int:
        """The entry's number, once it is stored."""
        batch = self._open
        if batch is None or len(batch.texts) == TOGETHER:
            batch = self._open = _Batch()
            batch.written = asyncio.create_task(self._write(batch))
        place = len(batch.texts)
        batch.texts.append(text_of(entry))
        assert batch.written is not None
        return (await asyncio.shield(batch.written))[place]

    async def page(self, after: int, limit: int) -> tuple[list[Logged], int | None]:
        """Entries from `after` + 1 on, and the number after which the next page begins."""
        events = self._store.events
        try:
            found = await events.read(SYSTEM, RUN, after, limit)
            entries = [entry_of(event) for event in found]
        except Corrupted as error:
            raise _unlisted(str(error)) from error
        end = after + len(entries)
        more = await events.last(SYSTEM, RUN) > end
        if (entries and entries[-1].number != end) or (more and len(entries) < limit):
            raise _unlisted(f"after entry {after} of the audit log some are missing")
        return entries, end if more else None

    async def _write(self, batch: _Batch) -> list[int]:
        async with self._lock:
            if self._open is batch:
                self._open = None
            deadline = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    return await self._append(batch.texts)
                except Corrupted as error:
                    raise Unavailable(f"{error}: nothing can be added; {_ASK}") from error
                except Conflict as error:
                    if time.monotonic() > deadline:
                        raise Unavailable("the audit log: others append to it without end") from error
                await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311 - no secret depends on it

    async def _append(self, texts: Sequence[str]) -> list[int]:
        end, self._end = self._end or await self._find_end(), None
        link, links = end.link, list[Link]()
        for text in texts:
            link = linked(self._key, link, text)
            links.append(link)
        events = [(link.hash, {"entry": text}) for link, text in zip(links, texts, strict=True)]
        numbers = await self._store.events.append_many(SYSTEM, RUN, events, expected=end.link.number)
        with suppress(Conflict):  # whoever appends after these entries has told the head of them
            self._end = await self._remember(link, end.version)
        return numbers

    async def _find_end(self) -> _End:
        """Where the log ends; a head that lags, since a process died in between, is brought there first."""
        head, version = await read_head(self._store)
        last = await self._store.events.last(SYSTEM, RUN)
        if last < head.number:
            raise Corrupted(f"the audit log ends at entry {last} and had {head.number}")
        if last == head.number:
            return _End(head, version)
        event = next(iter(await self._store.events.read(SYSTEM, RUN, last - 1, 1)), None)
        if event is None:
            raise Unavailable(f"entry {last} of the audit log cannot be read yet")
        return await self._remember(Link(last, event.event_id), version)

    async def _remember(self, link: Link, version: int) -> _End:
        return _End(link, await self._store.records.put(HEAD, link._asdict(), expected=version))


async def read_head(store: Store) -> tuple[Link, int]:
    """What the head remembers, and its version; the beginning and 0 where there is none."""
    record = await store.records.get(HEAD)
    if record is None:
        return BEGINNING, 0
    try:
        return Link(int(record.document["number"]), str(record.document["hash"])), record.version
    except (LookupError, ValueError, TypeError) as error:
        raise Corrupted("the head of the audit log is none") from error


def _unlisted(reason: str) -> Conflicting:
    return Conflicting(f"{reason}; {_ASK}")
