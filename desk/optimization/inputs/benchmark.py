"""Loads the benchmark series of a request on the sessions of its prices."""

from dataclasses import dataclass

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.prices import BenchmarkLevels, Prices, PriceSource
from desk.optimization.request import OptimizationRequest
from quant.numeric.arrays import Floats

_ALLOWED = "a data set of one asset, NAME:ASSET of another, or a column of the price file, with dividends in its levels"
_LONGEST_GAP = 7
"""Days for which a level stays known."""


@dataclass(frozen=True)
class BenchmarkReturns:
    """Daily simple returns of a benchmark, shape (T,)."""

    name: str
    returns: Floats


async def load_benchmark(source: PriceSource, request: OptimizationRequest, prices: Prices) -> BenchmarkLevels | None:
    if request.benchmark is None:
        return None
    name = request.benchmark
    if request.prices_file is not None and ":" not in name:
        name = f"file:{name}"
    loaded = await source.load(name)
    if len(loaded.assets) != 1:
        raise _refusal(request, f"it names {len(loaded.assets)} series")
    if loaded.currency != prices.currency:
        raise _refusal(request, f"it is in {loaded.currency}, the prices in {prices.currency}")
    levels = loaded.closes[:, 0]
    valid = np.isfinite(levels) & (levels > 0.0)
    if not valid.all() or (np.diff(loaded.dates) <= np.timedelta64(0)).any():
        raise _refusal(request, "it needs positive levels on increasing dates")
    places = np.searchsorted(loaded.dates, prices.dates, side="right") - 1
    ages = (prices.dates - loaded.dates[np.maximum(places, 0)]).astype(np.int64)
    missing = (places < 0) | (ages > _LONGEST_GAP)
    if missing.any():
        raise _refusal(request, f"it has no level within {_LONGEST_GAP} days before {prices.dates[missing][0]}")
    return BenchmarkLevels(loaded.assets[0], levels[places])


def benchmark_returns(prices: Prices) -> BenchmarkReturns | None:
    levels = prices.benchmark
    return None if levels is None else BenchmarkReturns(levels.name, levels.levels[1:] / levels.levels[:-1] - 1.0)


def _refusal(request: OptimizationRequest, reason: str) -> InvalidInput:
    return InvalidInput("benchmark", request.benchmark, reason=reason, allowed=_ALLOWED)
