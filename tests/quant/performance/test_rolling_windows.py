import tracemalloc

import numpy as np
import pandas as pd
import pytest

from quant.numeric.errors import DataError
from quant.performance.rolling_windows import rolling

RNG = np.random.default_rng(5)
RETURNS, MARKET, RATE = RNG.normal(0.0004, 0.01, (3, 400)) * [[1.0], [1.2], [0.01]]


@pytest.mark.parametrize("window", [2, 63, 400])
def test_rolling_statistics_equal_those_of_pandas(window: int) -> None:
    rows = rolling(RETURNS, window=window, benchmark=MARKET, rate=RATE, periods=252)
    own, market = pd.Series(RETURNS - RATE), pd.Series(MARKET - RATE)
    expected = {
        "volatility": pd.Series(RETURNS).rolling(window).std() * 252**0.5,
        "sharpe": own.rolling(window).mean() / own.rolling(window).std() * 252**0.5,
        "beta": own.rolling(window).cov(market) / market.rolling(window).var(),
    }
    for name, series in expected.items():
        np.testing.assert_allclose(getattr(rows, name), series, rtol=1e-8, atol=1e-12)


def test_windows_of_a_long_series_do_not_fill_the_memory() -> None:
    returns, market = np.random.default_rng(6).normal(0.0, 0.01, (2, 20_000))
    tracemalloc.start()
    try:
        rows = rolling(returns, window=1_000, benchmark=market)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100e6  # all windows together have 152 MB
    np.testing.assert_allclose(rows.volatility, pd.Series(returns).rolling(1_000).std() * 252**0.5, rtol=1e-8)


def test_a_window_reads_no_later_return() -> None:
    other = RETURNS.copy()
    other[200:] = 0.5
    before, after = (rolling(r, window=21, benchmark=MARKET) for r in (RETURNS, other))
    for name in ("volatility", "sharpe", "beta"):
        np.testing.assert_array_equal(getattr(before, name)[:200], getattr(after, name)[:200])


def test_a_window_without_variation_has_no_ratio() -> None:
    rows = rolling(np.zeros(5), window=3, benchmark=np.zeros(5))
    assert rows.volatility[2:].tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(rows.sharpe).all()
    assert rows.beta is not None
    assert np.isnan(rows.beta).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"window": 1}, "`window` must lie in"),
        ({"window": 401}, "`window` must lie in"),
        ({"window": 5, "periods": 0}, "`periods` must be"),
        ({"window": 5, "rate": [0.1]}, "rate"),
        ({"window": 5, "rate": float("nan")}, "`rate` must be finite"),
        ({"window": 5, "benchmark": MARKET[1:]}, "benchmark"),
    ],
)
def test_bad_arguments_are_named(options: dict, text: str) -> None:
    with pytest.raises(DataError, match=text):
        rolling(RETURNS, **options)
