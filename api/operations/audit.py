"""Audit entries of one action: one before it starts, one with its outcome."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

from api.settings import read_settings
from desk.base.clock import utc_now
from desk.governance.audit_anchors import anchor_chains
from desk.governance.audit_entries import MAX_OBJECT_LENGTH, Entry
from desk.governance.audit_log import AuditLog
from desk.governance.principals import Principal
from store.errors import StoreError

if TYPE_CHECKING:
    from store.store import Store

OUTCOME_TIMEOUT = 5.0
"""Seconds that an action waits for its outcome to be written."""
FAILED = "failed"


@dataclass(frozen=True)
class AuditRecord:
    """The entry of an action that has started."""

    log: AuditLog
    entry: Entry
    place: str

    async def finish(self, outcome: str, object_: str = "") -> None:
        """Append the outcome. Does not raise when the log cannot be written: logs a critical line instead."""
        changes = {"at": utc_now(), "begun": self.place, "outcome": outcome, "object": object_ or self.entry.object}
        entry = Entry(**self.entry.model_dump(exclude={"id"}) | changes)
        try:
            async with asyncio.timeout(OUTCOME_TIMEOUT):
                await self.log.append(entry)
        except (StoreError, TimeoutError) as error:
            logger: Any = structlog.get_logger()
            logger.critical("audit_outcome_lost", entry=self.place, outcome=outcome, reason=str(error))


async def start_record(log: AuditLog, entry: Entry) -> AuditRecord:
    """Append the entry before the action starts; the action must not start when this raises."""
    return AuditRecord(log, entry, await log.append(entry))


@asynccontextmanager
async def audited_command(store: "Store", principal: Principal, action: str, object_: str) -> AsyncGenerator[None]:
    """Audit the action of a command or a file import, such as `keys.create` of `keys/3f6c`."""
    entry = Entry(
        at=utc_now(),
        owner=principal.owner,
        via=principal.via,
        roles=principal.roles,
        action=action,
        object=object_[:MAX_OBJECT_LENGTH],
        request=uuid4().hex,
        address="",
    )
    key = read_settings().audit_key
    record = await start_record(AuditLog(store, key), entry)
    outcome = FAILED
    try:
        yield
        outcome = "done"
    finally:
        await record.finish(outcome)
        await anchor_log(store, key)


async def anchor_log(store: "Store", key: str) -> None:
    """Anchor the chains that have grown; a failure is logged, and the next anchor includes them."""
    try:
        await anchor_chains(store, key, utc_now())
    except StoreError as error:
        logger: Any = structlog.get_logger()
        logger.warning("audit_not_anchored", reason=str(error))
