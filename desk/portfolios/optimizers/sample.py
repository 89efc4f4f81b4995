"""Loads the returns of an optimizer request: its own, or those of the server's prices."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.datasets.repository import OwnedPrices, read_head, read_version, resolve_commit
from desk.market.prices import Prices
from desk.optimization.inputs.splits import holdout_days
from desk.portfolios.optimizers.requests import OptimizerRequest
from desk.portfolios.optimizers.responses import History
from desk.portfolios.schemas import Portfolio
from quant.numeric.arrays import Dates, Flags, Floats, Ints
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Simple returns per period, shape (T, N), finite, without constant columns."""

    symbols: tuple[str, ...]
    values: Floats
    history: History
    current: Mapping[str, float]
    """Current weights of the portfolio; empty without one."""
    warnings: tuple[str, ...]


async def load_sample(source: OwnedPrices, request: OptimizerRequest, portfolio: Portfolio | None) -> Sample:
    if request.returns is not None:
        return _own_sample(request.returns, request.dates, portfolio)
    symbols = tuple(request.symbols or (portfolio.symbols if portfolio else ()))
    if len(symbols) < 2:
        reason = f"the portfolio has {len(symbols)} asset"
        raise InvalidInput("portfolioId", request.portfolio_id, reason=reason, allowed="one with two assets or more")
    prices_by_name = await _load(source, symbols, request.dataset)
    return await asyncio.to_thread(_sample_from_prices, prices_by_name, symbols, request, portfolio)


def _own_sample(
    returns: Mapping[str, Sequence[float]], dates: Sequence[date] | None, portfolio: Portfolio | None
) -> Sample:
    symbols = portfolio.symbols if portfolio else tuple(returns)
    missing = [symbol for symbol in symbols if symbol not in returns]
    if missing:
        reason = f"the returns of {', '.join(missing[:10])}, which the portfolio contains, are missing"
        raise InvalidInput("returns", missing, reason=reason, allowed="returns of every asset of the portfolio")
    if len(symbols) < 2:
        reason = f"the portfolio has {len(symbols)} asset"
        raise InvalidInput("portfolioId", symbols, reason=reason, allowed="one with two assets or more")
    warnings: list[str] = []
    if ignored := [symbol for symbol in returns if symbol not in symbols]:
        warnings.append(f"Returns of assets that the portfolio does not hold were left out: {', '.join(ignored[:10])}.")
    if dates is None:
        warnings.append("The returns came without dates: that they are of the same days could not be checked.")
    return Sample(
        symbols=symbols,
        values=_require_variation(
            np.column_stack([np.array(returns[symbol]) for symbol in symbols]), symbols, "returns"
        ),
        history=History(
            source="given with the request",
            datasets=(),
            assets=symbols,
            periods=len(returns[symbols[0]]),
            first_date=dates[0] if dates else None,
            last_date=dates[-1] if dates else None,
        ),
        current=portfolio.assets if portfolio else {},
        warnings=tuple(warnings),
    )


@dataclass(frozen=True, eq=False)
class _Column:
    """The closes of one symbol."""

    dataset: str
    prices: Prices
    asset: str


async def _load(source: OwnedPrices, symbols: Sequence[str], dataset: str | None) -> list[_Column]:
    """Load closes from `dataset`, or from the owner's data sets before the shared ones."""
    shared = await source.shared.universes()
    own = [name for name in await source.universes() if name not in shared]
    places: dict[str, tuple[str, str]] = {}
    all_assets: list[str] = []
    for name in [dataset] if dataset else [*own, *reversed(shared)]:
        assets = await _assets(source, name)
        assets_by_symbol = {asset.upper(): asset for asset in assets}
        places = {symbol: (name, assets_by_symbol[symbol]) for symbol in symbols if symbol in assets_by_symbol} | places
        all_assets += assets
    missing = ", ".join(symbol for symbol in symbols if symbol not in places)
    if missing:
        raise InvalidInput(
            "symbols", missing, reason=f"there are no prices of {missing}", allowed=", ".join(all_assets[:60])
        )
    sets: dict[str, tuple[str, Prices]] = {}
    for name in dict.fromkeys(name for name, _ in places.values()):
        selection = ",".join(asset for place, asset in places.values() if place == name)
        pinned = await source.pin(f"{name}:{selection}")
        sets[name] = (pinned.partition(":")[0], await source.load(pinned))
    return [_Column(*sets[name], asset) for name, asset in (places[symbol] for symbol in symbols)]


