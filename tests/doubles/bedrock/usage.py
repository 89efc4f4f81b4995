"""Tokens estimated from lengths: a function of the request and the answer alone, so that parallel calls agree."""

from typing import Any

from tests.doubles.bedrock.replies import Say, Usage
from tests.doubles.bedrock.wire import encode

BYTES_A_TOKEN = 4


def estimate(body: dict[str, Any], reply: Say) -> Usage:
    """What stood in the turns before is read from the cache, what is new up to the last cache point is written."""
    fixed = body.get("toolConfig", {}).get("tools", []) + body.get("system", [])
    turns = [block for message in body.get("messages", []) for block in message["content"]]
    blocks = fixed + turns
    ends = [n for n, block in enumerate(blocks) if "cachePoint" in block]
    cached = ends[-1] + 1 if ends else 0
    cached_before = min(cached, _known(body, len(fixed)))
    return Usage(
        input=_tokens(blocks[cached:]),
        output=_tokens([*reply.texts, reply.reasoning, *([c.name, c.raw or dict(c.arguments)] for c in reply.calls)]),
        cache_read=_tokens(blocks[:cached_before]),
        cache_write=_tokens(blocks[cached_before:cached]),
    )


def _known(body: dict[str, Any], fixed: int) -> int:
    """How many blocks the call before must have held; none at the first turn."""
    messages = body.get("messages", [])
    answers = [n for n, message in enumerate(messages) if message["role"] == "assistant"]
    return fixed + sum(len(message["content"]) for message in messages[: answers[-1]]) if answers else 0


def _tokens(parts: list[Any]) -> int:
    return sum(-(-len(encode(part)) // BYTES_A_TOKEN) for part in parts if part and "cachePoint" not in part)
