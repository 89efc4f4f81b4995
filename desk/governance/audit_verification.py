"""Verification of the audit log: every link of the hash chain, and its end against the head."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from desk.governance.audit_log import BATCH_SIZE, EMPTY_LOG, RUN, Link, next_link, read_head
from quant.numeric.frozen import Frozen
from store.errors import Corrupted
from store.events import MAX_PAGE, Event
from store.keys import SYSTEM
from store.store import Store


class Fault(Frozen):
    """The first entry that fails the verification."""

    number: int
    """Number of the entry; 0 for the head."""
    at: str | None
    """Time that the entry states; it may be forged too."""
    wrong: str
    following: int
    """Number of entries after it, which remain unverified."""


class Verification(Frozen):
    entries: int
    """Number of verified entries, from the first."""
    hash: str
    """Hash of the last verified entry; noted elsewhere, it later reveals a rewritten log."""
    at: str | None
    fault: Fault | None = None


class _Mismatch(Exception):
    def __init__(self, number: int, reason: str, text: str = "") -> None:
        super().__init__(reason)
        self.number = number
        self.text = text


class _Walk:
    """Checks the entries in order against the chain, the head and links noted elsewhere."""

    def __init__(self, store: Store, key: str, keyed_after: int, expected_links: Sequence[Link]) -> None:
        self.link = EMPTY_LOG
        self.text = ""
        self._store = store
        self._key = key
        self._keyed_after = keyed_after
        self._known_links = [("the one that was expected", link) for link in expected_links]

    async def run(self) -> None:
        head = await self._head()  # read first, since the log may grow meanwhile
        self._known_links.append(("that of the head", head))
        async with aclosing(self._events()) as events:
            async for event in events:
                self._step(event)
        number = self.link.number
        if (last := await self._store.events.last(SYSTEM, RUN)) > number:
            raise _Mismatch(number + 1, f"it is missing, and the log continues to entry {last}")
        for origin, link in self._known_links:
            if link.number > number:
                raise _Mismatch(number + 1, f"it is missing at the end, and {origin} is of entry {link.number}")
        if number - (head := await self._head()).number > BATCH_SIZE:
            raise _Mismatch(
                0, f"the head remembers entry {head.number} of {number}, and it never lags by more than {BATCH_SIZE}"
            )

    def _step(self, event: Event) -> None:
        number = self.link.number + 1
        if event.number != number:
            raise _Mismatch(number, f"it is missing, and the log continues with entry {event.number}")
        text = event.payload.get("entry")
        if not isinstance(text, str) or len(event.payload) > 1:
            raise _Mismatch(number, "it is not what the log writes")
        link = next_link(self._key if number > self._keyed_after else "", self.link, text)
        if link.hash != event.event_id:
            raise _Mismatch(number, self._hash_mismatch_reason(event.event_id, text), text)
        for origin, known_link in self._known_links:
            if known_link.number == number and known_link.hash != link.hash:
                raise _Mismatch(number, f"its hash is not {origin}: it was written anew, with all that follow", text)
        self.link, self.text = link, text

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
                        raise _Mismatch(number + 1, f"it cannot be read: {error}") from error
                    break
            return page

    async def _head(self) -> Link:
        try:
            link, _ = await read_head(self._store)
        except Corrupted as error:
            raise _Mismatch(0, str(error)) from error
        return link


async def verify(
    store: Store, key: str = "", *, keyed_after: int = 0, expected_links: Sequence[Link] = ()
) -> Verification:
    """Verify the whole log; entries up to `keyed_after` were hashed without the key."""
    walk = _Walk(store, key, keyed_after, expected_links)
    fault = None
    try:
        await walk.run()
    except _Mismatch as mismatch:
        last = await store.events.last(SYSTEM, RUN)
        following = max(0, last - mismatch.number) if mismatch.number else 0
        fault = Fault(number=mismatch.number, at=_entry_time(mismatch.text), wrong=str(mismatch), following=following)
    return Verification(entries=walk.link.number, hash=walk.link.hash, at=_entry_time(walk.text), fault=fault)


def _entry_time(text: str) -> str | None:
    try:
        at = json.loads(text)["at"]
    except (ValueError, LookupError, TypeError):
        return None
    return at if isinstance(at, str) else None
