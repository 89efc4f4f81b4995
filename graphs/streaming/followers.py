"""Followers of live event logs: a process reads each log once and serves every reader from it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from desk.base.errors import InvalidInput, NotFound
from desk.runs.events.live import apply
from desk.runs.events.table import TRACE_EVENT
from desk.runs.progress import Progress, ProgressTracker
from desk.runs.repository import RunArchived, with_sequence
from desk.runs.states import STOPPED_STATES
from store.errors import Unavailable
from store.records import Key, Record
from store.store import Store

LOOK_SECONDS = 1.0
"""Seconds between two reads of a run's record while its log is unchanged; a cancelled run may append no event."""
BATCH = 200
"""Events processed without yielding to other tasks."""
LINGER_SECONDS = 10.0
"""Seconds for which a log is followed after its last reader left, so that a reconnecting client finds it."""


class NoSuchLog(NotFound):
    """The owner has neither a run nor a turn of that id."""

    code = "no_such_run"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event as every protocol sends it."""

    sequence: int
    kind: str
    text: str
    """A `desk.runs.events.live.LiveEvent` as JSON."""


class FollowedLog:
    """One log from its first event on; each reader keeps only the number of the last event it has read."""

    def __init__(self, store: Store, owner: str, log: str) -> None:
        self._store = store
        self._owner = owner
        self._log = log
        self._entries: list[LogEntry] = []
        self._tracker = ProgressTracker()
        self._over = False
        self._fault = "the log is no longer followed"
        self._news = asyncio.Event()
        self._looking = asyncio.Lock()
        self._begun = self._seen = 0
        self._state_due = 0.0
        self._key: Key | None = None
        self.ended = False
        """No event will follow, unless a failed run is restarted or its holdout is opened."""

    @property
    def last(self) -> int:
        return len(self._entries)

    @property
    def progress(self) -> Progress:
        return self._tracker.progress

    async def look(self, *, news: bool = True) -> None:
        """Read the stored events, unless there is no `news`; concurrent callers share one read."""
        wanted_read = self._begun + 1
        async with self._looking:
            if self._seen < wanted_read:
                self._begun += 1
                await self._look(news=news)
                self._seen = self._begun
                self._notify()

    async def _look(self, *, news: bool) -> None:
        """Read the new events; without any, or after a last one, whether the log has ended, and then the rest of it."""
        clock = asyncio.get_running_loop().time
        known = self.last
        if known and news:
            await self._read()
        ended = self._tracker.ending == "finished"
        if not ended and (self.last == known or self._tracker.ending or clock() >= self._state_due):
            ended = await self._has_ended()  # before the log, which is then complete
            self._state_due = clock() + LOOK_SECONDS
            if ended or not known:
                await self._read(complete=True)
        self.ended = ended or self._tracker.ending == "finished"

    async def _has_ended(self) -> bool:
        record = None if self._key is None else await self._store.records.get(self._key)
        record = record or await find_record(self._store, self._owner, self._log)
        self._key = record.key
        return state_of(record) in STOPPED_STATES

    def after(self, sequence: int, limit: int | None = None) -> list[LogEntry]:
        return self._entries[sequence : None if limit is None else sequence + limit]

    async def more(self, sequence: int, seconds: float) -> bool:
        """Wait up to `seconds` for an event beyond `sequence` or the end of the log; returns whether either came."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while self.last <= sequence and not self.ended:
            try:
                await self._until(deadline - clock())
            except TimeoutError:
                return False
        return True

    async def follow(self) -> None:
        """Read new events until cancelled."""
        news = True
        try:
            while True:
                await self.look(news=news)
                news = await self._store.events.wait(self._owner, self._log, self.last, timeout=LOOK_SECONDS)
        except (Unavailable, NoSuchLog) as fault:  # a thread may be deleted while it is read
            self._fault = str(fault)
        finally:
            self._over = True
            self._notify()

    async def _read(self, *, complete: bool = False) -> None:
        """Read a page of new events and further full ones; the last events too if it is to be `complete`."""
        size = BATCH
        while size == BATCH or (complete and size):
            page = await self._store.events.read(self._owner, self._log, self.last, limit=BATCH)
            size = len(page)
            for event in page:
                live = apply(with_sequence(TRACE_EVENT.validate_python(event.payload), event.number), self._tracker)
                self._entries.append(LogEntry(event.number, live.event.event, live.model_dump_json()))
            self._notify()

    async def _until(self, seconds: float | None) -> None:
        """Wait for news; raises `Unavailable` if following has failed."""
        if not self._over:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        if self._over:
            raise Unavailable(self._fault)

    def _notify(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class LogFollowers:
    """The logs that this process follows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._logs: dict[tuple[str, str], _SharedLog] = {}
        self._closed = False

    @asynccontextmanager
    async def of(self, owner: str, log: str) -> AsyncGenerator[FollowedLog]:
        """Follow the log while the caller reads it; raises `NotFound` unless the owner has it."""
        shared = self._logs.get((owner, log))
        if shared is None or shared.reading.done():
            await log_state(self._store, owner, log)
        if self._closed:
            raise Unavailable("the service is ending")
        shared = self._logs.get((owner, log))  # another reader may have added it while this one waited
        if shared is None or shared.reading.done():
            shared = self._logs[owner, log] = _SharedLog(FollowedLog(self._store, owner, log))
        with shared.read_by_one_more(lambda: self._forget(owner, log, shared)):
            await shared.followed.look()
            yield shared.followed

    def _forget(self, owner: str, log: str, shared: "_SharedLog") -> None:
        if self._logs.get((owner, log)) is shared:  # after a failure, another reader may have replaced it
            del self._logs[owner, log]

    async def aclose(self) -> None:
        """Stop following; readers get `Unavailable`."""
        self._closed = True
        shared, self._logs = list(self._logs.values()), {}
        for each in shared:
            each.stop()
        await asyncio.gather(*(each.reading for each in shared), return_exceptions=True)


class _SharedLog:
    """A followed log and the number of its readers."""

    def __init__(self, followed: FollowedLog) -> None:
        self.followed = followed
        self.reading = asyncio.create_task(followed.follow())
        self._readers = 0
        self._leaving: asyncio.TimerHandle | None = None

    @contextmanager
    def read_by_one_more(self, forget: Callable[[], object]) -> Generator[None]:
        self._readers += 1
        if self._leaving is not None:
            self._leaving.cancel()
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._leaving = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._last_reader_left, forget)

    def stop(self) -> None:
        self.reading.cancel()
        if self._leaving is not None:
            self._leaving.cancel()

    def _last_reader_left(self, forget: Callable[[], object]) -> None:
        self.stop()
        forget()


async def log_state(store: Store, owner: str, log: str) -> str:
    """The state of the owner's run or turn that writes the log."""
    return state_of(await find_record(store, owner, log))


async def find_record(store: Store, owner: str, log: str) -> Record:
    """The record of the owner's run or turn that writes the log."""
    record = await store.records.get(Key(owner, "run", log))
    conversation, _, number = log.rpartition("-")
    if record is None and conversation and number.isascii() and number.isdecimal() and len(number) < 7:
        record = await store.records.get(Key(owner, "turn", f"{conversation}.{int(number):06d}"))
    if record is None:
        raise NoSuchLog(f"run: there is no run {log!r}; expected the id of one of your runs, or of a turn of a thread")
    return record


def state_of(record: Record) -> str:
    if record.document.get("archived") is not None:
        raise RunArchived(record.key.id)
    return record.document["state"]


def check_after(followed: FollowedLog, after: int, field: str) -> None:
    """Raise `InvalidInput` for an event number beyond the end of the log."""
    if after > followed.last:
        raise InvalidInput(field, after, allowed=f"0 to {followed.last}, the number of a received event")
