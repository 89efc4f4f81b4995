"""Damaged and foreign shard files, which must not be used."""

import json
from collections.abc import Callable

from desk.compute.shards.shards import decode, encode
from desk.optimization.jobs import Shard

MAGIC, OTHER = b"stratigos shard 2\n", b"stratigos shard 9\n"


def shard_of(content: bytes) -> Shard:
    return Shard.model_validate(json.loads(content.split(b"\n", 2)[1])["shard"])


def of_another(content: bytes, **changes: str) -> bytes:
    """A valid file of other data or other code."""
    shard = shard_of(content)
    return encode(shard.model_copy(update=changes), decode(shard, content))


SPOIL: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "wrong version": lambda content: content.replace(MAGIC, OTHER, 1),
    "wrong data": lambda content: of_another(content, data="0" * 64),
    "wrong code": lambda content: of_another(content, code="0" * 64),
}
