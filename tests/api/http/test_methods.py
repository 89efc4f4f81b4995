"""HEAD requests, and what a request with another method is told."""

import re

import httpx
import pytest

from tests.api.http.application import application, document, open_client, run_server
from tests.api.http.live_run import RUN, open_run_log

pytestmark = pytest.mark.anyio


def reading_paths() -> list[str]:
    """A path of each operation that reads; the state of readiness may change between two requests."""
    paths = document()["paths"].items()
    return [re.sub(r"\{\w+\}", "0", path) for path, methods in paths if "get" in methods and "ready" not in path]


async def test_head_returns_the_status_and_headers_of_get_without_a_body(home):
    async with open_client(application(home)) as client:
        for path in [*reading_paths(), "/api/openapi.json", "/api/docs"]:
            get, head = await client.get(path), await client.head(path)
            assert (head.status_code, head.content) == (get.status_code, b""), path
            for name in ("content-type", "content-length", "content-security-policy", "etag"):
                assert head.headers.get(name) == get.headers.get(name), (path, name)


async def test_head_of_a_stream_ends_at_once(home):
    async with open_run_log(home), httpx.AsyncClient(timeout=20) as client:
        with run_server(application(home)) as address:
            answer = await client.head(f"{address}/api/runs/{RUN}/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/jobs", "GET, HEAD, POST"),
        ("/api/jobs/0", "GET, HEAD, DELETE"),
        ("/api/portfolios/0", "GET, HEAD, PUT, DELETE"),
        ("/api/evaluations", "POST"),
    ],
)
async def test_allow_names_every_method_of_the_path(home, path, allowed):
    async with open_client(application(home)) as client:
        answer = await client.patch(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
