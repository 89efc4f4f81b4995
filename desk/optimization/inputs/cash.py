"""The cash of a request: the bundled Treasury bill, a constant rate, or a series of rates."""

import hashlib
import json

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.bundled import cash_rates
from desk.market.prices import Prices, PriceSource, RateSeries
from desk.optimization.request import BUNDLED_CASH, OptimizationRequest, cash_rate
from quant.numeric.arrays import Dates, Floats
from quant.numeric.errors import DataError
from quant.worlds.cash import STALE_DAYS, accrual, rate_accrual

_ALLOWED = (
    "bundled:US, a rate such as 0.02, or a series of rates in percent a year (a data set of the kind curve or index, "
    "NAME:COLUMN of one, or file:COLUMN)"
)
_LOWEST, _HIGHEST = -5.0, 50.0
"""Percent a year between which a rate is plausible."""


async def load_cash(source: PriceSource, request: OptimizationRequest) -> RateSeries | None:
    """The series that `cash` names; None for a rate and for the bundled bill."""
    name = request.cash
    if name == BUNDLED_CASH or cash_rate(name) is not None:
        return None
    if request.prices_file is not None and ":" not in name:
        name = f"file:{name}"
    loaded = await source.load_index(name)
    if len(loaded.assets) != 1:
        reason = f"it names {len(loaded.assets)} series"
        raise InvalidInput("cash", request.cash, reason=reason, allowed=f"one of them, as {name}:{loaded.assets[0]}")
    levels = loaded.closes[:, 0]
    valid = np.isfinite(levels)
    days, levels = loaded.dates[valid], levels[valid]
    outside = (levels < _LOWEST) | (levels > _HIGHEST)
    if outside.any():
        place = int(outside.argmax())
        raise InvalidInput(
            "cash",
            request.cash,
            reason=f"it has {levels[place]:g} on {days[place]}",
            allowed=f"rates between {_LOWEST:g} and {_HIGHEST:g} percent a year",
        )
    return RateSeries(loaded.assets[0], days, levels, loaded.currency)


def cash_returns(prices: Prices, request: OptimizationRequest, days: Dates) -> Floats:
    """Return of cash over each of `days`, shape (T,); raises `InvalidInput` where no rate is known."""
    if request.cash == BUNDLED_CASH:
        rates = cash_rates()
        if days[0] < rates.months[0]:
            raise InvalidInput(
                "prices", str(prices.dates[0]), allowed=f"prices from {rates.months[0]} on, where the cash rate begins"
            )
        return accrual(days, rates.months, rates.rates, after=request.cash_rate_after)
    rate, series = cash_rate(request.cash), prices.cash
    if rate is not None:
        known, values, after = days[:1], np.array([rate]), rate
    else:
        assert series is not None, "prices are loaded by `load_prices`"
        known, values, after = series.dates, series.percent / 100.0, request.cash_rate_after
    try:
        return rate_accrual(days, known, values, day_count=request.cash_day_count, after=after)
    except DataError as error:
        reason = f"{error}, and the prices begin on {days[0]}"
        raise InvalidInput("cash", request.cash, reason=reason, allowed=_ALLOWED) from error


def rates_digest(request: OptimizationRequest) -> str:
    """Digest of the source of the cash rate; the content of a series is part of the digest of the data."""
    if request.cash == BUNDLED_CASH:
        return cash_rates().digest
    return hashlib.sha256(json.dumps([request.cash, request.cash_day_count]).encode()).hexdigest()


def cash_caveats(prices: Prices, request: OptimizationRequest) -> list[str]:
    """What a result says about its cash."""
    last = prices.dates[-1]
    if request.cash == BUNDLED_CASH:
        last_month = cash_rates().months[-1]
        if last.astype("datetime64[M]") <= last_month:
            return []
        return [_after(str(last_month), request)]
    rate, series = cash_rate(request.cash), prices.cash
    basis = f"actual days over {request.cash_day_count}"
    if rate is not None:
        caveats = [f"Cash earns a constant {rate:.2%} a year ({basis}), which is an assumption."]
    else:
        assert series is not None
        caveats = [f"Cash earns {series.name}, in percent a year ({basis}), as its owner states."]
        if int((last - series.dates[-1]).astype(np.int64)) > STALE_DAYS:
            caveats.append(_after(str(series.dates[-1]), request))
    return [*caveats, "Simulated worlds keep the cash rates of their scenarios."]


def _after(known: str, request: OptimizationRequest) -> str:
    return f"The cash rate is known to {known}; after that {request.cash_rate_after:.1%} a year is assumed."
