"""Sessions of browsers: a cookie in place of a key, which pages of other sites cannot use."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api.http.identity.api_keys import KeyTerms, create, revoke
from api.http.identity.sessions import CACHE_SECONDS, COOKIE, KIND, Sessions
from desk.governance.audit_log import AuditLog
from desk.governance.principals import Principal
from store.embedded import open_store
from store.keys import SYSTEM
from store.records import iterate_records
from tests.api.http.application import application, open_client, run_server
from tests.api.http.identity.sign_in import bearer, create_key, secured_application
from tests.api.http.live_run import RUN, open_run_log
from tests.doubles.cognito import CLIENT, PERSON, REDIRECT, Pool, pool

pytestmark = pytest.mark.anyio

SITE = "https://desk.example"
EVENTS = f"/api/runs/{RUN}/events"
DRAFT = {"name": "Two", "assets": {"AAPL": 0.5, "JNJ": 0.5}}
ANNA = Principal(owner="anna", roles=("analyst",), via="token:client")


@asynccontextmanager
async def open_browser(app: FastAPI, site: str = SITE) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of a page of this site: it keeps cookies and names its origin."""
    async with open_client(app) as client:
        client.base_url = site
        client.headers["Origin"] = site
        yield client


async def sign_in(client: httpx.AsyncClient, key: str) -> str:
    """Open a session and return its CSRF token."""
    response = await client.post("/api/session", json={"key": key})
    assert response.status_code == 201, response.text
    return response.json()["csrf_token"]


def with_csrf(token: str) -> dict[str, str]:
    return {"X-CSRF-Token": token}


async def test_a_session_replaces_the_key_until_the_user_signs_out(home: Path) -> None:
    key = await create_key(home)
    async with open_browser(secured_application(home)) as browser:
        assert (await browser.get("/api/session/methods")).json() == {"methods": ["key"]}
        assert (await browser.get("/api/session")).status_code == 401
        token = await sign_in(browser, key)
        state = (await browser.get("/api/session")).json()
        assert (state["name"], state["csrf_token"]) == ("anna", token)
        remaining = datetime.fromisoformat(state["expires"]) - datetime.now(UTC)
        assert timedelta(hours=11, minutes=59) < remaining <= timedelta(hours=12)
        me = (await browser.get("/api/me")).json()
        assert (me["name"], me["roles"], me["via"]) == ("anna", ["portfolio-manager"], f"key:{key[10:22]}")
        assert (await browser.post("/api/portfolios", json=DRAFT, headers=with_csrf(token))).status_code == 201
        old = dict(browser.cookies)
        response = await browser.delete("/api/session", headers=with_csrf(token))
        assert (response.status_code, dict(browser.cookies)) == (204, {})
        browser.cookies.update(old)
        assert (await browser.get("/api/me")).status_code == 401
    async with open_store(home) as store:
        entries, _ = await AuditLog(store).page(None, 100)
    actions = [(entry.owner, entry.action, entry.outcome) for entry in entries if entry.outcome]
    assert (actions[0], actions[-1]) == (
        ("anna", "POST /api/session", "201"),
        ("anna", "DELETE /api/session", "204"),
    )


async def test_the_cookie_cannot_be_read_by_pages_nor_sent_by_other_sites_or_without_https(home: Path) -> None:
    key = await create_key(home)
    for site, is_secure in ((SITE, True), ("http://desk.example", True), ("http://127.0.0.1:8000", False)):
        async with open_browser(secured_application(home), site) as browser:
            response = await browser.post("/api/session", json={"key": key})
            first, *attributes = response.headers["Set-Cookie"].split("; ")
            expected = {"HttpOnly", "Max-Age=43200", "Path=/api", "SameSite=strict"} | (
                {"Secure"} if is_secure else set()
            )
            assert set(attributes) == expected, site
            assert first.startswith(f"{COOKIE}=")
            assert first.partition("=")[2] not in response.text


