"""Bond returns from yields, against prices of bonds."""

import math
from typing import Any

import numpy as np
import pytest

from quant.numeric.errors import DataError
from quant.worlds.bond_proxy import PROXY, bond_history, par_bond_history, par_duration


def price(coupon: float, yield_: float, years: float) -> float:
    """Of 1, by discounting each half-yearly payment."""
    times = np.arange(1, round(2 * years) + 1)
    return float((coupon / 2.0 / (1.0 + yield_ / 2.0) ** times).sum() + (1.0 + yield_ / 2.0) ** -times[-1])


@pytest.mark.parametrize(("yield_", "years"), [(0.05, 10), (0.02, 30), (0.0, 5), (0.14, 20), (0.03, 1)])
def test_duration_and_convexity_are_the_derivatives_of_the_price(yield_: float, years: int) -> None:
    duration, convexity = par_duration(yield_, years)
    h = 1e-4
    up, down, at = (price(yield_, yield_ + d, years) for d in (h, -h, 0.0))
    assert at == pytest.approx(1.0, rel=1e-12)
    assert duration == pytest.approx((down - up) / (2.0 * h), rel=1e-5)
    assert convexity == pytest.approx((up + down - 2.0) / h**2, rel=1e-4)
    assert convexity >= duration**2


def test_the_proxy_reprices_a_bond() -> None:
    """Against the price of a 20-year par bond a month later: within a few basis points for moves of half a percent."""
    rng = np.random.default_rng(2)
    dates = np.arange("1990-01", 24, dtype="datetime64[M]").astype("datetime64[D]")
    yields = 0.06 + np.cumsum(rng.normal(0.0, 0.003, dates.size))
    for k in range(dates.size - 1):
        duration, convexity = par_duration(float(yields[k]), 20)
        pair = slice(k, k + 2)
        proxy = bond_history(dates[pair], yields[pair], duration=duration, convexity=convexity)
        days = (dates[k + 1] - dates[k]).astype(int)
        y = yields[k + 1]
        dirty = price(yields[k], y, 20) * (1.0 + y / 2.0) ** (2.0 * days / 365.0)
        assert proxy.returns[0] == pytest.approx(dirty - 1.0, abs=8e-4)


def test_a_bond_of_constant_maturity_is_exchanged_at_par_every_day() -> None:
    """Negative yields too; a series of one-day proxies, each with the sensitivities of its own yield."""
    dates = np.array(["2020-03-05", "2020-03-06", "2020-03-09", "2020-03-10"], dtype="datetime64[D]")
    yields = np.array([0.010, 0.002, -0.004, 0.001])
    whole = par_bond_history(dates, yields, years=10)
    for k in range(3):
        duration, convexity = par_duration(float(yields[k]), 10)
        day = bond_history(dates[k : k + 2], yields[k : k + 2], duration=duration, convexity=convexity)
        assert whole.returns[k] == pytest.approx(day.returns[0], rel=1e-12)
    assert whole.label == PROXY
    with pytest.raises(DataError, match="`years` is 0"):
        par_bond_history(dates, yields, years=0)


def test_moodys_yields_make_a_century_of_proxy_returns() -> None:
    """The bundled AAA series: the mean is its mean yield less what the rise of yields over the time cost."""
    from arch.data import default

    frame = default.load()
    yields = frame["AAA"].to_numpy() / 100.0
    dates = frame.index.to_numpy().astype("datetime64[D]")
    proxy = bond_history(dates, yields, duration=10.0, convexity=150.0)
    assert proxy.label == PROXY
    assert "proxy" in proxy.label.lower()
    np.testing.assert_array_equal(proxy.dates, dates[1:])
    years = (dates[-1] - dates[0]).astype(int) / 365.0
    change = np.diff(yields)
    total = (
        yields[:-1] @ np.diff(dates).astype(int) / 365.0 - 10.0 * (yields[-1] - yields[0]) + 75.0 * (change @ change)
    )
    assert proxy.returns.sum() / years == pytest.approx(total / years, rel=1e-10)
    falling = (dates[1:] > np.datetime64("1981-12-31")) & (dates[1:] < np.datetime64("1993-01-01"))
    assert proxy.returns[falling].mean() * 12.0 > yields[1:][falling].mean(), "falling yields pay more than the coupon"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"yields": [0.05]}, "`dates` .* do not fit"),
        ({"yields": [0.05, 0.05, 0.05]}, "`dates` .* do not fit"),
        ({"yields": [5.0, 5.1]}, "`yields` has 5.0 on 2020-01-31; expected fractions"),
        ({"yields": [0.05, math.nan]}, "`yields` has nan on 2020-02-29"),
        ({"dates": ["2020-01-31", "2020-01-31"]}, "`dates` must be given and strictly increase"),
        ({"dates": ["2020-01-31", "NaT"]}, "`dates` must be given and strictly increase"),
        ({"duration": -1.0}, "`duration` is -1.0"),
        ({"convexity": 10.0}, "`convexity` is 10.0; expected 64 to 5000"),
    ],
)
def test_a_proxy_refuses_by_name(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"dates": ["2020-01-31", "2020-02-29"], "yields": [0.05, 0.051]}
    arguments |= {"duration": 8.0, "convexity": 80.0} | changes
    with pytest.raises(DataError, match=message):
        bond_history(arguments.pop("dates"), arguments.pop("yields"), **arguments)


@pytest.mark.parametrize(("yield_", "years", "name"), [(-0.06, 10, "yield_"), (5.0, 10, "yield_"), (0.05, 0, "years")])
def test_a_par_bond_refuses_by_name(yield_: float, years: int, name: str) -> None:
    with pytest.raises(DataError, match=f"`{name}` is"):
        par_duration(yield_, years)
