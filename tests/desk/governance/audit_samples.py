"""Entries and logs for the tests of the audit log."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

from desk.governance.audit_entries import Entry, canonical_text
from store.keys import SYSTEM
from store.records import Key
from store.store import Store


def entry(number: int = 0, **changes: Any) -> Entry:
    defaults = {
        "at": datetime(2026, 3, 2, 10, 0, number % 60, tzinfo=UTC),
        "owner": "ann",
        "via": "local",
        "roles": ("analyst",),
        "action": "DELETE /api/threads/{thread}",
        "object": f"threads/{number} é",
        "request": f"r{number}",
        "address": "127.0.0.1",
    }
    return Entry(**defaults | changes)


async def write_single_chain(store: Store, count: int, *, key: str = "", previous: str = "", first: int = 1) -> str:
    """Append what versions with one chain wrote: an event per entry, whose id is its hash, and a head record."""
    for number in range(first, first + count):
        text = canonical_text(entry(number - 1))
        content = f"stratigos audit 1\n{number}\n{previous}\n{text}".encode()
        previous = (hmac.new(key.encode(), content, "sha256") if key else hashlib.sha256(content)).hexdigest()
        await store.events.append(SYSTEM, "audit", previous, {"entry": text})
    await store.records.put(Key(SYSTEM, "audit", "head"), {"number": first + count - 1, "hash": previous})
    return previous
