import json
import re

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from api.operations.log import log_to
from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-t0k3n"


@pytest.fixture
def log(home):
    home.mkdir(parents=True, exist_ok=True)
    with log_to(home, "info"):
        yield


def lines(home) -> list[dict]:
    logged = [json.loads(line) for line in (home / "stratigos.log").read_text().splitlines()]
    return [line for line in logged if line["event"] == "request"]


async def test_every_answer_names_its_request(home):
    async with open_client(application(home)) as client:
        for path in ("/api/health", "/api/jobs", "/api/nothing", "/", "/api/docs"):
            assert re.fullmatch("[0-9a-f]{32}", (await client.get(path)).headers["x-request-id"]), path
        foreign = await client.get("/api/health", headers={"Host": "rebound.example"})
        assert (foreign.status_code, len(foreign.headers["x-request-id"])) == (403, 32)
        for header, taken in (("my-id_7", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("é", False)):
            answer = await client.get("/api/health", headers={b"X-Request-Id": header.encode()})
            assert (answer.headers["x-request-id"] == header) is taken


async def test_a_fault_is_answered_under_its_id(home, log):
    app = application(home)

    @app.get("/api/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    async with open_client(app) as client:
        answer = await client.get("/api/broken", headers={"X-Request-Id": "broken-one"})
        assert (answer.status_code, answer.headers["x-request-id"]) == (500, "broken-one")
        assert answer.json()["error"]["code"] == "INTERNAL_SERVER_ERROR"
    logged = [json.loads(line) for line in (home / "stratigos.log").read_text().splitlines()]
    events = [(line["event"], line["request_id"]) for line in logged if "request" in line["event"]]
    assert events == [("request_failed", "broken-one"), ("request", "broken-one")]


async def test_the_log_has_a_line_a_request_without_what_was_sent(home, log):
    async with open_client(application(home)) as client:
        headers = {"Authorization": f"Bearer {SECRET}", "X-Request-Id": "one"}
        await client.get(f"/api/jobs/{SECRET}", params={"ticket": SECRET}, headers=headers)
        response = await client.post("/api/portfolios", json={"name": SECRET, "assets": {"AAPL": 1.0}})
        await client.request(SECRET, "/api/health")
    first, second, third = lines(home)
    assert first["request_id"] == "one"
    assert (first["method"], first["route"], first["status"]) == ("GET", "/api/jobs/{job_id}", 422)
    assert (second["method"], second["route"], second["status"]) == ("POST", "/api/portfolios", response.status_code)
    assert (second["owner"], second["bytes"]) == ("local", len(response.content))
    assert (third["method"], third["status"]) == ("another", 405)
    assert all(line["milliseconds"] > 0 for line in (first, second, third))
    assert SECRET not in (home / "stratigos.log").read_text()


def test_sockets_are_named_and_logged(home, log):
    headers = {"Host": "127.0.0.1", "X-Request-Id": "socket-1"}
    with (
        TestClient(application(home)) as client,
        client.websocket_connect("/api/runs/x/events/ws", headers=headers) as socket,
    ):
        assert (b"x-request-id", b"socket-1") in (socket.extra_headers or ())
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()
    (line,) = lines(home)
    assert (line["request_id"], line["method"], line["status"]) == ("socket-1", "SOCKET", 4404)
    assert line["route"] == "/api/runs/{run}/events/ws"
