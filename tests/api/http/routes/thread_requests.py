"""Starts conversations over HTTP and reads the events of an answer."""

import json
from typing import Any

import httpx

JOKE, RISK = "tell me a joke", "how volatile is the S&P 500?"


async def create_thread(client: httpx.AsyncClient) -> str:
    response = await client.post("/api/threads")
    assert response.status_code == 201
    assert response.headers["location"] == f"/api/threads/{response.json()['id']}"
    return response.json()["id"]


async def answer_events(client: httpx.AsyncClient, thread: str, text: str, **more: Any) -> list[dict[str, Any]]:
    """The events of the answer."""
    response = await client.post(f"/api/threads/{thread}/runs", json={"message": text}, **more)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return stream_events(response.text)


def stream_events(text: str) -> list[dict[str, Any]]:
    frames = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert frames[-1] == {"last": len(frames) - 1}
    return [each["event"] for each in frames[:-1]]
