"""What is looked at before prices are used: what is broken stops, what is doubtful is said."""

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desk.base.errors import InvalidInput
from desk.market.checks.report import DataReport, Gate, Status
from desk.market.prices import Prices

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
"""No return can be computed from what these find, so nobody can accept it."""
_MAX_ROWS = 20
_LARGE = 1.2840254166877414
"""exp(0.25): a move beyond it or its inverse is more than 25 percent in logarithms."""
_ROBUST_SIGMAS = 8.0
_SPLITS = (2.0, 3.0, 4.0, 5.0, 10.0)
_SPLIT_TOLERANCE = 0.01
_STALE_SESSIONS = 5
_SHORT_SESSIONS = 756
_LARGEST_UNCHANGED = 0.5
"""Share of unchanged closes above which a series is no market price."""


def inspect(prices: Prices, calendar: str | None = "XNYS") -> DataReport:
    """Look through every gate. `calendar` None: the exchange is unknown or never closes."""
    found = (
        _length(prices),
        *_order(prices),
        *_calendar(prices, calendar),
        _alignment(prices),
        _positive(prices),
        *_moves(prices),
        Gate(name="high_low", status="SKIP", detail="not looked at: only closes are carried"),
    )
    gates = apply_acceptances(found, dict(prices.accepted))
    known = prices.dates[~np.isnat(prices.dates)]
    return DataReport(
        source=prices.source,
        digest=prices.digest,
        first=known.min().astype(object) if known.size else None,
        last=known.max().astype(object) if known.size else None,
        sessions=len(prices.dates),
        assets=prices.assets,
        gates=gates,
    )


def require_usable(prices: Prices, calendar: str | None = "XNYS") -> DataReport:
    """The report of prices that may be used; raises `InvalidInput` where a gate fails."""
    report = inspect(prices, calendar)
    failed = [gate for gate in report.gates if gate.status == "FAIL"]
    if failed:
        gate = failed[0]
        shown = ", ".join(gate.rows[:5]) + (", ..." if len(gate.rows) > 5 else "")
        reasons = "; ".join([gate.detail + (f" ({shown})" if shown else "")] + [g.detail for g in failed[1:]])
        raise InvalidInput(
            prices.source,
            gate.rows,
            reason=reasons,
            allowed="prices that pass every gate of `data check`",
            code=f"gate_{gate.name}",
        )
    return report


def apply_acceptances(gates: Iterable[Gate], reasons: Mapping[str, str]) -> tuple[Gate, ...]:
    """What fails and somebody accepted is a caveat with the reason."""
    return tuple(
        gate.model_copy(update={"status": "WARN", "detail": f"{gate.detail}; accepted: {reasons[gate.name]}"})
        if gate.status == "FAIL" and gate.name in reasons and gate.name not in BREAKING
        else gate
        for gate in gates
    )


def first_marked(mask: NDArray[np.bool_], most: int = _MAX_ROWS) -> list[tuple[int, int]]:
    """Row and column of the first that are marked: of millions of holes twenty are named."""
    rows = np.flatnonzero(mask.any(axis=1))[:most]
    return [(int(rows[i]), int(n)) for i, n in np.argwhere(mask[rows])[:most]]


def _gate(name: str, found: list[str], bad: Status, detail: str, passed: str, count: int | None = None) -> Gate:
    """`count` where `found` are the first of more."""
    if not found:
        return Gate(name=name, status="PASS", detail=passed)
    number = len(found) if count is None else count
    return Gate(name=name, status=bad, detail=f"{detail}: {number}", rows=tuple(found[:_MAX_ROWS]))


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
    twice = [str(day) for day in unique[counts > 1]]
    yield _gate("duplicate_dates", twice, "FAIL", "dates stand more than once", "each date once")
    back = np.flatnonzero(~(days[1:] >= days[:-1])) + 1
    found = [f"{days[i]} after {days[i - 1]}" for i in back]
    yield _gate("date_order", found, "FAIL", "dates are out of order", "dates increase")


def _calendar(prices: Prices, calendar: str | None) -> Iterator[Gate]:
    names = ("closed_days", "missing_sessions")
    known = prices.dates[~np.isnat(prices.dates)]
    if calendar is None or not known.size:
        reason = (
            "not looked at: no exchange calendar was named, so a missing session goes unnoticed"
            if calendar is None
            else "not looked at: there is no date"
        )
        yield from (Gate(name=name, status="SKIP", detail=reason) for name in names)
        return
    sessions = sessions_between(calendar, known.min(), known.max())
    extra = [str(day) for day in np.setdiff1d(known, sessions)]
    yield _gate(
        names[0],
        extra,
        "FAIL",
        f"dates are weekends or holidays of {calendar}",
        f"every date is a session of {calendar}",
    )
    missing = [str(day) for day in np.setdiff1d(sessions, known)]
    yield _gate(
        names[1],
        missing,
        "FAIL",
        f"sessions of {calendar} are missing",
        f"no session of {calendar} is missing",
    )


def sessions_between(calendar: str, first: np.datetime64, last: np.datetime64) -> NDArray[np.datetime64]:
    library: Any = import_module("exchange_calendars")  # it has no types
    errors: Any = import_module("exchange_calendars.errors")

    # a calendar needs room around the dates asked for, and begins twenty years ago if not told
    margin = np.timedelta64(14, "D")
    start, end = str(first - margin), str(last + margin)
    try:
        exchange: Any = library.get_calendar(calendar, start=start, end=end)
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
    days: NDArray[np.datetime64] = exchange.sessions.to_numpy().astype("datetime64[D]")
    return days[(days >= first) & (days <= last)]


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

    def places(mask: NDArray[np.bool_]) -> list[str]:
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
    still = [
        f"{asset} {share:.0%}"
        for asset, share in zip(prices.assets, np.mean(ratio == 1.0, axis=0) if ratio.size else [], strict=False)
        if share > _LARGEST_UNCHANGED
    ]
    yield _gate(
        "movement",
        still,
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


def _outliers(ratio: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Beyond 8 robust deviations: of the simple return, whose last bit no processor changes."""
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
