"""Regimes at the end of imported data; shown to people only, because agents never see the last days."""

import math

import numpy as np

from desk.market.bars import Bars
from desk.market.datasets.schemas import AssetRegime
from quant.numeric.arrays import Floats
from quant.worlds.hidden_markov import filtered_probabilities
from quant.worlds.regime_evidence import WHY_ONE_STATE, examine_regimes
from quant.worlds.regimes import TRENDS, VOLATILITY_BANDS, market_state, trend_state, volatility_state

MAX_ASSETS = 20
"""Largest number of assets analysed separately; beyond it only their equally weighted mix is."""
MIX = "equal shares"


def asset_regimes(bars: Bars) -> tuple[AssetRegime, ...]:
    """Regimes of assets with positive closes and no gaps."""
    if len(bars.assets) > MAX_ASSETS:
        rows = bars.common_rows()
        closes = bars.closes[rows]
        mix = np.mean(closes[1:] / closes[:-1] - 1.0, axis=1)
        return _regime(MIX, bars.dates[rows][-1], mix)
    regimes: list[AssetRegime] = []
    for n, asset in enumerate(bars.assets):
        own = bars.select([asset])
        closes = own.closes[:, 0]
        regimes += _regime(bars.assets[n], own.dates[-1], closes[1:] / closes[:-1] - 1.0)
    return tuple(regimes)


def _regime(asset: str, last: object, returns: Floats) -> tuple[AssetRegime, ...]:
    if not returns.size or not (np.isfinite(returns).all() and (returns > -1.0).all()):
        return ()
    own = np.ascontiguousarray(returns)
    level, trend = volatility_state(own), trend_state(own)
    numbers = (level.volatility[-1], level.percentile[-1], trend.distance[-1], market_state(own).drawdown[-1])
    volatility, percentile, distance, drawdown = (float(number) for number in numbers)
    if not all(map(math.isfinite, (volatility, percentile, distance, drawdown))):
        return ()
    evidence = examine_regimes(own)
    return (
        AssetRegime(
            asset=asset,
            last_day=str(last),  # pyright: ignore[reportArgumentType]
            volatility=volatility,
            volatility_percentile=percentile,
            volatility_band=VOLATILITY_BANDS[int(level.state[-1]) + 1],
            trend=TRENDS[int(trend.state[-1]) + 1],
            trend_distance=distance,
            drawdown=drawdown,
            turbulent_probability=(
                float(filtered_probabilities(evidence.model, own)[-1, -1]) if evidence.model is not None else None
            ),
            one_state_because=WHY_ONE_STATE[evidence.reason] if evidence.reason is not None else None,
        ),
    )
