"""Register of owners with data to clean up, so that a cleanup need not scan the whole store."""

from contextlib import suppress

from store.errors import Conflict
from store.keys import SYSTEM
from store.records import Key, iterate_records
from store.store import Store

KIND = "owner"


async def register_owner(store: Store, owner: str) -> None:
    with suppress(Conflict):
        await store.records.put(Key(SYSTEM, KIND, owner), {}, expected=0)


async def list_owners(store: Store) -> list[str]:
    return [record.key.id async for record in iterate_records(store.records, SYSTEM, KIND)]
