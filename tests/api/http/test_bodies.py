import json
import time
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request

from api.http.body_limits import limited_route
from api.http.errors.handlers import add_error_handlers
from tests.api.http.application import application, document, open_client, run_server

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
HOSTILE = {
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "a deep field": b'{"name":' + b"[" * 900 + b"]" * 900 + b"}",
    "half a character": b'{"name":"\\ud800","\\udfff":"\\ud800"}',
    "no UTF-8": b'{"name":"\xff"}',
    "a long number": b'{"name":' + b"9" * 5000 + b"}",
    "many fields": b"{" + b",".join(b'"%05d":1' % n for n in range(9_000)) + b"}",
    "many objects": b'{"messages":[' + b"{}," * 30_000 + b"{}]}",
    "an open text": b'{"name":"' + b'\\"' * 40_000,
}


def writing() -> list[tuple[str, str]]:
    """Method and path of each operation with a body."""
    return [
        (method, path)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    ]


async def test_hostile_bodies_are_refused_at_once_wherever_bodies_are_read(home):
    assert len(writing()) > 15
    async with open_client(application(home)) as client:
        for method, path in writing():
            if path == "/api/market-data/imports":  # what it reads is a file
                continue
            place = path.replace("{", "").replace("}", "")
            assert (await client.request(method, place, json=[])).status_code == 422  # the first imports
            for name, body in HOSTILE.items():
                begun = time.process_time()
                answer = await client.request(method, place, content=body, headers=JSON)
                assert answer.status_code in (400, 413, 422), (path, name, answer.text[:300])
                assert time.process_time() - begun < 2.0, (path, name)


async def test_each_route_has_a_largest_body_and_says_so(home):
    for method, path in writing():
        assert {"408", "413"} <= document()["paths"][path][method]["responses"].keys(), path
    async with open_client(application(home)) as client:
        for method, path in writing():
            place = path.replace("{", "").replace("}", "") + ("?dataset=x" if path.endswith("imports") else "")
            answer = await client.request(method, place, content=_endless(), headers=JSON)
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE"), path


async def _endless():
    for _ in range(110):
        yield b" " * 1_000_000


async def test_texts_do_not_count_as_what_they_hold(home):
    async with open_client(application(home)) as client:
        thread = (await client.post("/api/threads", json={})).json()["id"]
        title = json.dumps({"title": '[{"a": 1}, ' * 8})
        assert (await client.patch(f"/api/threads/{thread}", content=title, headers=JSON)).status_code == 200


ODD = [
    (f"/api/{'a' * 8_000}", 414),
    (f"/api/portfolios?after={'a' * 8_000}", 414),
    ("/api/threads/%00", 400),
    ("/api/portfolios/%0a", 400),
    ("/api/threads/%2e%2e", 422),
    ("/api/threads/a%2fb", 404),
    ("/api/threads/%ed%a0%80", 422),
    ("/api/threads/%ff", 422),
    (f"/api/threads/{'a' * 7_000}", 422),
    ("/api/portfolios?limit=1&limit=2", 422),
    ("/api/portfolios?limit=%00", 422),
    ("/api/portfolios?after=%ff%00", 422),
]


async def test_odd_addresses(home):
    async with open_client(application(home)) as client:
        for path, status in ODD:
            answer = await client.get(path)
            assert (answer.status_code, "error" in answer.json()) == (status, True), path


async def test_too_many_headers(home):
    async with open_client(application(home)) as client:
        for headers in ({f"x-{n}": "1" for n in range(101)}, {"x-large": "a" * 16_000}):
            answer = await client.get("/api/health", headers=headers)
            code = answer.json()["error"]["code"]
            assert (answer.status_code, code) == (431, "REQUEST_HEADER_FIELDS_TOO_LARGE")


def slow_application(seconds: float) -> FastAPI:
    app = FastAPI()
    add_error_handlers(app)

    @asynccontextmanager
    async def anybody(_: Request):
        yield

    router = APIRouter(route_class=limited_route(1_000, seconds=seconds, slot=anybody))

    @router.post("/sum")
    async def add(request: Request) -> int:
        return len(await request.body())

    app.include_router(router)
    return app


def test_a_body_that_does_not_arrive_is_not_waited_for():
    def slow(pause: float):
        yield b"[1,"
        time.sleep(pause)
        yield b"2]"

    with run_server(slow_application(0.2)) as base, httpx.Client(base_url=base) as client:
        assert client.post("/sum", content=slow(0.02)).json() == 5
        late = client.post("/sum", content=slow(0.6))
        assert (late.status_code, late.json()["error"]["code"]) == (408, "REQUEST_TIMEOUT")


async def test_a_body_that_breaks_off_is_no_fault(home):
    app = application(home)
    chunks = []
    scope = {"type": "http", "method": "POST", "path": "/api/portfolios", "query_string": b"", "scheme": "http"}
    scope |= {"headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")], "client": ("127.0.0.1", 1)}
    parts = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive():
        return next(parts)

    async def send(message):
        chunks.append(message)

    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    assert chunks[0]["status"] == 400
