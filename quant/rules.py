"""Configs under a mandate, laid out for the kernel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.errors import DataError
from quant.kernel import (
    AVERAGE_START,
    BAND,
    BORROW,
    CHANGE,
    COST,
    FIRST,
    FUNCTION,
    HIGHEST,
    LOWEST,
    RULE_COLUMNS,
    SECOND,
    TARGET,
    Flags,
    Floats,
    Ints,
)
from quant.strategy import (
    REBALANCING_DAYS,
    TREND_DAYS,
    Estimator,
    Mandate,
    Rebalancing,
    StrategyConfig,
    WeightFunction,
)

FUNCTIONS: dict[WeightFunction, int] = {
    "inverse_vol": 0,
    "inverse_vol_squared": 1,
    "linear_decay": 2,
    "sigmoid": 3,
    "merton": 4,
    "cppi": 5,
    "trend_overlay": 6,
    "drawdown_control": 7,
    "constant": 8,
}
ESTIMATORS: dict[Estimator, int] = {"rolling": 0, "ewma": 1, "ewma_max": 2, "downside": 3}
FREQUENCIES: tuple[Rebalancing, ...] = ("daily", "weekly", "monthly", "quarterly")

SignalKey = tuple[float, float, float]


@dataclass(frozen=True)
class Rules:
    """K configs in the kernel's order, which groups equal volatility signals.

    Attributes
    ----------
    order : ndarray, shape (K,)
        Place of each of the kernel's rows in the list of configs.
    table : ndarray, shape (K, 10)
    signals : ndarray, shape (K, 3)
        Kind, lookback and decay of the volatility signal; kind -1 for none.
    trend_levels : ndarray, shape (H,)
        Distinct hysteresis values of trend overlays.
    trend_of, trades_of : ndarray, shape (K,)
        Row of `trend_levels` (-1 for none) and of the trading days.
    """

    order: Ints
    table: Floats
    signals: Floats
    trend_levels: Floats
    trend_of: Ints
    trades_of: Ints

    @property
    def lookback(self) -> int:
        """Sessions before every signal of every rule is defined."""
        kind, length = self.signals[:, 0], self.signals[:, 1]
        needs = np.where((kind == 1.0) | (kind == 2.0), AVERAGE_START, np.where(kind >= 0.0, length, 0.0))
        trend = max(TREND_DAYS) if self.trend_levels.size else 0
        return max(trend, int(np.max(needs, initial=0.0)))


def signal_key(config: StrategyConfig) -> SignalKey:
    """Kind, lookback and decay of the volatility signal that `config` uses; (-1, 0, 0) for none."""
    if config.weight_function in ("constant", "cppi"):
        return (-1.0, 0.0, 0.0)
    return (float(ESTIMATORS[config.estimator]), float(config.lookback_days or 0), config.decay or 0.0)


def lay_out(
    configs: Sequence[StrategyConfig],
    mandate: Mandate,
    *,
    trained: Callable[[StrategyConfig], float] | None = None,
    cost_factor: float = 1.0,
) -> Rules:
    """The kernel's form of `configs`.

    Parameters
    ----------
    configs : sequence of StrategyConfig, length K
    mandate : Mandate
    trained : callable, optional
        Gives the fitted constant, per unit of target volatility, of a config whose `variance_constant` is `trained`:
        see `quant.history.trained_constant`.
    cost_factor : float
        Multiplies the mandate's transaction cost.

    Raises
    ------
    DataError
        If a config needs a trained constant and `trained` is missing.
    """
    rows: list[tuple[SignalKey, int, list[float]]] = []
    for place, config in enumerate(configs):
        fitted = None
        if config.variance_constant == "trained":
            if trained is None:
                raise DataError("`trained` is missing for a config whose variance constant is fitted")
            fitted = trained(config)
        rows.append((signal_key(config), place, _row(config, mandate, cost_factor, fitted)))
    rows.sort(key=lambda row: row[:2])
    order = [place for _, place, _ in rows]
    levels = sorted({c.hysteresis for c in configs if c.hysteresis is not None})
    ordered = [configs[place] for place in order]
    return Rules(
        order=np.array(order, dtype=np.int64),
        table=np.array([row for _, _, row in rows]).reshape(len(rows), RULE_COLUMNS),
        signals=np.array([key for key, _, _ in rows]).reshape(len(rows), 3),
        trend_levels=np.array(levels, dtype=np.float64),
        trend_of=np.array(
            [-1 if c.hysteresis is None else levels.index(c.hysteresis) for c in ordered], dtype=np.int64
        ),
        trades_of=np.array([FREQUENCIES.index(c.rebalancing) for c in ordered], dtype=np.int64),
    )


def _row(config: StrategyConfig, mandate: Mandate, cost_factor: float, fitted: float | None) -> list[float]:
    target = config.target_volatility or mandate.target_volatility
    first, second = 0.0, 0.0
    match config.weight_function:
        case "inverse_vol_squared":
            first = target * (target if fitted is None else fitted)
        case "linear_decay":
            first = _given(config.slope)
        case "sigmoid":
            first, second = _given(config.midpoint), _given(config.scale)
        case "merton":
            first = mandate.expected_premium / mandate.risk_aversion
        case "cppi":
            first, second = _given(config.floor), _given(config.multiplier)
        case "drawdown_control":
            first = _given(config.drawdown_cap)
        case "constant":
            first = _given(config.constant_weight)
        case "inverse_vol" | "trend_overlay":
            pass
    free = config.weight_function == "constant"  # a benchmark is not bound by the mandate's weights
    row = [0.0] * RULE_COLUMNS
    row[FUNCTION] = FUNCTIONS[config.weight_function]
    row[BAND] = config.no_trade_band
    row[TARGET] = target
    row[LOWEST] = 0.0 if free else mandate.min_weight
    row[HIGHEST] = 2.0 if free else mandate.max_weight
    row[CHANGE] = 2.0 if free else mandate.max_change
    row[FIRST], row[SECOND] = first, second
    row[COST] = cost_factor * mandate.transaction_cost_bps / 10_000.0
    row[BORROW] = mandate.borrow_spread_bps / 10_000.0
    return row


def _given(value: float | None) -> float:
    assert value is not None  # StrategyConfig requires its active parameters
    return value


def simulated_trading_days(days: int, start: int, offset: int = 0) -> Flags:
    """Which closes trade in a simulation, shape (4, days), by `FREQUENCIES`; the first at `start` - 1 - `offset`."""
    trades: NDArray[np.bool_] = np.zeros((len(FREQUENCIES), days), dtype=np.bool_)
    for row, frequency in enumerate(FREQUENCIES):
        step = REBALANCING_DAYS[frequency]
        first = (start - 1 - offset) % step
        trades[row, first::step] = True
    return trades
