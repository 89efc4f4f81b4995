"""The latest runs of an owner, without reading all of them."""

from desk.runs.repository import KIND, Run
from store.errors import Invalid
from store.records import iterate_records
from store.store import Store


async def recent_results(store: Store, owner: str, count: int) -> list[Run]:
    """The latest completed runs, newest first."""
    page = await store.records.list(owner, KIND, label=("state", "completed"), limit=count, newest_first=True)
    return [Run.model_validate(record.document) for record in page.records]


async def recent_runs(store: Store, owner: str, count: int) -> list[Run]:
    """The latest runs, newest first."""
    page = await store.records.list(owner, KIND, limit=count, newest_first=True)
    return [Run.model_validate(record.document) for record in page.records]


async def results_named(store: Store, owner: str, text: str) -> list[Run]:
    """Completed runs whose id starts with `text`."""
    if not text:
        return []
    try:
        documents = [record.document async for record in iterate_records(store.records, owner, KIND, prefix=text)]
    except Invalid:  # no id can start with it
        return []
    return [Run.model_validate(document) for document in documents if document["state"] == "completed"]
