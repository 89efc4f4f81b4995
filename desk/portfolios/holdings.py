"""Loads assets and holdings on training and validation days; the locked holdout is excluded."""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.prices import Prices, PriceSource
from desk.optimization.inputs.market_data import Market, build_market
from desk.optimization.request import OptimizationRequest
from quant.numeric.arrays import Dates, Floats
from quant.numeric.returns import Returns

CASH = "cash"
INDEX = "sp500"
"""The benchmark universe of beta."""
MAX_ASSETS = 20
"""Largest number of risky assets."""
TOLERANCE = 1e-4
"""Tolerance of the sum of shares."""


@dataclass(frozen=True)
class Assets:
    """Risky assets in the order of the request.

    Attributes
    ----------
    returns : Returns
        T sessions of training and validation, N assets.
    train : int
        Sessions of the training part.
    cash : ndarray, shape (T,)
    index : ndarray, shape (T,), or None
        Returns of the index, if the source has it.
    universes : tuple of str, length N
    """

    returns: Returns
    train: int
    cash: Floats
    index: Floats | None
    universes: tuple[str, ...]
    sources: tuple[str, ...]
    caveats: tuple[str, ...]

    @property
    def first_day(self) -> str:
        return str(self.returns.dates[0])

    @property
    def last_day(self) -> str:
        return str(self.returns.dates[-1])

    @property
    def train_end(self) -> str:
        return str(self.returns.dates[self.train - 1])

    @property
    def days_used(self) -> str:
        """A caveat with the days used."""
        return (
            f"Computed on {self.first_day} to {self.last_day}, training and validation; the days after that are locked."
        )

    def with_cash(self) -> Returns:
        """Returns of the assets and of cash."""
        values = np.column_stack([self.returns.values, self.cash])
        return Returns(self.returns.dates, (*self.returns.assets, CASH), values)


@dataclass(frozen=True)
class Holdings:
    """Weights of the risky assets, shape (N,), and of cash, with the sum 1."""

    assets: Assets
    weights: Floats
    cash_weight: float

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the holdings, cash last if there is any."""
        return (*self.assets.returns.assets, *((CASH,) if self.cash_weight > 0.0 else ()))

    def returns(self) -> tuple[Returns, Floats]:
        """Returns and weights of all `names`."""
        if self.cash_weight > 0.0:
            return self.assets.with_cash(), np.append(self.weights, self.cash_weight)
        return self.assets.returns, self.weights


async def load_holdings(prices: PriceSource, holdings: Mapping[str, float]) -> Holdings:
    """Load holdings given as fractions of wealth by name, cash included."""
    _check_shares(holdings)
    risky = {name: share for name, share in holdings.items() if name.casefold() != CASH}
    if not risky:
        raise InvalidInput("holdings", list(holdings), allowed="at least one asset that is not cash")
    total = math.fsum(holdings.values())
    assets = await load_assets(prices, tuple(risky))
    weights = np.array(list(risky.values())) / total
    cash = math.fsum(share for name, share in holdings.items() if name.casefold() == CASH) / total
    return Holdings(assets, weights, cash)


async def load_assets(prices: PriceSource, names: Sequence[str]) -> Assets:
    """Load assets by name from any universe; a universe of one asset also counts as its name."""
    if len(names) > MAX_ASSETS:
        raise InvalidInput("assets", len(names), allowed=f"at most {MAX_ASSETS} besides cash")
    universes = {name: await prices.load(name) for name in await prices.universes()}
    places = find_places(universes, names)
    assets_by_universe: dict[str, list[str]] = {}
    for universe, asset in places:
        assets_by_universe.setdefault(universe, []).append(asset)
    currencies = {universes[universe].currency for universe in assets_by_universe}
    if len(currencies) > 1:
        currency_list = " and ".join(sorted(currencies))
        raise InvalidInput(
            "assets", currency_list, reason=f"prices in {currency_list} do not mix", allowed="assets of one currency"
        )
    markets = {
        # a subset of a data set's assets may share more days than all of them
        universe: await asyncio.to_thread(
            build_market, await prices.load(f"{universe}:{','.join(assets)}"), OptimizationRequest()
        )
        for universe, assets in assets_by_universe.items()
    }
    if INDEX in universes and INDEX not in markets:
        markets[INDEX] = await asyncio.to_thread(build_market, universes[INDEX], OptimizationRequest())
    return _join(markets, places)


def _check_shares(holdings: Mapping[str, float]) -> None:
    for name, share in holdings.items():
        if not (math.isfinite(share) and share >= 0.0):
            raise InvalidInput(f"holdings.{name}", share, allowed="0 to 1; nothing is sold short or borrowed")
    total = math.fsum(holdings.values())
    if abs(total - 1.0) > TOLERANCE:
        raise InvalidInput(
            "holdings",
            f"{total:.4g}",
            reason=f"the shares add up to {total:.2%}",
            allowed="shares that add up to 100%; what is not invested is cash",
        )


def find_places(universes: Mapping[str, Prices], names: Sequence[str]) -> list[tuple[str, str]]:
    """Universe and asset of each name, in the order of the names."""
    by_name: dict[str, tuple[str, str]] = {}
    for universe, prices in universes.items():
        by_name |= {asset.casefold(): (universe, asset) for asset in prices.assets}
        if len(prices.assets) == 1:
            by_name[universe.casefold()] = (universe, prices.assets[0])
    allowed = ", ".join([*dict.fromkeys(asset for _, asset in by_name.values()), CASH])
    missing = [name for name in names if name.casefold() not in by_name]
    if missing or not names:
        missing_names = ", ".join(missing)
        raise InvalidInput(
            "assets", missing_names, reason=f"there are no prices of {missing_names or 'nothing'}", allowed=allowed
        )
    places = [by_name[name.casefold()] for name in names]
    for n, place in enumerate(places):
        if place in places[:n]:
            raise InvalidInput("assets", names[n], reason=f"{place[1]} is named twice", allowed="each asset once")
    return places


def _join(markets: Mapping[str, Market], places: Sequence[tuple[str, str]]) -> Assets:
    days, train_end = _common_days(markets.values())
    rows = {universe: np.isin(market.dates, days) for universe, market in markets.items()}
    columns = [
        _legs(markets[universe])[rows[universe], markets[universe].assets.index(asset)] for universe, asset in places
    ]
    universes = dict.fromkeys(universe for universe, _ in places)
    first = places[0][0]
    return Assets(
        returns=Returns(days, tuple(asset for _, asset in places), np.column_stack(columns)),
        train=int(np.searchsorted(days, train_end)),
        cash=markets[first].cash[rows[first]],
        index=markets[INDEX].asset[rows[INDEX]] if INDEX in markets else None,
        universes=tuple(universe for universe, _ in places),
        sources=tuple(markets[universe].source for universe in universes),
        caveats=tuple(dict.fromkeys(caveat for universe in universes for caveat in markets[universe].caveats)),
    )


def _common_days(markets: Iterable[Market]) -> tuple[Dates, np.datetime64]:
    """Sessions common to all markets, and the first day of the earliest validation."""
    days = [market.dates[market.train.start : market.validate.stop] for market in markets]
    ends = np.array([market.dates[market.train.stop] for market in markets])
    return reduce(np.intersect1d, days), ends.min()


def _legs(market: Market) -> Floats:
    return market.histories["equal_weight"].legs if market.mixes else market.asset[:, None]
