"""Range-based volatility against its definitions in pandas and against paths whose volatility is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.volatility.estimators import Range, implied_volatility, range_volatility

METHODS: tuple[Range, ...] = ("parkinson", "garman_klass", "rogers_satchell", "yang_zhang")


def bars(
    seed: int, days: int, *, steps: int = 400, sigma: float = 0.2, night: float = 0.0, drift: float = 0.0
) -> tuple[np.ndarray, ...]:
    """Open, high, low, close of a random walk of `steps` moves a day, after a jump overnight."""
    rng = np.random.default_rng(seed)
    jumps = night / np.sqrt(252) * rng.standard_normal(days)
    moves = drift / 252 / steps + sigma / np.sqrt(252 * steps) * rng.standard_normal((days, steps))
    inside = np.cumsum(moves, axis=1)
    opens = np.cumsum(jumps + np.append(0.0, inside[:-1, -1]))
    logs = opens[:, None] + np.column_stack([np.zeros(days), inside])
    return np.exp(opens), np.exp(logs.max(axis=1)), np.exp(logs.min(axis=1)), np.exp(logs[:, -1])


@given(st.integers(0, 1000), st.sampled_from((2, 5, 21)))
@settings(max_examples=20, deadline=None)
def test_each_is_its_definition(seed: int, n: int) -> None:
    o, h, lo, c = (pd.Series(x) for x in bars(seed, 60, steps=30, night=0.1))
    daily = {
        "parkinson": np.log(h / lo) ** 2 / (4 * np.log(2)),
        "garman_klass": np.log(h / lo) ** 2 / 2 - (2 * np.log(2) - 1) * np.log(c / o) ** 2,
        "rogers_satchell": np.log(h / c) * np.log(h / o) + np.log(lo / c) * np.log(lo / o),
    }
    expected: dict[Range, pd.Series] = {name: daily[name].rolling(n).mean() for name in METHODS[:3]}
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    night, day = (pd.Series(np.log(x)) for x in (o / c.shift(), c / o))
    inside = daily["rogers_satchell"].where(night.notna()).rolling(n).mean()
    day = day.where(night.notna())
    expected["yang_zhang"] = night.rolling(n).var() + k * day.rolling(n).var() + (1 - k) * inside
    for name, variance in expected.items():
        volatility = range_volatility(o, h, lo, c, lookback=n, method=name)
        first = n if name == "yang_zhang" else n - 1
        np.testing.assert_allclose(volatility[first:], np.sqrt(252 * variance[first:]), rtol=1e-9)
        np.testing.assert_array_equal(volatility[:first], volatility[first])


@pytest.mark.parametrize("method", METHODS)
def test_a_random_walk_has_the_volatility_it_was_made_with(method: Range) -> None:
    """20% a year; sampling 400 times a day underestimates the range by a few percent."""
    volatility = range_volatility(*bars(1, 2_000), lookback=1_900, method=method)[-1]
    assert 0.185 < volatility < 0.205


def test_only_the_last_sees_the_night_and_only_the_last_two_look_through_a_drift() -> None:
    with_nights = bars(2, 2_000, night=0.2)
    volatilities = {m: range_volatility(*with_nights, lookback=1_900, method=m)[-1] for m in METHODS}
    assert volatilities["yang_zhang"] == pytest.approx(np.sqrt(2) * 0.2, rel=0.05)
    assert max(volatilities[m] for m in METHODS[:3]) < 0.21
    drifting = bars(3, 2_000, drift=25.0)
    volatilities = {m: range_volatility(*drifting, lookback=1_900, method=m)[-1] for m in METHODS}
    assert min(volatilities["parkinson"], volatilities["garman_klass"]) > 1.3 * max(
        volatilities["rogers_satchell"], volatilities["yang_zhang"]
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_future_changes_nothing_before_it(method: Range) -> None:
    prices = np.array(bars(5, 80))
    other = prices.copy()
    other[:, 60:] *= 2.0
    a, b = (range_volatility(*x, lookback=10, method=method) for x in (prices, other))
    assert a[:60].tobytes() == b[:60].tobytes()


def test_an_index_counts_from_the_day_it_is_known() -> None:
    volatilities = implied_volatility(
        ["2024-01-02", "2024-01-03", "2024-01-05"], ["2023-12-29", "2024-01-03", "2024-01-04"], [12.0, 15.0, 20.0]
    )
    assert volatilities.tolist() == [0.12, 0.15, 0.20]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lookback": 1}, r"`lookback` must lie in \[2, 9\]; got 1"),
        ({"lookback": 10}, "`lookback`"),
        ({"method": "close"}, "`method` must be one of parkinson"),
        ({"highs": [1.0] * 9}, "one shape"),
        ({"highs": [1.1] * 9 + [np.nan]}, "`highs` must be positive and finite; row 9 is nan"),
        ({"lows": [0.9] * 9 + [1.05]}, "row 9 has low 1.05"),
        ({"closes": [1.0] * 9 + [0.0]}, "`closes` must be positive"),
    ],
)
def test_prices_that_cannot_be_are_refused(changes: dict, message: str) -> None:
    given_ = {"opens": [1.0] * 10, "highs": [1.1] * 10, "lows": [0.9] * 10, "closes": [1.0] * 10, "lookback": 5}
    with pytest.raises(DataError, match=message):
        range_volatility(**given_ | changes)


@pytest.mark.parametrize(
    ("index_dates", "index", "message"),
    [
        (["2024-01-03"], [12.0], "begin on 2024-01-03"),
        (["2024-01-02", "2024-01-01"], [12.0, 13.0], "`index_dates` must be strictly increasing"),
        (["2024-01-02"], [12.0, 13.0], "shape of `index_dates`"),
        (["2024-01-02"], [-1.0], "2024-01-02 is -1.0"),
        (["2024-01-02"], [12.0], "30 days before 2024-02-01"),
    ],
)
def test_an_index_that_is_not_known_is_refused(index_dates: list, index: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        implied_volatility(["2024-01-02", "2024-02-01"], index_dates, index)
