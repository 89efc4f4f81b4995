import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from api.http.errors.problems import Problem
from api.http.rate_limits import MAX_CONCURRENT_REQUESTS, MAX_FAILURES, RateLimits, TokenBuckets, network
from tests.api.http.application import run_server
from tests.api.http.named_users import (
    HeaderIdentity,
    accept_any_name,
    named_application,
    open_named_client,
    settings_with,
)
from tests.api.http.operation_requests import SIGN_IN, operations

pytestmark = pytest.mark.anyio

HOME = Path("/nowhere")
RULE = {"config": {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63}}


class Clock:
    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("per_second", "at_once"), [(10.0, 30.0), (0.3, 0.9), (7.7, 23.1), (2000 / 300, 2000.0)])
def test_a_wait_that_is_told_is_enough_and_no_second_of_it_is_needless(per_second, at_once):
    clock = Clock()
    rate = TokenBuckets(per_second, at_once, clock)
    taken = 0
    while not (wait := rate.take("anna")):
        taken += 1
    assert taken == max(1, int(at_once))
    for _ in range(50):
        clock.now += wait - 1.001
        assert rate.wait("anna") > 0
        clock.now += 1.001
        assert rate.take("anna") == 0
        while not (wait := rate.take("anna")):
            pass


def test_over_an_hour_nobody_gets_more_than_the_rate():
    clock = Clock()
    rate = TokenBuckets(10.0, 30.0, clock)
    taken = 0
    for _ in range(36_000):
        taken += sum(rate.take("anna") == 0 for _ in range(3))
        clock.now += 0.1
    assert 36_000 <= taken <= 36_030
    assert rate.take("another") == 0


def test_of_endless_names_few_are_kept():
    rate = TokenBuckets(1.0, 1.0, Clock(), max_buckets=1_000)
    for n in range(5_000):
        assert rate.take(f"name {n}") == 0
    assert [rate.take(f"name {n}") for n in (4_999, 4_000)] == [1, 1]
    assert rate.take("name 3999") == 0


def test_an_address_of_ipv6_is_one_of_many_that_somebody_has():
    assert network("2001:db8:1:2:3:4:5:6") == network("2001:db8:1:2::9") != network("2001:db8:1:3::9")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1") != network("192.0.2.2")
    assert network("") == ""


def test_an_address_has_so_many_requests_in_five_minutes():
    clock = Clock()
    limits = RateLimits(settings_with(HOME, REQUESTS_PER_ADDRESS=2_000), clock)
    for _ in range(2_000):
        limits.check_address("192.0.2.1")
    with pytest.raises(Problem) as refused:
        limits.check_address("192.0.2.1")
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
    limits.check_address("192.0.2.2")
    clock.now += 300
    for _ in range(2_000):
        limits.check_address("192.0.2.1")


def retry_seconds(answer: httpx.Response) -> int:
    assert answer.status_code == 429, answer.text
    assert answer.json()["error"]["code"] == "TOO_MANY_REQUESTS"
    return int(answer.headers["retry-after"])


