"""The error of an estimated time, from the durations of finished runs."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.governance.estimates import Machines
from desk.optimization.durations import MOST_RUNS, NO_DURATIONS, Duration, Durations, load_durations, save_duration
from desk.optimization.estimate import estimate
from store.embedded import open_store

HERE, RENTED = Machines(cores=2), Machines(kind="sagemaker", instances=4, cores=16, instance_type="ml.c5.xlarge")


def durations_of(ratios) -> Durations:
    runs = [Duration(run=f"run {number}", ratio=ratio) for number, ratio in enumerate(ratios)]
    return Durations(runs=tuple(runs))


def test_without_enough_runs_the_error_is_the_default(make_request) -> None:
    for durations in (NO_DURATIONS, durations_of([5.0, 5.0])):
        expected = durations.expected_time(12.0)
        assert (expected.seconds, expected.low, expected.high) == (12.0, 6.0, 24.0)
        assert (expected.runs, expected.coverage) == (0, None)
        assert "a rough range" in expected.describe()
    assert estimate(make_request()).expected_time == NO_DURATIONS.expected_time(estimate(make_request()).seconds)


def test_the_interval_is_that_of_the_order_statistics() -> None:
    expected = durations_of([0.5, 3.0, *(1.0 + k / 100 for k in range(17))]).expected_time(100.0)
    # of 19 ratios, the second smallest and the second largest contain a further one with probability 16/20
    assert (expected.low, expected.high, expected.runs, expected.coverage) == (100.0, 116.0, 19, 0.8)
    assert expected.seconds == 108.0
    assert expected.describe() == "about 108 s, 100 to 116 s, from 19 runs here"


def test_the_stated_coverage_is_reached() -> None:
    stream = random.Random(7)
    for count in (3, 9, 20, 50):
        hits: list[bool] = []
        stated: set[float | None] = set()
        for _ in range(1_000):
            *past, future = (stream.lognormvariate(0.3, 0.4) for _ in range(count + 1))
            expected = durations_of(past).expected_time(1e6)
            hits.append(expected.low <= 1e6 * future <= expected.high)
            stated.add(expected.coverage)
        [coverage] = stated
        assert coverage is not None
        assert sum(hits) / len(hits) == pytest.approx(coverage, abs=0.05)


@given(st.lists(st.floats(0.01, 100.0), min_size=3, max_size=60), st.floats(1.0, 1e5))
def test_the_expected_time_is_in_its_interval(ratios, seconds) -> None:
    expected = durations_of(ratios).expected_time(seconds)
    assert expected.low <= expected.seconds <= expected.high


def test_the_oldest_runs_are_dropped() -> None:
    durations = NO_DURATIONS
    for number in range(MOST_RUNS + 5):
        durations = durations.with_run(f"run {number}", measured=10.0 * (number + 1), estimated=10.0)
    assert [each.ratio for each in durations.runs] == [float(number + 1) for number in range(5, MOST_RUNS + 5)]


@pytest.mark.anyio
async def test_durations_are_stored_by_machines_and_a_run_counts_once(home) -> None:
    async with open_store(home) as store:
        runs = [f"run {number}" for number in range(6)] * 2
        await asyncio.gather(*(save_duration(store, HERE, run, measured=20.0, estimated=10.0) for run in runs))
        stored = await load_durations(store, HERE)
        assert sorted(each.run for each in stored.runs) == sorted(set(runs))
        assert stored.expected_time(10.0).seconds == 20.0
        assert await load_durations(store, RENTED) == NO_DURATIONS
