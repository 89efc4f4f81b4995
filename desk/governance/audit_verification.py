"""Whether the audit log is what was written: each entry against the one before it, its end against the head."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from desk.governance.audit_log import BEGINNING, RUN, TOGETHER, Link, linked, read_head
from quant.numeric.frozen import Frozen
from store.errors import Corrupted
from store.events import MAX_PAGE, Event
from store.keys import SYSTEM
from store.store import Store


class Fault(Frozen):
    """The first entry that is not what was written."""

    number: int
    """0 where it is the head."""
    at: str | None
    """When it says that it was made, which may be wrong as well."""
    wrong: str
    following: int
    """Entries after it, of which nothing can be said."""


class Verification(Frozen):
    entries: int
    """Those that are what was written, from the first."""
    hash: str
    """Of the last of them: noted elsewhere, it shows later whether all of them were written anew."""
    at: str | None
    fault: Fault | None = None


class _Wrong(Exception):
    def __init__(self, number: int, wrong: str, text: str = "") -> None:
        super().__init__(wrong)
        self.number = number
        self.text = text


class _Walk:
    """From the first entry to the last, and past those that somebody remembers."""

    def __init__(self, store: Store, key: str, keyed_after: int, expected: Sequence[Link]) -> None:
        self.link = BEGINNING
        self.text = ""
        self._store = store
        self._key = key
        self._keyed_after = keyed_after
        self._remembered = [("the one that was expected", link) for link in expected]

    async def finish(self) -> None:
        head = await self._head()  # before the log, which may grow meanwhile
        self._remembered.append(("that of the head", head))
        async with aclosing(self._events()) as events:
            async for event in events:
                self._step(event)
        number = self.link.number
        if (last := await self._store.events.last(SYSTEM, RUN)) > number:
            raise _Wrong(number + 1, f"it is missing, and the log goes on to entry {last}")
        for which, told in self._remembered:
            if told.number > number:
                raise _Wrong(number + 1, f"it is missing at the end, and {which} is of entry {told.number}")
        if number - (head := await self._head()).number > TOGETHER:
            raise _Wrong(
                0, f"the head remembers entry {head.number} of {number}, and it never lags by more than {TOGETHER}"
            )

    def _step(self, event: Event) -> None:
        number = self.link.number + 1
        if event.number != number:
            raise _Wrong(number, f"it is missing, and the log goes on with entry {event.number}")
        text = event.payload.get("entry")
        if not isinstance(text, str) or len(event.payload) > 1:
            raise _Wrong(number, "it is not what the log writes")
        link = linked(self._key if number > self._keyed_after else "", self.link, text)
        if link.hash != event.event_id:
            raise _Wrong(number, self._why(event.event_id, text), text)
        for which, told in self._remembered:
            if told.number == number and told.hash != link.hash:
                raise _Wrong(number, f"its hash is not {which}: it was written anew, with all that follow", text)
        self.link, self.text = link, text

    def _why(self, found: str, text: str) -> str:
        if self._key and linked("", self.link, text).hash == found:
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
        except (Corrupted, LookupError):  # one of them cannot be read: those before it alone
            page: list[Event] = []
            for number in range(after, after + MAX_PAGE):
                try:
                    page += await events.read(SYSTEM, RUN, number, 1)
                except (Corrupted, LookupError) as error:
                    if not page:
                        raise _Wrong(number + 1, f"it cannot be read: {error}") from error
                    break
            return page

    async def _head(self) -> Link:
        try:
            link, _ = await read_head(self._store)
        except Corrupted as error:
            raise _Wrong(0, str(error)) from error
        return link


async def verify(store: Store, key: str = "", *, keyed_after: int = 0, expected: Sequence[Link] = ()) -> Verification:
    """Walk the whole log; entries up to `keyed_after` were made without the key."""
    walk = _Walk(store, key, keyed_after, expected)
    fault = None
    try:
        await walk.finish()
    except _Wrong as wrong:
        last = await store.events.last(SYSTEM, RUN)
        following = max(0, last - wrong.number) if wrong.number else 0
        fault = Fault(number=wrong.number, at=_at(wrong.text), wrong=str(wrong), following=following)
    return Verification(entries=walk.link.number, hash=walk.link.hash, at=_at(walk.text), fault=fault)


def _at(text: str) -> str | None:
    try:
        at = json.loads(text)["at"]
    except (ValueError, LookupError, TypeError):
        return None
    return at if isinstance(at, str) else None
