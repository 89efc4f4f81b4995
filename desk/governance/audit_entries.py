"""Entries of the audit log: who did what, when and from where."""

import json
import secrets

from pydantic import AwareDatetime, Field

from desk.governance.roles import Role
from quant.numeric.frozen import Frozen

MAX_OBJECT_LENGTH = 500


class Entry(Frozen):
    """One entry precedes an action, so that none is unlogged; a second one holds its outcome."""

    id: str = Field(default_factory=lambda: secrets.token_hex(8), description="Unique id of the entry")
    at: AwareDatetime
    owner: str = Field(description="Who acted")
    via: str = Field(description="How the user was authenticated: local, key:<id> or token:<client id>")
    roles: tuple[Role, ...] = Field(description="Roles at that time")
    action: str = Field(
        description="Method and route, or the name of a command", examples=["POST /api/jobs/{job_id}/approval"]
    )
    object: str = Field(
        max_length=MAX_OBJECT_LENGTH, description="What was acted on", examples=["jobs/9f0c9c2b/approval"]
    )
    request: str = Field(description="Request id, as in X-Request-Id")
    address: str = Field(description="Client address; empty for a local command")
    begun: str | int | None = Field(
        default=None,
        description="Place of the entry before the action; null in that entry, a number in old entries",
    )
    outcome: str | None = Field(
        default=None, description="HTTP status or exit state; null in the entry that precedes the action"
    )


class LogEntry(Entry):
    place: str = Field(
        description="Place in the log, by which entries are ordered; the cursor of the entries after it",
        examples=["1795459255896736.1f3a9c0b.2"],
    )
    chain: str = Field(
        description="The chain of hashes that it belongs to; empty for entries from before there were several",
        examples=["20261123.1f3a9c0b"],
    )
    number: int = Field(ge=1, description="1, 2, 3, ... without gaps within its chain")
    hash: str = Field(description="Hash over the previous hash, the place and the content of the entry")


def canonical_text(entry: Entry) -> str:
    """Return the canonical JSON that is stored and hashed."""
    return json.dumps(entry.model_dump(mode="json", exclude_none=True), sort_keys=True, separators=(",", ":"))


def entry_time(text: str) -> str | None:
    """The time that a stored entry or anchor states; None if it is malformed."""
    try:
        at = json.loads(text)["at"]
    except (ValueError, LookupError, TypeError):
        return None
    return at if isinstance(at, str) else None
