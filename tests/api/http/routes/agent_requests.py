"""Requests to POST /api/agent and the AG-UI events it returns."""

import json
from typing import Any

import httpx
from ag_ui.core import Event
from pydantic import TypeAdapter

from tests.api.http.live_run import frames

EVENT: TypeAdapter[Any] = TypeAdapter(Event)


def message_body(text: str, run: str = "run-1", thread: str = "thread-1", **more: Any) -> dict[str, Any]:
    return {
        "threadId": thread,
        "runId": run,
        "messages": [{"id": f"message-of-{run}", "role": "user", "content": text}],
        **more,
    }


def resume_body(interrupt: dict[str, Any], run: str, **payload: Any) -> dict[str, Any]:
    entry = {"interruptId": interrupt["id"], "status": "resolved", "payload": payload}
    return {"threadId": "thread-1", "runId": run, "messages": [], "resume": [entry]}


async def agent_events(client: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    """The events of one connection, each of which AG-UI's own model has accepted without unknown fields."""
    async with client.stream("POST", "/api/agent", json=body, headers=headers, timeout=60) as response:
        assert response.status_code == 200, await response.aread()
        numbered_events = [(int(frame["id"]), json.loads(frame["data"])) async for frame in frames(response)]
    first = int(headers.get("last_event_id", headers.get("Last-Event-ID", "0"))) + 1
    assert [number for number, _ in numbered_events] == list(range(first, first + len(numbered_events)))
    for _, event in numbered_events:
        assert not EVENT.validate_python(event).model_extra, event
    return [event for _, event in numbered_events]
