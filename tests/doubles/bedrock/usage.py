"""Usage estimated from lengths: a function of request and reply only, so that parallel calls are deterministic."""

from typing import Any

from tests.doubles.bedrock.models import UNKNOWN, features_of
from tests.doubles.bedrock.replies import Say, Usage
from tests.doubles.bedrock.wire import encode

BYTES_A_TOKEN = 4


def estimate(model: str, body: dict[str, Any], reply: Say) -> Usage:
    """Earlier turns are read from the cache; new blocks up to the last cache point are written to it.

    A prefix below the model's minimum is not cached:
    https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html#prompt-caching-models
    """
    fixed = body.get("toolConfig", {}).get("tools", []) + body.get("system", [])
    turns = [block for message in body.get("messages", []) for block in message["content"]]
    blocks = fixed + turns
    minimum = (features_of(model) or UNKNOWN).cache_minimum
    ends = [n for n, block in enumerate(blocks) if "cachePoint" in block and _tokens(blocks[:n]) >= minimum]
    cached = ends[-1] + 1 if ends else 0
    cached_before = min(cached, _known(body, len(fixed)))
    return Usage(
        input=_tokens(blocks[cached:]),
        output=_tokens([*reply.texts, reply.reasoning, *([c.name, c.raw or dict(c.arguments)] for c in reply.calls)]),
        cache_read=_tokens(blocks[:cached_before]),
        cache_write=_tokens(blocks[cached_before:cached]),
    )


def _known(body: dict[str, Any], fixed: int) -> int:
    """The number of blocks of the previous call; 0 at the first turn."""
    messages = body.get("messages", [])
    answers = [n for n, message in enumerate(messages) if message["role"] == "assistant"]
    return fixed + sum(len(message["content"]) for message in messages[: answers[-1]]) if answers else 0


def _tokens(parts: list[Any]) -> int:
    return sum(-(-len(encode(part)) // BYTES_A_TOKEN) for part in parts if part and "cachePoint" not in part)
