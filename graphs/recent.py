"""The latest runs of a person, found without reading all of them."""

from graphs.runs import KIND
from store.store import Store

PAGE = 50


async def recent_results(store: Store, owner: str, count: int) -> list[str]:
    """Ids of the latest completed runs, newest first."""
    found: list[str] = []
    after = None
    while True:
        page = await store.records.list(owner, KIND, after=after, limit=PAGE, newest_first=True)
        found += [record.key.id for record in page.records if record.document["state"] == "completed"]
        after = page.after
        if after is None or len(found) >= count:
            return found[:count]
