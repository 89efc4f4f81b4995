"""Versions of objects as entity tags (RFC 9110, sections 8.8.3 and 13.1)."""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from fastapi import Header, Response

from api.http.response_headers import TAG_HEADER, HeaderObjects

IfNoneMatch: TypeAlias = Annotated[
    str | None, Header(description="Return 304 if the ETag has not changed", examples=['"3"'])
]


def not_modified(headers: HeaderObjects | None = None) -> dict[int | str, dict[str, Any]]:
    """The response to `If-None-Match` in the OpenAPI document, with these headers beside the tag."""
    return {304: {"description": "The content matches If-None-Match", "headers": TAG_HEADER | (headers or {})}}


_TAG = re.compile(r'(W/)?"([^"]*)"')


def etag(version: int | str) -> str:
    return f'"{version}"'


def expected_versions(if_match: str | None) -> frozenset[int] | None:
    """The versions that `If-Match` allows to change; None for any, and for `*`."""
    if if_match is None or if_match.strip() == "*":
        return None
    strong = (tag for weak, tag in _TAG.findall(if_match) if not weak)
    return frozenset(int(tag) for tag in strong if tag.isascii() and tag.isdecimal() and len(tag) < 19)


def matches(if_none_match: str | None, current: str) -> bool:
    """Whether the client has the content with the tag `current`."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or current in {f'"{tag}"' for _, tag in _TAG.findall(if_none_match)}


def etag_response(
    content: bytes,
    if_none_match: str | None,
    *,
    media_type: str = "application/json",
    digest: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The content with its SHA-256 as ETag, or 304 if the client has it; `digest` saves computing it."""
    all_headers = {"ETag": etag(digest or hashlib.sha256(content).hexdigest()), "Cache-Control": "private, no-cache"}
    all_headers |= headers or {}
    if matches(if_none_match, all_headers["ETag"]):
        return Response(status_code=304, headers=all_headers)
    return Response(content, media_type=media_type, headers=all_headers)
