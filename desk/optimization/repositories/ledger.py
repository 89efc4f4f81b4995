"""The ledger: every strategy that an owner has tried on the same prices.

A repeated strategy under the same mandate is not a new trial, so that a repeated request has the same result. The
ledger of a run is fixed when the run is created.
"""

import hashlib
from collections.abc import Iterable

from desk.optimization.repositories.trial_repository import KIND
from quant.numeric.frozen import digest_of
from quant.strategies.mandate import Mandate
from store.records import Key, iterate_records
from store.store import Store

PIPELINE = "pipeline"
"""Record kind of finished pipelines, which are not runs."""
DIGEST_LENGTH = 16
"""Hexadecimal digits per digest; enough to distinguish a million strategies."""


def ledger_entry(mandate: Mandate, digest: str) -> str:
    """Return the ledger entry of a strategy under `mandate`."""
    return f"{digest_of(mandate)[:DIGEST_LENGTH]}.{digest[:DIGEST_LENGTH]}"


async def run_entries(store: Store, owner: str, run: str, mandate: Mandate) -> set[str]:
    """Entries of the trials of a run so far."""
    records = iterate_records(store.records, owner, KIND, prefix=f"{run}.")
    return {ledger_entry(mandate, record.key.id.rpartition(".")[2]) async for record in records}


async def save_ledger(store: Store, owner: str, entries: Iterable[str]) -> str:
    """Store entries and return their content address."""
    content = "\n".join(sorted(entries)).encode()
    address = hashlib.sha256(content).hexdigest()
    await store.blobs.put(f"{owner}/ledger/{address}", content)
    return address


async def load_ledger(store: Store, owner: str, address: str) -> set[str]:
    return set((await store.blobs.get(f"{owner}/ledger/{address}")).decode().split())


async def save_pipeline_entries(store: Store, owner: str, name: str, data_digest: str, entries: Iterable[str]) -> None:
    """Store the entries of a pipeline, which count in later ledgers."""
    document = {"tried": await save_ledger(store, owner, entries)}
    await store.records.put(Key(owner, PIPELINE, name), document, labels={"about": data_digest})


async def pipeline_entries(store: Store, owner: str, data_digest: str) -> set[str]:
    entries: set[str] = set()
    async for record in iterate_records(store.records, owner, PIPELINE, label=("about", data_digest)):
        entries |= await load_ledger(store, owner, str(record.document["tried"]))
    return entries
