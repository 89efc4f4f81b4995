import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.numeric.errors import DataError, QuantError
from quant.numeric.returns import Returns

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-05"], dtype="datetime64[D]")
VALUES = np.array([[0.01, -0.02], [0.0, 0.5], [-0.5, 0.03]])


def test_prices_come_back_by_compounding() -> None:
    closes = np.array([[100.0, 3.0], [101.5, 2.9], [99.0, 3.3]])
    returns = Returns.from_prices(DAYS, ["A", "B"], closes)
    assert returns.dates.tolist() == DAYS[1:].tolist()
    assert closes[0] * np.cumprod(1.0 + returns.values, axis=0) == pytest.approx(closes[1:])


@given(st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=40), st.floats(1e-3, 1e3))
def test_the_unit_of_the_price_does_not_matter(closes: list[float], unit: float) -> None:
    days = np.arange(len(closes)).astype("datetime64[D]")
    column = np.array(closes)[:, None]
    ours = Returns.from_prices(days, ["A"], column)
    theirs = Returns.from_prices(days, ["A"], column * unit)
    assert theirs.values == pytest.approx(ours.values, rel=1e-9, abs=1e-12)


def test_nothing_can_be_changed_afterwards() -> None:
    values = VALUES.copy()
    returns = Returns(DAYS, ("A", "B"), values)
    values[0, 0] = 9.0
    assert returns.values[0, 0] == 0.01
    with pytest.raises(ValueError, match="read-only"):
        returns.values[0, 0] = 9.0
    with pytest.raises(ValueError, match="read-only"):
        returns.dates[0] = DAYS[1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        returns.assets = ("C", "D")  # pyright: ignore[reportAttributeAccessIssue]


def test_a_part_in_time() -> None:
    returns = Returns(DAYS, ("A", "B"), VALUES)
    assert returns.until(2).values.tolist() == VALUES[:2].tolist()
    assert returns.rows(1, 3).dates.tolist() == DAYS[1:].tolist()
    assert (len(returns), len(returns.until(1))) == (3, 1)
    for start, stop in [(0, 0), (0, 4), (-1, 2), (2, 1)]:
        with pytest.raises(DataError, match="0 <= start < stop <= 3"):
            returns.rows(start, stop)


NOT_A_DATE = np.array(["2024-01-02", "NaT", "2024-01-05"], dtype="datetime64[D]")


@pytest.mark.parametrize(
    ("dates", "assets", "values", "message"),
    [
        (DAYS[:0], ("A", "B"), VALUES[:0], r"dates must have shape \(T,\), T > 0"),
        (DAYS, ("A",), VALUES, "values must have shape"),
        (DAYS, (), VALUES[:, :0], "values must have shape"),
        (DAYS[:2], ("A", "B"), VALUES, "values must have shape"),
        (DAYS, ("A", "A"), VALUES, "unique"),
        (DAYS, ("A", ""), VALUES, "not empty"),
        (NOT_A_DATE, ("A", "B"), VALUES, "row 1 is"),
        (DAYS[[0, 0, 1]], ("A", "B"), VALUES, "2024-01-02 follows 2024-01-02 at row 1"),
        (DAYS[::-1], ("A", "B"), VALUES, "2024-01-03 follows 2024-01-05"),
        (DAYS, ("A", "B"), np.where(VALUES == 0.5, np.nan, VALUES), "B on 2024-01-03 is nan"),
        (DAYS, ("A", "B"), np.where(VALUES == 0.5, np.inf, VALUES), "B on 2024-01-03 is inf"),
        (DAYS, ("A", "B"), np.where(VALUES == -0.5, -1.0, VALUES), "A on 2024-01-05 is -1.0"),
    ],
)
def test_refuses_what_is_no_return_series(dates, assets, values, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Returns(dates, assets, values)


@pytest.mark.parametrize(
    ("closes", "message"),
    [
        ([[1.0]], "at least two"),
        ([[1.0], [0.0]], "A on 2024-01-03 is 0.0"),
        ([[1.0], [-2.0]], "A on 2024-01-03 is -2.0"),
        ([[np.nan], [1.0]], "A on 2024-01-02 is nan"),
    ],
)
def test_refuses_closes_without_a_return(closes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Returns.from_prices(DAYS[: len(closes)], ["A"], closes)


def test_a_data_error_is_a_value_error_and_ours() -> None:
    assert issubclass(DataError, ValueError)
    assert issubclass(DataError, QuantError)
