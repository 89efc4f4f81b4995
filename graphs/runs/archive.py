"""Archives old runs as files, each read back before its records are deleted, and restores them.

Every step can be repeated: an interruption leaves the run complete in one of the two places, and the next attempt
continues. In between, the run's record names the step, so that no other process reads or writes the run.
"""

import asyncio

from desk.base.errors import Conflicting
from desk.governance.approvals import load_approval
from desk.optimization.holdout import load_holdout
from desk.optimization.repositories.ledger import save_ledger
from desk.optimization.repositories.result_repository import result_key
from desk.optimization.repositories.trial_repository import archive_series, restore_series
from desk.runs.cached_answers import delete_cached_answers
from desk.runs.earlier_trials import entries_of_run
from desk.runs.repository import ArchiveReference, Hold, Run, change_run, load_run_record
from desk.runs.states import STOPPED_STATES
from graphs.dependencies import Dependencies
from graphs.runs.archive_file import STAGES, DamagedArchive, RunContents, load_contents, pack, sha256, unpack
from graphs.runs.leases import hold_lease
from graphs.runs.reproductions import reproductions
from store.errors import Missing
from store.records import Put, batches
from store.store import Store


class NotArchived(Conflicting):
    """The run is not archived."""

    code = "not_archived"


class NotHeld(Conflicting):
    """The run has no legal hold to release."""

    code = "not_held"


class NotArchivable(Conflicting):
    """The run cannot be archived now."""

    code = "kept"

    def __init__(self, run_id: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"run: {run_id!r} is not archived, since {reason}; archive it once that is over")


async def archive(dependencies: Dependencies, owner: str, run_id: str) -> ArchiveReference:
    """Archive the run; raises `LeaseHeld` while it is executed, and `NotArchivable` for other obstacles."""
    async with hold_lease(dependencies.store, owner, run_id, now=dependencies.now):
        run = await _load_run(dependencies.store, owner, run_id)
        if (reason := await obstacle(dependencies.store, run)) is not None:
            raise NotArchivable(run_id, reason)
        archived = run.archived or await _pack(dependencies, owner, run_id)
        return archived if archived.emptied else await _empty(dependencies, run, archived)


async def obstacle(store: Store, run: Run) -> str | None:
    """Why the run cannot be archived now, apart from a lease; None if it can."""
    if run.held is not None:
        return f"{run.held.by} holds it" + (f" ({run.held.reason})" if run.held.reason else "")
    if run.archived is not None:
        return None
    if run.state not in STOPPED_STATES:
        return f"it is {run.state}"
    approval = await load_approval(store, run.owner, run.id, "holdout")
    if approval is not None and approval.decided is None:
        return "a person has yet to decide whether its holdout is opened"
    if approval is not None and approval.granted and await load_holdout(store, run.owner, run.id) is None:
        return "its holdout is about to be opened"  # which takes a while, and writes into its log
    if any(one.ended_at is None for one in await reproductions(store, run.owner, run.id)):
        return "it is being reproduced"
    return None


async def restore(dependencies: Dependencies, owner: str, run_id: str) -> Run:
    """Restore the run from its archive; a changed file is rejected as a whole."""
    store = dependencies.store
    async with hold_lease(store, owner, run_id, now=dependencies.now):
        run = await _load_run(store, owner, run_id)
        if run.archived is None:
            raise NotArchived(f"run: {run_id!r} is not archived; expected an archived run")
        archived_contents = await _read_archive(store, run, run.archived)
        await _restore_contents(store, run, archived_contents)
        await restore_series(store, owner, archived_contents.series, run.archived.blob)
        if not (await load_contents(store, owner, run_id)).holds(archived_contents):
            raise DamagedArchive(run_id, "contradicts records that exist already")
        blob = run.archived.blob
        update = {"archived": None, "restored_at": dependencies.now()}
        run = await change_run(store, owner, run_id, lambda found: found.model_copy(update=update), archived=True)
        await store.blobs.delete(blob)
        return run


