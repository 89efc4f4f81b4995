"""What may stand in a key; one rule for every adapter, so that what one store takes all take."""

import re
from dataclasses import dataclass

from store.errors import Invalid

OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+=-]{0,99}")
KIND = re.compile(r"[a-z][a-z0-9_-]{0,49}")
MAX_ID_BYTES = 512  # a DynamoDB sort key holds 1024 bytes, and an adapter adds its own prefix
MAX_BLOB_KEY = 512  # S3 allows 1024
LARGEST = 2**63 - 1
ABOVE_EVERY_ID = "\U0010ffff"  # not printable, so no id holds it; the greatest in UTF-8
LABELS = ("state", "about", "content")
SYSTEM = "_desk"
"""Owns what no user does; no user has a name that begins with `_`."""
SEPARATORS = frozenset("#/\\")  # adapters join parts with `#` or `/`


@dataclass(frozen=True, slots=True)
class Key:
    """Names one record; the owner comes first in every store."""

    owner: str
    kind: str
    id: str

    def __post_init__(self) -> None:
        check_owner(self.owner)
        check_kind(self.kind)
        check_id("id", self.id)


def check_owner(owner: str) -> None:
    if not OWNER.fullmatch(owner):
        raise Invalid(
            f"`owner` is {_shown(owner)}; allowed are 1 to 100 letters a-z, A-Z, digits and "
            "_ . @ + = -, the first a letter, digit or _"
        )


def check_kind(kind: str) -> None:
    if not KIND.fullmatch(kind):
        raise Invalid(f"`kind` is {_shown(kind)}; allowed are 1 to 50 of a-z, digits, _ and -, the first a letter")


def check_id(field: str, value: str) -> None:
    if not value or not value.isprintable() or SEPARATORS & set(value):
        raise Invalid(f"`{field}` is {_shown(value)}; allowed are printable characters other than # / \\, at least one")
    if (size := len(value.encode())) > MAX_ID_BYTES:
        raise Invalid(f"`{field}` is {_shown(value)}, {size} bytes in UTF-8; allowed are {MAX_ID_BYTES}")


def check_prefix(prefix: str) -> None:
    if prefix:
        check_id("prefix", prefix)


def check_label(name: str, value: str) -> None:
    if name not in LABELS:
        raise Invalid(f"a label is named {_shown(name)}; allowed are {', '.join(LABELS)}")
    check_id(f"label {name}", value)


def check_log(owner: str, run_id: str) -> None:
    check_owner(owner)
    check_id("run_id", run_id)


def check_blob_key(key: str) -> None:
    parts = key.split("/")
    if len(parts) < 2 or not all(OWNER.fullmatch(part) for part in parts):
        raise Invalid(
            f"blob `key` is {_shown(key)}; allowed is owner/name with any number of further "
            "parts, each 1 to 100 letters a-z, A-Z, digits and _ . @ + = -, the first a letter, "
            "digit or _"
        )
    if len(key) > MAX_BLOB_KEY:
        raise Invalid(f"blob `key` is {_shown(key)}, {len(key)} characters; allowed are {MAX_BLOB_KEY}")


def check_range(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise Invalid(f"`{field}` is {value}; allowed is {low} to {high}")


def _shown(value: str) -> str:
    return repr(value) if len(value) <= 80 else f"{value[:80]!r}... ({len(value)} characters)"
