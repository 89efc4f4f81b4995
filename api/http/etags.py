"""Versions of objects as entity tags (RFC 9110, sections 8.8.3 and 13.1)."""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from fastapi import Header, Response

IfNoneMatch: TypeAlias = Annotated[
    str | None, Header(description="Answer 304 where the ETag is still this one", examples=['"3"'])
]
TAGGED = {"ETag": {"description": "SHA-256 of the answer", "schema": {"type": "string"}}}
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "If-None-Match names what stands"}}

_TAG = re.compile(r'(W/)?"([^"]*)"')


def etag(version: int | str) -> str:
    return f'"{version}"'


def expected_versions(if_match: str | None) -> frozenset[int] | None:
    """The versions that `If-Match` lets be changed; None for any, and for `*`."""
    if if_match is None or if_match.strip() == "*":
        return None
    strong = (tag for weak, tag in _TAG.findall(if_match) if not weak)
    return frozenset(int(tag) for tag in strong if tag.isascii() and tag.isdecimal() and len(tag) < 19)


def is_known(if_none_match: str | None, current: str) -> bool:
    """Whether the client says that it has what `current` tags."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or current in {f'"{tag}"' for _, tag in _TAG.findall(if_none_match)}


def tagged(
    content: bytes,
    if_none_match: str | None,
    *,
    media_type: str = "application/json",
    digest: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The content under its SHA-256, which may be known already; 304 for a client that has it."""
    said = {"ETag": etag(digest or hashlib.sha256(content).hexdigest()), "Cache-Control": "private, no-cache"}
    said |= headers or {}
    if is_known(if_none_match, said["ETag"]):
        return Response(status_code=304, headers=said)
    return Response(content, media_type=media_type, headers=said)
