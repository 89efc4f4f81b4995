"""Nobody learns of another's objects: each operation, stream, socket and export, as another user and as nobody."""

import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.routing import WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from desk.governance.roles import ROLES
from tests.api.http.application import application
from tests.api.http.identity.sign_in import bearer
from tests.api.http.operation_requests import PLACES, RULE, RUNS, Asked, asked, in_order, operations
from tests.api.http.two_users import (
    ANNA,
    BEN,
    HIDDEN,
    SOCKET,
    SharedServer,
    another,
    client,
    elsewhere,
    everything,
    serve_two_users,
    simple,
    told,
)
from tests.doubles.cognito import pool

PUBLIC = {"GET /api/health", "GET /api/ready"}
OF_EVERYBODY = {
    "GET /api/audit",
    "GET /api/approvals",
    "GET /api/approvals/{question}",
    "POST /api/approvals/{question}",
}
"""For whoever decides and whoever looks after the rules; what it tells of others is tested by itself."""
JSON = {"Content-Type": "application/json"}
ASKED = asked()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    with pool() as signing, serve_two_users(tmp_path_factory.mktemp("home"), signing) as made:
        yield made


@pytest.fixture
def ben(server: SharedServer) -> Iterator[httpx.Client]:
    """Another one for each test: with every role, and nothing yet."""
    with client(server.address, bearer(server.pool.token(sub=str(uuid4()), groups=list(ROLES)))) as asking:
        yield asking


@pytest.fixture(scope="module")
def anna(server: SharedServer) -> Iterator[httpx.Client]:
    with client(server.address, bearer(server.pool.token())) as asking:
        yield asking


@contextmanager
def unchanged(server: SharedServer, owner: str | None = None) -> Generator[None]:
    before = everything(server.home, owner)
    assert len(before) > 50
    yield
    after = everything(server.home, owner)
    assert {name: after.get(name) for name in before} == before
    assert after.keys() == before.keys()


def nothing_of_anna(server: SharedServer, answer: httpx.Response, label: str) -> None:
    """But what the request itself has said."""
    sent = f"{answer.request.url} {answer.request.headers} {answer.request.content.decode()}".lower()
    text = f"{answer.text} {answer.headers}".lower()
    words = {word.lower() for name, word in server.ids.items() if name != "number"} | {HIDDEN}
    known = [word for word in words if word in sent]
    for word in known:
        text = text.replace(word, "...")
    for word in words.difference(known):
        assert word not in text, f"{label} tells of {word}: {text[:2000]}"


def test_another_user_is_told_the_same_of_what_is_hers_and_of_what_is_nobodys(
    server: SharedServer, ben: httpx.Client
) -> None:
    nobodys = {name: another(id_) for name, id_ in server.ids.items()}
    compared = 0
    with unchanged(server, ANNA):
        for one in sorted(ASKED, key=in_order):
            if one.label in OF_EVERYBODY:
                continue
            hers, none = one.sent(ben, server.ids), one.sent(ben, nobodys)
            assert hers.status_code < 500, one
            nothing_of_anna(server, hers, one.label)
            if str(hers.request.url) != str(none.request.url) or hers.request.content != none.request.content:
                compared += 1
                assert told(hers, server.ids) == told(none, nobodys), one
                if "{" in one.path:
                    assert hers.status_code == 404, one
    assert compared > 75


