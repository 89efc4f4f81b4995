from datetime import UTC, datetime

import numpy as np
import pytest

from desk.optimization.reading.explanation import build_evidence
from desk.optimization.reading.history import History
from desk.optimization.reading.side_by_side import SHORTEST, EndedJob, compare_side_by_side, difference


def record(winner: np.ndarray, first_day: int = 10_000) -> History:
    flat = np.zeros(winner.size)
    return History(winner, flat, flat, flat, flat, flat, np.arange(first_day, first_day + winner.size, dtype=float))


@pytest.fixture(scope="module")
def daily() -> np.ndarray:
    return np.random.default_rng(5).normal(0.0003, 0.006, 2_000)


def test_the_difference_is_that_of_the_utilities_and_its_interval_holds_it(daily):
    other = daily + np.random.default_rng(6).normal(0.0, 0.002, daily.size)
    actual = difference(record(daily), record(other), 2.0)
    assert actual is not None

    def utility(x: np.ndarray) -> float:
        return 252 * x.mean() - 252 * x.var()  # gamma / 2 is 1

    assert actual.utility_bps == pytest.approx(1e4 * (utility(other) - utility(daily)))
    assert actual.low < actual.utility_bps < actual.high
    assert actual == difference(record(daily), record(other), 2.0)


def test_a_constant_difference_has_an_interval_of_no_width(daily):
    actual = difference(record(daily), record(daily + 1e-5), 2.0)
    assert actual is not None
    assert actual.low == pytest.approx(actual.high) == pytest.approx(actual.utility_bps) == pytest.approx(25.2)
    assert actual.p_value < 0.01


def test_a_record_does_not_differ_from_itself(daily):
    actual = difference(record(daily), record(daily), 2.0)
    assert actual is not None
    assert (actual.utility_bps, actual.p_value) == (0.0, 1.0)


def test_only_common_days_are_compared(daily):
    actual = difference(record(daily), record(daily[500:], 10_500), 2.0)
    assert actual is not None
    assert (actual.days, actual.utility_bps) == (1_500, 0.0)
    assert difference(record(daily), record(daily, 10_000 + daily.size - SHORTEST + 1), 2.0) is None
    assert difference(record(daily), None, 2.0) is None


def test_each_is_compared_with_the_first(judgement):
    history = History(*judgement.history)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    actual = compare_side_by_side([EndedJob(job, at, judgement.result, history) for job in ("a", "b", "c")])
    assert [side.job for side in actual.jobs] == ["a", "b", "c"]
    assert all(side.evidence == tuple(build_evidence(judgement.result)) != () for side in actual.jobs)
    assert [(pair.first, pair.second) for pair in actual.pairs] == [("a", "b"), ("a", "c")]
    assert all(pair.comparison.identical for pair in actual.pairs)
