import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.base.errors import InvalidInput
from desk.market.checks.prices import Gate, inspect, require_usable
from desk.market.prices import Prices

YEAR = np.arange("2019-01-01", "2023-01-01", dtype="datetime64[D]")
HOLIDAYS = np.array(
    # the New York Stock Exchange, as it announced them
    [
        *("2019-01-01", "2019-01-21", "2019-02-18", "2019-04-19", "2019-05-27", "2019-07-04"),
        *("2019-09-02", "2019-11-28", "2019-12-25", "2020-01-01", "2020-01-20", "2020-02-17"),
        *("2020-04-10", "2020-05-25", "2020-07-03", "2020-09-07", "2020-11-26", "2020-12-25"),
        *("2021-01-01", "2021-01-18", "2021-02-15", "2021-04-02", "2021-05-31", "2021-07-05"),
        *("2021-09-06", "2021-11-25", "2021-12-24", "2022-01-17", "2022-02-21", "2022-04-15"),
        *("2022-05-30", "2022-06-20", "2022-07-04", "2022-09-05", "2022-11-24", "2022-12-26"),
    ],
    dtype="datetime64[D]",
)
SESSIONS = YEAR[np.is_busday(YEAR, holidays=HOLIDAYS)]


def make_prices(dates=SESSIONS, closes: Any = None, assets=("A", "B")) -> Prices:
    """Prices that move by about a percent a day and pass every gate."""
    if closes is None:
        noise = np.random.default_rng(7).uniform(-0.01, 0.01, (len(dates), len(assets)))
        closes = 100.0 * np.cumprod(1.0 + noise, axis=0)
    return Prices(dates=dates, assets=assets, closes=closes, price_index=False, survivors=False, source="made")


def gate(prices: Prices, name: str, calendar: str | None = "XNYS") -> Gate:
    (match,) = [gate for gate in inspect(prices, calendar).gates if gate.name == name]
    return match


def with_close(row: int, column: int, value: float) -> Prices:
    closes = make_prices().closes.copy()
    closes[row, column] = value
    return make_prices(closes=closes)