def test_what_is_of_everybody_tells_who_asked_and_what_and_nothing_else(
    server: SharedServer, anna: httpx.Client, ben: httpx.Client
) -> None:
    with unchanged(server, ANNA):
        (question,) = [one for one in ben.get("/api/approvals").json()["items"] if one["id"] == server.ids["question"]]
        assert ben.get(f"/api/approvals/{question['id']}").json() == question
        assert set(question) == {"id", "owner", "name", "asked", "decided", "withdrawn"}
        shown = {"at", "subject", "exceeded", "estimate", "thresholds", "request_digest"}
        assert set(question["asked"]) == shown | {"instance_type", "dollars_per_hour"}
        entries = ben.get("/api/audit", params={"limit": 1000}).json()["items"]
        assert {HIDDEN in str(entry) for entry in entries if entry["owner"] != ANNA} == {False}
        hers = [entry for entry in entries if entry["owner"] == ANNA]
        assert len(hers) > 20
        said = " ".join(str(entry) for entry in hers)
        for written in ("thoughts", "hoard", "search", "it is wrong", "joke"):
            assert written not in said
        for role in ("analyst", "compliance-officer"):
            with client(server.address, bearer(server.pool.token(sub=BEN, groups=[role]))) as other:
                for ids in (server.ids, {name: another(id_) for name, id_ in server.ids.items()}):
                    answers = [one.sent(other, ids) for one in ASKED if one.label in OF_EVERYBODY and "{" in one.path]
                    assert {answer.status_code for answer in answers} == {403 if role == "analyst" else 404}
                    for answer in answers:
                        nothing_of_anna(server, answer, role)


def taking(*parameters: str) -> list[Asked]:
    """Requests of operations with these parameters."""
    labels = {
        f"{method} {path}"
        for method, path, operation in operations()
        if {*parameters} <= {one["name"] for one in operation.get("parameters", ())}
    }
    return [one for one in ASKED if one.label in labels]


def test_the_place_where_a_list_of_hers_goes_on_leads_another_user_nowhere(
    server: SharedServer, anna: httpx.Client, ben: httpx.Client
) -> None:
    followed = 0
    for one in taking("limit", "after"):
        if one.label in OF_EVERYBODY or one.request.at or one.request.params:
            continue
        page = one.sent(anna, server.ids, limit=1)
        cursor = page.headers.get("X-Next-Cursor") or (page.json().get("next") if "next" in page.text else None)
        if cursor is None:
            continue
        followed += 1
        found = one.sent(ben, server.ids, limit=1000, after=cursor)
        assert found.status_code in (200, 404, 422), one
        nothing_of_anna(server, found, one.label)
    assert followed >= 10


def test_whoever_is_told_what_she_has_is_not_told_that_it_stands(
    server: SharedServer, anna: httpx.Client, ben: httpx.Client
) -> None:
    tagged = 0
    for one in taking("if-none-match"):
        tag = one.sent(anna, server.ids).headers.get("ETag")
        if tag is not None:
            tagged += 1
            assert one.sent(ben, server.ids, headers={"If-None-Match": tag}).status_code in (200, 404, 422), one
    assert tagged >= 10


def test_her_key_of_a_job_is_another_job_of_another_user(
    server: SharedServer, anna: httpx.Client, ben: httpx.Client
) -> None:
    body = {"trials": 10, "seed": 5}
    hers, his, again = (
        asking.post("/api/jobs", json=body, headers={"Idempotency-Key": "the same"}).json()["id"]
        for asking in (anna, ben, anna)
    )
    assert hers == again != his
    thread = ben.post("/api/threads").json()["id"]
    assert thread != server.ids["thread"]


def sockets() -> set[str]:
    """Of the application: the document does not name them."""
    found: set[str] = set()
    left: list[Any] = list(application(Path("/nowhere")).routes)
    while left:
        route = left.pop()
        if isinstance(route, WebSocketRoute):
            found.add(route.path)
        left += getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", ())
    return found


def heard(server: SharedServer, place: str, shown: dict[str, str]) -> list[Any]:
    """What a socket says, and how it ends."""
    said: list[Any] = []
    with connect(f"ws{server.address.removeprefix('http')}{place}", additional_headers=shown) as ws:
        try:
            while True:
                said.append(ws.recv(timeout=10))
        except ConnectionClosed:
            return [*said, ws.close_code, ws.close_reason]


def test_a_socket_tells_another_user_what_it_tells_of_nothing(server: SharedServer) -> None:
    assert {f"/api{path}" for path in sockets()} == {SOCKET}
    shown = bearer(server.pool.token(sub=BEN, groups=list(ROLES)))
    for name in RUNS:
        run = server.ids[name]
        nobodys = another(run)
        hers = heard(server, SOCKET.format(run=run), shown)
        none = heard(server, SOCKET.format(run=nobodys), shown)
        assert (len(hers), hers[0]) == (2, 4404)
        assert simple(str(hers), {name: run}) == simple(str(none), {name: nobodys})
    assert len(heard(server, SOCKET.format(run=server.ids["job"]), bearer(server.pool.token()))) > 5


