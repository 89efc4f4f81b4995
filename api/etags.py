"""Versions of objects as entity tags (RFC 9110, sections 8.8.3 and 13.1)."""

import re

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
