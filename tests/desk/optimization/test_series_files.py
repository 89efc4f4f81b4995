"""Files of series return the same bits, and are smaller than plain numbers."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from desk.optimization.repositories.series_files import decode_series, encode_series
from store.errors import Corrupted

FLOATS = st.floats(allow_nan=False, width=64)


@given(st.lists(arrays(np.float64, st.integers(0, 40), elements=FLOATS), max_size=5))
@example([np.zeros(2)] * 3)
def test_arrays_come_back_bit_for_bit(series):
    decoded = decode_series(encode_series(series))
    assert [array.tobytes() for array in decoded] == [array.tobytes() for array in series] or series == []


@given(arrays(np.float64, st.tuples(st.integers(3, 6), st.just(2), st.integers(1, 30)), elements=FLOATS))
def test_records_of_trials_come_back_bit_for_bit(records):
    assert np.stack(decode_series(encode_series(list(records)))).tobytes() == records.tobytes()


def test_records_of_trials_take_a_third_of_plain_numbers():
    """Weights that are traded each month and drift in between, on the same returns, with costs."""
    source = np.random.default_rng(1)
    days, cash = 2_000, 0.0001
    returns = source.normal(0.0003, 0.01, days)
    records = np.empty((20, 2, days))
    for excess, weights in records:
        weight = source.uniform(0.3, 0.9)
        for day in range(days):
            traded = day % 21 == 0
            weight = source.uniform(0.3, 0.9) if traded else weight
            weights[day] = weight
            excess[day] = weight * returns[day] - 0.001 * traded
            weight = weight * (1.0 + returns[day] + cash) / (1.0 + weight * returns[day] + cash)
    content = encode_series(list(records))
    assert np.stack(decode_series(content)).tobytes() == records.tobytes()
    assert len(content) < records.nbytes / 3


def test_a_file_of_plain_numbers_is_one_series():
    series = np.arange(6.0)
    [decoded] = decode_series(series.tobytes())
    np.testing.assert_array_equal(decoded, series)


@pytest.mark.parametrize(
    "change",
    [lambda c: c[:-3], lambda c: c.replace(b"[6]", b"[7]"), lambda c: c.replace(b"sizes", b"other"), lambda c: c[:9]],
)
def test_a_damaged_file_is_refused(change):
    with pytest.raises(Corrupted):
        decode_series(change(encode_series([np.arange(6.0)])))
