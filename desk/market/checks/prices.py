"""Quality gates for prices: failures stop, doubts become caveats."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.checks.report import DataReport, Gate, Status
from desk.market.prices import Prices
from quant.numeric.arrays import Dates, Flags, Floats

__all__ = [
    "BREAKING",
    "DataReport",
    "Gate",
    "Status",
    "apply_acceptances",
    "first_marked",
    "inspect",
    "require_usable",
    "sessions_between",
]

BREAKING = ("length", "duplicate_dates", "asset_calendars", "asset_histories", "positive_prices")
"""Gates whose failures prevent computing returns and therefore cannot be accepted."""
_MARGIN = np.timedelta64(14, "D")
_MAX_ROWS = 20
_LARGE = 1.2840254166877414
"""exp(0.25): a move beyond it or its inverse is more than 25 percent in logarithms."""
_ROBUST_SIGMAS = 8.0
_SPLITS = (2.0, 3.0, 4.0, 5.0, 10.0)
_SPLIT_TOLERANCE = 0.01
_STALE_SESSIONS = 5
_SHORT_SESSIONS = 756
_LARGEST_UNCHANGED = 0.5
"""Share of unchanged closes above which a series is not a market price."""


def inspect(prices: Prices, calendar: str | None = "XNYS") -> DataReport:
    """Check every gate. `calendar` is None if the exchange is unknown or never closes."""
    all_gates = (
        _length(prices),
        *_order(prices),
        *_calendar(prices, calendar),
        _alignment(prices),
        _positive(prices),
        *_moves(prices),
        Gate(name="high_low", status="SKIP", detail="not looked at: only closes are carried"),
    )
    gates = apply_acceptances(all_gates, dict(prices.accepted))
    valid_dates = prices.dates[~np.isnat(prices.dates)]
    return DataReport(
        source=prices.source,
        digest=prices.digest,
        first=valid_dates.min().astype(object) if valid_dates.size else None,
        last=valid_dates.max().astype(object) if valid_dates.size else None,
        sessions=len(prices.dates),
        assets=prices.assets,
        gates=gates,
    )


def require_usable(prices: Prices, calendar: str | None = "XNYS") -> DataReport:
    """The report of usable prices; raises `InvalidInput` if a gate fails."""
    report = inspect(prices, calendar)
    failed_gates = [gate for gate in report.gates if gate.status == "FAIL"]
    if failed_gates:
        gate = failed_gates[0]
        examples = ", ".join(gate.rows[:5]) + (", ..." if len(gate.rows) > 5 else "")
        reasons = "; ".join(
            [gate.detail + (f" ({examples})" if examples else "")] + [g.detail for g in failed_gates[1:]]
        )
        raise InvalidInput(
            prices.source,
            gate.rows,
            reason=reasons,
            allowed="prices that pass every gate of `data check`",
            code=f"gate_{gate.name}",
        )
    return report


def apply_acceptances(gates: Iterable[Gate], reasons: Mapping[str, str]) -> tuple[Gate, ...]:
    """Turn accepted failures into warnings with the reason."""
    return tuple(
        gate.model_copy(update={"status": "WARN", "detail": f"{gate.detail}; accepted: {reasons[gate.name]}"})
        if gate.status == "FAIL" and gate.name in reasons and gate.name not in BREAKING
        else gate
        for gate in gates
    )


def first_marked(mask: Flags, most: int = _MAX_ROWS) -> list[tuple[int, int]]:
    """Row and column of the first marked cells, at most `most`."""
    rows = np.flatnonzero(mask.any(axis=1))[:most]
    return [(int(rows[i]), int(n)) for i, n in np.argwhere(mask[rows])[:most]]


def _gate(name: str, rows: list[str], bad: Status, detail: str, success: str, count: int | None = None) -> Gate:
    """A gate that passes without `rows`; `count` is the total if `rows` contains only the first."""
    if not rows:
        return Gate(name=name, status="PASS", detail=success)
    number = len(rows) if count is None else count
    return Gate(name=name, status=bad, detail=f"{detail}: {number}", rows=tuple(rows[:_MAX_ROWS]))


def _length(prices: Prices) -> Gate:
    sessions = len(prices.dates)
    if sessions < 2 or not prices.assets:
        status, detail = (
            "FAIL",
            f"{sessions} sessions of {len(prices.assets)} assets have no return",
        )
    elif sessions < _SHORT_SESSIONS:
        status, detail = (
            "WARN",
            f"only {sessions} sessions: too few to tell luck from skill, and for an optimization",
        )
    else:
        status, detail = "PASS", f"{sessions} sessions"
    return Gate(name="length", status=status, detail=detail)


def _order(prices: Prices) -> Iterator[Gate]:
    days = prices.dates
    unique, counts = np.unique(days, return_counts=True)
    duplicates = [str(day) for day in unique[counts > 1]]
    yield _gate("duplicate_dates", duplicates, "FAIL", "dates stand more than once", "each date once")
    unordered = np.flatnonzero(~(days[1:] >= days[:-1])) + 1
    rows = [f"{days[i]} after {days[i - 1]}" for i in unordered]
    yield _gate("date_order", rows, "FAIL", "dates are out of order", "dates increase")


def _calendar(prices: Prices, calendar: str | None) -> Iterator[Gate]:
    names = ("closed_days", "missing_sessions")
    valid_dates = prices.dates[~np.isnat(prices.dates)]
    if calendar is None or not valid_dates.size:
        reason = (
            "not looked at: no exchange calendar was named, so a missing session goes unnoticed"
            if calendar is None
            else "not looked at: there is no date"
        )
        yield from (Gate(name=name, status="SKIP", detail=reason) for name in names)
        return
    sessions = sessions_between(calendar, valid_dates.min(), valid_dates.max())
    closed_days = [str(day) for day in np.unique(valid_dates[~np.isin(valid_dates, sessions)])]
    yield _gate(
        names[0],
        closed_days,
        "FAIL",
        f"dates are weekends or holidays of {calendar}",
        f"every date is a session of {calendar}",
    )
    missing = [str(day) for day in sessions[~np.isin(sessions, valid_dates)]]
    yield _gate(
        names[1],
        missing,
        "FAIL",
        f"sessions of {calendar} are missing",
        f"no session of {calendar} is missing",
    )


def sessions_between(calendar: str, first: np.datetime64, last: np.datetime64) -> Dates:
    errors: Any = import_module("exchange_calendars.errors")  # without type hints

    # a calendar needs a margin around the dates
    start, end = first - _MARGIN, last + _MARGIN
    try:
        try:
            days = _sessions(calendar, f"{str(start)[:3]}0-01-01", f"{str(end)[:3]}9-12-31")
        except ValueError:  # the calendar begins or ends within a decade
            days = _sessions(calendar, str(start), str(end))
    except errors.InvalidCalendarName as error:
        raise InvalidInput(
            "calendar",
            calendar,
            allowed="the name of an exchange calendar such as XNYS, XLON, XETR, 24/7; or none",
            code="unknown_calendar",
        ) from error
    except ValueError as error:
        raise InvalidInput(
            "calendar",
            calendar,
            reason=f"{calendar} is not known over {first} to {last}",
            allowed="dates that the exchange calendar covers; or no calendar",
            code="calendar_bounds",
        ) from error
    return days[(days >= first) & (days <= last)]


@lru_cache(maxsize=64)  # the library keeps the last range only; a range takes it a fifth of a second, a decade or a day
def _sessions(calendar: str, start: str, end: str) -> Dates:
    library: Any = import_module("exchange_calendars")
    exchange: Any = library.get_calendar(calendar, start=start, end=end)
    return exchange.sessions.to_numpy().astype("datetime64[D]")


def _alignment(prices: Prices) -> Gate:
    holes = np.isnan(prices.closes)
    return _gate(
        "asset_calendars",
        [f"{prices.dates[t]} {prices.assets[n]}" for t, n in first_marked(holes)],
        "FAIL",
        "prices are missing on a date of the other assets",
        "every asset has a price on every date",
        int(holes.sum()),
    )


def _positive(prices: Prices) -> Gate:
    closes = prices.closes
    bad = (closes <= 0.0) | np.isinf(closes)
    return _gate(
        "positive_prices",
        [f"{prices.dates[t]} {prices.assets[n]} {closes[t, n]:g}" for t, n in first_marked(bad)],
        "FAIL",
        "prices are zero, negative or infinite",
        "every price is positive",
        int(bad.sum()),
    )


def _moves(prices: Prices) -> Iterator[Gate]:
    closes = prices.closes
    usable = np.isfinite(closes) & (closes > 0.0)
    both = usable[1:] & usable[:-1]
    ratio = np.where(both, closes[1:], 1.0) / np.where(both, closes[:-1], 1.0)

    def places(mask: Flags) -> list[str]:
        return [f"{prices.dates[t + 1]} {prices.assets[n]} {ratio[t, n] - 1.0:+.1%}" for t, n in first_marked(mask)]

    large = (ratio > _LARGE) | (ratio < 1.0 / _LARGE) | _outliers(ratio)
    yield _gate(
        "large_moves",
        places(large),
        "WARN",
        "daily moves beyond 25 percent or 8 robust deviations (crises, or errors of the source)",
        "no daily move beyond 25 percent or 8 robust deviations",
        int(large.sum()),
    )
    split = np.zeros_like(large)
    for factor in (*_SPLITS, *(1.0 / factor for factor in _SPLITS)):
        split |= np.abs(ratio / factor - 1.0) <= _SPLIT_TOLERANCE
    yield _gate(
        "split_like",
        places(split),
        "WARN",
        "moves look like a split that was not adjusted",
        "no move looks like a split",
        int(split.sum()),
    )
    unmoved = [
        f"{asset} {share:.0%}"
        for asset, share in zip(prices.assets, np.mean(ratio == 1.0, axis=0) if ratio.size else [], strict=False)
        if share > _LARGEST_UNCHANGED
    ]
    yield _gate(
        "movement",
        unmoved,
        "FAIL",
        "prices hardly move: more than half of the closes equal the one before",
        "prices move",
    )
    yield _gate(
        "stale_prices",
        list(_stale(prices)),
        "WARN",
        f"runs of {_STALE_SESSIONS} or more equal closes (hardly traded, or filled forward)",
        f"no run of {_STALE_SESSIONS} or more equal closes",
    )


def _outliers(ratio: Floats) -> Flags:
    """Moves beyond 8 robust deviations of simple returns, whose last bit does not depend on the processor."""
    if not ratio.size:
        return np.zeros(ratio.shape, dtype=np.bool_)
    distance = np.abs(ratio - np.median(ratio, axis=0))
    deviation = 1.4826 * np.median(distance, axis=0)
    return (distance > _ROBUST_SIGMAS * deviation) & (deviation > 0.0)


def _stale(prices: Prices) -> Iterator[str]:
    for n, asset in enumerate(prices.assets):
        closes = prices.closes[:, n]
        starts = np.flatnonzero(np.concatenate(([True], closes[1:] != closes[:-1])))
        lengths = np.diff(np.append(starts, len(closes)))
        for run in np.flatnonzero(lengths >= _STALE_SESSIONS):
            yield f"{prices.dates[starts[run]]} {asset} {lengths[run]} sessions"
