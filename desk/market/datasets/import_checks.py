"""The gates of an import: those of prices, and what only bars and ragged histories show."""

import numpy as np
from numpy.typing import NDArray

from desk.base.errors import InvalidInput
from desk.market.bars import Bars, Field
from desk.market.checks.prices import BREAKING, apply_acceptances, first_marked, inspect
from desk.market.checks.report import Gate
from desk.market.datasets.schemas import Kind, Terms
from desk.market.prices import Prices

SHOWN = 20
ROUNDING = 1e-6
"""Relative; adjusted prices are rounded one by one."""
PRICED: tuple[Field, ...] = ("open", "high", "low", "close", "unadjusted")
_OF_KIND: dict[Kind, frozenset[str] | None] = {
    "prices": None,
    "curve": frozenset({"duplicate_dates", "date_order", "closed_days", "missing_sessions"}),
    "index": frozenset(
        {"duplicate_dates", "date_order", "closed_days", "missing_sessions", "positive_prices", "stale_prices"}
    ),
}


def check_import(bars: Bars, terms: Terms, of_rows: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Every gate, with what `terms` accept; raises `InvalidInput` for an acceptance that cannot be."""
    prices = Prices(
        dates=bars.dates,
        assets=bars.assets,
        closes=bars.closes,
        price_index=not terms.total_return,
        survivors=False,
        source="file",
    )
    report = inspect(prices, None if terms.calendar == "none" else terms.calendar)
    own = {gate.name: gate for gate in (*of_rows, *_of_assets(bars), _positive(bars), *_of_bars(bars))}
    kinds = _OF_KIND[terms.kind]
    gates = [own.pop(gate.name, gate) for gate in report.gates]
    gates = [gate for gate in (*gates, *own.values()) if kinds is None or gate.name in kinds]
    for name in terms.accept:
        failed = {gate.name for gate in gates if gate.status == "FAIL"}
        if name in BREAKING and name in failed:
            reason = f"{name} cannot be accepted: no return can be computed from what it found"
            raise InvalidInput(f"accept.{name}", terms.accept[name], reason=reason, allowed="a file without it")
        if name not in failed:
            reason = f"{name} does not fail"
            allowed = ", ".join(sorted(failed - set(BREAKING))) or "nothing: no gate that can be accepted fails"
            raise InvalidInput(f"accept.{name}", terms.accept[name], reason=reason, allowed=allowed)
    return apply_acceptances(gates, terms.accept)


def _of_assets(bars: Bars) -> tuple[Gate, Gate]:
    """Days that an asset lacks within its life, and lives that differ."""
    known: NDArray[np.bool_] = ~np.isnan(bars.closes)
    first, last = known.argmax(axis=0), known.shape[0] - 1 - known[::-1].argmax(axis=0)
    rows: NDArray[np.int64] = np.arange(len(bars.dates))[:, None]
    hole: NDArray[np.bool_] = ~known & (rows > first) & (rows < last)
    found = [f"{bars.dates[t]} {bars.assets[n]}" for t, n in first_marked(hole, SHOWN)]
    calendars = Gate(
        name="asset_calendars",
        status="FAIL" if found else "PASS",
        detail=f"prices are missing on a date of the other assets: {int(hole.sum())}"
        if found
        else "every asset has a price on every date from its first to its last",
        rows=tuple(found),
    )
    whole = bars.common_rows()
    days = whole.stop - whole.start
    ragged = [
        f"{asset} {bars.dates[first[n]]} to {bars.dates[last[n]]}"
        for n, asset in enumerate(bars.assets)
        if known[:, n].any() and (first[n] > 0 or last[n] < known.shape[0] - 1)
    ]
    ragged += [f"{asset} no price" for n, asset in enumerate(bars.assets) if not known[:, n].any()]
    histories = Gate(
        name="asset_histories",
        status="FAIL" if days < 2 else "WARN" if ragged else "PASS",
        detail=f"assets begin or end on different days; together they are used on the {days} days they share"
        if ragged
        else "all assets begin and end on the same days",
        rows=tuple(ragged[:SHOWN]),
    )
    return calendars, histories


def _positive(bars: Bars) -> Gate:
    found: list[str] = []
    count = 0
    for name in PRICED:
        values = bars.fields.get(name)
        if values is not None:
            wrong: NDArray[np.bool_] = (values <= 0.0) | np.isinf(values)
            count += int(wrong.sum())
            places = first_marked(wrong, SHOWN - len(found))
            found += [f"{bars.dates[t]} {bars.assets[n]} {name} {values[t, n]:g}" for t, n in places]
    detail = f"prices are zero, negative or infinite: {count}" if found else "every price is positive"
    return Gate(name="positive_prices", status="FAIL" if found else "PASS", detail=detail, rows=tuple(found))


def _of_bars(bars: Bars) -> tuple[Gate, ...]:
    fields = bars.fields
    if "high" not in fields or "low" not in fields:
        return ()
    high, low = fields["high"], fields["low"]
    below: NDArray[np.bool_] = high < low * (1.0 - ROUNDING)
    shown = [
        f"{bars.dates[t]} {bars.assets[n]} {high[t, n]:g} below {low[t, n]:g}" for t, n in first_marked(below, SHOWN)
    ]
    high_low = Gate(
        name="high_low",
        status="FAIL" if shown else "PASS",
        detail=f"the high is below the low: {int(below.sum())}" if shown else "no high is below its low",
        rows=tuple(shown),
    )
    outside = np.full(high.shape, False)
    for values in (fields.get("open"), fields["close"]):
        if values is not None:
            outside |= (values > high * (1.0 + ROUNDING)) | (values < low * (1.0 - ROUNDING))
    places = first_marked(outside, SHOWN)
    consistent = Gate(
        name="open_close_range",
        status="WARN" if len(places) else "PASS",
        detail=f"opens or closes lie outside of low to high: {int(outside.sum())}"
        if len(places)
        else "opens and closes lie between low and high",
        rows=tuple(f"{bars.dates[t]} {bars.assets[n]}" for t, n in places),
    )
    return high_low, consistent
