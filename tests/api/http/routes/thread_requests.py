"""Starts conversations over HTTP and reads the events of an answer."""

import json
from typing import Any

import httpx

JOKE, RISK = "tell me a joke", "how volatile is the S&P 500?"


async def create_thread(client: httpx.AsyncClient) -> str:
    made = await client.post("/api/threads")
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/threads/{made.json()['id']}"
    return made.json()["id"]


async def answer_events(client: httpx.AsyncClient, thread: str, text: str, **more: Any) -> list[dict[str, Any]]:
    """The events of the answer."""
    answer = await client.post(f"/api/threads/{thread}/runs", json={"message": text}, **more)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return stream_events(answer.text)


def stream_events(text: str) -> list[dict[str, Any]]:
    told = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert told[-1] == {"last": len(told) - 1}
    return [each["event"] for each in told[:-1]]
