"""Five hundred jobs of twenty users with workers that are killed."""

import pytest

from tests.graphs.jobs.storm import storm

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


async def test_a_storm_of_jobs_loses_nothing_repeats_nothing_and_stays_fair(tmp_path, small):
    await storm(tmp_path, small(), wanted=(400, *[6] * 5, *[5] * 14), processes=3)