async def hold(dependencies: Dependencies, owner: str, run_id: str, *, by: str, reason: str) -> Run:
    """Protect the run from archiving and deletion until it is released; a later hold replaces an earlier one."""
    legal_hold = Hold(by=by, at=dependencies.now(), reason=reason)
    return await change_run(
        dependencies.store, owner, run_id, lambda run: run.model_copy(update={"held": legal_hold}), archived=True
    )


async def release(dependencies: Dependencies, owner: str, run_id: str) -> Run:
    def without_hold(run: Run) -> Run:
        if run.held is None:
            raise NotHeld(f"run: {run_id!r} has no legal hold; expected a run placed on hold with `python -m api hold`")
        return run.model_copy(update={"held": None})

    return await change_run(dependencies.store, owner, run_id, without_hold, archived=True)


async def _pack(dependencies: Dependencies, owner: str, run_id: str) -> ArchiveReference:
    """Write the file, read it back, and refer to it in the record of the run."""
    store = dependencies.store
    record = await load_run_record(store, owner, run_id)
    run = Run.model_validate(record.document)
    contents = await load_contents(store, owner, run_id)
    file = await asyncio.to_thread(pack, run, contents)
    digest = sha256(file)
    archived = ArchiveReference(
        at=dependencies.now(),
        blob=f"{owner}/archives/{run_id}/{digest}.zip",
        digest=digest,
        bytes=len(file),
        tried=await save_ledger(store, owner, await entries_of_run(store, run)),
    )
    await store.blobs.put(archived.blob, file)
    if not (await _read_archive(store, run, archived)).holds(contents):
        raise DamagedArchive(run_id, "does not read back as it was written")
    marked = run.model_copy(update={"archived": archived})
    await store.records.put_many([marked.put(record.version)])  # fails if the run was changed in between
    return archived


async def _empty(dependencies: Dependencies, run: Run, archived: ArchiveReference) -> ArchiveReference:
    """Delete what the file contains, after reading the file again; rejects a run that has more by now."""
    store, owner = dependencies.store, run.owner
    archived_contents = await _read_archive(store, run, archived)
    contents = await load_contents(store, owner, run.id)
    if not archived_contents.holds(contents):
        if contents.holds(archived_contents):  # otherwise some records are deleted already, and only the file has them
            await change_run(store, owner, run.id, lambda one: one.model_copy(update={"archived": None}), archived=True)
        raise NotArchivable(run.id, "something was added to it meanwhile")
    await archive_series(store, owner, archived_contents.series, archived.blob)
    for record in contents.records:
        await store.records.delete(record.key, expected=record.version)
    await store.events.delete(owner, run.id)
    for stage in STAGES:
        await store.blobs.delete(result_key(owner, run.id, stage))
    await delete_cached_answers(store, owner, dependencies.now(), run=run.id)
    emptied = archived.model_copy(update={"emptied": True})
    await change_run(store, owner, run.id, lambda one: one.model_copy(update={"archived": emptied}), archived=True)
    return emptied


async def _read_archive(store: Store, run: Run, archived: ArchiveReference) -> RunContents:
    try:
        file = await store.blobs.get(archived.blob)
    except Missing as error:
        raise DamagedArchive(run.id, "is missing") from error
    return await asyncio.to_thread(unpack, run, file, archived.digest)


async def _restore_contents(store: Store, run: Run, contents: RunContents) -> None:
    there = {record.key for record in (await load_contents(store, run.owner, run.id)).records}
    missing = [record for record in contents.records if record.key not in there]
    missing.sort(key=lambda record: record.document.get("number", 0))  # trials are read in the order of their creation
    for batch in batches(Put(record.key, record.document, 0) for record in missing):
        await store.records.put_many(batch)
    await store.events.append_many(run.owner, run.id, [(event.event_id, event.payload) for event in contents.events])
    for stage in STAGES:
        if stage in contents.results:
            await store.blobs.put(result_key(run.owner, run.id, stage), contents.results[stage])


async def _load_run(store: Store, owner: str, run_id: str) -> Run:
    return Run.model_validate((await load_run_record(store, owner, run_id, archived=True)).document)