async def test_a_request_that_another_page_could_have_sent_changes_nothing(home: Path) -> None:
    key = await create_key(home)
    async with open_browser(secured_application(home, CORS_ORIGINS="https://friend.example")) as browser:
        token = await sign_in(browser, key)

        async def status(**headers: str) -> int:
            return (await browser.post("/api/portfolios", json=DRAFT, headers=headers)).status_code

        assert await status() == 403
        assert await status(**with_csrf("x" * 64)) == 403
        for origin in ("https://evil.example", "null", "", f"{SITE}.evil.example"):
            assert await status(**with_csrf(token), Origin=origin) == 403, origin
        assert (await browser.get("/api/portfolios")).json() == []
        assert await status(**with_csrf(token), Origin="https://friend.example") == 201
        assert await status(**bearer(key)) == 201  # a page of another site does not know the key
        forged = await browser.post("/api/session", json={"key": key}, headers={"Origin": "https://evil.example"})
        assert forged.status_code == 403


async def test_a_session_ends_with_its_key_its_time_or_all_sessions_of_the_user(home: Path) -> None:
    now, clock = datetime.now(UTC), 0.0
    async with open_store(home) as store:
        sessions = Sessions(store, timedelta(hours=1), "", now=lambda: now, clock=lambda: clock)
        key, _ = await create(store, KeyTerms(owner="anna", roles=("analyst",)), days=1, now=now)

        async def is_open(token: str) -> bool:
            return await sessions.find(request_with(token)) is not None

        by_key, _ = await sessions.open(key.principal)
        by_token, session = await sessions.open(ANNA)
        other, _ = await sessions.open(ANNA.model_copy(update={"owner": "ben"}))
        assert [await is_open(each) for each in (by_key, by_token, other, by_token[:-1], "")] == [True] * 3 + [
            False
        ] * 2
        await revoke(store, key.id, now=now)
        clock += CACHE_SECONDS
        assert [await is_open(each) for each in (by_key, by_token)] == [False, True]
        assert await sessions.end_all("anna") == 2
        assert [await is_open(each) for each in (by_token, other)] == [False, True]
        now = session.expires
        assert not await is_open(other)


def request_with(token: str) -> HTTPConnection:
    headers = [(b"cookie", f"{COOKIE}={token}".encode())]
    return HTTPConnection({"type": "http", "method": "GET", "headers": headers})


