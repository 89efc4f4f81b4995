"""Messages of models: how an answer ended, what is stored of it, and the history that the next model receives."""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from desk.runs.events.models import Stop

_STOPS: dict[str, Stop] = {
    "guardrail_intervened": "blocked",
    "content_filtered": "blocked",
    "content_filter": "blocked",
    "refusal": "blocked",
    "safety": "blocked",
    "prohibited_content": "blocked",
    "blocklist": "blocked",
    "spii": "blocked",
    "recitation": "blocked",
    "max_tokens": "truncated",
    "length": "truncated",
    "model_context_window_exceeded": "truncated",
    "malformed_model_output": "malformed",
    "malformed_tool_use": "malformed",
    "malformed_function_call": "malformed",
}

MODEL_NAME_KEY = "asked_as"
"""Key of the response metadata that holds the name of the model."""

_FORMATS = ("model_provider", "output_version")
"""Keys of the response metadata that define the format of a message's blocks in LangChain."""

_FENCED = re.compile(r"<data-([0-9a-f]{12})>\n(.*)\n</data-\1>", re.DOTALL)
THINKING = "<thinking>"
_THINKING = re.compile(rf"{THINKING}.*?(?:</thinking>\s*|\Z)", re.DOTALL)
_LEVELS = 50
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Bedrock refuses other names in the next request."""


def stop_of(message: AIMessage) -> Stop:
    """How the answer ended, by the provider's stop reason and the usability of the message."""
    metadata = message.response_metadata
    reason = metadata.get("stopReason") or metadata.get("stop_reason") or metadata.get("finish_reason") or ""
    if (stop := _STOPS.get(str(reason).lower())) is not None:
        return stop
    return "answered" if _usable(message) else "malformed"


def stored_form(message: AIMessage, model: str) -> AIMessage:
    """The message without the provider's metadata, binary blocks and inline thinking, with the name of its model."""
    formats = {name: message.response_metadata[name] for name in _FORMATS if name in message.response_metadata}
    content = message.content if isinstance(message.content, str) else [b for b in message.content if not _has_bytes(b)]
    content = without_thinking(content)
    if isinstance(content, list):
        content = [block for block in content if not _is_blank(block)]
    changes = {"content": content, "tool_calls": without_thinking(message.tool_calls)}
    return message.model_copy(update={**changes, "response_metadata": {**formats, MODEL_NAME_KEY: model}})


def _is_blank(block: Any) -> bool:
    """Whether it is a text block without text, which Bedrock refuses."""
    return isinstance(block, dict) and block.get("type") == "text" and not str(block.get("text", "")).strip()


def without_thinking(value: Any) -> Any:
    """The value with the `<thinking>` text removed that Nova writes into its answers; an open tag ends the text."""
    match value:
        case str():
            return _THINKING.sub("", value) if THINKING in value else value
        case list():
            return [without_thinking(item) for item in value]
        case dict():
            return {name: without_thinking(item) for name, item in value.items()}
        case _:
            return value


def history_for(messages: Sequence[BaseMessage], model: str) -> list[Any]:
    """The conversation for `model`: only text and tool calls of other models' messages, and one result per call."""
    history: list[BaseMessage] = []
    results: set[str] = set()
    for message in messages:
        if isinstance(message, AIMessage):
            results = set()
            own = message.response_metadata.get(MODEL_NAME_KEY) == model
            history.append(message if own else AIMessage(str(message.text), tool_calls=message.tool_calls))
        elif not isinstance(message, ToolMessage):
            history.append(message)
        elif message.tool_call_id not in results:  # a call beyond the limit has two results
            results.add(message.tool_call_id)
            history.append(message.model_copy(update={"content": fence(str(message.text))}))
    return history


def fence(text: str) -> str:
    """A tool's result between tags that contain its digest, so that no text inside can close them."""
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"<data-{mark}>\n{text}\n</data-{mark}>"


def unfence(text: str) -> str:
    """The text between the tags of `fence`; a text without them is returned unchanged."""
    match = _FENCED.fullmatch(text)
    return text if match is None else match[2]


def _usable(message: AIMessage) -> bool:
    """Whether the whole message can be parsed, stored and sent again."""
    blocks = message.content if isinstance(message.content, list) else ()
    ids = [call["id"] for call in message.tool_calls]
    return (
        not message.invalid_tool_calls
        and all(map(_is_complete, blocks))
        and all(ids)
        and len(set(ids)) == len(ids)
        and all(_TOOL_NAME.fullmatch(call["name"]) for call in message.tool_calls)
        and _is_json([message.content, message.tool_calls, message.additional_kwargs])
    )


def _is_complete(block: object) -> bool:
    """Whether streamed tool arguments are complete JSON; LangChain itself completes truncated ones silently."""
    if not isinstance(block, dict) or block.get("type") != "tool_use" or not isinstance(block.get("input"), str):
        return True
    try:
        return isinstance(json.loads(block["input"] or "{}"), dict)
    except (ValueError, RecursionError):
        return False


def _is_json(value: Any, levels: int = _LEVELS) -> bool:
    """Whether the value has no NaN, lone surrogate or deep nesting, which JSON forbids but Python's parser accepts."""
    match value:
        case str():
            return _SURROGATE.search(value) is None
        case float():
            return math.isfinite(value)
        case dict():
            return levels > 0 and all(_is_json(item, levels - 1) for pair in value.items() for item in pair)
        case list():
            return levels > 0 and all(_is_json(item, levels - 1) for item in value)
        case _:
            return True


def _has_bytes(value: Any) -> bool:
    match value:
        case dict():
            return any(map(_has_bytes, value.values()))
        case list():
            return any(map(_has_bytes, value))
        case _:
            return isinstance(value, bytes)
