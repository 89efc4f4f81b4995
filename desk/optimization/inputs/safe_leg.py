"""Loads the safe leg of a request beside its prices: another asset, or a bond computed from yields."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from desk.base.errors import InvalidInput
from desk.base.text import spaced
from desk.market.checks.prices import require_usable
from desk.market.prices import Prices, PriceSource, SafeLeg
from desk.market.universe import split_universe
from desk.optimization.request import YIELD
from quant.numeric.arrays import Dates, Floats
from quant.numeric.moments import moments
from quant.numeric.units import DAYS
from quant.worlds.bond import Bond, BondIndex
from quant.worlds.bond_proxy import par_bond_history, par_duration
from quant.worlds.scenario import Scenario
from quant.worlds.shocks import BASE_SHARPE

MATURITY = 10
"""Years of the par bond that is computed from yields."""
_ALLOWED = (
    "cash; an asset of the same prices, or NAME:ASSET of another data set; or yield: and a series of daily yields in "
    "percent a year"
)
_LONGEST_GAP = 4
"""Median days between two yields above which they are not daily."""


@dataclass(frozen=True)
class BondData:
    """The safe leg of a market, where it is no cash."""

    name: str
    returns: Floats
    """Daily simple returns, shape (T,)."""
    yields: Floats
    """Annual fractions at the close of each day, shape (T,); empty for an index."""


def bond_data(prices: Prices) -> BondData:
    """Daily returns of the safe leg of `prices`, which has one."""
    leg = prices.safe
    assert leg is not None
    if not leg.yields:
        return BondData(leg.name, leg.levels[1:] / leg.levels[:-1] - 1.0, np.empty(0))
    yields = leg.levels / 100.0
    return BondData(leg.name, par_bond_history(prices.dates, yields, years=MATURITY).returns, yields[1:])


def bond_of(bond: BondData, scenario: Scenario, training: slice) -> Bond | BondIndex:
    """The bond in a simulated world: the volatility of the training days, and the premium per volatility of base case.

    The historical mean of one falling or rising yield is too noisy to be believed.
    """
    volatility = _volatility(bond, training)
    mean = scenario.cash_rate + BASE_SHARPE * volatility
    if bond.yields.size == 0:
        return BondIndex(mean_return=mean, return_volatility=volatility)
    yields = np.ascontiguousarray(bond.yields[training])
    duration, convexity = par_duration(float(yields[-1]), MATURITY)
    change = volatility / duration
    level = mean - 0.5 * convexity * change * change
    return Bond(duration=duration, convexity=convexity, level=level, volatility=change)


def _volatility(bond: BondData, training: slice) -> float:
    return moments(np.ascontiguousarray(bond.returns[training])).deviation * math.sqrt(DAYS)


def describe_safe_leg(bond: BondData | None, scenarios: Sequence[Scenario], training: slice) -> str:
    """What simulated worlds assume about the safe leg, as a sentence."""
    if bond is None:
        return "With a cash leg the equity-bond correlation of a scenario has no effect."
    correlations = ", ".join(f"{spaced(s.name)} {s.bond_correlation:+.1f}" for s in scenarios)
    volatility = _volatility(bond, training)
    return (
        f"In every world {bond.name} has the volatility of its training days, {volatility:.1%} a year, and a Sharpe "
        f"ratio of {BASE_SHARPE:g}, which is an assumption. Its correlation with the risky leg is: "
        f"{correlations}."
    )


async def load_with_safe_leg(source: PriceSource, universe: str, safe: str, *, calendar: str | None = None) -> Prices:
    """Prices of `universe` on the sessions that it shares with the safe leg, which is no asset of the universe then.

    The gates of both are checked before the sessions are compared, because the common ones are no exchange's; the
    prices against `calendar`, by default their own.
    """
    name, assets = split_universe(universe)
    yields = safe.startswith(YIELD)
    series = safe.removeprefix(YIELD).strip()
    if not series:
        raise _refusal(safe, "it names no series")
    if yields:
        leg = await source.load_index(series)
    else:
        series = series if ":" in series else f"{name}:{series}"
        leg = await source.load(series)
    if len(leg.assets) != 1:
        raise _refusal(safe, f"it names {len(leg.assets)} series")
    prices = await source.load(universe)
    if split_universe(series)[0] == name and leg.assets[0] in prices.assets:
        risky = [asset for asset in assets or prices.assets if asset != leg.assets[0]]
        if not risky:
            raise _refusal(safe, f"{leg.assets[0]} is the only asset of {universe}")
        prices = await source.load(f"{name}:{','.join(risky)}")
    if leg.currency != prices.currency:
        raise _refusal(safe, f"it is in {leg.currency}, the prices in {prices.currency}")
    return _joined(prices, leg, yields=yields, safe=safe, calendar=calendar or prices.calendar)


def _joined(prices: Prices, leg: Prices, *, yields: bool, safe: str, calendar: str) -> Prices:
    levels = leg.closes[:, 0]
    valid = np.isfinite(levels)
    days, levels = leg.dates[valid], levels[valid]
    if yields:
        _require_daily_yields(safe, days, levels)
    else:
        require_usable(replace(leg, dates=days, closes=levels[:, None], ranges=None), None)
    complete = np.isfinite(prices.closes).all(axis=1)
    ranges = None if prices.ranges is None or not complete.all() else prices.ranges
    prices = replace(prices, dates=prices.dates[complete], closes=prices.closes[complete], ranges=ranges)
    require_usable(prices, None if calendar == "none" else calendar)
    _, rows, places = np.intersect1d(prices.dates, days, return_indices=True)
    if rows.size < 2:
        raise _refusal(safe, f"it shares {rows.size} sessions with the prices")
    dropped = int(rows[-1] - rows[0]) + 1 - rows.size
    notes = (f"{dropped} sessions without {leg.assets[0]} are left out",) if dropped else ()
    return replace(
        prices,
        dates=prices.dates[rows],
        closes=prices.closes[rows],
        ranges=None if dropped or ranges is None else ranges.part(slice(int(rows[0]), int(rows[-1]) + 1), slice(None)),
        notes=(*prices.notes, *notes),
        safe=SafeLeg(leg.assets[0], levels[places], yields),
    )


def _require_daily_yields(safe: str, days: Dates, levels: Floats) -> None:
    gaps = np.diff(days).astype(np.int64)
    if (gaps <= 0).any():
        raise _refusal(safe, "its dates do not increase")
    if gaps.size == 0 or float(np.median(gaps)) > _LONGEST_GAP:
        reason = f"its values are {0.0 if gaps.size == 0 else float(np.median(gaps)):.0f} days apart"
        raise _refusal(safe, f"{reason}, and a daily history needs daily yields")
    outside = (levels < -5.0) | (levels > 25.0)
    if outside.any():
        place = int(outside.argmax())
        raise _refusal(safe, f"it has {levels[place]:g} on {days[place]}; yields lie between -5 and 25 percent a year")


def _refusal(safe: str, reason: str) -> InvalidInput:
    return InvalidInput("safe", safe, reason=reason, allowed=_ALLOWED)
