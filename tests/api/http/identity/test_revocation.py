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
from tests.api.http.application import run_server
from tests.api.http.identity.sign_in import bearer, create_key, secured_application
from tests.api.http.live_run import RUN, frames, open_run_log

pytestmark = pytest.mark.anyio

EVENTS = f"/api/runs/{RUN}/events"
BEGUN = 3
"""Events that the log has before the key is revoked."""


@asynccontextmanager
async def two_readers(home):
    """One whose key will be revoked and another with one that holds, of a server that remembers neither."""
    keys = [await create_key(home, "local"), await create_key(home, "local")]
    app = secured_application(home)
    async with open_run_log(home) as log:
        with run_server(app) as address:
            service = app.state.service
            seconds = iter(range(0, 10**6, 60))
            credentials = Credentials(ApiKeys(service.dependencies.store, clock=lambda: next(seconds)), None)
            app.state.service = replace(service, identity=credentials, recheck_seconds=0.0)
            async with httpx.AsyncClient(base_url=address, timeout=120) as client:
                yield keys, client, log


async def end(home, key):
    async with open_store(home) as store:
        await revoke(store, key[10:22], now=datetime.now(UTC))


@pytest.mark.parametrize("ticketed", [False, True])
async def test_a_stream_tells_nothing_more_when_its_key_is_revoked(home, ticketed):
    async with two_readers(home) as ((revoked_key, valid_key), client, log):
        if ticketed:
            response = await client.post("/api/tickets", json={"path": EVENTS}, headers=bearer(revoked_key))
            how: Any = {"params": {"ticket": response.json()["ticket"]}}
        else:
            how = {"headers": bearer(revoked_key)}
        async with (
            client.stream("GET", EVENTS, **how) as theirs,
            client.stream("GET", EVENTS, headers=bearer(valid_key)) as ours,
        ):
            revoked_frames, valid_frames = frames(theirs), frames(ours)
            for _ in range(BEGUN):
                assert (await anext(revoked_frames))["id"] == (await anext(valid_frames))["id"]
            await end(home, revoked_key)
            await log.append(*log.trials(0, 1))
            await log.finish()
            with anyio.fail_after(60.0):
                assert [frame async for frame in revoked_frames] == []
                assert [frame["event"] async for frame in valid_frames][-1] == "end"


async def test_a_socket_is_closed_when_its_key_is_revoked(home):
    async with two_readers(home) as ((revoked_key, _), client, log):
        place = f"ws{str(client.base_url).removeprefix('http').rstrip('/')}{EVENTS}/ws"
        async with connect(place, additional_headers=bearer(revoked_key)) as socket:
            for _ in range(BEGUN):
                await socket.recv()
            await end(home, revoked_key)
            await log.append(*log.trials(0, 1))
            with anyio.fail_after(60.0), pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "the credentials are no longer valid")
