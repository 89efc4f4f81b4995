"""The daily cleanup of all owners' old data, run by a command, a worker or a schedule.

Ledgers, archives and the audit log are never deleted, nor anything on legal hold.
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
from graphs.runs.archive import NotArchivable, archive, obstacle
from graphs.runs.archive_file import DamagedArchive, load_contents, pack
from graphs.runs.leases import LeaseHeld, hold_lease, is_leased
from quant.numeric.frozen import Frozen
from store.errors import Conflict, Corrupted
from store.keys import SYSTEM
from store.records import Key, iterate_records

KIND = "cleanup"
LAST_CLEANUP = Key(SYSTEM, KIND, "last")
ARCHIVED_AFTER = timedelta(days=30)
"""Age since the end of the run, or since it was restored."""
CHECKPOINTS_KEPT = timedelta(days=90)
"""Age since the end of the run; a failed run can be resumed from its checkpoints."""
EVERY = timedelta(hours=24)


class ArchivedRun(Frozen):
    owner: str
    run: str
    bytes: int = Field(description="Size of its archive")


class SkippedRun(Frozen):
    owner: str
    run: str
    reason: str


class ForgottenCheckpoints(Frozen):
    owner: str
    run: str


class CleanupReport(Frozen):
    """What a cleanup did, or in a dry run would do."""

    at: datetime
    dry_run: bool
    owners: int
    archived: tuple[ArchivedRun, ...]
    kept: tuple[SkippedRun, ...] = Field(description="Old enough to be archived, and why they are not")
    checkpoints: tuple[ForgottenCheckpoints, ...] = Field(description="Runs whose checkpoints were deleted")
    bytes: int = Field(description="Total size of the new archives")
    derived: int = Field(description="Cached answers that were older than a day")
    trajectories: int = Field(description="Expired files of simulations")
    shards: int = Field(description="Pieces of computations that no search of the last 30 days used")
    expired: int | None = Field(description="Deleted expired records; null in a dry run, which does not count them")


async def clean_up(dependencies: Dependencies, now: datetime, *, dry_run: bool = False) -> CleanupReport:
    """Clean up once; an interrupted cleanup is completed by the next."""
    archived_runs: list[ArchivedRun] = []
    skipped_runs: list[SkippedRun] = []
    forgotten_checkpoints: list[ForgottenCheckpoints] = []
    derived = trajectories = 0
    owners = await list_owners(dependencies.store)
    for owner in owners:
        runs = [
            Run.model_validate(record.document)
            async for record in iterate_records(dependencies.store.records, owner, RUN)
        ]
        for run in runs:
            if _is_due(run, now):
                match await _archive(dependencies, run, dry_run=dry_run):
                    case ArchivedRun() as archived_run:
                        archived_runs.append(archived_run)
                    case SkippedRun() as skipped_run:
                        skipped_runs.append(skipped_run)
        forgotten_checkpoints += await _forget_checkpoints(dependencies, runs, now, dry_run=dry_run)
        derived += await delete_cached_answers(dependencies.store, owner, now, dry_run=dry_run)
        trajectories += await delete_expired_trajectories(dependencies.store, owner, now, dry_run=dry_run)
    return CleanupReport(
        at=now,
        dry_run=dry_run,
        owners=len(owners),
        archived=tuple(archived_runs),
        kept=tuple(skipped_runs),
        checkpoints=tuple(forgotten_checkpoints),
        bytes=sum(run.bytes for run in archived_runs),
        derived=derived,
        trajectories=trajectories,
        shards=await delete_unused_shards(dependencies.store, now, dry_run=dry_run),
        expired=None if dry_run else await dependencies.store.records.sweep(),
    )


async def clean_up_daily(dependencies: Dependencies) -> CleanupReport | None:
    """Clean up, unless a cleanup ran within the last day or another process runs one."""
    if not await _is_time(dependencies):
        return None
    try:
        async with hold_lease(dependencies.store, SYSTEM, KIND, now=dependencies.now):
            if not await _is_time(dependencies):
                return None
            now = dependencies.now()
            report = await clean_up(dependencies, now)
            await dependencies.store.records.put(LAST_CLEANUP, {"at": now.isoformat()})
            return report
    except LeaseHeld:
        return None


async def _is_time(dependencies: Dependencies) -> bool:
    last = await dependencies.store.records.get(LAST_CLEANUP)
    return last is None or datetime.fromisoformat(last.document["at"]) <= dependencies.now() - EVERY


def _is_due(run: Run, now: datetime) -> bool:
    if run.archived is not None:
        return not run.archived.emptied  # an interrupted archiving
    return max(run.updated_at, run.restored_at or run.updated_at) <= now - ARCHIVED_AFTER


async def _archive(dependencies: Dependencies, run: Run, *, dry_run: bool) -> ArchivedRun | SkippedRun:
    try:
        if (reason := await obstacle(dependencies.store, run)) is not None:
            return SkippedRun(owner=run.owner, run=run.id, reason=reason)
        size = (
            await _archive_size(dependencies, run)
            if dry_run
            else (await archive(dependencies, run.owner, run.id)).bytes
        )
    except NotArchivable as error:
        return SkippedRun(owner=run.owner, run=run.id, reason=error.reason)
    except LeaseHeld:
        return SkippedRun(owner=run.owner, run=run.id, reason="another process is at it")
    except Conflict:
        return SkippedRun(owner=run.owner, run=run.id, reason="it was changed meanwhile")
    except (DamagedArchive, Corrupted) as error:
        return SkippedRun(owner=run.owner, run=run.id, reason=str(error))
    return ArchivedRun(owner=run.owner, run=run.id, bytes=size)


async def _archive_size(dependencies: Dependencies, run: Run) -> int:
    """The size of the archive that the run would have."""
    if await is_leased(dependencies.store, run.owner, run.id, now=dependencies.now):
        raise LeaseHeld(run.id)
    if run.archived is not None:
        return run.archived.bytes
    return len(pack(run, await load_contents(dependencies.store, run.owner, run.id)))


async def _forget_checkpoints(
    dependencies: Dependencies, runs: Sequence[Run], now: datetime, *, dry_run: bool
) -> list[ForgottenCheckpoints]:
    """Delete the checkpoints of runs that ended too long ago to be resumed."""
    due = [
        run
        for run in runs
        if run.state in STOPPED_STATES
        and run.held is None
        and run.updated_at <= now - CHECKPOINTS_KEPT
        and (run.forgotten_at is None or run.forgotten_at < run.updated_at)
    ]
    if not due or dry_run:
        return [ForgottenCheckpoints(owner=run.owner, run=run.id) for run in due]
    async with open_checkpoints(dependencies.checkpoints) as checkpoints:
        return [
            ForgottenCheckpoints(owner=run.owner, run=run.id)
            for run in due
            if await _forget_thread(dependencies, checkpoints, run, now)
        ]


async def _forget_thread(
    dependencies: Dependencies, checkpoints: BaseCheckpointSaver[str], run: Run, now: datetime
) -> bool:
    def mark_forgotten(run: Run) -> Run:
        return run.model_copy(update={"forgotten_at": now})

    try:
        async with hold_lease(dependencies.store, run.owner, run.id, now=dependencies.now):
            await checkpoints.adelete_thread(run.thread)
            await change_run(dependencies.store, run.owner, run.id, mark_forgotten, archived=True)
    except LeaseHeld:
        return False
    return True
