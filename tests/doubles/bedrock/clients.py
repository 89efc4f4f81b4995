"""Real clients of the double, and the requests of the tests."""

from contextlib import closing
from typing import Any

import boto3
from botocore.config import Config
from langchain_aws import ChatBedrockConverse
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
REGION = "us-east-1"
MESSAGES = [{"role": "user", "content": [{"text": "Go."}]}]
TOOLS = {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}]}
GUARDRAIL = {"guardrailIdentifier": "abc123", "guardrailVersion": "1", "trace": "enabled"}
CREDENTIALS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "not-a-secret"}


def connect(url: str, *, attempts: int = 1, read_timeout: float = 20.0, **changes: Any) -> Any:
    config = Config(
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=2.0,
        read_timeout=read_timeout,
        max_pool_connections=64,
    )
    options = {**CREDENTIALS, "region_name": REGION, "endpoint_url": url, "config": config}
    return boto3.client("bedrock-runtime", **options | changes)


def chat(client: Any, **settings: Any) -> ChatBedrockConverse:
    options = {"model": MODEL, "disable_streaming": False, "client": client, "bedrock_client": client}
    return ChatBedrockConverse(**options | settings)


def ask(client: Any, **more: Any) -> dict[str, Any]:
    return client.converse(**{"modelId": MODEL, "messages": MESSAGES, "toolConfig": TOOLS, **more})


def stream(client: Any, **more: Any) -> list[dict[str, Any]]:
    response = client.converse_stream(**{"modelId": MODEL, "messages": MESSAGES, "toolConfig": TOOLS, **more})
    with closing(response["stream"]) as events:
        return list(events)


def names(events: list[dict[str, Any]]) -> list[str]:
    return [next(iter(event)) for event in events]


def texts_of(client: Any, text: str) -> list[str]:
    events = stream(client, messages=[{"role": "user", "content": [{"text": text}]}])
    return [e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e]


def streamed(model: Any, *messages: Any) -> AIMessage:
    first, *rest = model.stream(list(messages))
    for chunk in rest:
        first += chunk
    return first


@tool
def look(where: str) -> str:
    """Look at a figure."""
    return f"seen {where}"
