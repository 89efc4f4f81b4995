"""The rate at which independent writers append to the audit log, on DynamoDB in memory with simulated latencies."""

import asyncio
from pathlib import Path

import pytest

from desk.base.clock import utc_now
from desk.governance.audit_anchors import anchor_chains
from desk.governance.audit_log import AuditLog
from desk.governance.audit_verification import verify
from store.aws.store import aws_store
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
