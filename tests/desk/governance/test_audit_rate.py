"""The rate at which independent writers append to the audit log, on DynamoDB in memory with simulated latencies."""

import asyncio
import time
from pathlib import Path

import pytest

from desk.base.clock import utc_now
from desk.governance.audit_anchors import anchor_chains
from desk.governance.audit_chains import chain_puts, open_chain
from desk.governance.audit_entries import canonical_text
from desk.governance.audit_log import AuditLog
from desk.governance.audit_verification import verify
from store.aws.store import aws_store
from store.embedded import open_store
from store.local_files import FileBlobs
from tests.desk.governance.audit_samples import entry
from tests.doubles.memory_dynamodb import MemoryDynamoDB
from tests.doubles.simulated_time import SimulatedLoop, latencies

CHANGES = 10
"""Per writer; each has an entry before it and one with its outcome."""


async def write(folder: Path, client: MemoryDynamoDB, writers: int) -> float:
    """Changes per second of simulated time."""
    clock = asyncio.get_running_loop().time
    async with aws_store(client, "desk", FileBlobs(folder)) as store:

        async def change(log: AuditLog) -> float:
            start = clock()
            for n in range(CHANGES):
                begun = await log.append(entry(n))
                await log.append(entry(n, begun=begun, outcome="201"))
            return CHANGES / (clock() - start)

        rates = await asyncio.gather(*(change(AuditLog(store)) for _ in range(writers)))
        requests = sum(client.requests.values())
        anchored = await anchor_chains(store, "", utc_now())
        verification = await verify(store)
    assert (anchored, verification.chains, verification.fault) == (writers, writers, None)
    assert verification.entries == 2 * CHANGES * writers
    assert verification.unanchored == ()
    assert requests <= 4 * CHANGES * writers
    return sum(rates)


@pytest.mark.parametrize("writers", [10, 50])
def test_independent_writers_never_wait_for_each_other(tmp_path: Path, writers: int) -> None:
    rates: dict[int, float] = {}
    for count in (1, writers):
        client = MemoryDynamoDB()
        with asyncio.Runner(loop_factory=lambda: SimulatedLoop(latencies(0.004, 0.014))) as runner:
            rates[count] = runner.run(write(tmp_path, client, count))
        assert client.conflicts == 0
    assert rates[writers] > 0.85 * writers * rates[1]


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.anyio
async def test_a_million_entries_are_verified_within_a_minute_of_processor_time(tmp_path: Path) -> None:
    text, batch, stamp = canonical_text(entry(1)), 90, time.time_ns() // 1000 - 5 * 86_400_000_000
    chains = [open_chain(stamp) for _ in range(50)]
    async with open_store(tmp_path) as store:
        for _ in range(1 + 1_000_000 // (50 * batch)):
            for place, chain in enumerate(chains):
                stamps = range(stamp, stamp := stamp + batch)
                puts, _, chains[place] = chain_puts(chain, "k" * 32, stamps, [text] * batch)
                await store.records.put_many(puts)
        await anchor_chains(store, "k" * 32, utc_now())
        start = time.process_time()
        verification = await verify(store, "k" * 32)
        seconds = time.process_time() - start
    print(f"{verification.entries} entries verified in {seconds:.1f} s")
    assert verification.entries > 1_000_000
    assert verification.fault is None
    assert seconds < 60
