"""Files of series return the same bits, and are smaller than plain numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from desk.optimization.repositories.series_files import decode_series, encode_series
from store.errors import Corrupted

FLOATS = st.floats(allow_nan=False, width=64)


@given(st.lists(arrays(np.float64, st.integers(0, 40), elements=FLOATS), max_size=5))
def test_arrays_come_back_bit_for_bit(series):
    decoded = decode_series(encode_series(series))
    assert [array.tobytes() for array in decoded] == [array.tobytes() for array in series] or series == []


def test_a_weight_that_is_kept_for_weeks_takes_little_room():
    source = np.random.default_rng(1)
    days = 6_300
    weights = np.repeat(np.round(source.uniform(0.2, 1.0, days // 21), 3), 21)
    series = np.vstack([weights * source.normal(0.0, 0.01, days), weights])
    assert len(encode_series([series])) < 0.55 * series.nbytes


def test_a_file_of_plain_numbers_is_one_series():
    series = np.arange(6.0)
    [decoded] = decode_series(series.tobytes())
    np.testing.assert_array_equal(decoded, series)


@pytest.mark.parametrize("change", [lambda c: c[:-3], lambda c: c.replace(b"[6]", b"[7]"), lambda c: c[:9]])
def test_a_damaged_file_is_refused(change):
    with pytest.raises(Corrupted):
        decode_series(change(encode_series([np.arange(6.0)])))
