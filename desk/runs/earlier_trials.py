"""Collects the configurations that were tried on the same prices: by runs, pipelines and evaluations."""

from desk.optimization.repositories.ledger import (
    Entries,
    add_entries,
    evaluation_entries,
    load_ledger,
    pipeline_entries,
    run_entries,
)
from desk.runs.repository import KIND, Run, load_run_record
from store.records import iterate_records
from store.store import Store


async def earlier_entries(store: Store, scope: str, prices_digest: str) -> Entries:
    """All configurations that were tried so far on the prices with this digest, those of unfinished runs included."""
    entries = await pipeline_entries(store, scope, prices_digest)
    add_entries(entries, await evaluation_entries(store, scope, prices_digest))
    for label in ("content", "about"):
        async for record in iterate_records(store.records, scope, KIND, label=(label, prices_digest)):
            run = Run.model_validate(record.document)
            if label == "content" or run.prices_digest is None:  # a record of an earlier version has one label
                add_entries(entries, await entries_of_run(store, run))
    return entries


async def entries_of_run(store: Store, run: Run) -> Entries:
    """The ledger entries of the run, archived or not."""
    if run.archived is None:
        entries = await run_entries(store, run.owner, run.id, run.request.mandate)
        record = await load_run_record(store, run.owner, run.id, archived=True)
        run = Run.model_validate(record.document)  # its trials may have been archived during the read
        if run.archived is None:
            return entries
    return await load_ledger(store, run.owner, run.archived.tried)
