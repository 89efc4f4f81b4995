"""Sockets that a gateway holds open: who is at their other ends, what they follow, and how they are told of it.

Whoever appends to a log pushes. A reader is told every number at least once, and none before all those below it.
"""

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

import structlog

from desk.base.errors import InvalidInput, NotFound
from desk.governance.principals import Principal
from graphs.streaming.followers import FollowedLog, check_after
from quant.numeric.frozen import Frozen
from store.errors import Conflict, StoreError
from store.keys import SYSTEM
from store.records import Key, Put, Record, iterate_records
from store.store import Store

KIND, SUBSCRIPTION = "socket", "listening"
CONNECTION_LIFETIME = timedelta(hours=2)
"""After which API Gateway closes a connection."""
MAX_SUBSCRIPTIONS = 20
"""Logs that one connection follows at a time."""
PUSH_SECONDS = 0.5
"""Seconds between two looks at who follows a log; what is appended meanwhile leaves together."""
MAX_FAILURES = 6
"""Rounds that may fail one after the other; then the next event, or the reader, begins anew."""
LONGEST_PAUSE = 8.0
MAX_LOGS = 32
"""Logs that are kept read in a process."""
CLOSE_SECONDS = 5.0
BATCH = 100
MESSAGE_BYTES, MAX_EVENT_BYTES = 28_000, 126_976
"""Bytes of events in one message: a frame's worth; of one event alone what API Gateway takes at all."""


class ConnectionGone(Exception):
    """Nobody is at the other end any more."""


class Gateway(Protocol):
    """Port. Adapter: `api.websocket_push.ManagementApi`."""

    async def post(self, connection: str, text: str) -> None:
        """`Left` where nobody takes it any more, `Unavailable` where nobody does now."""
        ...


class Connection(Frozen):
    """A socket and who opened it."""

    id: str
    principal: Principal
    expires: datetime

    @property
    def key(self) -> Key:
        return Key(self.principal.owner, KIND, self.id)

    @property
    def index(self) -> Key:
        """Finds the owner by the connection alone."""
        return Key(SYSTEM, KIND, self.id)


class Subscription(Frozen):
    """A log that a connection follows, and the number up to which it was told."""

    owner: str
    connection: str
    run: str
    sent: int
    expires: datetime

    @property
    def key(self) -> Key:
        return Key(self.owner, SUBSCRIPTION, f"{self.connection}.{self.run}")

    def put(self, version: int | None) -> Put:
        document = self.model_dump(mode="json")
        return Put(self.key, document, version, labels={"about": self.run}, expires=self.expires)


class Message(NamedTuple):
    text: str
    last: int
    ended: bool


@dataclass
class _Log:
    """One log, as this process sends it on."""

    followed: FollowedLog
    behind: bool = False
    due: float = 0.0
    """When it may be looked at again, on the clock of the event loop."""
    pushing: asyncio.Task[None] | None = None