def test_whoever_is_not_known_is_told_nothing_and_changes_nothing(server: SharedServer) -> None:
    refuse(server, lambda number, kinds: ("nothing", kinds[number % len(kinds)], kinds[(7 * number) % len(kinds)]))


@pytest.mark.soak
def test_whoever_is_not_known_is_told_nothing_whatever_is_shown(server: SharedServer) -> None:
    refuse(server, lambda _, kinds: tuple(kinds))


def refuse(server: SharedServer, chosen: Callable[[int, list[str]], tuple[str, ...]]) -> None:
    """Every operation and every socket, with what `chosen` picks for it of all that does not hold."""
    kinds = list(server.refused)
    with unchanged(server), client(server.address, {}) as stranger:
        for number, one in enumerate(ASKED):
            if one.label in PUBLIC:
                continue
            for kind in chosen(number, kinds):
                answer = one.sent(stranger, server.ids, headers=server.refused[kind])
                assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (401, "Bearer"), (one, kind)
                nothing_of_anna(server, answer, one.label)
        for number, name in enumerate(RUNS):
            for kind in (kind for kind in chosen(number, kinds) if not kind.startswith("ten kilobytes")):
                with pytest.raises(InvalidStatus) as refused:
                    heard(server, SOCKET.format(run=server.ids[name]), elsewhere(server.refused[kind]))
                assert refused.value.response.status_code in (401, 403), kind
                assert HIDDEN.encode() not in (refused.value.response.body or b"")


def test_a_body_that_cannot_be_read_says_no_more_to_whoever_is_not_known(server: SharedServer) -> None:
    read = [one for one in ASKED if one.request.json is not None]
    with unchanged(server), client(server.address, {}) as stranger:
        for one in read:
            place = one.path.format_map(dict.fromkeys(PLACES, "0" * 32))
            for content in (b"{", b'"' * 300_000):
                answer = stranger.request(
                    one.method, place, content=content, headers={"Content-Type": "application/json"}
                )
                assert answer.status_code == 401, one


def test_every_request_above_names_what_she_has(server: SharedServer, anna: httpx.Client) -> None:
    """Otherwise nothing were compared. What she decides, changes and takes away comes last."""
    for one in sorted(ASKED, key=in_order):
        if "{" not in one.path or one.path.startswith("/api/runs/"):
            continue
        answer = one.sent(anna, server.ids)
        assert answer.status_code not in (401, 404, 422), (one, answer.text)


def test_no_file_or_address_that_a_client_names_is_opened(server: SharedServer, ben: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/prices.csv"
        for named in (address, "file:///etc/passwd", "/etc/passwd", "../../../../etc/passwd"):
            part = {"type": "image", "source": {"type": "url", "value": named}}
            said = {"id": "m1", "role": "user", "content": [part, {"type": "text", "text": f"read {named}"}]}
            refused = [
                ben.post("/api/jobs", json={"universe": named}),
                ben.post("/api/jobs", json={"prices_file": named}),
                ben.post("/api/estimates", json={"universe": named}),
                ben.post("/api/estimates", json={"prices_file": named}),
                ben.post("/api/evaluations", json={"config": RULE, "universe": named}),
                ben.get("/api/market-data/prices", params={"symbols": "AAPL", "dataset": named}),
                ben.post("/api/market-data/imports", params={"dataset": named}, content=b"date,A\n2024-01-02,1\n"),
                ben.post("/api/market-data/imports", params={"dataset": "fetched"}, content=named.encode()),
                ben.post("/api/tickets", json={"path": named}),
            ]
            assert {answer.status_code for answer in refused} <= {404, 422}
            run = {"threadId": f"thread-{uuid4().hex}", "runId": "run-1", "messages": [said]}
            answers = [*refused, ben.post("/api/agent", json=run)]
            assert not any("root:" in answer.text for answer in answers)
        with pytest.raises(TimeoutError):
            listening.accept()
