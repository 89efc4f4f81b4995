"""Objects of other users return 404: each operation, stream, socket and export, as another user and without a key."""

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
from tests.api.http.application import application, document
from tests.api.http.declared_headers import undeclared_headers
from tests.api.http.identity.sign_in import bearer
from tests.api.http.operation_requests import (
    PLACES,
    PUBLIC,
    RULE,
    RUNS,
    SIGN_IN,
    OperationCall,
    in_order,
    operation_calls,
    operations,
)
from tests.api.http.two_users import (
    ANNA,
    BEN,
    HIDDEN,
    SOCKET,
    SharedServer,
    client,
    normalized_answer,
    serve_two_users,
    similar_value,
    simple,
    stored_digests,
    with_own_address,
)
from tests.doubles.cognito import pool

SHARED = {
    "GET /api/audit",
    "GET /api/desk",
    "GET /api/approvals",
    "GET /api/approvals/{question}",
    "POST /api/approvals/{question}",
}
"""Operations that also show requests and audit entries of other users; a test of their own checks the content."""
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    with pool() as signing, serve_two_users(tmp_path_factory.mktemp("home"), signing) as shared_server:
        yield shared_server


@pytest.fixture
def ben(server: SharedServer) -> Iterator[httpx.Client]:
    """A new user for each test, with every role and without objects."""
    with client(server.address, bearer(server.pool.token(sub=str(uuid4()), groups=list(ROLES)))) as http:
        yield http


@pytest.fixture(scope="module")
def anna(server: SharedServer) -> Iterator[httpx.Client]:
    with client(server.address, bearer(server.pool.token())) as http:
        yield http


@contextmanager
def unchanged(server: SharedServer, owner: str | None = None) -> Generator[None]:
    before = stored_digests(server.home, owner)
    assert len(before) > 50
    yield
    after = stored_digests(server.home, owner)
    assert {name: after.get(name) for name in before} == before
    assert after.keys() == before.keys()


def assert_nothing_of_anna(server: SharedServer, answer: httpx.Response, label: str) -> None:
    """Check that a response contains nothing of Anna's objects except words of the request itself."""
    request_text = f"{answer.request.url} {answer.request.headers} {answer.request.content.decode()}".lower()
    text = f"{answer.text} {answer.headers}".lower()
    words = {word.lower() for name, word in server.ids.items() if name != "number"} | {HIDDEN}
    echoed_words = [word for word in words if word in request_text]
    for word in echoed_words:
        text = text.replace(word, "...")
    for word in words.difference(echoed_words):
        assert word not in text, f"{label} shows {word}: {text[:2000]}"


def test_another_user_gets_the_same_response_for_her_objects_and_for_missing_ones(
    server: SharedServer, ben: httpx.Client
) -> None:
    missing_ids = {name: similar_value(id_) for name, id_ in server.ids.items()}
    compared = 0
    with unchanged(server, ANNA):
        for one in sorted(operation_calls(), key=in_order):
            if one.label in SHARED:
                continue
            hers, none = one.send(ben, server.ids), one.send(ben, missing_ids)
            assert hers.status_code < 500, one
            assert_nothing_of_anna(server, hers, one.label)
            if str(hers.request.url) != str(none.request.url) or hers.request.content != none.request.content:
                compared += 1
                assert normalized_answer(hers, server.ids) == normalized_answer(none, missing_ids), one
                if "{" in one.path:
                    assert hers.status_code == 404, one
    assert compared > 75


