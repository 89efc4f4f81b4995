"""The ledger: every strategy that an owner ever tried on the same prices.

A strategy that is tried again under the same mandate is not a new trial, so the same request has the same result
however often it is asked. What was tried before a run is fixed when the run is made.
"""

import hashlib
from collections.abc import Iterable

from quant.strategy import Mandate, digest_of
from store.records import every
from store.store import Store
from tools.trials import KIND

LENGTH = 16
"""Hexadecimal digits kept of a digest: enough to tell a million strategies apart."""


def entry(mandate: Mandate, digest: str) -> str:
    """Names the strategy of that digest under `mandate`."""
    return f"{digest_of(mandate)[:LENGTH]}.{digest[:LENGTH]}"


async def tried(store: Store, owner: str, run: str, mandate: Mandate) -> set[str]:
    """What a run has tried by now."""
    found = every(store.records, owner, KIND, prefix=f"{run}.")
    return {entry(mandate, record.key.id.rpartition(".")[2]) async for record in found}


async def save_ledger(store: Store, owner: str, entries: Iterable[str]) -> str:
    """Keep what was tried; its content address."""
    content = "\n".join(sorted(entries)).encode()
    address = hashlib.sha256(content).hexdigest()
    await store.blobs.put(f"{owner}/ledger/{address}", content)
    return address


async def load_ledger(store: Store, owner: str, address: str) -> set[str]:
    return set((await store.blobs.get(f"{owner}/ledger/{address}")).decode().split())
