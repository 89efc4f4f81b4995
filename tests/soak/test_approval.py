"""A run that waits for a person, killed at every write around the question and the decision."""

import pytest

from tests.graphs.runs.test_approval import killed_again_and_again

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


async def test_a_run_that_waits_is_killed_at_every_write_around_its_approval(tmp_path, small):
    await killed_again_and_again(tmp_path, small(), (1, 2, 3, 4, 2, 3), (1, 1, 2, 3, 4, 5, 7, 9, 11, 13))
