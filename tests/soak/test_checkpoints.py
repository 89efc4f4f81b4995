"""A graph on DynamoDB, killed at each of its writes."""

import pytest

from tests.graphs.checkpoints.interrupted_graph import lose_process_after

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


async def test_a_process_killed_at_any_write_loses_and_doubles_nothing(place):
    writes = 0
    while await lose_process_after(place, writes):
        writes += 1
    assert writes > 15
