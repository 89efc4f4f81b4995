"""The single chain of the audit log that earlier versions wrote, as events: it is read and verified, never extended."""

import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Container, Mapping
from contextlib import aclosing

from desk.governance.audit_chains import NO_LINK, Link
from desk.governance.audit_entries import LogEntry
from desk.governance.audit_faults import Mismatch
from store.errors import Corrupted
from store.events import MAX_PAGE, Event
from store.keys import SYSTEM
from store.records import Key
from store.store import Store

RUN = "audit"
"""Run id of the log under the system owner; it is never deleted."""
HEAD = Key(SYSTEM, "audit", "head")
"""Number and hash of the last entry; reveals truncation of the log."""
MAX_LAG = 50
"""Entries by which the head may lag, if the writer was killed."""
NAME = ""
"""Its name among the chains."""


def next_link(key: str, previous: Link, text: str) -> Link:
    number = previous.number + 1
    content = f"stratigos audit 1\n{number}\n{previous.hash}\n{text}".encode()
    digest = hmac.new(key.encode(), content, hashlib.sha256) if key else hashlib.sha256(content)
    return Link(number, digest.hexdigest())


def parse_event(event: Event) -> LogEntry:
    """Parse a stored entry without checking its hash; `Corrupted` if it is no entry."""
    try:
        fields = json.loads(event.payload["entry"])
        place = {"place": str(event.number), "chain": NAME, "number": event.number, "hash": event.event_id}
        return LogEntry(**fields | place)
    except (TypeError, LookupError, ValueError) as error:
        raise Corrupted(f"entry {event.number} of the audit log is malformed") from error


async def read_page(store: Store, after: int, limit: int) -> list[LogEntry]:
    """At most `limit` entries; `Corrupted` if entries are missing."""
    entries = [parse_event(event) for event in await store.events.read(SYSTEM, RUN, after, limit)]
    end = after + len(entries)
    gap = bool(entries) and entries[-1].number != end
    if gap or (len(entries) < limit and await store.events.last(SYSTEM, RUN) > end):
        raise Corrupted(f"entries after {after} are missing from the audit log")
    return entries


async def read_head(store: Store) -> Link:
    record = await store.records.get(HEAD)
    if record is None:
        return NO_LINK
    try:
        return Link(int(record.document["number"]), str(record.document["hash"]))
    except (LookupError, ValueError, TypeError) as error:
        raise Corrupted("the head of the audit log is malformed") from error


class SingleChainWalk:
    """Checks the entries in order against the chain, its head, and links that are known from elsewhere."""

    def __init__(
        self, store: Store, key: str, keyed_after: int, known: Mapping[int, str], wanted: Container[int]
    ) -> None:
        self.link = NO_LINK
        self.text = ""
        self.hashes: dict[int, str] = {}
        """The hashes of the entries with the wanted numbers."""
        self._wanted = wanted
        self._store = store
        self._key = key
        self._keyed_after = keyed_after
        self._known = {number: ("an anchor", hash_) for number, hash_ in known.items()}

    async def run(self) -> None:
        head = await self._head()  # read first, since processes of the earlier version may extend the log
        self._known[head.number] = ("the head", head.hash)
        async with aclosing(self._events()) as events:
            async for event in events:
                self._step(event)
        number = self.link.number
        if (last := await self._store.events.last(SYSTEM, RUN)) > number:
            raise Mismatch(NAME, number + 1, f"it is missing, and the log continues to entry {last}")
        end = max(self._known)
        if end > number:
            raise Mismatch(
                NAME, number + 1, f"it is missing at the end, and {self._known[end][0]} states that of {end}"
            )
        if number - (head := await self._head()).number > MAX_LAG:
            reason = f"the head remembers entry {head.number} of {number}, and it never lags by more than {MAX_LAG}"
            raise Mismatch(NAME, 0, reason)

    async def following(self, number: int) -> int:
        return max(0, await self._store.events.last(SYSTEM, RUN) - number)

    def _step(self, event: Event) -> None:
        number = self.link.number + 1
        if event.number != number:
            raise Mismatch(NAME, number, f"it is missing, and the log continues with entry {event.number}")
        text = event.payload.get("entry")
        if not isinstance(text, str) or len(event.payload) > 1:
            raise Mismatch(NAME, number, "it is not what the log writes")
        link = next_link(self._key if number > self._keyed_after else "", self.link, text)
        if link.hash != event.event_id:
            raise Mismatch(NAME, number, self._hash_mismatch_reason(event.event_id, text), text)
        origin, known = self._known.get(number, ("", link.hash))
        if known != link.hash:
            reason = f"its hash is not that of {origin}: it was written anew, with all that follow"
            raise Mismatch(NAME, number, reason, text)
        self.link, self.text = link, text
        if number in self._wanted:
            self.hashes[number] = link.hash

    def _hash_mismatch_reason(self, stored_hash: str, text: str) -> str:
        if self._key and next_link("", self.link, text).hash == stored_hash:
            return "its hash was made without STRATIGOS_AUDIT_KEY (--keyed-after NUMBER says since when there is one)"
        hint = "" if self._key else " (or STRATIGOS_AUDIT_KEY, which it was made with, is not set)"
        return f"its hash is not that of what it says and of the entry before it{hint}"

    async def _events(self) -> AsyncGenerator[Event]:
        after = 0
        while page := await self._page(after):
            for event in page:
                yield event
            after = page[-1].number

    async def _page(self, after: int) -> list[Event]:
        events = self._store.events
        try:
            return await events.read(SYSTEM, RUN, after, MAX_PAGE)
        except (Corrupted, LookupError):  # find the unreadable entry by reading one at a time
            page: list[Event] = []
            for number in range(after, after + MAX_PAGE):
                try:
                    page += await events.read(SYSTEM, RUN, number, 1)
                except (Corrupted, LookupError) as error:
                    if not page:
                        raise Mismatch(NAME, number + 1, f"it cannot be read: {error}") from error
                    break
            return page

    async def _head(self) -> Link:
        try:
            return await read_head(self._store)
        except Corrupted as error:
            raise Mismatch(NAME, 0, str(error)) from error