async def _assets(source: OwnedPrices, dataset: str) -> tuple[str, ...]:
    if dataset in await source.shared.universes():
        return (await source.shared.load(dataset)).assets
    name, _, hash_ = dataset.partition("@")
    commit = resolve_commit(await read_head(source.store, source.owner, name), hash_ or None)
    return (await read_version(source.store, source.owner, name, commit.hash)).assets


def _sample_from_prices(
    columns: Sequence[_Column], symbols: tuple[str, ...], request: OptimizerRequest, portfolio: Portfolio | None
) -> Sample:
    sets = {column.dataset: column.prices for column in columns}
    currencies = sorted({prices.currency for prices in sets.values()})
    if len(currencies) > 1:
        description = ", ".join(currencies)
        raise InvalidInput(
            "symbols", description, reason=f"prices in {description} do not mix", allowed="assets of one currency"
        )
    days = reduce(np.intersect1d, [prices.dates for prices in sets.values()])
    window = days[_in_window(days, request.start_date, request.end_date)]
    if window.size < 3:
        description = f"{request.start_date or 'the beginning'} to {request.end_date or 'the end'}"
        allowed = f"days from {days[0]} to {days[-1]}" if days.size else "assets with days in common"
        raise InvalidInput(
            "startDate", description, reason=f"{description} holds {window.size} closes", allowed=allowed
        )
    closes = [
        column.prices.closes[_rows(column.prices, window), column.prices.assets.index(column.asset)]
        for column in columns
    ]
    try:
        returns = Returns.from_prices(window, symbols, np.column_stack(closes))
    except DataError as error:
        allowed = "assets with closes on all days"
        raise InvalidInput("symbols", list(symbols), reason=str(error), allowed=allowed) from error
    return Sample(
        symbols=symbols,
        values=_require_variation(returns.values, symbols, "symbols"),
        history=History(
            source="; ".join(prices.source for prices in sets.values()),
            datasets=tuple(sets),
            assets=symbols,
            periods=len(returns),
            first_date=returns.dates[0].astype(object),
            last_date=returns.dates[-1].astype(object),
        ),
        current=portfolio.assets if portfolio else {},
        warnings=(*_caveats(list(sets.values())), *_holdout_caveats(days, window)),
    )


def _in_window(days: Dates, start: date | None, end: date | None) -> Flags:
    inside = np.ones(days.size, dtype=np.bool_)
    if start is not None:
        inside &= days >= np.datetime64(start)
    if end is not None:
        inside &= days <= np.datetime64(end)
    return inside


def _rows(prices: Prices, days: Dates) -> Ints:
    return np.intersect1d(days, prices.dates, return_indices=True)[2]


def _caveats(sets: Sequence[Prices]) -> list[str]:
    doubts: list[str] = []
    for prices in sets:
        if prices.price_index:
            doubts.append(f"{prices.source}: dividends are missing, so its mean returns are too low.")
        if prices.survivors:
            doubts.append(f"{prices.source}: chosen because they still exist; their mean returns are flattered.")
    return doubts


def _holdout_caveats(days: Dates, window: Dates) -> list[str]:
    locked = holdout_days(days.size - 1)
    if days.size <= locked or window[-1] < days[-locked]:
        return []
    return [f"The window reaches into the days from {days[-locked]} on, which optimizations keep locked as a holdout."]


def _require_variation(values: Floats, symbols: Sequence[str], field: str) -> Floats:
    """Reject constant series, which have no risk to weigh although rounding may leave them a variance."""
    still = np.ptp(values, axis=0) <= 1e-12 * np.abs(values).max(axis=0)
    if still.any():
        name = symbols[int(still.argmax())]
        reason = f"{name} is constant: it has no risk to weigh"
        raise InvalidInput(
            f"{field}.{name}", float(values[0, still.argmax()]), reason=reason, allowed="returns that vary"
        )
    return values


def estimate_warnings(values: Floats, condition: float, most: float, advisable: int) -> list[str]:
    """Warnings about the quality of the estimate."""
    periods, assets = values.shape
    warnings: list[str] = []
    if periods < advisable * assets:
        warnings.append(f"There are {periods} periods for {assets} assets; {advisable * assets} or more are advisable.")
    if not math.isfinite(condition):
        warnings.append("The covariance is singular: some mix of the assets has had no risk at all.")
    elif condition > most:
        warnings.append(f"The covariance is ill-conditioned ({condition:.3g}): its noise is amplified in the weights.")
    return warnings
