"""What a model said: how it ended, what of it is kept, and how it is repeated to the next model."""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

Stop: TypeAlias = Literal["answered", "truncated", "malformed", "blocked"]
"""How an answer ended: as it should; cut off by a limit; as nothing that could be used; by a guardrail or filter."""

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

ASKED_AS = "asked_as"
"""Where a message says under which name its model was asked."""

_FORMATS = ("model_provider", "output_version")
"""Where LangChain says how the blocks of a message are to be read."""

_FENCED = re.compile(r"<data-([0-9a-f]{12})>\n(.*)\n</data-\1>", re.DOTALL)
_LEVELS = 50
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Other names are refused by Bedrock when the conversation goes on."""


def stop_of(said: AIMessage) -> Stop:
    metadata = said.response_metadata
    reason = metadata.get("stopReason") or metadata.get("stop_reason") or metadata.get("finish_reason") or ""
    if (stop := _STOPS.get(str(reason).lower())) is not None:
        return stop
    return "answered" if _usable(said) else "malformed"


def stripped(said: AIMessage, model: str) -> AIMessage:
    """Without what the provider tells of itself and blocks that are no text; with the name of its model."""
    formats = {name: said.response_metadata[name] for name in _FORMATS if name in said.response_metadata}
    content = said.content if isinstance(said.content, str) else [b for b in said.content if not _has_bytes(b)]
    return said.model_copy(update={"content": content, "response_metadata": {**formats, ASKED_AS: model}})


def repeated(messages: Sequence[BaseMessage], model: str) -> list[Any]:
    """The conversation for `model`: of what others said text and tool calls, and for each call one result."""
    told: list[BaseMessage] = []
    results: set[str] = set()
    for message in messages:
        if isinstance(message, AIMessage):
            results = set()
            own = message.response_metadata.get(ASKED_AS) == model
            told.append(message if own else AIMessage(str(message.text), tool_calls=message.tool_calls))
        elif not isinstance(message, ToolMessage):
            told.append(message)
        elif message.tool_call_id not in results:  # an answer over the limit of tool calls gets two
            results.add(message.tool_call_id)
            told.append(message.model_copy(update={"content": fenced(str(message.text))}))
    return told


def fenced(text: str) -> str:
    """A tool's result between marks that no text inside it can know: they are made of its own digest."""
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"<data-{mark}>\n{text}\n</data-{mark}>"


def unfenced(text: str) -> str:
    found = _FENCED.fullmatch(text)
    return text if found is None else found[2]


def _usable(said: AIMessage) -> bool:
    """Whether all of it can be understood, stored and sent again."""
    blocks = said.content if isinstance(said.content, list) else ()
    ids = [call["id"] for call in said.tool_calls]
    return (
        not said.invalid_tool_calls
        and all(map(_whole, blocks))
        and all(ids)
        and len(set(ids)) == len(ids)
        and all(_TOOL_NAME.fullmatch(call["name"]) for call in said.tool_calls)
        and _plain([said.content, said.tool_calls, said.additional_kwargs])
    )


def _whole(block: object) -> bool:
    """Whether streamed tool arguments are JSON as they stand: LangChain mends what is cut off, which we must not."""
    if not isinstance(block, dict) or block.get("type") != "tool_use" or not isinstance(block.get("input"), str):
        return True
    try:
        return isinstance(json.loads(block["input"] or "{}"), dict)
    except (ValueError, RecursionError):
        return False


def _plain(value: Any, levels: int = _LEVELS) -> bool:
    """No NaN, no half of a character, no endless nesting: no JSON holds them, and Python's reads them."""
    match value:
        case str():
            return _SURROGATE.search(value) is None
        case float():
            return math.isfinite(value)
        case dict():
            return levels > 0 and all(_plain(each, levels - 1) for pair in value.items() for each in pair)
        case list():
            return levels > 0 and all(_plain(each, levels - 1) for each in value)
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
