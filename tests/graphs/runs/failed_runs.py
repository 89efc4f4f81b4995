"""Failed runs with records, events and blobs."""

import json
from datetime import UTC, datetime

from desk.optimization.repositories.result_repository import result_key
from desk.runs.repository import Run
from graphs.dependencies import Dependencies
from graphs.runs.archive_file import load_contents
from store.records import Key, iterate_records
from store.store import Store
from tests.graphs.dependencies import OWNER

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


async def create_failed_run(dependencies: Dependencies, template: Run, run_id: str) -> str:
    """Create a failed run with records, events and blobs."""
    run = template.model_copy(update={"id": run_id, "created_at": dependencies.now(), "history": ()})
    await dependencies.store.records.put_many(
        [run.with_state("failed", at=dependencies.now(), by=OWNER, reason="made so").put(0)]
    )
    records = [("trial", f"{n:064x}", {"number": 3 - n, "of": run_id, "series": "0" * 64}) for n in range(3)]
    records += [("decision", "optimizer.0", {"decision": 1}), ("usage", "explainer", {"dollars": 0.1})]
    for kind, name, document in records:
        await dependencies.store.records.put(Key(OWNER, kind, f"{run_id}.{name}"), document)
    await dependencies.store.records.put(Key(OWNER, "holdout", run_id), {"figures": [0.5]})
    await dependencies.store.events.append_many(OWNER, run_id, [(f"e{n}", {"n": n, "t": "é\ud800"}) for n in range(5)])
    for stage in ("judged", "final"):
        await dependencies.store.blobs.put(result_key(OWNER, run_id, stage), json.dumps([run_id, stage]).encode())
    return run_id


async def content_of(store: Store, run_id: str) -> tuple[object, ...]:
    """All records of the run, and its trials in the order of their creation."""
    contents = await load_contents(store, OWNER, run_id)
    trials = iterate_records(store.records, OWNER, "trial", prefix=f"{run_id}.", newest_first=True)
    order = [record.document["number"] async for record in trials if record.key.id.startswith(run_id)]
    return (
        {record.key: record.document for record in contents.records},
        contents.events,
        contents.results,
        sorted(order),
    )
