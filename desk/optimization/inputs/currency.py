"""One currency for the prices, the safe leg and the cash of a request: checked, or converted by an exchange rate."""

import re
from dataclasses import dataclass, replace

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.price_facts import PriceFacts
from desk.market.prices import Prices, PriceSource, RateSeries
from desk.optimization.request import BUNDLED_CASH, BUNDLED_CURRENCY, OptimizationRequest
from quant.numeric.arrays import Dates, Floats

_PAIR = re.compile(r"([A-Z]{3})[/_ -]?([A-Z]{3})(?:=X)?")
_ALLOWED = (
    "a series named by its pair, such as EURUSD for the price of a euro in dollars: a data set of the kind index, "
    "NAME:EURUSD of one, or file:EURUSD"
)
_LONGEST_GAP = 7
"""Days for which an exchange rate stays known."""


@dataclass(frozen=True)
class ExchangeRate:
    """The price of one unit of `base` in `quote`."""

    base: str
    quote: str
    dates: Dates
    values: Floats
    name: str

    def convert(self, prices: Prices, target: str) -> Prices:
        """`prices` in the currency `target`; sessions before the first rate and after the last are left out."""
        if prices.currency == target:
            return prices
        if {prices.currency, target} != {self.base, self.quote}:
            raise InvalidInput(
                "exchange_rate",
                self.name,
                reason=f"it converts {self.base} and {self.quote}; {prices.source} is in {prices.currency}",
                allowed=f"a series {prices.currency}{target} or {target}{prices.currency}",
            )
        places = np.searchsorted(self.dates, prices.dates, side="right") - 1
        ages = (prices.dates - self.dates[np.maximum(places, 0)]).astype(np.int64)
        covered = (places >= 0) & (ages <= _LONGEST_GAP)
        rows = np.flatnonzero(covered)
        if rows.size < 2:
            raise InvalidInput(
                "exchange_rate",
                self.name,
                reason=f"it covers {rows.size} sessions of {prices.source}",
                allowed=_ALLOWED,
            )
        if rows[-1] - rows[0] + 1 != rows.size:
            missing = prices.dates[rows[0] + int((~covered[rows[0] :]).argmax())]
            reason = f"it has no value within {_LONGEST_GAP} days before {missing}"
            raise InvalidInput("exchange_rate", self.name, reason=reason, allowed="a series without such gaps")
        values = self.values[places[rows]]
        factors = values if target == self.quote else 1.0 / values
        left_out = prices.dates.size - rows.size
        notes = (f"{left_out} sessions without {self.name} are left out",) if left_out else ()
        return replace(
            prices,
            dates=prices.dates[rows],
            closes=prices.closes[rows] * factors[:, None],
            currency=target,
            ranges=None,  # the high of a day and its exchange rate are of different times
            notes=(
                *prices.notes,
                f"converted from {prices.currency} to {target} by {self.name}: returns hold those of the currency",
                *notes,
            ),
        )


@dataclass(frozen=True)
class ConvertedPrices:
    """Adapter of `desk.market.prices.PriceSource`: converts prices of another currency; indices stay."""

    source: PriceSource
    rate: ExchangeRate
    target: str

    async def universes(self) -> tuple[str, ...]:
        return await self.source.universes()

    async def facts(self, universe: str) -> PriceFacts | None:  # noqa: ARG002
        return None  # facts are those of the prices before conversion

    async def load(self, universe: str) -> Prices:
        return self.rate.convert(await self.source.load(universe), self.target)

    async def load_index(self, universe: str) -> Prices:
        return await self.source.load_index(universe)


async def in_one_currency(source: PriceSource, request: OptimizationRequest, cash: RateSeries | None) -> PriceSource:
    """The source that loads prices in the currency of the cash, where the request names an exchange rate."""
    if request.exchange_rate is None:
        return source
    rate = await _load_rate(source, request, request.exchange_rate)
    target = _cash_currency(request, cash) or rate.quote
    if target not in (rate.base, rate.quote):
        reason = f"it converts {rate.base} and {rate.quote}, and the cash is in {target}"
        raise InvalidInput("exchange_rate", request.exchange_rate, reason=reason, allowed=_ALLOWED)
    return ConvertedPrices(source, rate, target)


def require_one_currency(prices: Prices, request: OptimizationRequest, cash: RateSeries | None) -> None:
    """Raise `InvalidInput` for prices in one currency and cash in another."""
    currency = _cash_currency(request, cash)
    if currency in (None, prices.currency):
        return
    held = "the US Treasury bill" if request.cash == BUNDLED_CASH else request.cash
    raise InvalidInput(
        "cash",
        request.cash,
        reason=f"the prices are in {prices.currency}, and {held} is in {currency}",
        allowed=f"a rate a year such as 0.02, or a series of rates in {prices.currency}; or exchange_rate with a "
        f"series {prices.currency}{currency}, which converts the prices",
        code="currencies_mix",
    )


def _cash_currency(request: OptimizationRequest, cash: RateSeries | None) -> str | None:
    """None for a rate, which has the currency of the prices."""
    if request.cash == BUNDLED_CASH:
        return BUNDLED_CURRENCY
    return None if cash is None else cash.currency


async def _load_rate(source: PriceSource, request: OptimizationRequest, name: str) -> ExchangeRate:
    if request.prices_file is not None and ":" not in name:
        name = f"file:{name}"
    loaded = await source.load_index(name)
    if len(loaded.assets) != 1:
        raise InvalidInput("exchange_rate", name, reason=f"it names {len(loaded.assets)} series", allowed=_ALLOWED)
    pair = _PAIR.fullmatch(loaded.assets[0].strip().upper())
    if pair is None or pair[1] == pair[2]:
        raise InvalidInput(
            "exchange_rate", name, reason=f"{loaded.assets[0]} is no pair of currencies", allowed=_ALLOWED
        )
    values = loaded.closes[:, 0]
    valid = np.isfinite(values)
    if not (values[valid] > 0.0).all() or not valid.any() or (np.diff(loaded.dates) <= np.timedelta64(0)).any():
        reason = "it needs positive values on increasing dates"
        raise InvalidInput("exchange_rate", name, reason=reason, allowed=_ALLOWED)
    return ExchangeRate(pair[1], pair[2], loaded.dates[valid], values[valid], loaded.assets[0])
