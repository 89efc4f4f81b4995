"""Large responses are compressed for clients that accept it; small ones and streams are not."""

import gzip
from pathlib import Path

import httpx
import pytest

from api.http.middleware.stack import COMPRESSED_BYTES
from tests.api.http.application import application, open_client, run_server
from tests.api.http.live_run import RUN, open_run_log

pytestmark = pytest.mark.anyio

GZIP, PLAIN = {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "identity"}


async def raw_body(client: httpx.AsyncClient, path: str, headers: dict[str, str]) -> tuple[httpx.Response, bytes]:
    async with client.stream("GET", path, headers=headers) as response:
        return response, b"".join([chunk async for chunk in response.aiter_raw()])


async def test_a_large_response_is_smaller_and_the_same(home: Path) -> None:
    async with open_client(application(home)) as client:
        plain, content = await raw_body(client, "/api/catalogue", PLAIN)
        packed, compressed = await raw_body(client, "/api/catalogue", GZIP)
        assert ("Content-Encoding" in plain.headers, packed.headers["Content-Encoding"]) == (False, "gzip")
        assert gzip.decompress(compressed) == content
        assert len(content) > COMPRESSED_BYTES
        assert len(compressed) < 0.25 * len(content)
        assert "Accept-Encoding" in plain.headers["Vary"]
        known = GZIP | {"If-None-Match": packed.headers["ETag"]}
        assert (await client.get("/api/catalogue", headers=known)).status_code == 304
        docs, page = await raw_body(client, "/api/docs", GZIP)
        assert "sha256-" in docs.headers["Content-Security-Policy"]
        assert b"<script" in (gzip.decompress(page) if "Content-Encoding" in docs.headers else page)


async def test_a_small_response_and_a_session_are_not_compressed(home: Path) -> None:
    async with open_client(application(home)) as client:
        for path in ("/api/session", "/api/me", "/api/health"):
            response, content = await raw_body(client, path, GZIP)
            assert ("Content-Encoding" in response.headers, len(content) < COMPRESSED_BYTES) == (False, True)


async def test_an_event_stream_is_not_compressed(home: Path) -> None:
    async with open_run_log(home, trials=30) as log:
        await log.append(*log.trials(0, 30))
        await log.finish()
        with run_server(application(home)) as address:
            async with httpx.AsyncClient(base_url=address, timeout=60) as client:
                response, content = await raw_body(client, f"/api/runs/{RUN}/events", GZIP)
    assert ("Content-Encoding" in response.headers, len(content) > COMPRESSED_BYTES) == (False, True)
    assert content.endswith(b"\n\n")
