"""Records of the reproductions of a completed run."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from quant.numeric.frozen import Frozen
from store.records import Key, iterate_records
from store.store import Store

KIND = "reproduction"


class Reproduction(Frozen):
    id: str
    job: str
    state: Literal["queued", "running", "done", "failed"]
    asked_at: datetime
    """Time of the request."""
    ended_at: datetime | None = None
    """Time of the end; null before."""
    stored_digest: str = Field(description="Digest of the stored result")
    reproduced_digest: str | None = Field(default=None, description="Digest of the reproduced result")
    same: bool | None = Field(default=None, description="Whether the two are equal; null until it has ended")
    same_code: bool | None = Field(default=None, description="Whether the numeric core has the run's version")
    error: str | None = None
    """Why it failed; null otherwise."""


async def reproductions(store: Store, owner: str, run_id: str) -> list[Reproduction]:
    """The reproductions of the job, newest first."""
    items = [
        Reproduction.model_validate(record.document)
        async for record in iterate_records(store.records, owner, KIND, prefix=f"{run_id}.")
    ]
    return sorted(items, key=lambda one: (one.asked_at, one.id), reverse=True)


async def save(store: Store, owner: str, reproduction: Reproduction) -> None:
    await store.records.put(key(owner, reproduction.job, reproduction.id), reproduction.model_dump(mode="json"))


def key(owner: str, run_id: str, reproduction_id: str) -> Key:
    return Key(owner, KIND, f"{run_id}.{reproduction_id}")
