"""AG-UI over HTTP: what is asked once, what is told again, what waits for a person, what is refused."""

import asyncio
from copy import deepcopy
from typing import Any

import httpx
import pytest

from store.embedded import open_store
from store.records import iterate_records
from tests.api.http.application import application, open_client, run_server
from tests.api.http.live_run import frames
from tests.api.http.routes.agent_requests import agent_events, message_body, resume_body

pytestmark = pytest.mark.anyio

JOKE = "tell me a joke"
TOO_LARGE = "run a search with 5,000 trials, 1,000 paths, 5 years"


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


def state_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The snapshot with every change applied."""
    (snapshot,) = of(events, "STATE_SNAPSHOT")
    state = deepcopy(snapshot["snapshot"])
    for event in of(events, "STATE_DELTA"):
        for operation in event["delta"]:
            assert operation["op"] == "add"
            *parents, last = operation["path"].split("/")[1:]
            place = state
            for name in parents:
                place = place[name]
            place[last] = deepcopy(operation["value"])
    return state


async def turns(home) -> int:
    async with open_store(home) as store:
        return len([record async for record in iterate_records(store.records, "local", "turn")])


async def test_the_same_run_again_is_told_again_and_asked_once(home):
    async with open_client(application(home)) as client:
        both = await asyncio.gather(agent_events(client, message_body(JOKE)), agent_events(client, message_body(JOKE)))
        again = await agent_events(client, message_body(JOKE))
        tail = await agent_events(client, message_body(JOKE), **{"Last-Event-ID": "5"})
    assert both[0] == both[1] == again
    assert tail == again[5:]
    assert await turns(home) == 1
    assert again[0] == {"type": "RUN_STARTED", "threadId": "thread-1", "runId": "run-1", "protocolVersion": "1.0"}
    assert again[-1]["type"] == "RUN_FINISHED"
    assert state_of(again)["outcome"] == "declined"
    assert state_of(again)["offers"]


async def test_what_a_client_already_has_of_the_run_is_replaced(home):
    earlier = {"id": "of-another-run", "role": "assistant", "content": "before"}
    async with open_client(application(home)) as client:
        body = message_body(JOKE)
        body["messages"].insert(0, earlier)
        await agent_events(client, body)
        body["messages"].append({"id": "thread-1-1.0.answer", "role": "assistant", "content": "half an ans"})
        snapshot = of(await agent_events(client, body), "MESSAGES_SNAPSHOT")[0]
    assert [message["id"] for message in snapshot["messages"]] == ["of-another-run", "message-of-run-1"]


async def test_a_message_is_answered_whoever_stays_connected(home):
    with run_server(application(home)) as address:
        async with httpx.AsyncClient(base_url=address, timeout=120) as client:
            async with client.stream("POST", "/api/agent", json=message_body(JOKE)) as response:
                assert "RUN_STARTED" in (await anext(frames(response)))["data"]
            events = await agent_events(client, message_body(JOKE))
    assert events[-1]["type"] == "RUN_FINISHED"


async def test_a_launch_above_a_threshold_is_an_interrupt_that_a_person_edits(home):
    async with open_client(application(home)) as client:
        events = await agent_events(client, message_body(TOO_LARGE))
        outcome = events[-1]["outcome"]
        (interrupt,) = outcome["interrupts"]
        run = interrupt["metadata"]["run"]
        assert outcome["type"] == "interrupt"
        assert interrupt["toolCallId"] == of(events, "TOOL_CALL_START")[0]["toolCallId"]
        assert interrupt["metadata"]["asked"]["exceeded"] == ["evaluations"]
        assert state_of(events)["waiting"]["run"] == run
        assert "trials" in interrupt["responseSchema"]["properties"]
        edited = resume_body(interrupt, "run-2", verdict="edited", trials=10, paths=100)
        gone_on = await agent_events(client, edited)
        assert await agent_events(client, edited) == gone_on
        assert await agent_events(client, message_body(TOO_LARGE)) == events
    assert of(gone_on, "TOOL_CALL_RESULT")[-1]["toolCallId"] == interrupt["toolCallId"]
    assert gone_on[-1]["outcome"] == {"type": "success"}
    state = state_of(gone_on)
    assert (state["waiting"], state["outcome"]) == (None, "answered")
    assert (state["runs"][run]["progress"]["done"], state["runs"][run]["progress"]["stage"]) == (10, "finished")
    progress = [
        change["value"]
        for event in of(gone_on, "STATE_DELTA")
        for change in event["delta"]
        if change["path"] == f"/runs/{run}/progress"
    ]
    shares = [each["share"] for each in progress]
    assert shares == sorted(shares)
    assert max(shares[:-1]) <= 0.99
    assert {name for each in progress for name in each["agents"]} >= {"risk_manager", "market_analyst", "optimizer"}
    best = [each["best_in_sample"] for each in progress if each["best_in_sample"] is not None]
    assert best == sorted(best)
    assert best


async def test_the_id_of_a_run_with_another_message_or_decision_is_a_conflict(home):
    async with open_client(application(home)) as client:
        await agent_events(client, message_body(JOKE))
        other = await client.post("/api/agent", json=message_body("another joke, please"))
        (interrupt,) = (await agent_events(client, message_body(TOO_LARGE, "run-2")))[-1]["outcome"]["interrupts"]
        await agent_events(client, resume_body(interrupt, "run-3", verdict="rejected", reason="too large"))
        decision = await client.post("/api/agent", json=resume_body(interrupt, "run-3", verdict="approved"))
    for answer in (other, decision):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
        assert "runId" in answer.json()["error"]["message"]
    assert await turns(home) == 2


async def test_a_cancelled_interrupt_rejects_and_the_first_decision_holds(home):
    async with open_client(application(home)) as client:
        (interrupt,) = (await agent_events(client, message_body(TOO_LARGE)))[-1]["outcome"]["interrupts"]
        response = await client.post("/api/agent", json=message_body(JOKE, "run-2"))
        assert response.status_code == 409
        cancelled = {"interruptId": interrupt["id"], "status": "cancelled"}
        rejected = await agent_events(
            client, {"threadId": "thread-1", "runId": "run-3", "messages": [], "resume": [cancelled]}
        )
        assert rejected[-1]["type"] == "RUN_FINISHED"
        other = await client.post("/api/agent", json=resume_body(interrupt, "run-4", verdict="approved"))
        assert other.status_code == 409
        assert (await agent_events(client, message_body(JOKE, "run-5")))[-1]["type"] == "RUN_FINISHED"
        late = await client.post("/api/agent", json=resume_body(interrupt, "run-6", verdict="approved"))
        assert late.status_code == 422


async def test_a_wrong_answer_to_an_interrupt_decides_nothing_and_a_run_that_waits_has_nothing_open(home):
    wrong: list[tuple[Any, str]] = [
        ({"verdict": "maybe"}, "body.resume.0.payload.verdict"),
        ({"verdict": "rejected"}, "body.resume.0.payload"),
        ({"verdict": "edited", "trials": 3}, "body.resume.0.payload.trials"),
        (None, "body.resume.0.payload"),
    ]
    async with open_client(application(home)) as client:
        events = await agent_events(client, message_body(TOO_LARGE))
        (interrupt,) = events[-1]["outcome"]["interrupts"]
        for payload, field in wrong:
            body = resume_body(interrupt, "run-2")
            body["resume"][0]["payload"] = payload
            answer = await client.post("/api/agent", json=body)
            assert answer.status_code == 422
            assert answer.json()["error"]["details"][0]["field"].startswith(field)
        rejected = await agent_events(client, resume_body(interrupt, "run-2", verdict="rejected", reason="no"))
        assert rejected[-1]["type"] == "RUN_FINISHED"
    for kind, name in (("STEP", "stepName"), ("SUBAGENT", "subagentRunId")):
        opened = [event[name] for event in of(events, f"{kind}_STARTED")]
        assert sorted(opened) == sorted(event[name] for event in of(events, f"{kind}_FINISHED"))
    assert of(events, "STEP_STARTED")


@pytest.mark.parametrize(
    "body",
    [
        {},
        message_body(" "),
        message_body("x" * 4001),
        message_body(JOKE, thread="a/b"),
        message_body(JOKE, thread=""),
        {"threadId": "t", "runId": "r", "messages": []},
        {"threadId": "t", "runId": "r", "messages": [{"id": "1", "role": "assistant", "content": "hi"}]},
        {"threadId": "t", "runId": "r", "messages": [{"id": "1", "role": "user", "content": [{"type": "image"}]}]},
        message_body(JOKE, resume=[{"interruptId": "x", "status": "resolved", "payload": {"verdict": "approved"}}]),
    ],
)
async def test_what_cannot_be_asked_is_refused_before_the_stream_begins(home, body):
    async with open_client(application(home)) as client:
        answer = await client.post("/api/agent", json=body)
        assert answer.status_code in (404, 422), answer.text
        assert answer.json()["error"]["message"]
    assert await turns(home) == 0


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (message_body(JOKE, thread="a/b"), 422, "body.threadId: 'a/b' is not allowed"),
        (message_body("x" * 2_000_000), 413, "at most 2 MB"),
    ],
)
async def test_a_refusal_names_the_field_or_the_size(home, body, status, words):
    async with open_client(application(home)) as client:
        answer = await client.post("/api/agent", json=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


async def test_a_wrong_last_event_id_asks_nothing(home):
    async with open_client(application(home)) as client:
        answer = await client.post("/api/agent", json=message_body(JOKE), headers={"Last-Event-ID": "x"})
    assert answer.status_code == 422
    assert await turns(home) == 0


async def test_threads_of_owners_are_apart_under_the_same_id(home):
    async with open_client(application(home)) as client:
        await agent_events(client, message_body(JOKE))
    async with open_client(application(home, owner="another")) as client:
        events = await agent_events(client, message_body(JOKE))
    assert events[-1]["result"]["turn"] == 1
