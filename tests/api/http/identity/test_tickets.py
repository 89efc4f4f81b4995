"""What a browser's URL shows: once, for one path, for half a minute, for whoever got it."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api.http.identity.api_keys import KIND as KEYS
from api.http.identity.tickets import KIND, VALID_SECONDS, issue, redeem
from desk.governance.principals import Principal
from store.embedded import open_store
from store.keys import SYSTEM
from store.records import Key, iterate_records
from tests.api.http.application import application, open_client, run_server
from tests.api.http.identity.sign_in import bearer, create_key, remote_client, secured_application
from tests.api.http.live_run import RUN, open_run_log

pytestmark = pytest.mark.anyio

EVENTS = f"/api/runs/{RUN}/events"
ANNA = Principal(owner="anna", roles=("analyst",), scopes=("research:read",), via="key:0123456789ab")


async def ticket(client: httpx.AsyncClient, path: str = EVENTS) -> str:
    answer = await client.post("/api/tickets", json={"path": path})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store"), answer.text
    remaining = datetime.fromisoformat(answer.json()["expires"]) - datetime.now(UTC)
    assert remaining.total_seconds() == pytest.approx(VALID_SECONDS, abs=5)
    return answer.json()["ticket"]


async def test_a_ticket_lets_in_whoever_got_it_once(home):
    async with open_store(home) as store:
        secret = (await issue(store, ANNA, EVENTS, now=datetime.now(UTC))).ticket
        assert await redeem(store, secret, f"{EVENTS}x") is None
        assert await redeem(store, secret[:-1], EVENTS) is None
        assert await redeem(store, secret, EVENTS) == ANNA
        assert await redeem(store, secret, EVENTS) is None
        late = await issue(store, ANNA, EVENTS, now=datetime.now(UTC) - timedelta(seconds=VALID_SECONDS))
        assert await redeem(store, late.ticket, EVENTS) is None


async def test_of_many_that_show_a_ticket_at_once_one_is_let_in(home):
    async with open_store(home) as store, open_store(home) as other:
        for _ in range(5):
            secret = (await issue(store, ANNA, EVENTS, now=datetime.now(UTC))).ticket
            principals = await asyncio.gather(*(redeem(at, secret, EVENTS) for at in (store, other) * 4))
            assert [each for each in principals if each is not None] == [ANNA]


async def test_neither_a_key_nor_a_ticket_can_be_read_in_the_store(home):
    key = await create_key(home)
    async with open_store(home) as store:
        secret = (await issue(store, ANNA, EVENTS, now=datetime.now(UTC))).ticket
        for kind in (KEYS, KIND):
            (record,) = [record async for record in iterate_records(store.records, SYSTEM, kind)]
            assert key[-43:] not in f"{record}"
            assert secret not in f"{record}"
        assert await store.records.get(Key(SYSTEM, KIND, secret)) is None
    files = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert key[-43:].encode() not in files
    assert secret.encode() not in files


async def test_streams_polls_and_sockets_take_a_ticket_in_place_of_a_key(home):
    key = await create_key(home, "local")
    async with open_run_log(home, trials=2) as log:
        await log.append(*log.trials(0, 2))
        await log.finish()
        with run_server(secured_application(home)) as address:
            async with httpx.AsyncClient(base_url=address, headers=bearer(key), timeout=120) as client:
                tickets = [await ticket(client) for _ in range(3)]
                elsewhere = await ticket(client, "/api/runs/another/events")
            socket = f"ws{address.removeprefix('http')}{EVENTS}/ws?ticket="
            async with httpx.AsyncClient(base_url=address, timeout=120) as browser:
                for at, each in ((EVENTS, tickets[0]), (f"{EVENTS}/poll", tickets[1])):
                    assert (await browser.get(at, params={"ticket": each})).status_code == 200
                    assert (await browser.get(at, params={"ticket": each})).status_code == 401
                    assert (await browser.get(at, params={"ticket": elsewhere})).status_code == 401
                    assert (await browser.get(at)).status_code == 401
                doubled = {"ticket": [elsewhere, elsewhere]}
                assert (await browser.get("/api/runs/another/events", params=doubled)).status_code == 401
                assert (await browser.get("/api/portfolios", params={"ticket": elsewhere})).status_code == 401
            async with connect(socket + tickets[2]) as ws:
                assert [message async for message in ws]
            for wrong in (tickets[2], elsewhere, "", "x" * 300):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(socket + wrong)
                assert refused.value.response.status_code in (401, 403)


async def test_a_ticket_gives_no_more_than_the_key_for_which_it_was_made(home):
    anna, ben = await create_key(home), await create_key(home, "ben", scopes=("market-data:read",))
    async with open_run_log(home, trials=2), remote_client(secured_application(home)) as client:
        theirs = await client.post("/api/tickets", json={"path": EVENTS}, headers=bearer(anna))
        answer = await client.get(f"{EVENTS}/poll", params={"ticket": theirs.json()["ticket"]})
        assert answer.status_code == 404  # of another owner
        assert (await client.post("/api/tickets", json={"path": EVENTS}, headers=bearer(ben))).status_code == 403
        assert (await client.post("/api/tickets", json={"path": EVENTS})).status_code == 401


@pytest.mark.parametrize("path", ["/api/portfolios", f"{EVENTS}/ws", f"{EVENTS}?after=1", "/api/runs//events", "", 7])
async def test_only_the_path_of_a_stream_gets_a_ticket(home, path):
    async with open_client(application(home)) as client:
        answer = await client.post("/api/tickets", json={"path": path})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == "body.path"


async def test_the_one_local_user_needs_no_ticket_but_one_that_is_sent_has_to_be_good(home):
    async with open_run_log(home, trials=2), open_client(application(home)) as client:
        assert (await client.get(f"{EVENTS}/poll")).status_code == 200
        params = {"ticket": await ticket(client)}
        assert (await client.get(f"{EVENTS}/poll", params=params)).status_code == 200
        assert (await client.get(f"{EVENTS}/poll", params=params)).status_code == 401
