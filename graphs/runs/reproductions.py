"""Reproducing a finished job: its manifest is run again without any model, and the digests are compared."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from desk.base.errors import UserError
from quant.numeric.frozen import Frozen
from store.errors import Unavailable
from store.records import Key, iterate_records

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies
    from store.store import Store

KIND = "reproduction"
ATTEMPTS = 3
UNSENT_AFTER = timedelta(minutes=1)
"""Who asks again after it sends the message again, in case the process that asked died before it did."""


class Reproduction(Frozen):
    id: str
    job: str
    state: Literal["queued", "running", "done", "failed"]
    asked_at: datetime
    ended_at: datetime | None = None
    stored_digest: str = Field(description="Of the result as it is stored")
    reproduced_digest: str | None = Field(default=None, description="Of the result that came out now")
    same: bool | None = Field(default=None, description="Whether the two are equal; null until it has ended")
    same_code: bool | None = Field(default=None, description="Whether the numeric core is still that of then")
    error: str | None = None


async def ask(dependencies: "Dependencies", owner: str, run_id: str) -> Reproduction:
    """Put it into the queue; one that has not ended is answered again instead."""
    from graphs.runs.outcomes import completed

    found = await completed(dependencies.store, owner, run_id)
    for earlier in await reproductions(dependencies.store, owner, run_id):
        if earlier.ended_at is None:
            if earlier.state == "queued" and earlier.asked_at < dependencies.now() - UNSENT_AFTER:
                await _send(dependencies, owner, earlier)
            return earlier
    assert found.run.result_digest is not None
    asked = Reproduction(
        id=uuid.uuid4().hex,
        job=run_id,
        state="queued",
        asked_at=dependencies.now(),
        stored_digest=found.run.result_digest,
    )
    await _put(dependencies.store, owner, asked)
    try:
        await _send(dependencies, owner, asked)
    except Unavailable:
        await dependencies.store.records.delete(_key(owner, run_id, asked.id))
        raise
    return asked


async def reproductions(store: "Store", owner: str, run_id: str) -> list[Reproduction]:
    """Those of the job, the newest first."""
    found = [
        Reproduction.model_validate(record.document)
        async for record in iterate_records(store.records, owner, KIND, prefix=f"{run_id}.")
    ]
    return sorted(found, key=lambda one: (one.asked_at, one.id), reverse=True)


async def carry_out(
    dependencies: "Dependencies", owner: str, run_id: str, reproduction_id: str, *, attempt: int = 1
) -> Reproduction:
    """What a worker does with the message; one that has ended is left as it is."""
    from graphs.runs.execution import reproduce
    from graphs.runs.repository import result_of

    record = await dependencies.store.records.get(_key(owner, run_id, reproduction_id))
    if record is None:
        raise UserError(f"reproduction: there is no {reproduction_id!r} of {run_id!r}; expected one that was asked for")
    one = Reproduction.model_validate(record.document)
    if one.ended_at is not None:
        return one
    if attempt > ATTEMPTS:
        return await _end(dependencies, owner, one, state="failed", error=f"{ATTEMPTS} workers did not survive it")
    await _put(dependencies.store, owner, one.model_copy(update={"state": "running"}))
    then = await result_of(dependencies.store, owner, run_id)
    assert then is not None
    try:
        now = await reproduce(dependencies, owner, run_id)
    except UserError as error:
        return await _end(dependencies, owner, one, state="failed", error=str(error))
    return await _end(
        dependencies,
        owner,
        one,
        state="done",
        reproduced_digest=now.digest(),
        same=now.digest() == one.stored_digest,
        same_code=now.manifest.code_version == then.manifest.code_version,
    )


async def _send(dependencies: "Dependencies", owner: str, asked: Reproduction) -> None:
    from graphs.jobs.jobs import queue_of

    await queue_of(dependencies).send({"owner": owner, "job": asked.job, "reproduction": asked.id})


async def _end(dependencies: "Dependencies", owner: str, one: Reproduction, **said: object) -> Reproduction:
    ended = one.model_copy(update={"ended_at": dependencies.now(), **said})
    await _put(dependencies.store, owner, ended)
    return ended


async def _put(store: "Store", owner: str, one: Reproduction) -> None:
    await store.records.put(_key(owner, one.job, one.id), one.model_dump(mode="json"))


def _key(owner: str, run_id: str, reproduction_id: str) -> Key:
    return Key(owner, KIND, f"{run_id}.{reproduction_id}")
