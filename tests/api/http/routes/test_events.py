import asyncio
import json
import random
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.typing import Origin

from api.http.sse import log_frames, with_heartbeats
from graphs.dependencies import Dependencies
from graphs.streaming.followers import LogFollowers
from store.embedded import open_store
from store.errors import Unavailable
from store.events import Events
from tests.api.http.application import application, open_client, run_server
from tests.api.http.live_run import RUN, frames, open_run_log, payload
from tests.graphs.dependencies import open_dependencies

pytestmark = pytest.mark.anyio

EVENTS = f"/api/runs/{RUN}/events"


def sequences(events: list[dict]) -> list[int]:
    return [event["sequence"] for event in events]


async def read_stream(client: httpx.AsyncClient, **options) -> list[dict]:
    """What one connection carries until it ends by itself; the last frame says that nothing will come."""
    async with client.stream("GET", EVENTS, **options) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        all_frames = [frame async for frame in frames(response)]
    assert all_frames[-1]["event"] == "end"
    assert [int(frame["id"]) for frame in all_frames[:-1]] == [payload(frame)["sequence"] for frame in all_frames[:-1]]
    assert [frame["event"] for frame in all_frames[:-1]] == [
        payload(frame)["event"]["event"] for frame in all_frames[:-1]
    ]
    return [payload(frame) for frame in all_frames[:-1]]


async def poll_all(client: httpx.AsyncClient, *, limit: int = 1000) -> list[dict]:
    events: list[dict] = []
    after = 0
    while True:
        answer = await client.get(f"{EVENTS}/poll", params={"after": after, "wait": 5, "limit": limit})
        body = answer.json()
        events += body["events"]
        after = body["last"]
        if body["ended"]:
            return events


async def read_socket(address: str, after: int = 0) -> tuple[list[dict], int]:
    """What a socket carries, and the code that it closes with."""
    async with connect(f"ws{address.removeprefix('http')}{EVENTS}/ws?after={after}") as ws:
        messages = [json.loads(message) async for message in ws]
    return messages, ws.close_code or 0


async def test_every_door_sends_the_same_events_with_progress_that_never_falls(home):
    async with open_run_log(home, trials=20) as log:
        with run_server(application(home)) as address:
            async with httpx.AsyncClient(base_url=address, timeout=120) as client:
                doors = asyncio.gather(
                    read_stream(client), poll_all(client, limit=7), read_socket(address), poll_all(client)
                )
                for first in range(0, 20, 4):
                    await log.append(*log.trials(first, first + 4))
                    await asyncio.sleep(0.05)
                await log.finish()
                stream, pages, (ws, code), whole = await doors
    assert stream == pages == ws == whole
    assert code == 1000
    assert sequences(stream) == list(range(1, 3 + 40 + 2))  # the beginning, two for each trial, the end
    shares = [event["progress"]["share"] for event in stream]
    assert shares == sorted(shares)
    assert max(shares[:-1]) <= 0.99
    assert shares[-1] == 1.0
    progress = stream[-2]["progress"]
    assert (progress["stage"], progress["done"], progress["total"], progress["screened"]) == ("search", 20, 20, 4)
    objectives = [event["event"]["objective"] for event in stream if event["event"]["event"] == "trial_finished"]
    assert progress["best_in_sample"] == max(value for value in objectives if value is not None)
    halfway = next(e for e in stream if e["event"]["event"] == "job_progressed" and e["event"]["done"] == 10)
    assert halfway["progress"]["eta_seconds"] == 10.0  # ten of twenty trials, one a second


async def test_a_reader_goes_on_where_it_was_and_is_told_to_stay_away_at_the_end(home):
    async with open_run_log(home) as log:
        await log.append(*log.trials(0, 5))
        await log.finish()
        async with open_client(application(home)) as client:
            whole = await read_stream(client)
            assert await read_stream(client, headers={"Last-Event-ID": "6"}) == whole[6:]
            assert await read_stream(client, params={"after": 6}) == whole[6:]
            assert await read_stream(client, params={"after": 2}, headers={"Last-Event-ID": "6"}) == whole[6:]
            again = await client.get(EVENTS, headers={"Last-Event-ID": str(len(whole))})
            assert (again.status_code, again.content) == (204, b"")


@pytest.mark.parametrize("number", ["x", "-1", "", "1.5", "9" * 400, "\u0661".encode()])
async def test_a_last_event_id_that_is_no_number_is_refused(home, number):
    async with open_run_log(home), open_client(application(home)) as client:
        answer = await client.get(EVENTS, headers={"Last-Event-ID": number})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == "header.last-event-id"


@pytest.mark.parametrize("door", [EVENTS, f"{EVENTS}/poll"])
async def test_a_number_that_the_log_never_gave_is_refused(home, door):
    async with open_run_log(home), open_client(application(home)) as client:
        answer = await client.get(door, params={"after": 4})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["allowed"].startswith("0 to 3")


