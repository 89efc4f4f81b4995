"""Signals of the rules through each day: volatility by each estimator, and the share of trends that point up.

A signal at day t is built from returns through t and nothing later, on up to 64 paths at once.
"""

import math
from typing import Final

import numpy as np

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled, inlined
from quant.numeric.elementary import exp
from quant.numeric.units import DAYS
from quant.strategies.choices import DOWNSIDE, EWMA_MAX, ROLLING
from quant.strategies.config import MOMENTUM_SKIP, TREND_DAYS

AVERAGE_START: Final = 21
"""Sessions whose squares, evenly weighted, start an exponentially weighted average."""
GARCH_HORIZON: Final = 21
"""Sessions over which a GARCH forecast is averaged."""

TREND, REGIME = range(2)
"""Codes of the other signals."""

_SHORT, _LONG, _YEAR = TREND_DAYS
_SKIP: Final = MOMENTUM_SKIP


@compiled
def volatility_signal(  # noqa: C901  (one loop per estimator)
    kind: int, lookback: int, decay: float, logs: Floats, excess: Floats, out: Floats
) -> None:
    """Annual volatility through each day, shapes (T, B); days before the window is full hold the first full value.

    ROLLING: sample deviation of log returns over `lookback`; EWMA: exponentially weighted; EWMA_MAX: the larger of two
    such, the slower decaying at (1 + decay) / 2; DOWNSIDE: downside semideviation of excess returns, times the square
    root of 2.
    """
    days, lanes = logs.shape
    first = np.zeros(lanes)
    second = np.zeros(lanes)
    if kind == ROLLING:
        n = float(lookback)
        for t in range(days):
            if t >= lookback:
                for j in range(lanes):
                    first[j] -= logs[t - lookback, j]
                    second[j] -= logs[t - lookback, j] * logs[t - lookback, j]
            for j in range(lanes):
                first[j] += logs[t, j]
                second[j] += logs[t, j] * logs[t, j]
                variance = (second[j] - first[j] * first[j] / n) / (n - 1.0)
                out[t, j] = math.sqrt(DAYS * max(variance, 0.0))
    elif kind == DOWNSIDE:
        n = float(lookback)
        for t in range(days):
            if t >= lookback:
                for j in range(lanes):
                    old = min(excess[t - lookback, j], 0.0)
                    first[j] -= old * old
            for j in range(lanes):
                new = min(excess[t, j], 0.0)
                first[j] += new * new
                out[t, j] = math.sqrt(2.0 * DAYS * max(first[j], 0.0) / n)
    else:
        slow = 0.5 * (1.0 + decay)
        for t in range(days):
            for j in range(lanes):
                square = logs[t, j] * logs[t, j]
                if t < AVERAGE_START:
                    first[j] += square / AVERAGE_START
                    second[j] = first[j]
                else:
                    first[j] = decay * first[j] + (1.0 - decay) * square
                    second[j] = slow * second[j] + (1.0 - slow) * square
                level = max(first[j], second[j]) if kind == EWMA_MAX else first[j]
                out[t, j] = math.sqrt(DAYS * level)
        lookback = AVERAGE_START
    for t in range(min(lookback - 1, days)):
        for j in range(lanes):
            out[t, j] = out[min(lookback, days) - 1, j]


@compiled
def trend_signal(hysteresis: float, logs: Floats, out: Floats) -> None:
    """Share of three signals that are on, shapes (T, B): price above its 50 and 200 session means, 12-1 momentum.

    A signal goes on above 1 + hysteresis times its reference and off below 1 - hysteresis times it.
    """
    days, lanes = logs.shape
    price = np.empty((days, lanes))
    level = np.zeros(lanes)
    short = np.zeros(lanes)
    long = np.zeros(lanes)
    state = np.zeros((3, lanes))
    above, below = 1.0 + hysteresis, 1.0 - hysteresis
    for t in range(days):
        for j in range(lanes):
            level[j] += logs[t, j]
            price[t, j] = exp(level[j])
        for j in range(lanes):
            short[j] += price[t, j]
            long[j] += price[t, j]
        if t >= _SHORT:
            for j in range(lanes):
                short[j] -= price[t - _SHORT, j]
        if t >= _LONG:
            for j in range(lanes):
                long[j] -= price[t - _LONG, j]
        few, many = min(t + 1, _SHORT), min(t + 1, _LONG)
        for j in range(lanes):
            now = price[t, j]
            state[0, j] = _switch(state[0, j], now * few, short[j], above, below)
            state[1, j] = _switch(state[1, j], now * many, long[j], above, below)
            recent = price[t - _SKIP, j] if t >= _SKIP else 1.0  # the price before the first session is 1
            old = price[t - _YEAR, j] if t >= _YEAR else 1.0
            state[2, j] = _switch(state[2, j], recent, old, above, below)
            out[t, j] = (state[0, j] + state[1, j] + state[2, j]) / 3.0


@inlined
def _switch(state: float, level: float, reference: float, above: float, below: float) -> float:
    lowered = 0.0 if level < reference * below else state
    return 1.0 if level > reference * above else lowered
