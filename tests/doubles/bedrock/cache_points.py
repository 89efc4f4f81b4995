"""Refuses cache points as Bedrock does.

https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html: at most four, not first in their list, longer
times before shorter ones in the order tools, system, messages, an hour only for newer Claude models, and none among the
tools of Nova. Bedrock refuses them for models without a prompt cache, and beside blocks of tools for Nova.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.doubles.bedrock.models import Features

MOST = 4
NOTHING = "There is nothing available to cache. Please remove the invalid cache point and try again."
UNSUPPORTED = (
    "You invoked an unsupported model or your request did not allow prompt caching. "
    "See the documentation for more information."
)
SECONDS = {"5m": 300, "1h": 3600}

Blocks = list[dict[str, Any]]


def problems(body: dict[str, Any], model: Features) -> Iterator[str]:
    lists = list(_lists(body))
    points = [(place, block["cachePoint"]) for place, blocks in lists for block in blocks if "cachePoint" in block]
    if points and not model.caching:
        yield UNSUPPORTED
    if len(points) > MOST:
        yield (
            "The model returned the following errors: A maximum of "
            f"{MOST} blocks with cache_control may be provided. Found {len(points)}."
        )
    for place, blocks in lists:
        yield from _positions(place, blocks, model)
    yield from _times(points, model)


def _lists(body: dict[str, Any]) -> Iterator[tuple[str, Blocks]]:
    """The lists that may hold cache points, in the order in which they are cached."""
    yield "toolConfig/tools", (body.get("toolConfig") or {}).get("tools", [])
    yield "system", body.get("system") or []
    for n, message in enumerate(body.get("messages") or []):
        yield f"messages/{n}/content", message["content"]


def _positions(place: str, blocks: Blocks, model: Features) -> Iterator[str]:
    used_tools = place.startswith("toolConfig") or any("toolUse" in b or "toolResult" in b for b in blocks)
    for n, block in enumerate(blocks):
        if "cachePoint" not in block:
            continue
        if n == 0:
            yield NOTHING
        elif "reasoningContent" in blocks[n - 1]:
            yield (
                "Cache point cannot be inserted after reasoning block. "
                "Please remove the invalid cache point and try again."
            )
        elif used_tools and not model.cached_tools:
            yield (
                f"The model returned the following errors: Malformed input request: #/{place}/{n}: "
                "extraneous key [cachePoint] is not permitted, please reformat your input and try again."
            )


def _times(points: list[tuple[str, dict[str, Any]]], model: Features) -> Iterator[str]:
    times = [(place, point.get("ttl", "5m")) for place, point in points]
    if not model.cached_hour and any(time == "1h" for _, time in times):
        yield "This model doesn't support a cache point with the ttl 1h. Remove ttl and try again."
    for (_, earlier), (place, later) in pairwise(times):
        if SECONDS[later] > SECONDS[earlier]:
            yield (
                f"The model returned the following errors: {place.replace('/', '.')}.cache_control.ttl: "
                f"a ttl='{later}' cache_control block must not come after a ttl='{earlier}' cache_control block. "
                "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
            )
