"""Syntax of keys: owners, kinds, ids, labels and blob paths; every adapter accepts the same."""

import re
from dataclasses import dataclass

from store.errors import Invalid

OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+=-]{0,99}")
KIND = re.compile(r"[a-z][a-z0-9_-]{0,49}")
MAX_ID_BYTES = 512  # a DynamoDB sort key is limited to 1024 bytes, and an adapter adds its own prefix
MAX_BLOB_KEY = 512  # S3 allows 1024
LARGEST = 2**63 - 1
ABOVE_EVERY_ID = "\U0010ffff"  # the greatest character in UTF-8; not printable, so no id contains it
LABELS = ("state", "about", "content")
SYSTEM = "_desk"
"""Owner of the application's own records; no user name begins with `_`."""
AUDIT_KIND = re.compile(r"audit([_-].*)?")
SEPARATORS = frozenset("#/\\")  # adapters join parts with `#` or `/`


@dataclass(frozen=True, slots=True)
class Key:
    """Identifies one record; every stored key begins with the owner."""

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
            f"`owner` is {_shorten(owner)}; allowed are 1 to 100 letters a-z, A-Z, digits and "
            "_ . @ + = -, the first a letter, digit or _"
        )


def check_kind(kind: str) -> None:
    if not KIND.fullmatch(kind):
        raise Invalid(f"`kind` is {_shorten(kind)}; allowed are 1 to 50 of a-z, digits, _ and -, the first a letter")


def is_audit_kind(kind: str) -> bool:
    """Whether records of the kind belong to the audit log; they have no labels and are listed by id only."""
    return AUDIT_KIND.fullmatch(kind) is not None


def check_id(field: str, value: str) -> None:
    if not value or not value.isprintable() or SEPARATORS & set(value):
        raise Invalid(
            f"`{field}` is {_shorten(value)}; allowed are printable characters other than # / \\, at least one"
        )
    if (size := len(value.encode())) > MAX_ID_BYTES:
        raise Invalid(f"`{field}` is {_shorten(value)}, {size} bytes in UTF-8; allowed are {MAX_ID_BYTES}")


def check_prefix(prefix: str) -> None:
    if prefix:
        check_id("prefix", prefix)


def check_label(name: str, value: str) -> None:
    if name not in LABELS:
        raise Invalid(f"a label is named {_shorten(name)}; allowed are {', '.join(LABELS)}")
    check_id(f"label {name}", value)


def check_log(owner: str, run_id: str) -> None:
    check_owner(owner)
    check_id("run_id", run_id)


def check_blob_key(key: str) -> None:
    parts = key.split("/")
    if len(parts) < 2 or not all(OWNER.fullmatch(part) for part in parts):
        raise Invalid(
            f"blob `key` is {_shorten(key)}; allowed is owner/name with any number of further "
            "parts, each 1 to 100 letters a-z, A-Z, digits and _ . @ + = -, the first a letter, "
            "digit or _"
        )
    if len(key) > MAX_BLOB_KEY:
        raise Invalid(f"blob `key` is {_shorten(key)}, {len(key)} characters; allowed are {MAX_BLOB_KEY}")


def check_range(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise Invalid(f"`{field}` is {value}; allowed is {low} to {high}")


def _shorten(value: str) -> str:
    return repr(value) if len(value) <= 80 else f"{value[:80]!r}... ({len(value)} characters)"