def test_hundreds_of_thousands_of_holes_are_counted_and_twenty_named() -> None:
    closes = np.full((2_000, 200), np.nan)
    closes[:, 0] = 1.0 + np.arange(2_000) % 7
    days = np.datetime64("1990-01-01") + np.arange(2_000)
    prices = make_prices(days, closes, assets=tuple(f"A{n}" for n in range(200)))
    tracemalloc.start()
    try:
        result = gate(prices, "asset_calendars", None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.detail == "prices are missing on a date of the other assets: 398000"
    assert result.rows == tuple(f"1990-01-01 A{n}" for n in range(1, 21))
    assert peak < 6 * closes.nbytes


def test_clean_prices_pass_every_gate() -> None:
    report = require_usable(make_prices())
    assert {gate.status for gate in report.gates} == {"PASS", "SKIP"}
    assert [gate.name for gate in report.gates if gate.status == "SKIP"] == ["high_low"]
    assert report.caveats == ()
    assert (str(report.first), str(report.last)) == ("2019-01-02", "2022-12-30")
    assert report.digest == make_prices().digest


def test_a_missing_session_fails_and_is_named() -> None:
    prices = make_prices(dates=np.delete(SESSIONS, [10, 500]))
    result = gate(prices, "missing_sessions")
    assert (result.status, result.rows) == ("FAIL", (str(SESSIONS[10]), str(SESSIONS[500])))
    with pytest.raises(InvalidInput, match=r"made: sessions of XNYS are missing: 2 \(2019-01-16") as error_info:
        require_usable(prices)
    assert error_info.value.code == "gate_missing_sessions"


@pytest.mark.parametrize("day", ["2019-01-05", "2019-07-04"])
def test_a_weekend_or_holiday_fails_and_is_named(day: str) -> None:
    dates = np.sort(np.append(SESSIONS, np.datetime64(day)))
    result = gate(make_prices(dates=dates), "closed_days")
    assert (result.status, result.rows) == ("FAIL", (day,))


def test_a_report_without_a_calendar_names_that() -> None:
    """Coins trade every day, so that their files have no missing sessions."""
    prices = make_prices(dates=YEAR)
    assert not inspect(prices).usable
    report = require_usable(prices, calendar=None)
    skipped = {gate.name: gate.detail for gate in report.gates if gate.status == "SKIP"}
    assert "no exchange calendar was named" in skipped["missing_sessions"]
    assert "closed_days" in skipped
    assert require_usable(prices, calendar="24/7").usable


def test_an_unknown_calendar_is_refused() -> None:
    with pytest.raises(InvalidInput, match="calendar: 'MOON' is not allowed; expected the name of"):
        inspect(make_prices(), "MOON")
    far = np.arange("1700-01-01", "1700-02-01", dtype="datetime64[D]")
    with pytest.raises(InvalidInput, match="calendar: XKRX is not known over 1700-01-01"):
        inspect(make_prices(dates=far), "XKRX")


@pytest.mark.parametrize("ratio", [2.0, 3.0, 4.0, 5.0, 10.0, 0.5, 1 / 3, 0.25, 0.2, 0.1])
def test_split_like_moves_are_a_warning(ratio: float) -> None:
    closes = make_prices().closes.copy()
    closes[300:, 1] *= ratio
    prices = make_prices(closes=closes)
    for name in ("split_like", "large_moves"):
        result = gate(prices, name)
        assert result.status == "WARN"
        assert result.rows[0].startswith(f"{SESSIONS[300]} B ")
    assert len(require_usable(prices).caveats) == 2


@pytest.mark.parametrize(("move", "status"), [(0.284, "PASS"), (0.2841, "WARN"), (-0.2212, "WARN")])
def test_a_quarter_in_logarithms_is_large(move: float, status: str) -> None:
    """exp(0.25) - 1 = 0.28403, exp(-0.25) - 1 = -0.22120; other assets move as much, so neither is an outlier."""
    steps = np.where(np.arange(len(SESSIONS)) % 2, 1.0 + move, 1.0 / (1.0 + move))
    if move > 0:
        assert np.exp(0.25) - 1 == pytest.approx(0.28403, abs=1e-5)
    closes = np.cumprod(np.column_stack([steps, steps]), axis=0)
    inverse_is_large = move > 0 and 1 / (1 + move) < np.exp(-0.25)
    result = gate(make_prices(closes=closes), "large_moves")
    assert result.status == ("WARN" if inverse_is_large else status)


def test_an_outlier_of_a_quiet_asset_is_a_warning() -> None:
    closes = make_prices().closes.copy()
    closes[300:, 0] *= 1.1
    result = gate(make_prices(closes=closes), "large_moves")
    assert result.status == "WARN"
    assert result.rows[0].startswith(f"{SESSIONS[300]} A +")


@pytest.mark.parametrize(("length", "status"), [(4, "PASS"), (5, "WARN")])
def test_five_equal_closes_are_stale(length: int, status: str) -> None:
    closes = make_prices().closes.copy()
    closes[100 : 100 + length, 0] = closes[100, 0]
    result = gate(make_prices(closes=closes), "stale_prices")
    assert result.status == status
    assert result.rows == ((f"{SESSIONS[100]} A 5 sessions",) if status == "WARN" else ())


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0.0, "positive_prices"),
        (-1.0, "positive_prices"),
        (np.inf, "positive_prices"),
        (np.nan, "asset_calendars"),
    ],
)
def test_an_invalid_price_fails_and_is_named(value: float, name: str) -> None:
    prices = with_close(7, 1, value)
    result = gate(prices, name)
    assert result.status == "FAIL"
    assert result.rows[0].startswith(f"{SESSIONS[7]} B")
    with pytest.raises(InvalidInput):
        require_usable(prices)


def test_dates_twice_or_out_of_order_fail() -> None:
    twice = SESSIONS.copy()
    twice[5] = twice[4]
    assert gate(make_prices(dates=twice), "duplicate_dates").rows == (str(twice[4]),)
    assert gate(make_prices(dates=twice), "date_order").status == "PASS"
    back = SESSIONS.copy()
    back[[4, 5]] = back[[5, 4]]
    assert gate(make_prices(dates=back), "date_order").rows == (f"{back[5]} after {back[4]}",)
    never = SESSIONS.copy()
    never[5] = np.datetime64("NaT")
    assert not inspect(make_prices(dates=never)).usable


@pytest.mark.parametrize(("sessions", "status"), [(0, "FAIL"), (1, "FAIL"), (2, "WARN"), (755, "WARN"), (756, "PASS")])
def test_a_short_history(sessions: int, status: str) -> None:
    assert gate(make_prices(dates=SESSIONS[:sessions]), "length").status == status


def test_places_are_counted_whole_and_listed_in_part() -> None:
    result = gate(make_prices(dates=SESSIONS[::2]), "missing_sessions")
    assert len(result.rows) == 20
    assert result.detail.endswith(f": {len(SESSIONS[1:-1:2])}")


@given(st.integers(0, 1006), st.integers(0, 1), st.sampled_from([np.nan, 0.0, -3.0, np.inf, 1e300]))
def test_damaged_prices_only_produce_a_report(row: int, column: int, value: float) -> None:
    report = inspect(with_close(row, column, value))
    assert report.usable == (value == 1e300)
    assert report.model_validate_json(report.model_dump_json()) == report


def test_prices_that_hardly_move_fail() -> None:
    closes = np.full((200, 1), 100.0)
    assert gate(make_prices(dates=SESSIONS[:200], closes=closes, assets=("A",)), "movement").status == "FAIL"
    closes[:120, 0] = 100.0 + np.arange(120) % 7
    assert gate(make_prices(dates=SESSIONS[:200], closes=closes, assets=("A",)), "movement").status == "PASS"
