"""A run with an approval, killed at every write around the request and the decision."""

import pytest

from tests.graphs.runs.runs_with_approval import check_kills_around_approval

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


async def test_a_run_that_waits_is_killed_at_every_write_around_its_approval(tmp_path, small):
    await check_kills_around_approval(tmp_path, small(), (1, 2, 3, 4, 2, 3), (1, 1, 2, 3, 4, 5, 7, 9, 11, 13))