async def test_one_user_is_refused_and_another_is_not(home):
    async with open_named_client(named_application(home, REQUESTS_PER_SECOND=2)) as client:
        anna, bob = {"X-API-Key": "anna"}, {"X-API-Key": "bob"}
        assert (await client.get("/api/portfolios", headers=bob)).status_code == 200  # the first imports
        answers = await asyncio.gather(*(client.get("/api/portfolios", headers=anna) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200, 429}
        answers = [answer for answer in answers if answer.status_code == 429]
        assert (await client.get("/api/portfolios", headers=bob)).status_code == 200
        assert retry_seconds(answers[0]) == 1
        await asyncio.sleep(1.0)
        assert (await client.get("/api/portfolios", headers=anna)).status_code == 200
        assert (await client.get("/api/health")).status_code == 200


async def test_an_address_is_refused_before_anything_is_looked_at(home):
    app = named_application(home, REQUESTS_PER_ADDRESS=5)
    async with open_named_client(app) as client:
        for path in ("/api/health", "/api/nothing", "/api/portfolios", "/", "/api/docs"):
            assert (await client.get(path)).status_code != 429
        for path in ("/api/health", "/api/nothing", "/api/portfolios", "/", "/api/docs"):
            assert retry_seconds(await client.get(path)) <= 60
        other = httpx.ASGITransport(app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=other, base_url="http://127.0.0.1") as elsewhere:
            assert (await elsewhere.get("/api/health")).status_code == 200


async def test_who_guesses_is_refused_before_the_guess_is_looked_at(home):
    async with open_named_client(named_application(home)) as client:
        for _ in range(2 * MAX_FAILURES):  # who shows nothing has not guessed
            assert (await client.get("/api/portfolios")).status_code == 401
        assert (await client.get("/api/portfolios", headers={"X-API-Key": "bob"})).status_code == 200
        for n in range(MAX_FAILURES):
            assert (await client.get("/api/portfolios", headers={"X-API-Key": f"no-{n}"})).status_code == 401
        assert retry_seconds(await client.get("/api/portfolios", headers={"X-API-Key": "no-more"})) <= 3
        assert retry_seconds(await client.get("/api/portfolios", headers={"X-API-Key": "anna"})) <= 3
        assert (await client.get("/api/portfolios", headers={"X-API-Key": "bob"})).status_code == 200  # was in before
        assert (await client.get("/api/health")).status_code == 200


async def test_guesses_at_once_are_all_counted():
    clock = Clock()
    limits = RateLimits(settings_with(HOME), clock)
    identity = Slow()
    connection: Any = httpx_connection("no-guess")

    async def guess() -> int:
        with pytest.raises(Problem) as refused:
            async with limits.request(connection, partial(identity.authenticate, connection)):
                pass
        return refused.value.status

    assert await asyncio.gather(*(guess() for _ in range(3 * MAX_FAILURES))) == [401] * 3 * MAX_FAILURES
    clock.now += 60
    assert await guess() == 429
    clock.now += 63
    assert await guess() == 401


class Slow(HeaderIdentity):
    async def authenticate(self, connection: Any) -> Any:
        await asyncio.sleep(0.01)
        return await super().authenticate(connection)


def httpx_connection(key: str) -> Any:
    from starlette.requests import HTTPConnection

    headers = [(b"x-api-key", key.encode())]
    return HTTPConnection({"type": "http", "headers": headers, "client": ("192.0.2.1", 1), "query_string": b""})


async def test_requests_of_a_user_at_once():
    limits = RateLimits(settings_with(HOME, REQUESTS_PER_SECOND=1e6, STREAMS_PER_USER=8))

    async def ask(name: str, until: asyncio.Event) -> int:
        connection = httpx_connection(name)
        try:
            async with limits.request(connection, partial(HeaderIdentity().authenticate, connection)):
                await until.wait()
        except Problem as refused:
            return refused.status
        return 200

    until = asyncio.Event()
    asking = [asyncio.create_task(ask("anna", until)) for _ in range(50)] + [asyncio.create_task(ask("bob", until))]
    await asyncio.sleep(0)
    until.set()
    answered = await asyncio.gather(*asking)
    assert (answered[:40], answered[40:50], answered[50]) == ([200] * 40, [429] * 10, 200)
    assert await ask("anna", until) == 200


async def test_a_calculation_of_a_user_waits_for_its_turn_and_another_user_does_not():
    limits = RateLimits(settings_with(HOME))
    at_once, most = 0, 0

    async def calculate() -> None:
        nonlocal at_once, most
        async with limits.calculation_slot("anna"):
            at_once, most = at_once + 1, max(most, at_once + 1)
            await asyncio.sleep(0.001)
            at_once -= 1

    running_ = [asyncio.create_task(calculate()) for _ in range(20)]
    await asyncio.sleep(0)
    running_[7].cancel()
    async with limits.calculation_slot("bob"):
        assert at_once == 2
    await asyncio.gather(*running_, return_exceptions=True)
    assert (most, at_once) == (2, 0)


def test_streams_and_sockets_of_a_user(home):
    app = named_application(home, REQUESTS_PER_SECOND=1000, STREAMS_PER_USER=2)
    with run_server(app) as base:
        accept_any_name(app)
        asyncio.run(_stream(base))


async def _stream(base: str) -> None:
    anna, bob = {"X-API-Key": "anna"}, {"X-API-Key": "bob"}
    async with httpx.AsyncClient(base_url=base, headers=anna, timeout=60) as client:
        turn = (await client.post("/api/threads", json={})).json()["id"]
        response = await client.post(f"/api/threads/{turn}/runs?stream=false", json={"message": "is it luck?"})
        run = response.json()["id"]
        place = f"{base.replace('http', 'ws')}/api/runs/{run}/events/ws?after=0"
        async with websockets.connect(place, additional_headers=anna), client.stream("GET", f"/api/runs/{run}/events"):
            assert retry_seconds(await client.get(f"/api/runs/{run}/events")) == 1
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(place, additional_headers=anna)
            assert refused.value.response.status_code == 429
            assert (await client.get("/api/portfolios")).status_code == 200
            other = await client.get(f"/api/runs/{run}/events", headers=bob)
            assert other.status_code == 404
        for _ in range(6_000):  # the server learns that they are gone
            if (await client.get(f"/api/runs/{run}/events")).status_code != 429:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("a stream that has ended is still counted")


def test_calculations_of_one_user_leave_room_for_another(home):
    app = named_application(home, REQUESTS_PER_SECOND=1000)
    with run_server(app) as base:
        accept_any_name(app)
        asyncio.run(_beside(base))


async def _beside(base: str) -> None:
    async with httpx.AsyncClient(base_url=base, timeout=120) as client:

        async def evaluate() -> int:
            answer = await client.post("/api/evaluations", json=RULE, headers={"X-API-Key": "anna"})
            return answer.status_code

        response = await client.post(
            "/api/portfolios", json={"name": "mine", "assets": {"AAPL": 1.0}}, headers={"X-API-Key": "bob"}
        )
        assert await evaluate() == 200  # the first compiles
        evaluating = [asyncio.create_task(evaluate()) for _ in range(8)]
        await asyncio.sleep(0)  # they are sent
        read = await client.get(f"/api/portfolios/{response.json()['id']}", headers={"X-API-Key": "bob"})
        assert read.status_code == 200
        assert not all(each.done() for each in evaluating)
        assert set(await asyncio.gather(*evaluating)) <= {200, 429}


async def test_who_waits_for_events_of_market_data_takes_a_stream_and_no_place_of_a_calculation(home):
    async with open_named_client(named_application(home, REQUESTS_PER_SECOND=1000, STREAMS_PER_USER=3)) as client:
        client.headers["X-API-Key"] = "anna"
        prices, place = "/api/market-data/prices?symbols=AAPL", "/api/market-data/events"
        assert (await client.get(prices)).status_code == 200  # the first imports
        polls = {asyncio.create_task(client.get(place, params={"wait": 20})) for _ in range(4)}
        async with asyncio.timeout(60.0):
            (refused,), polls = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
            assert retry_seconds(refused.result()) == 1
            assert (await client.get(prices)).status_code == 200
        assert not any(each.done() for each in polls)
        for each in polls:
            each.cancel()
        await asyncio.gather(*polls, return_exceptions=True)
        assert (await client.get(place)).status_code == 200


async def test_no_body_of_a_stranger_is_read_nor_one_of_somebody_who_asks_too_often(home):
    read = 0

    async def body():
        nonlocal read
        for _ in range(5):
            read += 1
            yield b"[" * 1_000

    places = [
        (method, path.replace("{", "").replace("}", ""))
        for method, path, operation in operations()
        if "requestBody" in operation and f"{method} {path}" not in SIGN_IN
    ]
    async with open_named_client(named_application(home, REQUESTS_PER_SECOND=1e-3)) as client:
        for method, place in places:
            answer = await client.request(method, place, content=body(), headers={"Content-Type": "application/json"})
            assert (answer.status_code, read) == (401, 0), place
        anna = {"X-API-Key": "anna", "Content-Type": "application/json"}
        assert (await client.post("/api/jobs", content=body(), headers=anna)).status_code == 400
        assert read == 5
        assert (await client.post("/api/jobs", content=body(), headers=anna)).status_code == 429
        assert read == 5


async def test_a_user_sends_so_many_bodies_at_once(home):
    until = asyncio.Event()

    async def slow():
        yield b"["
        await until.wait()
        yield b"]"

    anna, bob = ({"X-API-Key": name, "Content-Type": "application/json"} for name in ("anna", "bob"))
    async with open_named_client(named_application(home, REQUESTS_PER_SECOND=100)) as client:
        requests = [
            asyncio.create_task(client.post("/api/jobs", content=slow(), headers=anna))
            for _ in range(MAX_CONCURRENT_REQUESTS + 2)
        ]
        done, _ = await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
        retry_seconds(done.pop().result())
        assert (await client.post("/api/tickets", content=b"{}", headers=bob)).status_code == 422
        until.set()
        statuses = [(await each).status_code for each in requests]
        assert (statuses.count(429), len(set(statuses))) == (2, 2)