def all_bytes(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


async def test_a_session_cannot_be_read_in_the_store(home: Path) -> None:
    async with open_store(home) as store:
        token, _ = await Sessions(store, timedelta(hours=1), "").open(ANNA)
        (record,) = [record async for record in iterate_records(store.records, SYSTEM, KIND)]
        assert token not in f"{record}"
    assert token.encode() not in all_bytes(home)


async def test_wrong_keys_are_refused_counted_and_not_logged_in(home: Path) -> None:
    key = await create_key(home)
    async with open_browser(secured_application(home)) as browser:
        for number in range(20):
            response = await browser.post("/api/session", json={"key": f"{key[:-2]}{number:02}"})
            assert (response.status_code, "Set-Cookie" in response.headers) == (401, False)
        assert (await browser.post("/api/session", json={"key": f"{key[:-2]}zz"})).status_code == 429
        assert dict(browser.cookies) == {}


async def test_an_expired_cookie_does_not_keep_its_browser_from_signing_in(home: Path) -> None:
    key = await create_key(home)
    async with open_browser(secured_application(home)) as browser:
        browser.cookies.set(COOKIE, "a" * 43)
        for _ in range(25):
            assert (await browser.get("/api/me")).status_code == 401
        browser.cookies.clear()
        await sign_in(browser, key)


async def test_streams_polls_and_sockets_accept_the_cookie_of_their_own_page(home: Path) -> None:
    key = await create_key(home, "local")
    async with open_run_log(home, trials=2) as log:
        await log.append(*log.trials(0, 2))
        await log.finish()
        with run_server(secured_application(home)) as address:
            async with httpx.AsyncClient(base_url=address, timeout=120) as browser:
                await sign_in(browser, key)
                for place in (EVENTS, f"{EVENTS}/poll"):
                    assert (await browser.get(place)).status_code == 200
                cookie = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
            place = f"ws{address.removeprefix('http')}{EVENTS}/ws"
            async with connect(place, additional_headers=cookie, origin=address) as socket:  # pyright: ignore[reportArgumentType]
                assert [message async for message in socket]
            with pytest.raises(InvalidStatus):
                await connect(place, additional_headers=cookie, origin="https://evil.example")  # pyright: ignore[reportArgumentType]


async def test_the_local_user_needs_no_session(home: Path) -> None:
    async with open_client(application(home)) as client:
        assert (await client.get("/api/session/methods")).json() == {"methods": []}
        assert (await client.get("/api/session")).json() == {"name": "local", "expires": None, "csrf_token": None}
        response = await client.post("/api/session", json={"key": "stratigos_x"})
        assert (response.status_code, response.json()["error"]["code"]) == (409, "CONFLICT")
        assert (await client.delete("/api/session")).status_code == 204
        assert (await client.post("/api/portfolios", json=DRAFT)).status_code == 201


def with_pool(home: Path, signing: Pool) -> FastAPI:
    return secured_application(home, "cognito", COGNITO_ISSUER=signing.issuer, COGNITO_CLIENTS=f"{CLIENT},other")


async def authorize(browser: httpx.AsyncClient) -> dict[str, str]:
    """Start a sign-in, follow it to the pool, and return the query with which the pool comes back."""
    response = await browser.post("/api/session/authorization", json={"redirect_uri": REDIRECT})
    assert response.status_code == 200, response.text
    async with httpx.AsyncClient() as elsewhere:
        granted = await elsewhere.get(response.json()["url"])
    assert granted.status_code == 302, granted.text
    return dict(httpx.URL(granted.headers["Location"]).params)


async def test_a_code_of_the_pool_opens_a_session_in_the_browser_that_started_the_sign_in(home: Path) -> None:
    with pool() as signing:
        app = with_pool(home, signing)
        async with open_browser(app) as browser:
            assert (await browser.get("/api/session/methods")).json() == {"methods": ["code"]}
            query = await authorize(browser)
            body = query | {"redirect_uri": REDIRECT}
            response = await browser.post("/api/session", json=body)
            assert response.status_code == 201, response.text
            assert list(browser.cookies) == [COOKIE]
            assert (await browser.get("/api/me")).json() == {
                "name": PERSON,
                "roles": ["portfolio-manager"],
                "permissions": [
                    "launch:approve",
                    "market-data:read",
                    "proprietary-data:read",
                    "proprietary-data:write",
                    "research:read",
                    "research:write",
                ],
                "via": f"token:{CLIENT}",
            }
            assert (await browser.post("/api/session", json=body)).status_code == 401  # each code serves once


@pytest.mark.parametrize(
    "changed", [{"code": "unknown"}, {"state": "forged"}, {"redirect_uri": "https://desk.example/other"}]
)
async def test_a_code_is_refused_with_another_state_page_or_browser(home: Path, changed: dict[str, str]) -> None:
    with pool() as signing:
        async with open_browser(with_pool(home, signing)) as browser:
            body = await authorize(browser) | {"redirect_uri": REDIRECT}
            assert (await browser.post("/api/session", json=body | changed)).status_code == 401
            query = await authorize(browser)
            browser.cookies.clear()  # a page of an attacker who holds a code has no verifier
            assert (await browser.post("/api/session", json=query | {"redirect_uri": REDIRECT})).status_code == 401
            assert COOKIE not in browser.cookies


async def test_a_pool_that_is_unreachable_or_another_one_is_503(home: Path) -> None:
    with pool() as signing:
        async with open_browser(with_pool(home, signing)) as browser:
            for status, issuer in ((500, None), (200, "https://pool.example")):
                signing.status, signing.endpoint_issuer = status, issuer
                response = await browser.post("/api/session/authorization", json={"redirect_uri": REDIRECT})
                assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
            signing.endpoint_issuer = None
            assert await authorize(browser)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.code"),
        ({"key": 3}, "body.key"),
        ({"key": "a", "code": "b"}, "body.code"),
        ({"code": "a", "state": "b", "redirect_uri": "javascript:1"}, "body.redirect_uri"),
    ],
)
async def test_an_invalid_sign_in_names_its_field(home: Path, body: Any, field: str) -> None:
    async with open_browser(secured_application(home)) as browser:
        response = await browser.post("/api/session", json=body)
    assert response.status_code == 422
    assert field in [detail["field"] for detail in response.json()["error"]["details"]]
