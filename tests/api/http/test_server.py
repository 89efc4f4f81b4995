"""A server that is told to end: readers of streams do not hold it up, and nobody sees a traceback."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import anyio
import anyio.lowlevel
import httpx
import pytest
import websockets
from fastapi import FastAPI

from api.http.server import LimitedHeads, listening_sockets
from desk.base.errors import InvalidInput
from graphs.streaming.followers import LogFollowers
from store.embedded import open_store
from store.errors import Unavailable
from tests.api.http.application import application
from tests.api.http.live_run import RUN, open_run_log
from tests.api.http.running_server import running_server
from tests.doubles.aws import free_port

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0
"""Seconds after which a test gives up."""

pytestmark = pytest.mark.anyio


async def test_streams_are_closed_at_once(home, capsys):
    async with open_run_log(home), httpx.AsyncClient(timeout=PATIENCE) as client:
        with running_server(application(home), grace=600.0) as (address, server):
            async with client.stream("GET", f"{address}/api/runs/{RUN}/events") as stream:
                lines = stream.aiter_lines()
                assert (await anext(lines)).startswith(("id", "event"))
                server.should_exit = True
                rest = [line async for line in lines]  # a connection that breaks off raises
    assert not any(line.startswith("event: end") for line in rest), "the run goes on: the reader comes again"
    assert "Traceback" not in capsys.readouterr().err


async def test_the_ticket_of_a_socket_is_in_no_line(home, capfd):
    async with open_run_log(home):
        with running_server(application(home), grace=1.0, level="info") as (address, _):
            place = f"{address.replace('http', 'ws')}/api/runs/{RUN}/events/ws?after=0&ticket=good-once"
            with suppress(websockets.WebSocketException):
                async with websockets.connect(place) as socket:
                    await socket.recv()
    output = capfd.readouterr()
    assert "WebSocket /api/runs/" in output.err
    assert "good-once" not in output.err + output.out


async def test_nothing_is_followed_any_more_once_streams_are_closed(home):
    async with open_store(home) as store, open_run_log(home):
        following = LogFollowers(store)
        await following.aclose()
        with pytest.raises(Unavailable):
            async with following.of("local", RUN):
                pass


async def test_a_request_that_is_cut_off_leaves_a_line_and_no_traceback(capsys):
    app, closed, request_started = FastAPI(), [], asyncio.Event()

    async def aclose():
        closed.append(True)

    app.state.service = SimpleNamespace(following=SimpleNamespace(aclose=aclose))

    @app.get("/slow")
    async def slow():
        asking.call_soon_threadsafe(request_started.set)
        await asyncio.sleep(60.0)

    asking = asyncio.get_running_loop()
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        with running_server(app, grace=0.2) as (address, server):
            async with anyio.create_task_group() as group:

                async def ask():
                    assert (await client.get(f"{address}/slow")).status_code == 500

                group.start_soon(ask)
                await request_started.wait()
                server.should_exit = True
    assert closed == [True]
    err = capsys.readouterr().err
    assert "A request was cut off by the shutdown" in err
    assert "Traceback" not in err


@pytest.mark.soak
@pytest.mark.parametrize("sent_signal", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_with_its_workers_and_says_so(home, sent_signal):
    port = free_port()
    environment = os.environ | {"STRATIGOS_LOG": "stdout", "STRATIGOS_METRICS": "emf"}
    command = [sys.executable, "-m", "api", "serve", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        assert "takes jobs" in server.stderr.readline()
        transport = httpx.HTTPTransport(retries=20)
        with httpx.Client(transport=transport) as client:
            assert client.get(f"http://127.0.0.1:{port}/api/health").status_code == 200
        server.send_signal(sent_signal)
        out, err = server.communicate(timeout=120)
    assert server.returncode == 0
    assert "Traceback" not in out + err
    for text in ('"job', '"kind": "work", "process"', '"kind": "serve", "process"', '"Requests2xx": 1'):
        assert (text in out) == (text != '"job')


@pytest.mark.soak  # measures a duration
def test_the_first_evaluation_finds_its_kernels_loaded(home):
    port = free_port()
    environment = os.environ | {"STRATIGOS_LOG": "stdout", "STRATIGOS_WORKERS": "0"}
    command = [sys.executable, "-m", "api", "serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        transport = httpx.HTTPTransport(retries=20)
        with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}/api") as client:
            early = client.get("/ready")
            assert (early.status_code, "numeric core" in early.text) == (503, True)
            assert any("kernels_loaded" in line for line in server.stdout)
            assert client.get("/ready").status_code == 200
        rule = {"weight_function": "sigmoid", "estimator": "ewma", "decay": 0.94, "midpoint": 0.15, "scale": 0.03}
        begun = time.perf_counter()
        answer = httpx.post(f"http://127.0.0.1:{port}/api/evaluations", json={"config": rule}, timeout=60)
        assert (answer.status_code, time.perf_counter() - begun < 2.0) == (200, True)
        server.terminate()


@pytest.mark.soak
def test_a_place_to_listen_that_cannot_be_had_is_told_in_one_line_before_anything_is_begun(home):
    environment = os.environ | {"STRATIGOS_HOME": str(home), "STRATIGOS_AUTH": "keys"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for option, value in (("--port", port), ("--host", "192.0.2.1")):
            command = [sys.executable, "-m", "api", "serve", option, value]
            result = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
            )
            (line,) = result.stderr.splitlines()
            assert (result.returncode, line.partition(": ")[0]) == (2, option), line
            assert value in line
            assert not list(home.rglob("*.log")), "a process has begun"


def test_a_name_of_several_addresses_is_listened_at_with_one_port():
    with listening_sockets("localhost", 0) as sockets:
        (port,) = {each.getsockname()[1] for each in sockets}
        with socket.create_connection(("localhost", port)):
            pass
        with pytest.raises(InvalidInput) as refused, listening_sockets("localhost", port):
            pass
    assert refused.value.field == "--port"


class BriefHeads(LimitedHeads):
    head_seconds = 0.3


async def test_a_head_that_never_ends_is_cut_off_and_a_slow_answer_is_not(home):
    app = FastAPI()
    app.state.service = SimpleNamespace(following=SimpleNamespace(aclose=anyio.lowlevel.checkpoint))

    @app.get("/slow")
    async def slow() -> str:
        await asyncio.sleep(3 * BriefHeads.head_seconds)
        return "answered"

    with running_server(app, grace=0.2, http=BriefHeads) as (address, _):
        host, _, port = address.removeprefix("http://").partition(":")
        for first in (b"", b"GET /slow HTTP/1.1\r\n", b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /slow"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(first)
            async with asyncio.timeout(PATIENCE):
                await reader.read()  # until the server closes the connection
            writer.close()
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            for _ in range(2):  # on one connection
                assert (await client.get(f"{address}/slow")).json() == "answered"