@pytest.mark.parametrize("run", ["nobody", "-", "thread-1", "x-99999999999999", "%23", "%00"])
async def test_an_unknown_run_is_refused_before_the_stream_begins(home, run):
    async with open_client(application(home)) as client:
        for door in (f"/api/runs/{run}/events", f"/api/runs/{run}/events/poll"):
            assert (await client.get(door)).status_code in (400, 404, 422)


async def test_a_run_of_another_owner_is_unknown(home):
    async with open_run_log(home) as log:
        await log.finish()
        async with open_client(application(home, owner="somebody-else")) as client:
            assert (await client.get(EVENTS)).status_code == 404
            assert (await client.get(f"{EVENTS}/poll")).status_code == 404


async def test_a_poll_waits_no_longer_than_it_was_told(home):
    async with open_run_log(home) as log, open_client(application(home)) as client:
        began = time.monotonic()
        nothing = (await client.get(f"{EVENTS}/poll", params={"after": 3, "wait": 0.3})).json()
        assert time.monotonic() - began > 0.25
        assert nothing == {"events": [], "last": 3, "ended": False}
        poll = asyncio.create_task(client.get(f"{EVENTS}/poll", params={"after": 3, "wait": 20}))
        await asyncio.sleep(0.05)
        await log.append(*log.trials(0, 1))
        assert sequences((await poll).json()["events"])[0] == 4
        for wait in ("21", "-1", "nan", "inf"):
            assert (await client.get(f"{EVENTS}/poll", params={"wait": wait})).status_code == 422


async def test_a_run_that_ends_without_a_word_ends_for_its_readers_too(home):
    async with open_run_log(home) as log, open_client(application(home)) as client:
        reading = asyncio.create_task(read_stream(client))
        await asyncio.sleep(0.05)
        await log.state("cancelled")
        assert sequences(await reading) == [1, 2, 3]


async def test_a_run_that_failed_and_is_taken_up_again_goes_on_for_its_readers(home):
    async with open_run_log(home) as log, open_client(application(home)) as client:
        await log.append(*log.trials(0, 2))
        await log.fail()
        before = await read_stream(client)
        assert (before[-1]["progress"]["stage"], before[-1]["progress"]["failed"]) == ("failed", 1)
        assert before[-1]["progress"]["last_error"] == "fault: OSError"
        assert before[-1]["progress"]["share"] < 1
        await log.state("running")
        await log.append(*log.trials(2, 4))
        await log.finish()
        after = await read_stream(client, headers={"Last-Event-ID": str(before[-1]["sequence"])})
        assert after[0]["sequence"] == before[-1]["sequence"] + 1
        assert [event["progress"]["share"] for event in (*before, *after)] == sorted(
            event["progress"]["share"] for event in (*before, *after)
        )


async def test_silence_is_broken_by_a_heartbeat(home):
    async with open_run_log(home), open_store(home) as store:
        following = LogFollowers(store)
        async with following.of("local", RUN) as log:
            stream = log_frames(log, 3, heartbeat=0.02)
            assert await anext(stream) == b": ping\n\n"
            await stream.aclose()
        await following.aclose()


async def test_any_stream_is_kept_alive_and_loses_nothing(home):
    async def slow() -> AsyncGenerator[bytes]:
        for chunk in (b"a", b"b"):
            await asyncio.sleep(0.1)
            yield chunk

    chunks = [chunk async for chunk in with_heartbeats(slow(), heartbeat=0.03)]
    assert [chunk for chunk in chunks if chunk != b": ping\n\n"] == [b"a", b"b"]
    assert chunks[0] == b": ping\n\n"


@pytest.mark.parametrize(
    ("run", "after", "code"), [("nobody", "0", 4404), (RUN, "x", 4422), (RUN, "99", 4422), ("%23", "0", 4422)]
)
async def test_a_socket_says_by_its_code_what_was_wrong(home, run, after, code):
    async with open_run_log(home):
        with run_server(application(home)) as address:
            async with connect(f"ws{address.removeprefix('http')}/api/runs/{run}/events/ws?after={after}") as ws:
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    await ws.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


async def test_a_socket_of_another_site_is_not_opened(home):
    async with open_run_log(home):
        with run_server(application(home)) as address:
            url = f"ws{address.removeprefix('http')}{EVENTS}/ws"
            with pytest.raises(websockets.InvalidStatus):
                await connect(url, origin=Origin("https://elsewhere.example"))
            async with connect(url, origin=Origin(address)) as ws:
                assert json.loads(await ws.recv())["sequence"] == 1


@pytest.mark.parametrize("garbage", ["what?", b"\x00\xff" * 50_000])
async def test_who_talks_into_a_socket_is_dropped_and_nobody_else(home, garbage):
    async with open_run_log(home) as log:
        with run_server(application(home)) as address:
            other = asyncio.create_task(read_socket(address))
            async with connect(f"ws{address.removeprefix('http')}{EVENTS}/ws?after=3") as ws:
                await ws.send(garbage)
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    await ws.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
            await log.append(*log.trials(0, 3))
            await log.finish()
            messages, code = await other
    assert (sequences(messages), code) == (list(range(1, 11)), 1000)


