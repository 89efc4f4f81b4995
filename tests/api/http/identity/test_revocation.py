"""A stream ends when the credentials of its reader are no longer valid."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api.http.identity.api_keys import ApiKeys, revoke
from api.http.identity.authentication import Credentials
from store.embedded import open_store
from tests.api.http.application import running
from tests.api.http.identity.sign_in import bearer, create_key, secured_application
from tests.api.http.live_run import RUN, frames, written

pytestmark = pytest.mark.anyio

EVENTS = f"/api/runs/{RUN}/events"
BEGUN = 3
"""Events that the log has before the key is revoked."""


@asynccontextmanager
async def two_readers(home):
    """One whose key will be revoked and another with one that holds, of a server that remembers neither."""
    keys = [await create_key(home, "local"), await create_key(home, "local")]
    app = secured_application(home)
    async with written(home) as log:
        with running(app) as address:
            served = app.state.service
            seconds = iter(range(0, 10**6, 60))
            known = Credentials(ApiKeys(served.dependencies.store, clock=lambda: next(seconds)), None)
            app.state.service = replace(served, identity=known, recheck_seconds=0.0)
            async with httpx.AsyncClient(base_url=address, timeout=20) as client:
                yield keys, client, log


async def end(home, key):
    async with open_store(home) as store:
        await revoke(store, key[10:22], now=datetime.now(UTC))


@pytest.mark.parametrize("ticketed", [False, True])
async def test_a_stream_tells_nothing_more_when_its_key_is_revoked(home, ticketed):
    async with two_readers(home) as ((ended, held), client, log):
        if ticketed:
            made = await client.post("/api/tickets", json={"path": EVENTS}, headers=bearer(ended))
            how: Any = {"params": {"ticket": made.json()["ticket"]}}
        else:
            how = {"headers": bearer(ended)}
        async with (
            client.stream("GET", EVENTS, **how) as theirs,
            client.stream("GET", EVENTS, headers=bearer(held)) as ours,
        ):
            told, heard = frames(theirs), frames(ours)
            for _ in range(BEGUN):
                assert (await anext(told))["id"] == (await anext(heard))["id"]
            await end(home, ended)
            await log.append(*log.trials(0, 1))
            await log.finish()
            with anyio.fail_after(10.0):
                assert [frame async for frame in told] == []
                assert [frame["event"] async for frame in heard][-1] == "end"


async def test_a_socket_is_closed_when_its_key_is_revoked(home):
    async with two_readers(home) as ((ended, _), client, log):
        place = f"ws{str(client.base_url).removeprefix('http').rstrip('/')}{EVENTS}/ws"
        async with connect(place, additional_headers=bearer(ended)) as socket:
            for _ in range(BEGUN):
                await socket.recv()
            await end(home, ended)
            await log.append(*log.trials(0, 1))
            with anyio.fail_after(10.0), pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "the credentials are no longer valid")
