"""Gates of an import: those of prices, and those that need bars or assets with different first days."""

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.bars import Bars, Field
from desk.market.checks.prices import BREAKING, apply_acceptances, first_marked, inspect
from desk.market.checks.report import Gate
from desk.market.datasets.schemas import Kind, Terms
from desk.market.prices import Prices
from quant.numeric.arrays import Flags, Ints

MAX_ROWS = 20
ROUNDING = 1e-6
"""Relative tolerance, because adjusted prices are rounded separately."""
PRICED: tuple[Field, ...] = ("open", "high", "low", "close", "unadjusted")
_GATES_BY_KIND: dict[Kind, frozenset[str] | None] = {
    "prices": None,
    "curve": frozenset({"duplicate_dates", "date_order", "closed_days", "missing_sessions"}),
    "index": frozenset(
        {"duplicate_dates", "date_order", "closed_days", "missing_sessions", "positive_prices", "stale_prices"}
    ),
}


def check_import(bars: Bars, terms: Terms, row_gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Every gate, with the acceptances in `terms`; raises `InvalidInput` for an invalid acceptance."""
    prices = Prices(
        dates=bars.dates,
        assets=bars.assets,
        closes=bars.closes,
        price_index=not terms.total_return,
        survivors=False,
        source="file",
    )
    report = inspect(prices, None if terms.calendar == "none" else terms.calendar)
    import_gates = {gate.name: gate for gate in (*row_gates, *_asset_gates(bars), _positive(bars), *_bar_gates(bars))}
    gate_names = _GATES_BY_KIND[terms.kind]
    gates = [import_gates.pop(gate.name, gate) for gate in report.gates]
    gates = [gate for gate in (*gates, *import_gates.values()) if gate_names is None or gate.name in gate_names]
    for name in terms.accept:
        failed_gates = {gate.name for gate in gates if gate.status == "FAIL"}
        if name in BREAKING and name in failed_gates:
            reason = f"{name} cannot be accepted: no return can be computed from what it found"
            raise InvalidInput(f"accept.{name}", terms.accept[name], reason=reason, allowed="a file without it")
        if name not in failed_gates:
            reason = f"{name} does not fail"
            allowed = ", ".join(sorted(failed_gates - set(BREAKING))) or "nothing: no gate that can be accepted fails"
            raise InvalidInput(f"accept.{name}", terms.accept[name], reason=reason, allowed=allowed)
    return apply_acceptances(gates, terms.accept)


def _asset_gates(bars: Bars) -> tuple[Gate, Gate]:
    """Gates for gaps between an asset's first and last day, and for different first or last days."""
    has_close: Flags = ~np.isnan(bars.closes)
    first, last = has_close.argmax(axis=0), has_close.shape[0] - 1 - has_close[::-1].argmax(axis=0)
    rows: Ints = np.arange(len(bars.dates))[:, None]
    hole: Flags = ~has_close & (rows > first) & (rows < last)
    gaps = [f"{bars.dates[t]} {bars.assets[n]}" for t, n in first_marked(hole, MAX_ROWS)]
    calendars = Gate(
        name="asset_calendars",
        status="FAIL" if gaps else "PASS",
        detail=f"prices are missing on a date of the other assets: {int(hole.sum())}"
        if gaps
        else "every asset has a price on every date from its first to its last",
        rows=tuple(gaps),
    )
    common = bars.common_rows()
    days = common.stop - common.start
    ragged = [
        f"{asset} {bars.dates[first[n]]} to {bars.dates[last[n]]}"
        for n, asset in enumerate(bars.assets)
        if has_close[:, n].any() and (first[n] > 0 or last[n] < has_close.shape[0] - 1)
    ]
    ragged += [f"{asset} no price" for n, asset in enumerate(bars.assets) if not has_close[:, n].any()]
    histories = Gate(
        name="asset_histories",
        status="FAIL" if days < 2 else "WARN" if ragged else "PASS",
        detail=f"assets begin or end on different days; together they are used on the {days} days they share"
        if ragged
        else "all assets begin and end on the same days",
        rows=tuple(ragged[:MAX_ROWS]),
    )
    return calendars, histories


def _positive(bars: Bars) -> Gate:
    rows: list[str] = []
    count = 0
    for name in PRICED:
        values = bars.fields.get(name)
        if values is not None:
            wrong: Flags = (values <= 0.0) | np.isinf(values)
            count += int(wrong.sum())
            places = first_marked(wrong, MAX_ROWS - len(rows))
            rows += [f"{bars.dates[t]} {bars.assets[n]} {name} {values[t, n]:g}" for t, n in places]
    detail = f"prices are zero, negative or infinite: {count}" if rows else "every price is positive"
    return Gate(name="positive_prices", status="FAIL" if rows else "PASS", detail=detail, rows=tuple(rows))


def _bar_gates(bars: Bars) -> tuple[Gate, ...]:
    fields = bars.fields
    if "high" not in fields or "low" not in fields:
        return ()
    high, low = fields["high"], fields["low"]
    below: Flags = high < low * (1.0 - ROUNDING)
    rows = [
        f"{bars.dates[t]} {bars.assets[n]} {high[t, n]:g} below {low[t, n]:g}" for t, n in first_marked(below, MAX_ROWS)
    ]
    high_low = Gate(
        name="high_low",
        status="FAIL" if rows else "PASS",
        detail=f"the high is below the low: {int(below.sum())}" if rows else "no high is below its low",
        rows=tuple(rows),
    )
    outside = np.full(high.shape, False)
    for values in (fields.get("open"), fields["close"]):
        if values is not None:
            outside |= (values > high * (1.0 + ROUNDING)) | (values < low * (1.0 - ROUNDING))
    places = first_marked(outside, MAX_ROWS)
    consistent = Gate(
        name="open_close_range",
        status="WARN" if len(places) else "PASS",
        detail=f"opens or closes lie outside of low to high: {int(outside.sum())}"
        if len(places)
        else "opens and closes lie between low and high",
        rows=tuple(f"{bars.dates[t]} {bars.assets[n]}" for t, n in places),
    )
    return high_low, consistent
