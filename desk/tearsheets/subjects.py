"""The series that a tear sheet describes: of an asset, a portfolio, holdings over time, a job's winner, or given."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from desk.base.errors import InvalidInput
from desk.optimization.reading.history import load_history
from desk.optimization.result import OptimizationResult
from desk.portfolios.holdings import CASH, INDEX, TOLERANCE
from desk.portfolios.repository import load_portfolio
from desk.portfolios.schemas import Portfolio
from desk.tearsheets.assets import AssetLevels, common_days, load_asset, load_assets
from desk.tearsheets.levels import Levels, cash_returns, given_levels
from desk.tearsheets.schemas import UNNAMED, DatedHoldings, TearsheetRequest
from quant.numeric.arrays import Dates, Floats
from quant.numeric.errors import DataError
from quant.performance.held_weights import held_returns

if TYPE_CHECKING:
    from desk.market.prices import PriceSource
    from store.store import Store

NO_BENCHMARK = "none"
OWN_ASSET = "asset"
"""Benchmark of a job: the risky asset held alone."""


@dataclass(frozen=True)
class SubjectSeries:
    """A series before its benchmark: levels, exposure and facts."""

    levels: Levels
    title: str
    source: str
    caveats: tuple[str, ...] = ()
    weights: Floats | None = None
    """Gross risky exposure with which each period begins, shape (T,)."""
    benchmark: Levels | None = None
    """The benchmark that belongs to the subject."""
    cash: Floats | None = None
    """Riskless return of each period, where the subject has its own."""
    train_end: date | None = None


async def load_subject(
    store: "Store", prices: "PriceSource", owner: str, request: TearsheetRequest, result: OptimizationResult | None
) -> SubjectSeries:
    """The series that `request` names; `result` is that of its job."""
    match request.subject:
        case "series":
            assert request.series is not None
            return SubjectSeries(given_levels(request.series, "series"), request.series.name, "a series as given")
        case "job":
            assert result is not None, "the caller loads the result of the job"
            return await _winner(store, owner, request, result)
        case "asset":
            assert request.asset is not None
            asset = await load_asset(prices, request.asset, field="asset")
            return SubjectSeries(asset.levels, asset.levels.name, asset.source, asset.caveats)
        case "portfolio":
            assert request.portfolio is not None
            return await _portfolio(prices, await load_portfolio(store, owner, request.portfolio))
        case "holdings":
            return await _holdings(prices, request.holdings)


async def load_benchmark(
    prices: "PriceSource", request: TearsheetRequest, subject: SubjectSeries
) -> tuple[Levels | None, tuple[str, ...]]:
    """The benchmark on all of its own days, None for none, and its caveats."""
    if request.benchmark_series is not None:
        return given_levels(request.benchmark_series, "benchmark_series"), ()
    if request.benchmark == NO_BENCHMARK:
        return None, ()
    if subject.benchmark is not None and request.benchmark in (None, OWN_ASSET):
        return subject.benchmark, ()
    if request.benchmark is not None:
        asset = await load_asset(prices, request.benchmark, field="benchmark")
        return asset.levels, tuple(f"Benchmark: {caveat}" for caveat in asset.caveats)
    if INDEX not in await prices.universes() or subject.title.casefold() == "sp500":
        return None, ()
    asset = await load_asset(prices, INDEX, field="benchmark")
    if not asset.levels.covered(subject.levels.dates).all():
        last = asset.levels.dates[-1]
        return None, (f"There is no benchmark: {INDEX} is known from {asset.levels.dates[0]} to {last} only.",)
    return asset.levels, tuple(f"Benchmark: {caveat}" for caveat in asset.caveats)


async def _winner(store: "Store", owner: str, request: TearsheetRequest, result: OptimizationResult) -> SubjectSeries:
    history = await load_history(store, owner, result)
    if result.winner is None or history is None:
        raise InvalidInput("job", request.job, reason="this job chose no strategy", allowed="a job with a winner")
    days, manifest = history.dates(), result.manifest
    other, name = (history.asset, "the asset alone") if request.benchmark == OWN_ASSET else (
        history.benchmark, "the constant weight of equal volatility")  # fmt: skip
    return SubjectSeries(
        levels=Levels.from_returns(days, history.total(history.winner), "strategy"),
        title=manifest.request.name,
        source=f"{manifest.data_source}, net of costs",
        caveats=(
            f"The search was fitted on the days to {manifest.train_end}: what is before flatters the strategy.",
            f"The days after {days[-1]} are locked: the holdout.",
            *result.caveats,
        ),
        weights=np.abs(history.winner_weight),
        benchmark=Levels.from_returns(days, history.total(other), name),
        cash=history.cash,
        train_end=date.fromisoformat(manifest.train_end),
    )


async def _portfolio(prices: "PriceSource", portfolio: Portfolio) -> SubjectSeries:
    if not portfolio.assets:
        return await _units(prices, portfolio)
    weights = dict(portfolio.assets)
    if portfolio.cash is not None and portfolio.cash.weight:
        weights[CASH] = portfolio.cash.weight
    assets = await load_assets(prices, list(weights), field="portfolio")
    days, returns = _returns(assets, weights, "portfolio")
    shares = np.array(list(weights.values()))
    shares = shares / shares.sum()
    return SubjectSeries(
        levels=Levels(
            days,
            np.concatenate([[1.0], np.cumprod(1.0 + np.asarray(returns @ shares, dtype=np.float64))]),
            portfolio.name,
        ),
        title=portfolio.name,
        source=_sources(assets),
        caveats=("Weights are restored every day, free of cost.", *_caveats(assets)),
        weights=np.full(days.size - 1, _exposure(shares[None, :], list(weights))[0]),
    )


async def _units(prices: "PriceSource", portfolio: Portfolio) -> SubjectSeries:
    """Units held from the first common day on, valued at the closes of that day."""
    assets = await load_assets(prices, list(portfolio.holdings), field="portfolio")
    start = common_days(assets, field="portfolio")[0]
    worth = {
        name: units * float(assets[name].closes[np.searchsorted(assets[name].levels.dates, start)])
        for name, units in portfolio.holdings.items()
    }
    if portfolio.cash is not None and portfolio.cash.amount:
        worth[CASH] = portfolio.cash.amount
    total = sum(worth.values())
    if not total > 0.0:
        raise InvalidInput("portfolio", portfolio.id, reason="its units are all 0", allowed="a unit of some asset")
    entry = DatedHoldings(date=start.item(), weights={name: value / total for name, value in worth.items()})
    held = await _holdings(prices, (entry,), field="portfolio")
    caveat = f"The units are held throughout; at the closes of {start} they are the weights of the first day."
    return SubjectSeries(
        Levels(held.levels.dates, held.levels.values, portfolio.name),
        portfolio.name,
        held.source,
        (caveat, *held.caveats),
        held.weights,
    )


async def _holdings(
    prices: "PriceSource", holdings: tuple[DatedHoldings, ...], *, field: str = "holdings"
) -> SubjectSeries:
    names = list(dict.fromkeys(name for entry in holdings for name in entry.weights))
    for place, entry in enumerate(holdings):
        total = sum(entry.weights.values())
        if abs(total - 1.0) > TOLERANCE:
            raise InvalidInput(
                f"holdings.{place}.weights",
                total,
                reason=f"the weights of {entry.date} add up to {total:.4g}",
                allowed="a sum of 1; what is not invested is `cash`",
            )
    assets = await load_assets(prices, names, field=field)
    return await asyncio.to_thread(_drifting, assets, holdings, names, field)


def _drifting(
    assets: Mapping[str, AssetLevels], holdings: tuple[DatedHoldings, ...], names: list[str], field: str
) -> SubjectSeries:
    """Holdings whose weights drift with prices between their days."""
    days, returns = _returns(assets, names, field)
    entries = {
        int(np.searchsorted(days[1:], np.datetime64(entry.date, "D"), side="right")): entry for entry in holdings
    }
    rows = [row for row in sorted(entries) if row < days.size - 1]
    if not rows or days.size - 1 - rows[0] < 2:
        raise InvalidInput(
            "holdings.0.date", str(holdings[0].date), allowed=f"a day from {days[0]} to {days[-3]}, where prices are"
        )
    targets = np.array([[entries[row].weights.get(name, 0.0) for name in names] for row in rows])
    try:
        held = held_returns(returns, targets / targets.sum(axis=1, keepdims=True), rows)
    except DataError as error:
        raise InvalidInput(field, names, reason=str(error), allowed="weights that leave some wealth") from error
    left = [str(entry.date) for entry in holdings if np.datetime64(entry.date, "D") >= days[-1]]
    unused = (f"Holdings of {', '.join(left[:3])} come after the last day and are not used.",) if left else ()
    first = rows[0]
    return SubjectSeries(
        levels=Levels(days[first:], np.concatenate([[1.0], np.cumprod(1.0 + held.returns)]), "holdings"),
        title="Holdings over time" if len(holdings) > 1 else UNNAMED,
        source=_sources(assets),
        caveats=("Weights drift with prices between the given days; trades cost nothing.", *unused, *_caveats(assets)),
        weights=_exposure(held.weights, names),
    )


def _returns(assets: Mapping[str, AssetLevels], names: Iterable[str], field: str) -> tuple[Dates, Floats]:
    """Common days, shape (T + 1,), and the returns of each of `names` over them, cash at its rate."""
    days = common_days(assets, field=field)
    columns: list[Floats] = []
    for name in names:
        if name.casefold() == CASH:
            columns.append(cash_returns(days, None, 1)[0])
        else:
            level = assets[name].levels.at(days)
            columns.append(level[1:] / level[:-1] - 1.0)
    return days, np.column_stack(columns)


def _exposure(weights: Floats, names: list[str]) -> Floats:
    risky = [n for n, name in enumerate(names) if name.casefold() != CASH]
    return np.abs(weights[:, risky]).sum(axis=1)


def _sources(assets: Mapping[str, AssetLevels]) -> str:
    return "; ".join(dict.fromkeys(each.source for each in assets.values()))


def _caveats(assets: Mapping[str, AssetLevels]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(caveat for each in assets.values() for caveat in each.caveats))
