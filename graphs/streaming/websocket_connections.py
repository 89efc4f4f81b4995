"""WebSocket connections held by a gateway: their owners, their subscriptions, and the delivery of events.

The process that appends to a log pushes. Delivery is at least once and in order: no event precedes a lower number.
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
"""Time after which API Gateway closes a connection."""
MAX_SUBSCRIPTIONS = 20
"""Logs that one connection may follow at a time."""
PUSH_SECONDS = 0.5
"""Seconds between two reads of a log's subscriptions; events appended in between are sent together."""
MAX_FAILURES = 6
"""Consecutive rounds that may fail; the next event or a request of the reader starts again."""
LONGEST_PAUSE = 8.0
MAX_LOGS = 32
"""Logs whose read state a process caches."""
CLOSE_SECONDS = 5.0
BATCH = 100
MESSAGE_BYTES, MAX_EVENT_BYTES = 28_000, 126_976
"""Bytes of events in one message: one frame; for a single event, the largest message that API Gateway accepts."""


class ConnectionGone(Exception):
    """The connection is closed at the other end."""


class Gateway(Protocol):
    """Port. Adapter: `api.websocket_push.ManagementApi`."""

    async def post(self, connection: str, text: str) -> None:
        """Raises `ConnectionGone` if the connection is closed, and `Unavailable` if sending fails for now."""
        ...


class Connection(Frozen):
    """A connection and the principal who opened it."""

    id: str
    principal: Principal
    expires: datetime

    @property
    def key(self) -> Key:
        return Key(self.principal.owner, KIND, self.id)

    @property
    def index(self) -> Key:
        """Maps the connection id to its owner."""
        return Key(SYSTEM, KIND, self.id)


class Subscription(Frozen):
    """A log that a connection follows, and the number of the last event sent."""

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
    """One log, as this process sends it."""

    followed: FollowedLog
    behind: bool = False
    due: float = 0.0
    """Earliest time of the next read, on the clock of the event loop."""
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
        """The number of the owner's open connections, counted up to `limit`."""
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
        """Send the events beyond `after` now, and later events as they are appended."""
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
                reason=f"{MAX_SUBSCRIPTIONS} logs are followed already",
                allowed="at most that many; unsubscribe from another run first",
            )
        (version,) = await self._store.records.put_many([subscription.put(None)])
        await log.look()  # events that were appended before other processes could see the subscription
        if not log.after(after) and not log.ended:
            await self.send_text(connection.id, _message(run, log, after).text)
        await self._send(Record(subscription.key, subscription.put(None).document, version), log)

    async def stop(self, connection: Connection, run: str) -> None:
        key = Key(connection.principal.owner, SUBSCRIPTION, f"{connection.id}.{run}")
        if not await self._store.records.delete(key):
            raise NotFound(f"run: {run!r} is not followed; expected the id of a followed run")

    async def catch_up(self, connection: Connection) -> None:
        """Send the events that a push has missed, and the end of logs that have ended."""
        for record in await self._listening_of(connection):
            log = FollowedLog(self._store, connection.principal.owner, record.document["run"])
            try:
                await log.look()
            except NotFound:  # deleted in the meantime
                await self._store.records.delete(record.key)
                raise
            await self._send(record, log)

    def notify(self, owner: str, run: str) -> None:
        """Schedule a push of the log's new events; returns at once."""
        if owner == SYSTEM:
            return
        log = self._log(owner, run)
        log.behind = True
        if log.pushing is None:
            log.pushing = asyncio.create_task(self._push(owner, run, log), name=f"push {run}")
            log.pushing.add_done_callback(_log_failure)

    async def idle(self) -> None:
        """Wait until all pending messages are sent."""
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
        """Send one round; returns whether every subscriber has all events, and the end of the log if it is near."""
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
        """Send everything beyond the last sent event; two concurrent senders may send the same event twice."""
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
        """Store the number of the last sent event; returns the subscription if there is more to send."""
        records = self._store.records
        try:
            if message.ended:
                await records.delete(record.key, expected=record.version)
                return None
            put = subscription.model_copy(update={"sent": message.last}).put(record.version)
            (version,) = await records.put_many([put])
        except Conflict:  # another process has sent, or the reader has subscribed from another number
            return await records.get(record.key)
        return Record(put.key, put.document, version)

    async def _listening_of(self, connection: Connection) -> list[Record]:
        records = iterate_records(
            self._store.records, connection.principal.owner, SUBSCRIPTION, prefix=f"{connection.id}."
        )
        return [record async for record in records]


def _message(run: str, log: FollowedLog, sent: int) -> Message:
    """The next events beyond `sent`, as many as fit into one message."""
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
    """Log a failed push, which affects nothing else."""
    if not pushing.cancelled() and (error := pushing.exception()) is not None:
        _logger().error("push_failed", exc_info=error)


def _logger() -> Any:
    return structlog.get_logger()
