"""The historical series of a stored result."""

from typing import NamedTuple

import numpy as np

from desk.optimization.repositories.trial_repository import load_series
from desk.optimization.request import CASH
from desk.optimization.result import OptimizationResult
from quant.numeric.arrays import Dates, Floats
from quant.performance.growth import drawdowns
from store.store import Store


class History(NamedTuple):
    """Historical series: the rows of `OptimizationResult.history_series`, and the weights by asset."""

    winner: Floats
    benchmark: Floats
    asset: Floats
    winner_weight: Floats
    benchmark_weight: Floats
    cash: Floats
    days: Floats
    safe: Floats | None = None
    """Returns of the safe leg; None for cash."""
    asset_weights: Floats | None = None
    """Weight of each asset of the winner, shape (assets, T); None for one asset and cash, and in older results."""

    def dates(self) -> Dates:
        return self.days.astype(np.int64).astype("datetime64[D]")

    def total(self, excess: Floats) -> Floats:
        """Daily returns, cash included."""
        return excess + self.cash

    def drawdown(self, excess: Floats) -> Floats:
        """Drawdown of wealth, cash included; not negative."""
        return drawdowns(self.total(excess))


async def load_history(store: Store, owner: str, result: OptimizationResult) -> History | None:
    """Load the series of `result`; None without a winner."""
    if result.history_series is None:
        return None
    rows = 7 if result.manifest.request.safe == CASH else 8
    history = History(*await load_series(store, owner, result.history_series, rows=rows))
    attribution = result.attribution
    if attribution is None:
        return history
    weights = await load_series(store, owner, attribution.weights, rows=len(attribution.assets))
    return history._replace(asset_weights=weights)
