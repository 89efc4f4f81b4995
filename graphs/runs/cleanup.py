"""What is done every day about old things, for all owners: the same from a command, a worker and a schedule.

Ledgers, archives and the audit log are never deleted, and what is on legal hold is left alone.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from langgraph.checkpoint.base import BaseCheckpointSaver
from pydantic import Field

from desk.base.owners import list_owners
from desk.compute.shards.repository import delete_unused_shards
from desk.runs.cached_answers import delete_cached_answers
from desk.runs.repository import KIND as RUN
from desk.runs.repository import Run, change_run
from desk.runs.states import STOPPED_STATES
from desk.wealth.repository import delete_expired_trajectories
from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.dependencies import Dependencies
from graphs.runs.archive import Kept, archive, obstacle
from graphs.runs.archive_file import Damaged, belongings, packed
from graphs.runs.leases import Held, is_leased, leased
from quant.numeric.frozen import Frozen
from store.errors import Conflict, Corrupted
from store.keys import SYSTEM
from store.records import Key, iterate_records

KIND = "cleanup"
LAST = Key(SYSTEM, KIND, "last")
ARCHIVED_AFTER = timedelta(days=30)
"""Of its end, or of the day on which it was brought back."""
CHECKPOINTS_KEPT = timedelta(days=90)
"""From the end of the run on; one that failed goes on from them."""
EVERY = timedelta(hours=24)


class ArchivedRun(Frozen):
    owner: str
    run: str
    bytes: int = Field(description="Of its archive")


class KeptRun(Frozen):
    owner: str
    run: str
    reason: str


class Forgotten(Frozen):
    owner: str
    run: str


class Report(Frozen):
    """What a cleanup did, or would do."""

    at: datetime
    dry_run: bool
    owners: int
    archived: tuple[ArchivedRun, ...]
    kept: tuple[KeptRun, ...] = Field(description="Old enough to be archived, and why they are not")
    checkpoints: tuple[Forgotten, ...] = Field(description="Runs whose checkpoints were deleted")
    bytes: int = Field(description="Of the archives that were made")
    derived: int = Field(description="Kept answers that were older than a day")
    trajectories: int = Field(description="Files of simulations that had expired")
    shards: int = Field(description="Pieces of computations that no search of the last 30 days used")
    expired: int | None = Field(description="Records that had expired; null in a dry run, which does not count them")


async def clean_up(dependencies: Dependencies, now: datetime, *, dry_run: bool = False) -> Report:
    """It may be cut off at any time; the next one goes on."""
    archived: list[ArchivedRun] = []
    kept: list[KeptRun] = []
    forgotten: list[Forgotten] = []
    derived = trajectories = 0
    everybody = await list_owners(dependencies.store)
    for owner in everybody:
        runs = [
            Run.model_validate(record.document)
            async for record in iterate_records(dependencies.store.records, owner, RUN)
        ]
        for run in runs:
            if _is_due(run, now):
                match await _archived(dependencies, run, dry_run=dry_run):
                    case ArchivedRun() as done:
                        archived.append(done)
                    case KeptRun() as stays:
                        kept.append(stays)
        forgotten += await _forget_checkpoints(dependencies, runs, now, dry_run=dry_run)
        derived += await delete_cached_answers(dependencies.store, owner, now, dry_run=dry_run)
        trajectories += await delete_expired_trajectories(dependencies.store, owner, now, dry_run=dry_run)
    return Report(
        at=now,
        dry_run=dry_run,
        owners=len(everybody),
        archived=tuple(archived),
        kept=tuple(kept),
        checkpoints=tuple(forgotten),
        bytes=sum(run.bytes for run in archived),
        derived=derived,
        trajectories=trajectories,
        shards=await delete_unused_shards(dependencies.store, now, dry_run=dry_run),
        expired=None if dry_run else await dependencies.store.records.sweep(),
    )


async def daily(dependencies: Dependencies) -> Report | None:
    """A cleanup, unless there was one within the last day or another process is at it."""
    if not await _is_time(dependencies):
        return None
    try:
        async with leased(dependencies.store, SYSTEM, KIND, now=dependencies.now):
            if not await _is_time(dependencies):
                return None
            now = dependencies.now()
            report = await clean_up(dependencies, now)
            await dependencies.store.records.put(LAST, {"at": now.isoformat()})
            return report
    except Held:
        return None


async def _is_time(dependencies: Dependencies) -> bool:
    last = await dependencies.store.records.get(LAST)
    return last is None or datetime.fromisoformat(last.document["at"]) <= dependencies.now() - EVERY


def _is_due(run: Run, now: datetime) -> bool:
    if run.archived is not None:
        return not run.archived.emptied  # whoever archived it was cut off
    return max(run.updated_at, run.restored_at or run.updated_at) <= now - ARCHIVED_AFTER


async def _archived(dependencies: Dependencies, run: Run, *, dry_run: bool) -> ArchivedRun | KeptRun:
    try:
        if (reason := await obstacle(dependencies.store, run)) is not None:
            return KeptRun(owner=run.owner, run=run.id, reason=reason)
        size = await _size(dependencies, run) if dry_run else (await archive(dependencies, run.owner, run.id)).bytes
    except Kept as error:
        return KeptRun(owner=run.owner, run=run.id, reason=error.reason)
    except Held:
        return KeptRun(owner=run.owner, run=run.id, reason="another process is at it")
    except Conflict:
        return KeptRun(owner=run.owner, run=run.id, reason="it was changed meanwhile")
    except (Damaged, Corrupted) as error:
        return KeptRun(owner=run.owner, run=run.id, reason=str(error))
    return ArchivedRun(owner=run.owner, run=run.id, bytes=size)


async def _size(dependencies: Dependencies, run: Run) -> int:
    """Of the archive that a run would become."""
    if await is_leased(dependencies.store, run.owner, run.id, now=dependencies.now):
        raise Held(run.id)
    if run.archived is not None:
        return run.archived.bytes
    return len(packed(run, await belongings(dependencies.store, run.owner, run.id)))


async def _forget_checkpoints(
    dependencies: Dependencies, runs: Sequence[Run], now: datetime, *, dry_run: bool
) -> list[Forgotten]:
    """Of runs that ended so long ago that nobody will go on with them."""
    due = [
        run
        for run in runs
        if run.state in STOPPED_STATES
        and run.held is None
        and run.updated_at <= now - CHECKPOINTS_KEPT
        and (run.forgotten_at is None or run.forgotten_at < run.updated_at)
    ]
    if not due or dry_run:
        return [Forgotten(owner=run.owner, run=run.id) for run in due]
    async with open_checkpoints(dependencies.checkpoints) as checkpoints:
        return [
            Forgotten(owner=run.owner, run=run.id)
            for run in due
            if await _forgotten(dependencies, checkpoints, run, now)
        ]


async def _forgotten(
    dependencies: Dependencies, checkpoints: BaseCheckpointSaver[str], run: Run, now: datetime
) -> bool:
    def noted(found: Run) -> Run:
        return found.model_copy(update={"forgotten_at": now})

    try:
        async with leased(dependencies.store, run.owner, run.id, now=dependencies.now):
            await checkpoints.adelete_thread(run.thread)
            await change_run(dependencies.store, run.owner, run.id, noted, archived=True)
    except Held:
        return False
    return True
