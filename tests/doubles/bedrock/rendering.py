"""Renders a reply as the body of Converse or as the events of ConverseStream."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.replies import MODEL_ERROR, Blocked, Call, Fail, Say, Usage
from tests.doubles.bedrock.usage import estimate
from tests.doubles.bedrock.wire import encode, event

LATENCY_MS = 321
FRAGMENT = 12
MOST_FRAGMENTS = 64
SIGNATURE = "c2lnbmF0dXJl"


def body_of(received: Received, reply: Say | Blocked) -> bytes | Fail:
    say, trace = _resolved(received, reply)
    if any(call.raw is not None for call in say.calls):
        return MODEL_ERROR
    content = [
        *([{"reasoningContent": {"reasoningText": _reasoning(say)}}] if say.reasoning else []),
        *({"text": text} for text in say.texts),
        *({"toolUse": _started(received, n, call, input=dict(call.arguments))} for n, call in enumerate(say.calls)),
    ]
    return encode(
        {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": _stop(say),
            **_metadata(received, say, trace),
        }
    )


def events_of(received: Received, reply: Say | Blocked) -> list[bytes]:
    say, trace = _resolved(received, reply)
    events = [event("messageStart", {"role": "assistant"})]
    for n, block in enumerate(_blocks(received, say)):
        events += [event(name, {**value, "contentBlockIndex": n}) for name, value in block]
    return [
        *events,
        event("messageStop", {"stopReason": _stop(say)}),
        event("metadata", _metadata(received, say, trace)),
    ]


def usage_of(received: Received, reply: Say | Blocked) -> Usage:
    """The usage that the response reports."""
    say, _ = _resolved(received, reply)
    return say.usage or estimate(received.model, received.body, say)


def _blocks(received: Received, say: Say) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    if say.reasoning:
        parts = [{"text": part} for part in _fragments(say.reasoning)]
        yield _block([{"reasoningContent": part} for part in [*parts, {"signature": SIGNATURE}]])
    for text in say.texts:
        yield _block([{"text": part} for part in _fragments(text)])
    for n, call in enumerate(say.calls):
        parts = call.raw if call.raw is not None else _fragments(json.dumps(call.arguments) if call.arguments else "")
        start = ("contentBlockStart", {"start": {"toolUse": _started(received, n, call)}})
        yield [start, *_block([{"toolUse": {"input": part}} for part in ("", *parts)])]


def _block(deltas: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [*(("contentBlockDelta", {"delta": delta}) for delta in deltas), ("contentBlockStop", {})]


def _started(received: Received, index: int, call: Call, **more: Any) -> dict[str, Any]:
    return {"toolUseId": received.tool_id(index), "name": call.name, **more}


def _reasoning(say: Say) -> dict[str, str]:
    return {"text": say.reasoning, "signature": SIGNATURE}


def _fragments(text: str) -> list[str]:
    size = max(FRAGMENT, -(-len(text) // MOST_FRAGMENTS))
    return [text[n : n + size] for n in range(0, len(text), size)]


def _stop(say: Say) -> str:
    return say.stop or ("tool_use" if say.calls else "end_turn")


def _metadata(received: Received, say: Say, trace: dict[str, Any]) -> dict[str, Any]:
    usage = say.usage or estimate(received.model, received.body, say)
    usage = {
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output + usage.cache_read + usage.cache_write,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_write,
    }
    return {"usage": usage, "metrics": {"latencyMs": LATENCY_MS}, **trace}


def _resolved(received: Received, reply: Say | Blocked) -> tuple[Say, dict[str, Any]]:
    """The reply's content, or a guardrail's text, with the guardrail's trace."""
    if isinstance(reply, Say):
        return reply, {}
    guardrail = received.body.get("guardrailConfig")
    if not guardrail:
        raise ValueError(f"call {received.number} names no guardrailConfig, so no guardrail can intervene")
    blocked = Say((reply.message,), stop="guardrail_intervened", usage=Usage(0, 0))
    if reply.side == "output":
        blocked = replace(blocked, usage=estimate(received.model, received.body, Say((reply.message,))))
    if guardrail.get("trace", "disabled") == "disabled":
        return blocked, {}
    return blocked, {"trace": {"guardrail": _assessment(reply, guardrail["guardrailIdentifier"])}}


def _assessment(block: Blocked, guardrail: str) -> dict[str, Any]:
    topic = {"name": "Investment advice", "type": "DENY", "action": "BLOCKED", "detected": True}
    assessment = {"topicPolicy": {"topics": [topic]}}
    name = guardrail.rpartition("/")[2]
    if block.side == "input":
        return {"inputAssessment": {name: assessment}, "actionReason": "Guardrail blocked."}
    return {"outputAssessments": {name: [assessment]}, "actionReason": "Guardrail blocked."}
