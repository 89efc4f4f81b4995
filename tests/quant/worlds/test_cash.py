import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.worlds.cash import accrual, rate_accrual

MONTHS = np.arange("2000-01", "2003-01", dtype="datetime64[M]")
RATES = 0.004 + 0.0001 * np.arange(36)
DAYS = np.arange("2000-01-03", "2003-03-01", dtype="datetime64[D]")
SESSIONS = DAYS[np.is_busday(DAYS)]


def test_a_month_compounds_to_its_rate() -> None:
    """From the first day of a month to the first of the next, up to half the squared rate."""
    every_day = np.arange("2000-01-01", "2002-12-02", dtype="datetime64[D]")
    cash = accrual(every_day, MONTHS, RATES, after=0.0)
    month = every_day[:-1].astype("datetime64[M]")
    for number, rate in enumerate(RATES[:-1]):
        grown = np.prod(1.0 + cash[1:][month == MONTHS[number]]) - 1.0
        assert rate <= grown <= rate + rate * rate / 2.0


def test_years_of_sessions_compound_to_the_years_of_bills() -> None:
    first = SESSIONS[np.unique(SESSIONS.astype("datetime64[M]"), return_index=True)[1]]
    cash = accrual(first[:25], MONTHS, RATES, after=0.0)
    missed_days = 2  # the first session of 2000 is the third of January
    slack = (missed_days / 31) * RATES[0] + (RATES[:24] ** 2).sum() / 2
    assert np.prod(1.0 + cash) == pytest.approx(np.prod(1.0 + RATES[:24]), rel=slack)


def test_a_weekend_earns_three_days() -> None:
    friday, monday, tuesday = np.array(["2000-03-03", "2000-03-06", "2000-03-07"], "datetime64[D]")
    _, weekend, night = accrual([friday, monday, tuesday], MONTHS, RATES, after=0.0)
    assert weekend == pytest.approx(3.0 * night, rel=1e-12)
    assert night == pytest.approx(RATES[2] / 31.0, rel=1e-12)


@given(month=st.integers(1, 35), shift=st.floats(-0.5, 0.5))
def test_later_rates_change_nothing_earlier(month: int, shift: float) -> None:
    """A rate of a month is first earned over the session after the first of that month."""
    ours = accrual(SESSIONS, MONTHS, RATES, after=0.02)
    changed = np.where(np.arange(36) >= month, RATES + shift, RATES)
    theirs = accrual(SESSIONS, MONTHS, changed, after=0.02 + shift)
    start = int(np.flatnonzero(SESSIONS.astype("datetime64[M]") >= MONTHS[month])[0])
    assert theirs[: start + 1].tobytes() == ours[: start + 1].tobytes()
    if abs(shift) > 1e-9:
        assert (theirs[start + 1 :] != ours[start + 1 :]).all()


def test_later_sessions_change_nothing_earlier() -> None:
    whole = accrual(SESSIONS, MONTHS, RATES, after=0.02)
    part = accrual(SESSIONS[:100], MONTHS, RATES, after=0.02)
    assert whole[:100].tobytes() == part.tobytes()


def test_after_the_last_rate_the_assumption_holds() -> None:
    cash = accrual(SESSIONS, MONTHS, RATES, after=0.036)
    elapsed = np.diff(SESSIONS).astype(float)
    assumed = SESSIONS[:-1] >= np.datetime64("2003-01-01")
    assert assumed.any()
    assert cash[1:][assumed] == pytest.approx(0.0001 * elapsed[assumed], rel=1e-12)
    assert accrual(SESSIONS[-2:], MONTHS, RATES, after=-0.018)[1] == pytest.approx(-0.00005)


def test_one_session_earns_nothing() -> None:
    assert accrual(["2000-01-03"], MONTHS, RATES, after=0.0).tolist() == [0.0]


@pytest.mark.parametrize(
    ("dates", "months", "rates", "after", "message"),
    [
        ([], MONTHS, RATES, 0.0, "dates must have shape"),
        (["NaT"], MONTHS, RATES, 0.0, "none missing"),
        (["2000-01-04", "2000-01-03"], MONTHS, RATES, 0.0, "dates must strictly increase"),
        (SESSIONS, MONTHS[:0], RATES[:0], 0.0, "months and rates must have one shape"),
        (SESSIONS, MONTHS, RATES[:-1], 0.0, "months and rates must have one shape"),
        (SESSIONS, MONTHS[[0, 2]], RATES[:2], 0.0, "without a gap"),
        (SESSIONS, MONTHS[[0, 0]], RATES[:2], 0.0, "without a gap"),
        (SESSIONS, MONTHS[:1], [np.nan], 0.0, "finite and above -1"),
        (SESSIONS, MONTHS[:1], [-1.0], 0.0, "finite and above -1"),
        (SESSIONS, MONTHS, RATES, np.inf, "finite and above -1"),
        (
            ["1999-12-30", "1999-12-31"],
            MONTHS,
            RATES,
            0.0,
            "no rate is known on 1999-12-30; the first is that of 2000-01",
        ),
    ],
)
def test_refuses(dates, months, rates, after: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        accrual(dates, months, rates, after=after)


@pytest.mark.parametrize("day_count", [360, 365])
def test_quoted_rates_earn_calendar_days_over_the_day_count(day_count: int) -> None:
    """A second way: rates filled forward over every calendar day, summed between sessions."""
    rng = np.random.default_rng(3)
    known = np.sort(rng.choice(np.arange("1999-12-01", "2003-02-01", dtype="datetime64[D]"), 200, replace=False))
    rates = rng.normal(0.0, 0.02, known.size)  # some of them negative
    every_day = pd.date_range(known[0], SESSIONS[-1])
    daily = pd.Series(rates, index=pd.DatetimeIndex(known)).reindex(every_day).ffill()
    cash = rate_accrual(SESSIONS, known, rates, day_count=day_count, after=0.9)
    at_sessions = daily[pd.DatetimeIndex(SESSIONS)].to_numpy()
    elapsed = np.diff(SESSIONS).astype(float)
    np.testing.assert_allclose(cash[1:], at_sessions[:-1] * elapsed / day_count, atol=1e-16)
    assert cash[0] == 0.0


def test_a_rate_is_known_from_its_day_on_and_for_a_hundred_days() -> None:
    days = np.array(["2020-01-02", "2020-01-03", "2020-04-13", "2020-04-14"], "datetime64[D]")
    first, second, late = rate_accrual(days, ["2020-01-02", "2020-01-03"], [0.01, -0.01], day_count=360, after=0.02)[1:]
    assert first == pytest.approx(0.01 / 360)
    assert second == pytest.approx(-0.01 * 101 / 360)
    assert late == pytest.approx(0.02 / 360)


@pytest.mark.parametrize(
    ("known", "rates", "day_count", "reason"),
    [
        (["2000-01-04"], [0.01], 360, "no rate is known on 2000-01-03"),
        (["1999-01-04", "2000-01-03"], [0.01, 0.01], 360, "no rate is known between 1999-01-04 and 2000-01-03"),
        (["2000-01-03", "2000-01-03"], [0.01, 0.01], 360, "strictly increase"),
        (["2000-01-03"], [0.01, 0.02], 360, "one shape"),
        (["2000-01-03"], [np.nan], 360, "finite"),
        (["2000-01-03"], [0.01], 364, "360 or 365"),
    ],
)
def test_rates_that_do_not_fit_are_refused(known: list[str], rates: list[float], day_count: int, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        rate_accrual(SESSIONS, known, rates, day_count=day_count, after=0.0)
