"""Reproduces a completed run from its manifest, without any model, and compares the digests."""

import tempfile
import uuid
from datetime import timedelta
from functools import partial
from pathlib import Path

from desk.base.errors import UserError
from desk.optimization.inputs.owned_market import load_owned_market
from desk.optimization.repositories.ledger import earlier_trials, load_ledger
from desk.optimization.repositories.result_repository import load_result
from desk.optimization.repositories.trial_repository import copy_series
from desk.optimization.result import Counts, OptimizationResult
from desk.optimization.stopping import SearchStop
from desk.runs.repository import load_final_result, load_run
from graphs.dependencies import Dependencies
from graphs.jobs.job_queue import queue_of
from graphs.runs.creation import create_run
from graphs.runs.outcomes import load_completed
from graphs.runs.reproductions import Reproduction, key, reproductions, save
from store.embedded import open_store
from store.errors import Unavailable

ATTEMPTS = 3
UNSENT_AFTER = timedelta(minutes=1)
"""Seconds after which a repeated request sends the message again, in case the first process died before sending it."""


async def request_reproduction(dependencies: Dependencies, owner: str, run_id: str) -> Reproduction:
    """Queue a reproduction; returns the existing one if it has not ended."""
    outcome = await load_completed(dependencies.store, owner, run_id)
    for earlier in await reproductions(dependencies.store, owner, run_id):
        if earlier.ended_at is None:
            if earlier.state == "queued" and earlier.asked_at < dependencies.now() - UNSENT_AFTER:
                await _send(dependencies, owner, earlier)
            return earlier
    assert outcome.run.result_digest is not None
    reproduction = Reproduction(
        id=uuid.uuid4().hex,
        job=run_id,
        state="queued",
        asked_at=dependencies.now(),
        stored_digest=outcome.run.result_digest,
    )
    await save(dependencies.store, owner, reproduction)
    try:
        await _send(dependencies, owner, reproduction)
    except Unavailable:
        await dependencies.store.records.delete(key(owner, run_id, reproduction.id))
        raise
    return reproduction


async def carry_out_reproduction(
    dependencies: Dependencies, owner: str, run_id: str, reproduction_id: str, *, attempt: int = 1
) -> Reproduction:
    """Execute a reproduction message of the worker; a reproduction that has ended stays unchanged."""
    record = await dependencies.store.records.get(key(owner, run_id, reproduction_id))
    if record is None:
        raise UserError(f"reproduction: {reproduction_id!r} of run {run_id!r} does not exist; expected a requested one")
    reproduction = Reproduction.model_validate(record.document)
    if reproduction.ended_at is not None:
        return reproduction
    if attempt > ATTEMPTS:
        return await _end(
            dependencies, owner, reproduction, state="failed", error=f"{ATTEMPTS} workers did not survive it"
        )
    await save(dependencies.store, owner, reproduction.model_copy(update={"state": "running"}))
    stored_result = await load_final_result(dependencies.store, owner, run_id)
    assert stored_result is not None
    try:
        new_result = await reproduce(dependencies, owner, run_id)
    except UserError as error:
        return await _end(dependencies, owner, reproduction, state="failed", error=str(error))
    return await _end(
        dependencies,
        owner,
        reproduction,
        state="done",
        reproduced_digest=new_result.digest(),
        same=new_result.digest() == reproduction.stored_digest,
        same_code=new_result.manifest.code_version == stored_result.manifest.code_version,
    )


async def _send(dependencies: Dependencies, owner: str, reproduction: Reproduction) -> None:
    await queue_of(dependencies).send({"owner": owner, "job": reproduction.job, "reproduction": reproduction.id})


async def _end(dependencies: Dependencies, owner: str, reproduction: Reproduction, **changes: object) -> Reproduction:
    ended_reproduction = reproduction.model_copy(update={"ended_at": dependencies.now(), **changes})
    await save(dependencies.store, owner, ended_reproduction)
    return ended_reproduction


async def reproduce(dependencies: Dependencies, owner: str, run_id: str) -> OptimizationResult:
    """Execute the manifest again in a temporary store, with its recorded decisions and no model."""
    # lazy, because both import the numeric stack, which requests do not need
    from desk.compute.local import LocalRunner
    from graphs.jobs.execution import execute

    run = await load_run(dependencies.store, owner, run_id)
    earlier = await load_final_result(dependencies.store, owner, run_id)
    if earlier is None:
        raise UserError(f"run: {run_id!r} has no result yet; expected a completed run")
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(Path(folder)) as store:
            isolated = Dependencies(
                store=store,
                prices=dependencies.prices_of(owner),
                jobs=LocalRunner(store, partial(load_owned_market, store, dependencies.prices_of(owner))),
                models=dependencies.models,
                checkpoints=Path(folder) / "checkpoints.sqlite",
                thresholds=None,
                now=dependencies.now,
            )
            address = earlier.manifest.ledger.address if earlier.manifest.ledger else run.ledger
            ledger = await load_ledger(dependencies.store, owner, address)
            series = earlier_trials(ledger, earlier.manifest.request.mandate, ()).series
            await copy_series(dependencies.store, store, owner, series)
            new_run_id = await create_run(isolated, owner, earlier.manifest.request, ledger=ledger)
            decisions, stop = earlier.manifest.decisions, _stop(earlier.counts)
            async for _ in execute(isolated, owner, new_run_id, decisions=decisions, stop=stop):
                pass
            return await load_result(store, owner, new_run_id, "final")


def _stop(counts: Counts) -> SearchStop | None:
    """Where a budget of time or money ended the search; any other end follows from the request and the decisions."""
    if counts.stopped not in ("time", "dollars"):
        return None
    return SearchStop(reason=counts.stopped, trials=counts.trials + counts.failed)
