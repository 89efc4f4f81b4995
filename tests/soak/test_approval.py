"""A run that waits for a person, killed at every write around the question and the decision."""

import pytest

from tests.graphs.conftest import small
from tests.graphs.test_approval import killed_again_and_again

__all__ = ["small"]

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


async def test_a_run_that_waits_is_killed_at_every_write_around_its_approval(tmp_path, small):
    await killed_again_and_again(tmp_path, small(), (1, 2, 3, 4, 2, 3), (1, 1, 2, 3, 4, 5, 7, 9, 11, 13))