async def test_who_never_reads_keeps_nobody_waiting(home):
    async with open_run_log(home, trials=2000) as log:
        with run_server(application(home)) as address:
            host, port = address.removeprefix("http://").split(":")
            deaf = socket.create_connection((host, int(port)))
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            deaf_socket = await connect(f"ws{address.removeprefix('http')}{EVENTS}/ws", max_queue=1)
            async with httpx.AsyncClient(base_url=address, timeout=120) as client:
                reading = asyncio.create_task(read_stream(client))
                for first in range(0, 2000, 500):
                    await log.append(*log.trials(first, first + 500))
                await log.finish()
                assert sequences(await reading) == list(range(1, 4005))
            deaf.close()
            deaf_socket.transport.abort()


class Observed:
    """Counts what is asked of a log, and can be out of order."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.calls = 0
        self.broken = False

    def __getattr__(self, name: str) -> Any:
        self.calls += 1
        if self.broken:
            raise Unavailable("the database is unavailable (disk full)")
        return getattr(self._events, name)


@asynccontextmanager
async def observed(home: Path, logs: list[Observed]) -> AsyncGenerator[Dependencies]:
    async with open_dependencies(home) as dependencies:
        logs.append(Observed(dependencies.store.events))
        yield replace(dependencies, store=replace(dependencies.store, events=logs[0]))


async def test_many_readers_ask_the_storage_no_more_than_one_does(home):
    logs: list[Observed] = []
    async with open_run_log(home, trials=20) as log:
        with run_server(application(home, observed(home, logs))) as address:
            async with httpx.AsyncClient(base_url=address, timeout=120) as client:
                reading = [asyncio.create_task(read_stream(client)) for _ in range(40)]
                await asyncio.sleep(0.5)
                begun = logs[0].calls
                for n in range(20):
                    await log.append(*log.trials(n, n + 1))
                await asyncio.sleep(0.7)
                reads = logs[0].calls - begun
                await log.finish()
                streams = await asyncio.gather(*reading)
    assert all(each == streams[0] for each in streams)
    assert 0 < reads < 40


async def test_a_storage_that_cannot_answer_cuts_the_stream_and_nothing_is_lost(home):
    logs: list[Observed] = []
    async with open_run_log(home) as log:
        with run_server(application(home, observed(home, logs))) as address:
            async with httpx.AsyncClient(base_url=address, timeout=120) as client:
                async with client.stream("GET", EVENTS) as response:
                    stream = frames(response)
                    before = [payload(await anext(stream)) for _ in range(3)]
                    ws = connect(f"ws{address.removeprefix('http')}{EVENTS}/ws?after=3")
                    async with ws as listening:
                        logs[0].broken = True
                        await log.append(*log.trials(0, 5))
                        late = [frame async for frame in stream]  # of a read that was under way
                        assert "end" not in [frame["event"] for frame in late]  # cut, and not ended
                        before += map(payload, late)
                        with pytest.raises(websockets.ConnectionClosed) as closed:
                            _ = [message async for message in listening]
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1013
                refused = await client.get(EVENTS, headers={"Last-Event-ID": "3"})
                assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
                logs[0].broken = False
                await log.finish()
                after = await read_stream(client, headers={"Last-Event-ID": str(before[-1]["sequence"])})
    assert sequences([*before, *after]) == list(range(1, 15))


async def read_in_pieces(client: httpx.AsyncClient, chance: random.Random) -> list[dict]:
    """Drops the connection after a random number of events, and comes back with the last number that it has."""
    events: list[dict] = []
    while True:
        remaining = chance.randint(1, 60)
        headers = {"Last-Event-ID": str(events[-1]["sequence"])} if events else {}
        async with client.stream("GET", EVENTS, headers=headers) as response:
            if response.status_code == 204:
                return events
            assert response.status_code == 200
            async for frame in frames(response):
                if frame["event"] == "end":
                    return events
                events.append(payload(frame))
                remaining -= 1
                if not remaining:
                    break
        await asyncio.sleep(chance.random() * 0.02)


@pytest.mark.parametrize("readers", [20, pytest.param(200, marks=pytest.mark.soak)])
async def test_readers_that_drop_and_resume_at_random_all_end_with_the_same_sequence(home, readers):
    trials = readers
    async with open_run_log(home, trials=trials) as log:
        with run_server(application(home)) as address:
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
                reading = [asyncio.create_task(read_in_pieces(client, random.Random(n))) for n in range(readers)]
                for first in range(0, trials, 10):
                    await log.append(*log.trials(first, first + 10))
                    await asyncio.sleep(0.05)
                await log.finish()
                streams = await asyncio.gather(*reading)
    assert sequences(streams[0]) == list(range(1, 3 + 2 * trials + 2))
    assert all(each == streams[0] for each in streams)
