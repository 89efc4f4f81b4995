"""Five hundred small jobs of twenty users at once, while the service answers light requests."""

from collections import Counter

import pytest

from desk.runs.repository import load_events
from tests.graphs.dependencies import open_dependencies
from tests.graphs.jobs.burst import burst, direct_cpu_seconds, farthest_apart

pytestmark = [pytest.mark.anyio, pytest.mark.soak, pytest.mark.timeout(3600)]

USERS, EACH, WORKERS = 20, 25, 2
DIRECT = 20
PATIENCE = 0.3
"""Seconds that 95 of 100 light requests may take."""
MOST_OVERHEAD = 1.5
"""CPU time of a queued job over that of the same search run directly."""


async def test_a_burst_of_jobs_is_executed_once_fairly_and_cheaply(tmp_path):
    homes = [tmp_path / name for name in ("direct", "queued")]
    for home in homes:
        home.mkdir()
    direct = await direct_cpu_seconds(homes[0], DIRECT)
    result = await burst(homes[1], users=USERS, each=EACH, workers=WORKERS)
    print(
        f"{USERS * EACH / result.seconds:.2f} jobs/s; CPU time {result.cpu_seconds:.2f} s/job, directly {direct:.2f}; "
        f"light requests p50 {result.percentile(0.5):.3f} s, p95 {result.percentile(0.95):.3f} s"
    )
    states = Counter(run.state for runs in result.runs.values() for run in runs)
    assert states == {"completed": USERS * EACH}
    async with open_dependencies(homes[1]) as dependencies:
        for user, runs in result.runs.items():
            for run in runs:
                events = [event.event for event in await load_events(dependencies.store, user, run.id)]
                assert (events.count("run_started"), events.count("run_finished")) == (1, 1)
    assert farthest_apart(result.order()) <= 2
    assert result.percentile(0.95) < PATIENCE
    assert result.cpu_seconds <= MOST_OVERHEAD * direct