def test_approvals_and_audit_entries_of_other_users_show_no_content(
    server: SharedServer, anna: httpx.Client, ben: httpx.Client
) -> None:
    with unchanged(server, ANNA):
        (question,) = [one for one in ben.get("/api/approvals").json()["items"] if one["id"] == server.ids["question"]]
        assert ben.get(f"/api/approvals/{question['id']}").json() == question
        assert question in ben.get("/api/desk").json()["approvals"]
        assert set(question) == {"id", "owner", "name", "asked", "decided", "withdrawn", "request"}
        fields = {"at", "subject", "exceeded", "estimate", "thresholds", "request_digest"}
        assert set(question["asked"]) == fields | {"instance_type", "dollars_per_hour"}
        entries = ben.get("/api/audit", params={"limit": 1000}).json()["items"]
        others = [entry for entry in entries if entry["owner"] != ANNA]
        named_by_them = "scenarios/"  # the path holds the name that the other user sent
        assert {HIDDEN in str(entry) for entry in others if not entry["object"].startswith(named_by_them)} == {False}
        hers = [entry for entry in entries if entry["owner"] == ANNA]
        assert len(hers) > 20
        text = " ".join(str(entry) for entry in hers)
        for word in ("thoughts", "hoard", "search", "it is wrong", "joke"):
            assert word not in text
        for role in ("analyst", "compliance-officer"):
            with client(server.address, bearer(server.pool.token(sub=BEN, groups=[role]))) as other:
                for ids in (server.ids, {name: similar_value(id_) for name, id_ in server.ids.items()}):
                    answers = [
                        one.send(other, ids) for one in operation_calls() if one.label in SHARED and "{" in one.path
                    ]
                    assert {answer.status_code for answer in answers} == {403 if role == "analyst" else 404}
                    for answer in answers:
                        assert_nothing_of_anna(server, answer, role)


def requests_with(*parameters: str) -> list[OperationCall]:
    """Requests of operations with these parameters."""
    labels = {
        f"{method} {path}"
        for method, path, operation in operations()
        if {*parameters} <= {one["name"] for one in operation.get("parameters", ())}
    }
    return [one for one in operation_calls() if one.label in labels]


def test_her_page_cursors_show_another_user_nothing(
    server: SharedServer, anna: httpx.Client, ben: httpx.Client
) -> None:
    followed = 0
    for one in requests_with("limit", "after"):
        if one.label in SHARED or one.request.at or one.request.params:
            continue
        page = one.send(anna, server.ids, limit=1)
        cursor = page.headers.get("X-Next-Cursor") or (page.json().get("next") if "next" in page.text else None)
        if cursor is None:
            continue
        followed += 1
        response = one.send(ben, server.ids, limit=1000, after=cursor)
        assert response.status_code in (200, 404, 422), one
        assert_nothing_of_anna(server, response, one.label)
    assert followed >= 10


def test_her_etags_never_give_another_user_304(server: SharedServer, anna: httpx.Client, ben: httpx.Client) -> None:
    tagged = 0
    for one in requests_with("if-none-match"):
        tag = one.send(anna, server.ids).headers.get("ETag")
        if tag is not None:
            tagged += 1
            assert one.send(ben, server.ids, headers={"If-None-Match": tag}).status_code in (200, 404, 422), one
    assert tagged >= 10


def test_an_idempotency_key_belongs_to_its_owner(server: SharedServer, anna: httpx.Client, ben: httpx.Client) -> None:
    body = {"trials": 10, "seed": 5}
    hers, his, again = (
        asking.post("/api/jobs", json=body, headers={"Idempotency-Key": "the same"}).json()["id"]
        for asking in (anna, ben, anna)
    )
    assert hers == again != his
    thread = ben.post("/api/threads").json()["id"]
    assert thread != server.ids["thread"]


def sockets() -> set[str]:
    """Paths of the application's WebSocket routes, which OpenAPI does not describe."""
    paths: set[str] = set()
    remaining: list[Any] = list(application(Path("/nowhere")).routes)
    while remaining:
        route = remaining.pop()
        if isinstance(route, WebSocketRoute):
            paths.add(route.path)
        remaining += getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", ())
    return paths


def messages_of(server: SharedServer, place: str, headers: dict[str, str]) -> list[Any]:
    """The messages of a socket, its close code and its reason."""
    messages: list[Any] = []
    with connect(f"ws{server.address.removeprefix('http')}{place}", additional_headers=headers) as ws:
        try:
            while True:
                messages.append(ws.recv(timeout=60))
        except ConnectionClosed:
            return [*messages, ws.close_code, ws.close_reason]


def test_a_socket_closes_for_another_user_as_for_a_missing_run(server: SharedServer) -> None:
    assert {f"/api{path}" for path in sockets()} == {SOCKET}
    headers = bearer(server.pool.token(sub=BEN, groups=list(ROLES)))
    for name in RUNS:
        run = server.ids[name]
        missing_ids = similar_value(run)
        hers = messages_of(server, SOCKET.format(run=run), headers)
        none = messages_of(server, SOCKET.format(run=missing_ids), headers)
        assert (len(hers), hers[0]) == (2, 4404)
        assert simple(str(hers), {name: run}) == simple(str(none), {name: missing_ids})
    assert len(messages_of(server, SOCKET.format(run=server.ids["job"]), bearer(server.pool.token()))) > 5


