"""Market data of a run: returns, cash, splits and caveats."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.checks.prices import require_usable
from desk.market.files.price_file import PriceFile
from desk.market.prices import Prices, PriceSource
from desk.market.universe import split_universe
from desk.optimization.inputs.benchmark import BenchmarkReturns, benchmark_returns, load_benchmark
from desk.optimization.inputs.cash import cash_caveats, cash_returns, load_cash, rates_digest
from desk.optimization.inputs.currency import in_one_currency, require_one_currency
from desk.optimization.inputs.engine_parameters import fit_engine, with_fitted_engines
from desk.optimization.inputs.safe_leg import MATURITY, BondData, bond_data, load_with_safe_leg
from desk.optimization.inputs.splits import MIXES, check_mixes, resolve_mixes, split, warm_up_sessions
from desk.optimization.inputs.volatilities import external_volatilities, load_volatility_index
from desk.optimization.request import ASSUMED_CURRENCY, BUNDLED_CASH, BUNDLED_CURRENCY, CASH, YIELD, OptimizationRequest
from quant.numeric.arrays import Dates, Floats
from quant.numeric.elementary import log
from quant.numeric.moments import moments
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.strategies.choices import InnerPortfolio
from quant.strategies.history import History, build_history
from quant.strategies.rules import ExternalKey
from quant.volatility.garch import fit_garch
from quant.worlds.bond_proxy import PROXY
from quant.worlds.hidden_markov import fit_hidden_markov
from quant.worlds.scenario import Engine


@dataclass(frozen=True)
class Market:
    """Daily returns of a universe, split in time order into train, validate and a locked holdout.

    Attributes
    ----------
    dates : ndarray of datetime64[D], shape (T,)
    assets : tuple of str
    histories : mapping
        The risky leg by how its assets are mixed; the key is None for a single asset.
    cash : ndarray, shape (T,)
    warm_up : int
        Unscored sessions before the first scored day, on real days as in simulations.
    train, validate, holdout : slice
        Rows of each part; the train slice begins with the first scored day.
    """

    dates: Dates
    assets: tuple[str, ...]
    histories: Mapping[InnerPortfolio | None, History]
    cash: Floats
    warm_up: int
    train: slice
    validate: slice
    holdout: slice
    data_digest: str
    prices_digest: str
    """Digest of the closes alone, by which trials on the same prices are counted."""
    rates_digest: str
    source: str
    caveats: tuple[str, ...]
    bond: BondData | None = None
    """The safe leg; None for cash."""
    currency: str = BUNDLED_CURRENCY
    benchmark: BenchmarkReturns | None = None
    """A series that the winner is compared with; None if the request names none."""

    @property
    def mixes(self) -> tuple[InnerPortfolio, ...]:
        """Mixes of several assets; empty for a single asset."""
        return tuple(name for name in self.histories if name is not None)

    @property
    def risky(self) -> History:
        """The plain risky leg: the asset, or all assets in equal shares."""
        return self.histories["equal_weight" if self.mixes else None]

    @property
    def asset(self) -> Floats:
        return self.risky.returns

    def resolve_worlds(self, request: OptimizationRequest) -> OptimizationRequest:
        """The request with the numbers of its worlds, from the returns before the end of the training days."""
        training = moments(self.risky.returns[: self.train.stop])
        resolved = request.on_data(volatility=math.sqrt(DAYS) * training.deviation, mean=DAYS * training.mean)
        return resolved if request.engine_parameters == "default" else with_fitted_engines(resolved, self._fit_engine)

    def _fit_engine(self, engine: Engine) -> Mapping[str, Any]:
        if engine not in self._engine_fits:
            self._engine_fits[engine] = fit_engine(self.risky.returns[: self.train.stop], engine)
        return self._engine_fits[engine]

    @cached_property
    def _engine_fits(self) -> dict[Engine, Mapping[str, Any]]:
        return {}

    @cached_property
    def garch(self) -> Floats:
        """Parameters of the estimator `garch`, fitted to training days."""
        returns = self.asset[: self.train.stop]
        return fit_garch(np.array([log(1.0 + float(x)) for x in returns])).parameters

    @cached_property
    def regimes(self) -> Floats:
        """Parameters of the hidden Markov model of `regime_switch`, fitted to training days."""
        return fit_hidden_markov(self.asset[: self.train.stop]).parameters


async def load_market(prices: PriceSource, request: OptimizationRequest) -> Market:
    """Load, check and split the prices that `request` names; raises `InvalidInput` for data that cannot be used."""
    return build_market(await load_prices(prices, request), request)


async def load_prices(prices: PriceSource, request: OptimizationRequest) -> Prices:
    source: PriceSource = prices if request.prices_file is None else _file(request, request.prices_file)
    cash = await load_cash(source, request)
    source = await in_one_currency(source, request, cash)
    universe, safe = request.universe, request.safe
    if request.prices_file is not None:
        universe = universe if ":" in universe or universe == "file" else f"file:{universe}"
        series = safe.removeprefix(YIELD)
        safe = safe if safe == series or ":" in series else f"{YIELD}file:{series}"
    universe = await _without_series(source, universe, request)
    if request.safe == CASH:
        loaded = await source.load(universe)
    else:
        calendar = None if request.prices_file is None else request.calendar
        loaded = await load_with_safe_leg(source, universe, safe, calendar=calendar)
    require_one_currency(loaded, request, cash)
    loaded = replace(loaded, cash=cash, benchmark=await load_benchmark(source, request, loaded))
    if request.current_rule.estimator != "implied" or request.volatility_index is None:
        return loaded
    return replace(loaded, volatility_index=await load_volatility_index(source, request.volatility_index))


def _file(request: OptimizationRequest, path: str) -> PriceFile:
    return PriceFile(
        Path(path),
        price_index=request.price_index,
        currency=request.currency or ASSUMED_CURRENCY,
        rates=bool(request.series()),
    )


async def _without_series(source: PriceSource, universe: str, request: OptimizationRequest) -> str:
    """The universe without the series that the request names, if it is a whole data set that holds them."""
    name, assets = split_universe(universe)
    named = [
        split_universe(text if request.prices_file is None or ":" in text else f"file:{text}")
        for _, text in request.series()
    ]
    series = {asset for dataset, listed in named if dataset == name for asset in listed}
    if assets or not series:
        return universe
    prices = await source.load(universe)
    rest = [asset for asset in prices.assets if asset not in series]
    if not rest:
        allowed = "a universe with an asset beside these series"
        raise InvalidInput(
            "universe", universe, reason="it holds no asset beside the series of the request", allowed=allowed
        )
    return universe if len(rest) == len(prices.assets) else f"{name}:{','.join(rest)}"


def build_market(all_prices: Prices, request: OptimizationRequest) -> Market:
    prices = all_prices.between(request.first_day, request.last_day)
    calendar = prices.calendar if request.prices_file is None else request.calendar
    # the sessions that two legs share are no exchange's; those of each were checked
    report = require_usable(prices, None if calendar == "none" or prices.safe is not None else calendar)
    returns = Returns.from_prices(prices.dates, prices.assets, prices.closes)
    values = returns.values + (request.dividend_yield / DAYS if prices.price_index else 0.0)
    cash = cash_returns(prices, request, returns.dates)

    check_mixes(request, assets=len(returns.assets))
    volatilities = external_volatilities(prices, request.current_rule)
    mixes = _mixes(request, len(returns.assets))
    warm_up = warm_up_sessions(resolve_mixes(request, assets=len(returns.assets)))
    train, validate, holdout = split(returns.dates.size, warm_up, request.split)
    bond = None if prices.safe is None else bond_data(prices)
    bonds = np.empty(0) if bond is None else bond.returns
    return Market(
        dates=returns.dates,
        assets=returns.assets,
        histories={
            mix: replace(
                build_history(returns.dates, values, cash, inner=mix, target=request.mandate.target_volatility),
                bonds=bonds,
                volatilities=volatilities,
            )
            for mix in mixes
        },
        cash=cash,
        warm_up=warm_up,
        train=train,
        validate=validate,
        holdout=holdout,
        data_digest=_digest(prices, volatilities),
        prices_digest=all_prices.digest,
        rates_digest=rates_digest(request),
        source=prices.source,
        caveats=(*_window_caveats(all_prices, prices), *_caveats(prices, request), *report.caveats),
        bond=bond,
        currency=prices.currency,
        benchmark=benchmark_returns(prices),
    )


def _digest(prices: Prices, volatilities: Mapping[ExternalKey, Floats]) -> str:
    """Digest of the closes, of the safe leg, and of the volatilities that do not come from closes."""
    if not volatilities and prices.safe is None and prices.cash is None and prices.benchmark is None:
        return prices.digest
    content = hashlib.sha256(prices.digest.encode())
    if prices.safe is not None:
        content.update(repr((prices.safe.name, prices.safe.yields)).encode())
        content.update(prices.safe.levels.astype("<f8").tobytes())
    if prices.cash is not None:
        content.update(repr((prices.cash.name, prices.cash.currency)).encode())
        content.update(prices.cash.dates.astype("<i8").tobytes() + prices.cash.percent.astype("<f8").tobytes())
    if prices.benchmark is not None:
        content.update(repr(prices.benchmark.name).encode() + prices.benchmark.levels.astype("<f8").tobytes())
    for key, series in volatilities.items():
        content.update(repr(key).encode() + series.astype("<f8").tobytes())
    return content.hexdigest()


def _mixes(request: OptimizationRequest, assets: int) -> tuple[InnerPortfolio | None, ...]:
    """Return the default mixes and those of the request; None for a single asset."""
    if assets == 1:
        return (None,)
    requested_mixes = (*request.space.inner, request.current_rule.inner)
    return (*MIXES, *(mix for mix in dict.fromkeys(requested_mixes) if mix is not None and mix not in MIXES))


def _window_caveats(all_prices: Prices, prices: Prices) -> list[str]:
    first, last = prices.dates[0], prices.dates[-1]
    caveats: list[str] = []
    if last < all_prices.dates[-1]:
        caveats.append(f"The window ends on {last}; the weight, the trade and the regime are of that day or earlier.")
    if first > all_prices.dates[0]:
        caveats.append(
            f"The window begins on {first}; days that a search of the whole history keeps locked may be in its "
            "training and validation."
        )
    return caveats


def _caveats(prices: Prices, request: OptimizationRequest) -> list[str]:
    caveats = list(prices.notes)
    if prices.price_index:
        caveats.append(
            f"The prices leave dividends out; {request.dividend_yield:.1%} a year is added, which is an assumption."
        )
    elif request.prices_file:
        caveats.append("The price file is taken as total return: dividends are in it.")
    if prices.safe is not None and prices.safe.yields:
        caveats.append(
            f"The safe leg is a {MATURITY}-year par bond computed from the yields {prices.safe.name}. {PROXY}."
        )
    elif prices.safe is not None:
        caveats.append(f"The safe leg {prices.safe.name} is taken as total return: coupons are in its prices.")
    if "none" in (request.calendar, prices.calendar):
        caveats.append("No exchange calendar was looked at; a year counts as 252 sessions all the same.")
    if prices.currency != BUNDLED_CURRENCY and request.cash == BUNDLED_CASH:
        caveats.append(
            f"The prices are in {prices.currency} and the cash rate is that of US dollars: excess returns mix the two."
        )
    if prices.survivors:
        caveats.append(
            "These stocks were chosen because they still exist: every result on them is flattered by survivorship."
        )
    return [*caveats, *cash_caveats(prices, request)]
