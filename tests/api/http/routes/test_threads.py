"""A chat over HTTP: what is said is answered whether or not anybody stays connected, and everything can be read."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from desk.base.clock import utc_now
from tests.api.http.application import application, open_client, run_server
from tests.api.http.routes.thread_requests import JOKE, RISK, answer_events, create_thread
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.runs.approval_process import LOW

SEARCH = "optimize the S&P 500 since 2015 with 10% volatility, 10 trials, 100 paths, 1 year, base case"

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def guarded(home: Path, later: timedelta = timedelta(0)):
    """A person is asked before every search."""
    async with open_dependencies(home) as dependencies:
        yield replace(dependencies, thresholds=LOW, now=lambda: utc_now() + later)


@pytest.fixture
async def client(home):
    async with open_client(application(home, guarded(home))) as client:
        yield client


async def get_json(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"/api/threads/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def wait_for_answer(client: httpx.AsyncClient, thread: str, number: int = 1) -> dict[str, Any]:
    """The run once it is answered."""
    for _ in range(3_000):
        run = await get_json(client, f"{thread}/runs/{number}")
        if run["state"] in ("completed", "failed"):
            return run
        await asyncio.sleep(0.01)
    raise AssertionError(f"{thread}: run {number} is not answered")


async def waiting_thread(client: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
    """A thread that waits for an approval, and what it asks."""
    thread = await create_thread(client)
    events = await answer_events(client, thread, SEARCH)
    assert events[-1]["event"] == "turn_paused"
    [interrupt] = (await get_json(client, f"{thread}/interrupts"))["items"]
    assert (interrupt["run"], interrupt["subject"]) == (events[-1]["waits_for"], "launch")
    return thread, interrupt


async def decide(client: httpx.AsyncClient, thread: str, run: str, **body: Any) -> httpx.Response:
    return await client.post(f"/api/threads/{thread}/interrupts/{run}", json=body)


# ---- the whole of a chat


async def test_a_question_is_answered_with_the_figures_behind_each_number(client):
    thread = await create_thread(client)
    events = await answer_events(client, thread, RISK)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["event"], events[-1]["event"]) == ("turn_started", "turn_finished")
    question, answered = (await get_json(client, f"{thread}/messages"))["items"]
    assert (question["role"], question["text"], answered["role"]) == ("user", RISK, "assistant")
    assert (answered["state"], answered["outcome"]) == ("completed", "answered")
    used = {id_ for claim in answered["claims"] for id_ in claim["figures"]}
    assert used
    assert used <= {figure["id"] for figure in answered["figures"]}
    assert all(figure["text"] and figure["source"] for figure in answered["figures"])
    assert (await get_json(client, thread))["title"] == RISK
    assert (await get_json(client, f"{thread}/state"))["focus"]["last"] == "analyse_market"
    assert (await client.get("/api/threads")).json()["items"][0]["id"] == thread


async def test_a_search_waits_for_a_person_and_goes_on_once_approved(client):
    thread, interrupt = await waiting_thread(client)
    assert interrupt["asked"]["exceeded"] == ["evaluations"]
    assert {each["field"]: (each["value"], each["minimum"], each["maximum"]) for each in interrupt["editable"]} == {
        "trials": (10, 10, 5_000),
        "paths": (100, 100, 100_000),
    }
    assert (await get_json(client, f"{thread}/state"))["interrupts"] == [interrupt]
    refused = await client.post(f"/api/threads/{thread}/runs", json={"message": JOKE})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    assert "waits for an approval" in refused.json()["error"]["message"]
    answer = await decide(client, thread, interrupt["run"], verdict="approved")
    assert (answer.status_code, answer.json()["state"], answer.json()["waits_for"]) == (202, "running", None)
    run = await wait_for_answer(client, thread)
    assert (run["state"], run["focus"]["run"]) == ("completed", interrupt["run"])
    assert (await get_json(client, f"{thread}/interrupts"))["items"] == []
    assert (await decide(client, thread, interrupt["run"], verdict="approved")).status_code == 202
    late = await decide(client, thread, interrupt["run"], verdict="rejected", reason="too late")
    assert (late.status_code, "was approved by" in late.json()["error"]["message"]) == (409, True)
    unknown = await decide(client, thread, "unknown", verdict="approved")
    assert unknown.status_code == 404

    events = await answer_events(client, thread, "open the holdout")
    [interrupt] = (await get_json(client, f"{thread}/interrupts"))["items"]
    assert (events[-1]["subject"], interrupt["subject"], interrupt["editable"]) == ("holdout", "holdout", [])
    assert (await decide(client, thread, interrupt["run"], verdict="edited", trials=20)).status_code == 422
    assert (await decide(client, thread, interrupt["run"], verdict="approved")).status_code == 202
    assert (await wait_for_answer(client, thread, 2))["outcome"] == "answered"


@pytest.mark.soak
async def test_a_search_is_made_as_the_person_edited_it(client):
    thread, interrupt = await waiting_thread(client)
    answer = await decide(client, thread, interrupt["run"], verdict="edited", trials=12)
    assert answer.status_code == 202
    run = await wait_for_answer(client, thread)
    assert (run["outcome"], run["focus"]["request"]["trials"]) == ("answered", 12)


@pytest.mark.soak
async def test_a_rejected_search_is_answered_with_the_reason(client):
    thread, interrupt = await waiting_thread(client)
    bare = await decide(client, thread, interrupt["run"], verdict="rejected")
    assert (bare.status_code, bare.json()["error"]["details"][0]["allowed"]) == (
        422,
        "1 to 500 characters for a rejection",
    )
    assert (await decide(client, thread, interrupt["run"], verdict="rejected", reason="too dear")).status_code == 202
    run = await wait_for_answer(client, thread)
    assert any("too dear" in claim["text"] for claim in run["claims"])
    assert (await answer_events(client, thread, JOKE))[-1]["outcome"] == "declined"


async def test_a_decision_about_the_job_lets_the_thread_go_on(client):
    thread, interrupt = await waiting_thread(client)
    answer = await client.post(
        f"/api/jobs/{interrupt['run']}/approval", json={"verdict": "rejected", "reason": "not now"}
    )
    assert answer.status_code == 202
    assert any("not now" in claim["text"] for claim in (await wait_for_answer(client, thread))["claims"])


async def test_a_branch_goes_on_beside_its_thread(client):
    thread = await create_thread(client)
    for text in (RISK, JOKE):
        await answer_events(client, thread, text)
    response = await client.post(f"/api/threads/{thread}/branches", json={"after": 1})
    assert response.status_code == 201
    side = response.json()["id"]
    assert (response.json()["parent"], response.json()["branched_at"]) == (thread, 1)
    await answer_events(client, side, "tell me another joke")
    assert [run["asked"] for run in (await get_json(client, f"{side}/runs"))["items"]] == [RISK, "tell me another joke"]
    assert [run["asked"] for run in (await get_json(client, f"{thread}/runs"))["items"]] == [RISK, JOKE]
    twig = (await client.post(f"/api/threads/{side}/branches", json={"after": 1})).json()["id"]
    assert [each["turn"] for each in (await get_json(client, f"{twig}/messages"))["items"]] == [1, 1]
    assert (await client.delete(f"/api/threads/{thread}")).status_code == 409
    assert (await client.post(f"/api/threads/{thread}/branches", json={"after": 3})).status_code == 422


async def test_feedback_is_kept_with_the_answer(client):
    thread = await create_thread(client)
    await answer_events(client, thread, JOKE)
    path = f"/api/threads/{thread}/runs/1/feedback"
    first = await client.post(
        path, json={"rating": 2, "category": "tone", "comment": "no joke", "action_taken": "rejected"}
    )
    assert first.status_code == 201
    second = await client.post(path, json={"rating": 5})
    assert (second.json()["action_taken"], second.json()["by"]) == ("pending", OWNER)
    page = (await client.get(path, params={"limit": 1})).json()
    rest = (await client.get(path, params={"limit": 5, "after": page["next"]})).json()
    assert (page["items"], rest) == ([second.json()], {"items": [first.json()], "next": None})
    for wrong in ({"rating": 6}, {"rating": 2.5}, {}, {"rating": 1, "action_taken": "sold"}, {"rating": 1, "x": 1}):
        assert (await client.post(path, json=wrong)).status_code == 422


async def test_threads_are_listed_renamed_and_deleted(client):
    threads = [await create_thread(client) for _ in range(5)]
    first = (await client.get("/api/threads", params={"limit": 2})).json()
    second = (await client.get("/api/threads", params={"limit": 4, "after": first["next"]})).json()
    assert [each["id"] for each in (*first["items"], *second["items"])] == threads[::-1]
    assert second["next"] is None
    renamed = await client.patch(f"/api/threads/{threads[0]}", json={"title": " Rule of thumb "})
    assert renamed.json()["title"] == "Rule of thumb"
    await answer_events(client, threads[0], JOKE)
    assert (await get_json(client, threads[0]))["title"] == "Rule of thumb"
    turn = (await get_json(client, f"{threads[0]}/runs/1"))["id"]
    assert (await client.delete(f"/api/threads/{threads[0]}")).status_code == 204
    for path in ("", "/messages", "/runs", "/runs/1", "/state", "/interrupts", "/runs/1/feedback"):
        assert (await client.get(f"/api/threads/{threads[0]}{path}")).status_code == 404
    assert (await client.delete(f"/api/threads/{threads[0]}")).status_code == 404
    assert len((await client.get("/api/threads", params={"limit": 4})).json()["items"]) == 4
    assert turn.startswith(threads[0])


async def test_messages_come_in_pages(client):
    thread = await create_thread(client)
    for n in range(3):
        await answer_events(client, thread, f"{JOKE} {n}")
    messages, page = [], {"next": "0"}
    while page["next"] is not None:
        page = await get_json(client, f"{thread}/messages?limit=2&after={page['next']}")
        messages += page["items"]
    assert [(each["role"], each["turn"]) for each in messages] == [
        (role, n) for n in (1, 2, 3) for role in ("user", "assistant")
    ]
    assert messages == (await get_json(client, f"{thread}/messages"))["items"]
    pages = [
        (await client.get(f"/api/threads/{thread}/runs", params={"limit": 2, "after": n})).json() for n in (0, 2, 9)
    ]
    assert [(len(page["items"]), page["next"]) for page in pages] == [(2, "2"), (1, None), (0, None)]


# ---- what is refused


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"message": 7}, 422),
        ({"message": ""}, 422),
        ({"message": " \n "}, 422),
        ({"message": "x" * 4_001}, 422),
        ({"message": JOKE, "more": 1}, 422),
        (b'{"message": "half \\ud83d of a face"}', 422),
        (b"{", 400),
    ],
)
async def test_what_no_message_can_be_is_refused_and_not_kept(body, status, client):
    thread = await create_thread(client)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await client.post(
        f"/api/threads/{thread}/runs", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert (await get_json(client, thread))["turns"] == 0


async def test_control_characters_are_heard_and_the_longest_message_too(client):
    thread = await create_thread(client)
    await answer_events(client, thread, "\x00\x1b[2J what \u202eis this")
    await answer_events(client, thread, "é" * 4_000)
    assert [run["outcome"] != "answered" for run in (await get_json(client, f"{thread}/runs"))["items"]] == [True, True]


async def test_a_bad_cursor_or_id_is_a_422(client):
    thread = await create_thread(client)
    for path in ("threads?after=x", f"threads/{thread}/runs?after=-1", f"threads/{thread}/messages?after=1e3"):
        answer = await client.get(f"/api/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR"), path
    for path in ("a%2Fb", "a%00b", "x" * 101, f"{thread}/runs/0", f"{thread}/runs/x"):
        assert (await client.get(f"/api/threads/{path}")).status_code in (400, 404, 422)


async def test_nothing_of_another_person_is_found(home):
    async with open_client(application(home, guarded(home))) as client:
        thread, interrupt = await waiting_thread(client)
    async with open_client(application(home, guarded(home), owner="somebody")) as client:
        assert (await client.get("/api/threads")).json()["items"] == []
        for path in ("", "/messages", "/runs", "/runs/1", "/state", "/interrupts", "/runs/1/feedback"):
            assert (await client.get(f"/api/threads/{thread}{path}")).status_code == 404
        other = await create_thread(client)
        for method, path, body in (
            ("POST", f"{thread}/runs", {"message": JOKE}),
            ("POST", f"{thread}/runs/1/resume", None),
            ("POST", f"{thread}/runs/1/feedback", {"rating": 1}),
            ("POST", f"{thread}/branches", {"after": 1}),
            ("POST", f"{thread}/interrupts/{interrupt['run']}", {"verdict": "approved"}),
            ("POST", f"{other}/interrupts/{interrupt['run']}", {"verdict": "approved"}),
            ("PATCH", thread, {"title": "mine"}),
            ("DELETE", thread, None),
        ):
            answer = await client.request(method, f"/api/threads/{path}", json=body)
            assert answer.status_code == 404, (method, path)


# ---- whoever stays connected


async def test_a_message_sent_again_is_the_same_run(client):
    thread = await create_thread(client)
    key = {"Idempotency-Key": "6f1d"}
    first = await client.post(
        f"/api/threads/{thread}/runs", params={"stream": False}, json={"message": JOKE}, headers=key
    )
    assert (first.status_code, first.headers["location"]) == (202, f"/api/threads/{thread}/runs/1")
    again = await answer_events(client, thread, JOKE, headers=key)
    assert again[-1]["event"] == "turn_finished"
    assert (await get_json(client, thread))["turns"] == 1
    other = await client.post(f"/api/threads/{thread}/runs", json={"message": RISK}, headers=key)
    assert other.status_code == 409


async def test_a_dropped_connection_does_not_stop_the_answer(home):
    with run_server(application(home)) as address:
        async with httpx.AsyncClient(base_url=address, timeout=120) as client:
            thread = await create_thread(client)
            async with client.stream("POST", f"/api/threads/{thread}/runs", json={"message": RISK}) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        break
            run = await wait_for_answer(client, thread)
            assert (run["state"], run["outcome"]) == ("completed", "answered")


async def test_ten_threads_at_once_are_all_answered(client):
    threads = [await create_thread(client) for _ in range(10)]
    answers = await asyncio.gather(*(answer_events(client, thread, f"{JOKE} {thread}") for thread in threads))
    assert all(answer[-1]["event"] == "turn_finished" for answer in answers)
    for thread in threads:
        [run] = (await get_json(client, f"{thread}/runs"))["items"]
        assert (run["state"], run["asked"]) == ("completed", f"{JOKE} {thread}")
