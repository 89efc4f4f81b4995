"""A graph on DynamoDB, killed at each of its writes."""

import pytest

from tests.graphs.checkpoints import test_dynamodb as test_checkpoints
from tests.graphs.checkpoints.test_dynamodb import killed

served, aws, place = test_checkpoints.served, test_checkpoints.aws, test_checkpoints.place

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


async def test_a_process_killed_at_any_write_loses_and_doubles_nothing(place):
    writes = 0
    while await killed(place, writes):
        writes += 1
    assert writes > 15
