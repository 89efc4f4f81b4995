"""WebSocket readers get every event despite concurrent appends and gateway faults."""

import asyncio
import json
import random
from collections import defaultdict
from contextlib import aclosing, suppress

import pytest

from desk.base.clock import utc_now
from desk.base.errors import InvalidInput
from desk.governance.principals import Principal
from graphs.streaming.followers import NoSuchLog
from graphs.streaming.websocket_connections import MAX_LOGS, MAX_SUBSCRIPTIONS, ConnectionGone, WebSocketConnections
from store.embedded import open_store
from store.errors import Unavailable
from store.store import Store
from tests.api.http.live_run import OWNER, RUN, RunLogWriter

pytestmark = pytest.mark.anyio

QUICK = 0.01


class Line:
    """A gateway with random delays, lost responses and rejections."""

    def __init__(self, seed: int = 0, *, failing: float = 0.0) -> None:
        self._dice = random.Random(seed)
        self._failing = failing
        self.sent: defaultdict[str, list[int]] = defaultdict(list)
        self.ended: set[str] = set()
        self.gone: set[str] = set()
        self.posts = 0

    async def post(self, connection: str, text: str) -> None:
        self.posts += 1
        await asyncio.sleep(self._dice.random() * 0.005)
        if connection in self.gone:
            raise ConnectionGone(connection)
        if self._dice.random() < self._failing / 2:
            raise Unavailable("the line is down")
        message = json.loads(text)
        self.sent[connection] += [event["sequence"] for event in message["events"]]
        if message["ended"]:
            self.ended.add(connection)
        if self._dice.random() < self._failing / 2:
            raise Unavailable("the answer was lost")


@pytest.fixture
async def store(tmp_path):
    async with open_store(tmp_path) as opened:
        yield opened


async def open_connection(sockets: WebSocketConnections, id_: str, owner: str = OWNER):
    await sockets.connect(id_, Principal(owner=owner), now=utc_now())
    connection = await sockets.connection(id_)
    assert connection is not None
    return connection


@pytest.mark.parametrize("seed", range(4))
async def test_every_event_is_delivered_in_order(store: Store, seed: int):
    dice, line = random.Random(seed), Line(seed, failing=0.3)
    log = RunLogWriter(store)
    await log.begin()
    async with (
        aclosing(WebSocketConnections(store, line, interval=QUICK)) as one,
        aclosing(WebSocketConnections(store, line, interval=QUICK)) as two,
    ):
        connections = [await open_connection(one, f"c{n}") for n in range(4)]
        starts = {connection.id: dice.randrange(4) for connection in connections}
        for n in range(0, 40, 4):
            for connection in connections[n // 10 : n // 10 + 1]:
                with suppress(Unavailable):  # the next push sends missed events
                    await one.follow(connection, RUN, starts[connection.id])
            await log.append(*log.trials(n, n + 4))
            for each in dice.sample([one, two], dice.randint(1, 2)):
                each.notify(OWNER, RUN)
            await asyncio.sleep(dice.random() * 0.02)
        await log.finish()
        for each in (one, two):
            each.notify(OWNER, RUN)
        await asyncio.gather(one.idle(), two.idle())
    for connection in connections:
        came = [*dict.fromkeys(line.sent[connection.id])]
        assert came == [*range(starts[connection.id] + 1, 85)]
    assert line.ended == set(starts)


async def test_logs_of_the_same_name_belong_to_their_owners(store: Store):
    line = Line()
    async with aclosing(WebSocketConnections(store, line, interval=QUICK)) as sockets:
        mine, theirs = await open_connection(sockets, "mine"), await open_connection(sockets, "theirs", "other")
        log = RunLogWriter(store)
        await log.begin()
        await sockets.follow(mine, RUN, 0)
        with pytest.raises(NoSuchLog):
            await sockets.follow(theirs, RUN, 0)
        await log.append(*log.trials(0, 1))
        sockets.notify("other", RUN)
        await sockets.idle()
        assert line.sent == {"mine": [1, 2, 3]}
        sockets.notify(OWNER, RUN)
        await sockets.idle()
    assert line.sent == {"mine": [1, 2, 3, 4, 5]}


async def test_an_unfollowed_log_is_neither_sent_nor_cached_forever(store: Store):
    line = Line()
    async with aclosing(WebSocketConnections(store, line, interval=QUICK)) as sockets:
        for n in range(3 * MAX_LOGS):
            sockets.notify(OWNER, f"run-{n}")
            await sockets.idle()
        assert len(sockets._logs) <= MAX_LOGS
    assert line.posts == 0


async def test_a_connection_follows_a_limited_number_of_logs(store: Store):
    line = Line()
    async with aclosing(WebSocketConnections(store, line, interval=QUICK)) as sockets:
        connection = await open_connection(sockets, "one")
        for n in range(MAX_SUBSCRIPTIONS + 1):
            await RunLogWriter(store, f"run-{n}").begin()
        for n in range(MAX_SUBSCRIPTIONS):
            await sockets.follow(connection, f"run-{n}", 3)
        await sockets.follow(connection, "run-0", 0)  # already followed
        with pytest.raises(InvalidInput, match="unsubscribe from another run first"):
            await sockets.follow(connection, f"run-{MAX_SUBSCRIPTIONS}", 0)
        await sockets.stop(connection, "run-1")
        await sockets.follow(connection, f"run-{MAX_SUBSCRIPTIONS}", 0)


async def test_appending_does_not_wait_for_readers(store: Store):
    class Stuck(Line):
        async def post(self, connection: str, text: str) -> None:
            if self.posts:
                await asyncio.Event().wait()
            self.posts += 1

    log = RunLogWriter(store)
    await log.begin()
    sockets = WebSocketConnections(store, Stuck(), interval=QUICK)
    await sockets.follow(await open_connection(sockets, "one"), RUN, 0)
    async with asyncio.timeout(1.0):
        for n in range(20):
            await log.append(*log.trials(n, n + 1))
            sockets.notify(OWNER, RUN)