class WebSocketConnections:
    def __init__(self, store: Store, gateway: Gateway, *, interval: float = PUSH_SECONDS) -> None:
        self._store = store
        self._gateway = gateway
        self._interval = interval
        self._logs: OrderedDict[tuple[str, str], _Log] = OrderedDict()

    async def connect(self, id_: str, principal: Principal, *, now: datetime) -> None:
        connection = Connection(id=id_, principal=principal, expires=now + CONNECTION_LIFETIME)
        puts = [
            Put(connection.key, connection.model_dump(mode="json"), expires=connection.expires),
            Put(connection.index, {"owner": principal.owner}, expires=connection.expires),
        ]
        await self._store.records.put_many(puts)

    async def open(self, owner: str, limit: int) -> int:
        """How many the owner holds open, counted up to `limit`."""
        return len((await self._store.records.list(owner, KIND, limit=limit)).records)

    async def connection(self, id_: str) -> Connection | None:
        index = await self._store.records.get(Key(SYSTEM, KIND, id_))
        record = index and await self._store.records.get(Key(index.document["owner"], KIND, id_))
        return Connection.model_validate(record.document) if record else None

    async def forget(self, id_: str) -> None:
        connection = await self.connection(id_)
        if connection is None:
            return
        for record in await self._listening_of(connection):
            await self._store.records.delete(record.key)
        await self._store.records.delete(connection.key)
        await self._store.records.delete(connection.index)

    async def send_text(self, id_: str, text: str) -> None:
        try:
            await self._gateway.post(id_, text)
        except ConnectionGone:
            await self.forget(id_)

    async def follow(self, connection: Connection, run: str, after: int) -> None:
        """Send what the log holds beyond `after` at once, and from then on whatever is appended to it."""
        owner = connection.principal.owner
        log = FollowedLog(self._store, owner, run)
        await log.look()
        check_after(log, after, "after")
        subscription = Subscription(
            owner=owner, connection=connection.id, run=run, sent=after, expires=connection.expires
        )
        others = [record for record in await self._listening_of(connection) if record.key != subscription.key]
        if len(others) >= MAX_SUBSCRIPTIONS:
            raise InvalidInput(
                "run",
                run,
                reason=f"{MAX_SUBSCRIPTIONS} are followed already",
                allowed="fewer: stop following another one first",
            )
        (version,) = await self._store.records.put_many([subscription.put(None)])
        await log.look()  # what came before others could know of the reader
        if not log.after(after) and not log.ended:
            await self.send_text(connection.id, _message(run, log, after).text)
        await self._send(Record(subscription.key, subscription.put(None).document, version), log)

    async def stop(self, connection: Connection, run: str) -> None:
        key = Key(connection.principal.owner, SUBSCRIPTION, f"{connection.id}.{run}")
        if not await self._store.records.delete(key):
            raise NotFound(f"run: {run!r} is not followed; expected one that is")

    async def catch_up(self, connection: Connection) -> None:
        """Send what a push has missed, and say of what has ended that it has."""
        for record in await self._listening_of(connection):
            log = FollowedLog(self._store, connection.principal.owner, record.document["run"])
            try:
                await log.look()
            except NotFound:  # deleted meanwhile
                await self._store.records.delete(record.key)
                raise
            await self._send(record, log)

    def notify(self, owner: str, run: str) -> None:
        """Something was appended to the log; who follows it is told soon, and whoever appends waits for nothing."""
        if owner == SYSTEM:
            return
        log = self._log(owner, run)
        log.behind = True
        if log.pushing is None:
            log.pushing = asyncio.create_task(self._push(owner, run, log), name=f"push {run}")
            log.pushing.add_done_callback(_log_failure)

    async def idle(self) -> None:
        """Until everything is sent that is to be sent."""
        while pushing := [log.pushing for log in self._logs.values() if log.pushing is not None]:
            await asyncio.wait(pushing)

    async def aclose(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.idle()
        except TimeoutError:
            pushing = [log.pushing for log in self._logs.values() if log.pushing is not None]
            for task in pushing:
                task.cancel()
            await asyncio.wait(pushing)

    def _log(self, owner: str, run: str) -> _Log:
        log = self._logs.setdefault((owner, run), _Log(FollowedLog(self._store, owner, run)))
        self._logs.move_to_end((owner, run))
        idle = [key for key, each in self._logs.items() if each.pushing is None and each is not log]
        for key in idle[: max(0, len(self._logs) - MAX_LOGS)]:
            del self._logs[key]
        return log

    async def _push(self, owner: str, run: str, log: _Log) -> None:
        clock = asyncio.get_running_loop().time
        failures = 0
        try:
            while log.behind:
                await asyncio.sleep(max(0.0, log.due - clock()))
                log.behind = False
                again = not await self._round(owner, run, log.followed)
                failures = failures + 1 if again else 0
                log.behind |= again and failures < MAX_FAILURES
                log.due = clock() + min(self._interval * 2 ** max(0, failures - 1), LONGEST_PAUSE)
        finally:
            log.pushing = None

    async def _round(self, owner: str, run: str, log: FollowedLog) -> bool:
        """Whether all who follow the log have all of it, and know of its end if that is near."""
        try:
            records = iterate_records(self._store.records, owner, SUBSCRIPTION, label=("about", run))
            if not (subscriptions := [record async for record in records]):
                return True
            await log.look()
        except (StoreError, NotFound) as error:
            _logger().warning("push_failed", run=run, reason=str(error))
            return isinstance(error, NotFound)
        results = await asyncio.gather(*(self._try_to_send(record, log) for record in subscriptions))
        last_entries = log.after(log.last - 1)
        ending = bool(last_entries) and last_entries[0].kind == "run_failed" and not log.ended  # its record follows
        return all(results) and not ending

    async def _try_to_send(self, record: Record, log: FollowedLog) -> bool:
        try:
            await self._send(record, log)
        except StoreError as error:
            _logger().warning("push_failed", run=record.document["run"], reason=str(error))
            return False
        return True

    async def _send(self, subscription_record: Record, log: FollowedLog) -> None:
        """Everything beyond what the connection was told; two who send at once send the same twice."""
        record: Record | None = subscription_record
        while record is not None:
            subscription = Subscription.model_validate(record.document)
            message = _message(subscription.run, log, subscription.sent)
            if message.last <= subscription.sent and not message.ended:
                return
            try:
                await self._gateway.post(subscription.connection, message.text)
            except ConnectionGone:
                await self.forget(subscription.connection)
                return
            record = await self._remember(record, subscription, message)

    async def _remember(self, record: Record, subscription: Subscription, message: Message) -> Record | None:
        """What is to be sent next, if anything is."""
        records = self._store.records
        try:
            if message.ended:
                await records.delete(record.key, expected=record.version)
                return None
            put = subscription.model_copy(update={"sent": message.last}).put(record.version)
            (version,) = await records.put_many([put])
        except Conflict:  # somebody else has sent, or the reader has asked for something else
            return await records.get(record.key)
        return Record(put.key, put.document, version)

    async def _listening_of(self, connection: Connection) -> list[Record]:
        records = iterate_records(
            self._store.records, connection.principal.owner, SUBSCRIPTION, prefix=f"{connection.id}."
        )
        return [record async for record in records]


def _message(run: str, log: FollowedLog, sent: int) -> Message:
    """The next events beyond `sent`, as many as fit."""
    texts: list[str] = []
    left_out: list[int] = []
    size, last = 0, sent
    for entry in log.after(sent, BATCH):
        length = len(entry.text.encode())
        if texts and size + length > MESSAGE_BYTES:
            break
        if length > MAX_EVENT_BYTES:
            left_out.append(entry.sequence)
        else:
            texts.append(entry.text)
            size += length + 1
        last = entry.sequence
    is_end = log.ended and last == log.last
    header = json.dumps({"run": run, "last": last, "ended": is_end, "left_out": left_out})
    return Message(f'{header[:-1]}, "events": [{",".join(texts)}]}}', last, is_end)


def _log_failure(pushing: asyncio.Task[None]) -> None:
    """A push that ends with a fault fails nothing but itself."""
    if not pushing.cancelled() and (error := pushing.exception()) is not None:
        _logger().error("push_failed", exc_info=error)


def _logger() -> Any:
    return structlog.get_logger()