def test_a_request_without_valid_credentials_gets_401_and_changes_nothing(server: SharedServer) -> None:
    assert len(server.refused) < len(operation_calls()), "else some kind is never sent"
    assert_rejected(server, lambda number, kinds: ("nothing", kinds[number % len(kinds)]))


@pytest.mark.soak
def test_every_kind_of_invalid_credential_gets_401(server: SharedServer) -> None:
    assert_rejected(server, lambda _, kinds: tuple(kinds))


def assert_rejected(server: SharedServer, choose: Callable[[int, list[str]], tuple[str, ...]]) -> None:
    """Send every operation and open every socket with those invalid credentials that `choose` picks for it."""
    kinds = list(server.refused)
    with unchanged(server), client(server.address, {}) as stranger:
        for number, one in enumerate(operation_calls()):
            if one.label in PUBLIC | SIGN_IN:
                continue
            for kind in choose(number, kinds):
                answer = one.send(stranger, server.ids, headers=server.refused[kind])
                assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (401, "Bearer"), (one, kind)
                assert_nothing_of_anna(server, answer, one.label)
        for number, name in enumerate(RUNS):
            for kind in (kind for kind in choose(number, kinds) if not kind.startswith("ten kilobytes")):
                with pytest.raises(InvalidStatus) as rejection:
                    messages_of(server, SOCKET.format(run=server.ids[name]), with_own_address(server.refused[kind]))
                assert rejection.value.response.status_code in (401, 403), kind
                assert HIDDEN.encode() not in (rejection.value.response.body or b"")


def test_an_unreadable_body_without_credentials_gets_401(server: SharedServer) -> None:
    with_body = [one for one in operation_calls() if one.request.json is not None and one.label not in SIGN_IN]
    with unchanged(server), client(server.address, {}) as stranger:
        for one in with_body:
            place = one.path.format_map(dict.fromkeys(PLACES, "0" * 32))
            for content in (b"{", b'"' * 300_000):
                answer = stranger.request(
                    one.method, place, content=content, headers={"Content-Type": "application/json"}
                )
                assert answer.status_code == 401, one


def test_her_own_requests_reach_her_objects(server: SharedServer, anna: httpx.Client) -> None:
    """So that the comparisons above compare existing objects; requests that change them come last."""
    for one in sorted(operation_calls(), key=in_order):
        if "{" not in one.path or one.path.startswith("/api/runs/"):
            continue
        if one.label == "POST /api/drafts/{draft_id}/submit":  # takes the draft away, as its deletion does
            continue
        answer = one.send(anna, server.ids)
        assert answer.status_code not in (401, 404, 422), (one, answer.text)
        operation = document()["paths"][one.path][one.method.lower()]
        assert not undeclared_headers(operation, answer.status_code, answer.headers), one


def test_no_file_or_address_from_a_client_is_opened(server: SharedServer, ben: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/prices.csv"
        for target in (address, "file:///etc/passwd", "/etc/passwd", "../../../../etc/passwd"):
            part = {"type": "image", "source": {"type": "url", "value": target}}
            message = {"id": "m1", "role": "user", "content": [part, {"type": "text", "text": f"read {target}"}]}
            rejections = [
                ben.post("/api/jobs", json={"universe": target}),
                ben.post("/api/jobs", json={"prices_file": target}),
                ben.post("/api/estimates", json={"universe": target}),
                ben.post("/api/estimates", json={"prices_file": target}),
                ben.post("/api/evaluations", json={"config": RULE, "universe": target}),
                ben.get("/api/market-data/prices", params={"symbols": "AAPL", "dataset": target}),
                ben.post("/api/market-data/imports", params={"dataset": target}, content=b"date,A\n2024-01-02,1\n"),
                ben.post("/api/market-data/imports", params={"dataset": "fetched"}, content=target.encode()),
                ben.post("/api/tickets", json={"path": target}),
            ]
            assert {answer.status_code for answer in rejections} <= {404, 422}
            run = {"threadId": f"thread-{uuid4().hex}", "runId": "run-1", "messages": [message]}
            answers = [*rejections, ben.post("/api/agent", json=run)]
            assert not any("root:" in answer.text for answer in answers)
        with pytest.raises(TimeoutError):
            listening.accept()
