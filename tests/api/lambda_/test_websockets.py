"""Sockets of API Gateway's WebSocket API: connected, asked, pushed to by whoever appends, and gone."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from api.app import create_dependencies
from api.http.identity import api_keys
from api.http.identity.api_keys import KeyTerms
from api.settings import Settings
from desk.base.clock import utc_now
from desk.governance.principals import Principal
from desk.optimization.request import OptimizationRequest
from graphs.dependencies import Dependencies
from graphs.jobs import job_queue
from graphs.streaming.websocket_connections import KIND, SUBSCRIPTION
from quant.worlds.scenario import BUILT_IN
from store.events import Events
from store.keys import SYSTEM, Key
from store.store import Store
from tests.api.http.live_run import OWNER, RUN, RunLogWriter
from tests.api.lambda_.function import Driven, driven
from tests.api.lambda_.function_events import queue_event, receive_deliveries
from tests.doubles.lambda_.gateway_events import HOST, rest
from tests.doubles.lambda_.management_api import Gateway, management_api
from tests.graphs.dependencies import QUICK
from tests.graphs.jobs.queued_runs import eventually

pytestmark = pytest.mark.anyio

ONE, OTHER = "Ojw5ZdDNIAMCJGQ=", "L0SM9cOFvHcCIhw="


def event_of(kind: str, connection: str, **more: Any) -> dict[str, Any]:
    return {
        "requestContext": {
            "routeKey": {"CONNECT": "$connect", "DISCONNECT": "$disconnect"}.get(kind, "$default"),
            "eventType": kind,
            "connectionId": connection,
            "domainName": "abcdefghij.execute-api.eu-central-1.amazonaws.com",
            "stage": "prod",
            "apiId": "abcdefghij",
            "requestId": "OjxA_EoJIAMFdrw=",
            "connectedAt": 1_763_750_000_000,
            "identity": {"sourceIp": "203.0.113.7"},
        },
        "isBase64Encoded": False,
        **more,
    }


def connecting(connection: str, *, ticket: str | None = None, **headers: str) -> dict[str, Any]:
    all_headers = {"Host": HOST, "Sec-WebSocket-Version": "13"} | headers
    query = None if ticket is None else {"ticket": ticket}
    return event_of(
        "CONNECT",
        connection,
        headers=all_headers,
        multiValueHeaders={name: [value] for name, value in all_headers.items()},
        queryStringParameters=query,
        multiValueQueryStringParameters=query and {"ticket": [ticket]},
    )


class Sockets:
    """Clients of the gateway, whose events reach the function."""

    def __init__(self, function: Driven, gateway: Gateway) -> None:
        self.function = function
        self.gateway = gateway

    @property
    def dependencies(self) -> Dependencies:
        return self.function.app.state.service.dependencies

    async def answer(self, event: dict[str, Any]) -> int:
        answer = await self.function.answer(event)
        assert not answer.failed, answer.body
        return answer.json()["statusCode"]

    async def connect(self, connection: str, **params: str) -> int:
        status = await self.answer(connecting(connection, **params))
        if status == 200:
            self.gateway.open.add(connection)
        return status

    async def ask(self, connection: str, message: Any) -> Any:
        """What comes last by the time that the message is dealt with."""
        text = message if isinstance(message, str) else json.dumps(message)
        assert await self.answer(event_of("MESSAGE", connection, body=text)) == 200
        return (self.gateway.sent[connection] or [None])[-1]

    async def follow(self, connection: str, after: int = 0, run: str = RUN) -> Any:
        return await self.ask(connection, {"action": "follow", "run": run, "after": after})

    async def stored_kinds(self, owner: str = OWNER) -> list[str]:
        """Kinds of what is stored about connections."""
        places = [(SYSTEM, KIND), (owner, KIND), (owner, SUBSCRIPTION)]
        pages = [await self.dependencies.store.records.list(*place) for place in places]
        return [record.key.kind for page in pages for record in page.records]

    async def polled(self, run: str = RUN) -> list[Any]:
        answer = await self.function.answer(rest("GET", f"/api/runs/{run}/events/poll"))
        return json.loads(answer.streamed)["events"]


def websocket_settings(home: Path, gateway: Gateway, **more: str) -> Settings:
    return Settings.model_validate({"STRATIGOS_HOME": home, "STRATIGOS_SOCKETS": gateway.url, **more})


@pytest.fixture
def gateway(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-a-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with management_api() as double:
        yield double


@asynccontextmanager
async def open_sockets(home: Path, gateway: Gateway, **more: str) -> AsyncGenerator[Sockets]:
    dependencies = create_dependencies(
        websocket_settings(home, gateway, **more), single_model(EmbeddedPlanner(), QUICK), queued=True
    )
    async with driven(home, dependencies, STRATIGOS_SOCKETS=gateway.url, **more) as function:
        yield Sockets(function, gateway)


@asynccontextmanager
async def worker(home: Path, gateway: Gateway) -> AsyncGenerator[RunLogWriter]:
    """Another process, as far as the sockets can tell: it appends with a desk of its own."""
    async with create_dependencies(websocket_settings(home, gateway), queued=True) as dependencies:
        log = RunLogWriter(dependencies.store)
        await log.begin()
        yield log


@pytest.fixture
async def sockets(home, gateway):
    async with open_sockets(home, gateway) as one:
        yield one


@pytest.fixture
async def log(sockets, home, gateway):
    async with worker(home, gateway) as one:
        yield one


async def ends(gateway: Gateway, connection: str) -> list[Any]:
    async def look() -> bool:
        return any(message.get("ended") for message in gateway.sent[connection])

    await eventually(look, seconds=10)
    return gateway.sent[connection]


async def test_what_is_stored_comes_at_once_and_what_another_process_appends_as_it_does(
    sockets: Sockets, log: RunLogWriter, gateway: Gateway
):
    assert await sockets.connect(ONE) == 200
    first = await sockets.follow(ONE)
    assert (first["run"], first["last"], first["ended"]) == (RUN, 3, False)
    await log.append(*log.trials(0, 40))
    await log.finish()
    last = (await ends(gateway, ONE))[-1]
    assert (last["last"], last["ended"]) == (84, True)
    assert gateway.events(ONE) == await sockets.polled()  # the same payload through every door
    assert sorted(await sockets.stored_kinds()) == [KIND, KIND]  # a log that has ended is followed no more
    assert await sockets.answer(event_of("DISCONNECT", ONE)) == 200
    assert await sockets.stored_kinds() == []
    assert await sockets.answer(event_of("DISCONNECT", ONE)) == 200


async def test_a_run_that_fails_is_told_to_have_ended(sockets: Sockets, log: RunLogWriter, gateway: Gateway):
    await sockets.connect(ONE)
    await sockets.follow(ONE)
    await log.fail()
    assert [event["event"]["event"] for message in await ends(gateway, ONE) for event in message["events"]][-1] == (
        "run_failed"
    )
    assert gateway.numbers(ONE) == [1, 2, 3, 4]
    again = await sockets.follow(ONE, after=4)
    assert (again["events"], again["ended"]) == ([], True)


async def test_who_connects_again_gets_exactly_the_rest(sockets: Sockets, log: RunLogWriter, gateway: Gateway):
    await sockets.connect(ONE)
    await sockets.follow(ONE)
    gateway.open.clear()  # the line is cut, and nobody says so
    await log.append(*log.trials(0, 10))
    await sockets.connect(OTHER)
    await sockets.follow(OTHER, after=2)
    await log.append(*log.trials(10, 12))
    await log.finish()
    await ends(gateway, OTHER)
    assert gateway.numbers(OTHER) == [*range(3, 29)]

    async def forgotten() -> bool:
        return sorted(await sockets.stored_kinds()) == [KIND, KIND]

    await eventually(forgotten, seconds=10)  # whoever finds that the first is gone deletes it
    assert gateway.numbers(ONE) == [1, 2, 3]


async def test_what_is_throttled_or_fails_is_sent_again_in_order(sockets: Sockets, log: RunLogWriter, gateway: Gateway):
    await sockets.connect(ONE)
    gateway.statuses = [429, 500, 429]
    await sockets.follow(ONE)
    assert gateway.numbers(ONE) == [1, 2, 3]
    gateway.statuses = [429, 403, 503]
    await log.append(*log.trials(0, 50))
    await log.finish()
    await ends(gateway, ONE)
    assert gateway.numbers(ONE) == [*range(1, 105)]


async def test_a_gateway_that_refuses_fails_no_run_and_a_ping_brings_what_was_missed(
    sockets: Sockets, log: RunLogWriter, gateway: Gateway
):
    await sockets.connect(ONE)
    await sockets.follow(ONE)
    gateway.always = 403
    posts = gateway.posts
    await log.append(*log.trials(0, 5))
    assert len(await sockets.polled()) == 13

    async def tried() -> bool:
        return gateway.posts > posts

    await eventually(tried, seconds=10)
    assert await sockets.answer(event_of("MESSAGE", ONE, body='{"action": "ping"}')) == 503
    gateway.always = None
    assert await sockets.ask(ONE, {"action": "ping"}) == {"pong": True}
    assert [*dict.fromkeys(gateway.numbers(ONE))] == [*range(1, 14)]  # a push that tries again may send them too
    assert await sockets.ask(ONE, {"action": "stop", "run": RUN}) == {"stopped": True}
    assert SUBSCRIPTION not in await sockets.stored_kinds()


async def test_an_event_that_no_message_holds_is_named(sockets: Sockets, log: RunLogWriter, gateway: Gateway):
    large = [
        each.model_copy(update={"digest": "d" * size}) for each, size in zip(log.trials(0, 1), [200_000], strict=False)
    ]
    await log.append(*large, *log.trials(1, 40))
    await sockets.connect(ONE)
    await sockets.follow(ONE)
    messages = gateway.sent[ONE]
    assert [number for message in messages for number in message["left_out"]] == [4]
    assert sorted([4, *gateway.numbers(ONE)]) == [*range(1, 83)]
    assert all(len(json.dumps(message)) < 32_768 for message in messages)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "not valid JSON"),
        ("\x00\ud800", "not valid JSON"),
        ("[" * 4_000, "not valid JSON"),
        ("x" * 131_072, "131072 characters; expected 4096"),
        ("[]", "message: "),
        ("null", "message: "),
        ({"action": "trade"}, "one of follow, stop or ping"),
        ({"action": "follow"}, "run: it is missing"),
        ({"action": "follow", "run": "x" * 201}, "run: "),
        ({"action": "follow", "run": "../#"}, "allowed are printable characters"),
        ({"action": "follow", "run": RUN, "after": -1}, "after: -1 is not allowed"),
        ({"action": "follow", "run": RUN, "after": 1e400}, "after: "),
        ({"action": "follow", "run": RUN, "after": 4}, "expected 0 to 3"),
        ({"action": "follow", "run": RUN, "owner": "other"}, "there is no such field"),
        ({"action": "stop", "run": RUN}, "is not followed"),
    ],
)
async def test_odd_messages_are_answered(talking: Sockets, body: Any, text: str):
    answer = await talking.ask(ONE, body)
    assert text in answer["error"]["message"]
    assert answer["error"]["code"] in ("VALIDATION_ERROR", "PAYLOAD_TOO_LARGE", "NOT_FOUND")


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def talking(anyio_backend, tmp_path_factory):
    home = tmp_path_factory.mktemp("talking")
    with pytest.MonkeyPatch.context() as patch, management_api() as gateway:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            patch.setenv(name, "of-a-test")
        async with open_sockets(home, gateway) as one, worker(home, gateway):
            await one.connect(ONE)
            yield one


async def test_a_message_of_bytes_is_refused(talking: Sockets):
    assert await talking.answer(event_of("MESSAGE", ONE, body="/w==") | {"isBase64Encoded": True}) == 200
    assert "binary" in talking.gateway.sent[ONE][-1]["error"]["message"]


async def test_a_connection_that_is_not_known_is_told_to_connect_again(talking: Sockets):
    talking.gateway.open.add(OTHER)
    answer = await talking.ask(OTHER, {"action": "ping"})
    assert answer["error"]["code"] == "UNAUTHORIZED"
    assert "reconnect" in answer["error"]["message"]


async def test_without_sign_in_only_this_machine_connects(talking: Sockets):
    assert await talking.answer(connecting(OTHER, Host="abcdefghij.execute-api.eu-central-1.amazonaws.com")) == 403
    assert await talking.answer(connecting(OTHER, Origin="https://elsewhere.example")) == 403


async def key_of(store: Store, owner: str, *scopes: Any) -> str:
    terms = KeyTerms(owner=owner, roles=("analyst",), scopes=scopes or None)
    return (await api_keys.create(store, terms, days=1, now=utc_now()))[1]


async def test_a_second_user_can_follow_nothing_of_the_first(home, gateway: Gateway):
    async with open_sockets(home, gateway, STRATIGOS_AUTH="keys") as sockets, worker(home, gateway) as log:
        store = sockets.dependencies.store
        mine, theirs = await key_of(store, OWNER), await key_of(store, "other")
        assert await sockets.connect(ONE, Authorization=f"Bearer {mine}") == 200
        assert await sockets.connect(OTHER, Authorization=f"Bearer {theirs}") == 200
        unknown = await sockets.follow(OTHER, run="nothing")
        refused = await sockets.follow(OTHER)
        assert refused["error"]["code"] == "NOT_FOUND"
        assert refused["error"]["message"].replace(RUN, "nothing") == unknown["error"]["message"]
        assert (await sockets.ask(OTHER, {"action": "stop", "run": RUN}))["error"]["code"] == "NOT_FOUND"
        await sockets.follow(ONE)
        await log.append(*log.trials(0, 5))
        await log.finish()
        await ends(gateway, ONE)
        assert gateway.numbers(OTHER) == []
        for wrong in ({}, {"Authorization": "Bearer nonsense"}, {"ticket": "nonsense"}):
            assert await sockets.connect("Xjw5ZdDNIAMCJGQ=", **wrong) == 401
        may_not = await key_of(store, OWNER, "market-data:read")
        assert await sockets.connect("Xjw5ZdDNIAMCJGQ=", Authorization=f"Bearer {may_not}") == 403


async def test_a_ticket_opens_one_socket_and_a_user_so_many(home, gateway: Gateway):
    async with (
        open_sockets(home, gateway, STRATIGOS_AUTH="keys", STREAMS_PER_USER="2") as sockets,
        worker(home, gateway),
    ):
        key = await key_of(sockets.dependencies.store, OWNER)

        async def ticket(path: str) -> str:
            headers = {"Authorization": [f"Bearer {key}"]}
            answer = await sockets.function.answer(
                rest("POST", "/api/tickets", json.dumps({"path": path}), headers=headers)
            )
            return json.loads(answer.streamed)["ticket"]

        good = await ticket("/api/sockets")
        assert await sockets.connect(ONE, ticket=good) == 200
        assert (await sockets.follow(ONE))["last"] == 3
        assert await sockets.connect(OTHER, ticket=good) == 401
        assert await sockets.connect(OTHER, ticket=await ticket(f"/api/runs/{RUN}/events")) == 401
        assert await sockets.connect(OTHER, ticket=await ticket("/api/sockets")) == 200
        assert await sockets.connect("Xjw5ZdDNIAMCJGQ=", ticket=await ticket("/api/sockets")) == 429


async def test_messages_count_as_requests_of_their_user(home, gateway: Gateway):
    async with open_sockets(home, gateway, STRATIGOS_AUTH="keys", REQUESTS_PER_SECOND="0.001") as sockets:
        key = await key_of(sockets.dependencies.store, OWNER)
        assert await sockets.connect(ONE, Authorization=f"Bearer {key}") == 200
        refused = (await sockets.ask(ONE, {"action": "ping"}))["error"]
        assert (refused["code"], "try again in" in refused["message"]) == ("TOO_MANY_REQUESTS", True)
        assert await sockets.connect(OTHER, Authorization=f"Bearer {key}") == 429


async def test_a_connection_is_forgotten_when_the_gateway_would_close_it(sockets: Sockets, gateway: Gateway):
    assert sockets.dependencies.sockets is not None
    ago = utc_now() - timedelta(hours=2, seconds=1)
    await sockets.dependencies.sockets.connect(ONE, Principal(owner=OWNER), now=ago)
    gateway.open.add(ONE)
    assert (await sockets.follow(ONE))["error"]["code"] == "UNAUTHORIZED"
    assert await sockets.dependencies.store.records.get(Key(SYSTEM, KIND, ONE)) is None
    assert await sockets.dependencies.store.records.sweep() == 2


async def test_a_function_without_the_setting_says_so(home):
    async with driven(home) as function:
        answer = await function.answer(connecting(ONE))
    assert answer.failed
    assert "STRATIGOS_SOCKETS" in answer.json()["errorMessage"]


def little() -> OptimizationRequest:
    scenarios = tuple(each.model_copy(update={"paths": 100, "years": 1}) for each in BUILT_IN[:2])
    return OptimizationRequest(trials=10, scenarios=scenarios, seed=3)


async def test_what_a_request_appends_is_sent_before_the_function_is_frozen(sockets: Sockets, gateway: Gateway):
    run = (await job_queue.submit(sockets.dependencies, OWNER, little())).id
    await sockets.connect(ONE)
    assert (await sockets.follow(ONE, run=run))["last"] == 0
    cancelled = await sockets.function.answer(rest("DELETE", f"/api/jobs/{run}"))
    assert cancelled.prelude["statusCode"] == 202
    await sockets.ask(ONE, {"action": "stop", "run": run})  # the next invocation begins when all is sent
    assert [message.get("ended") for message in gateway.sent[ONE]][:2] == [False, True]
    assert gateway.events(ONE) == await sockets.polled(run)


@pytest.mark.soak
async def test_a_job_of_the_queue_is_followed_to_its_end(sockets: Sockets, gateway: Gateway):
    dependencies = sockets.dependencies
    run = (await job_queue.submit(dependencies, OWNER, little())).id
    await sockets.connect(ONE)
    await sockets.follow(ONE, run=run)
    (delivery,) = await receive_deliveries(sockets.function, 1)
    answer = await sockets.function.answer(queue_event(delivery), seconds=600.0)
    assert answer.json() == {"batchItemFailures": []}
    await ends(gateway, ONE)
    assert gateway.events(ONE) == await sockets.polled(run)
    assert gateway.numbers(ONE)[-1] > 20
    assert isinstance(dependencies.store.events, Events)
