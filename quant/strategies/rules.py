"""Configs under a mandate, laid out for the kernel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from quant.numeric.arrays import Flags, Floats, Ints
from quant.numeric.errors import DataError
from quant.numeric.units import BASIS_POINTS
from quant.strategies.choices import (
    DOWNSIDE,
    ESTIMATORS,
    EWMA,
    EWMA_MAX,
    EXTERNAL,
    GARCH,
    REBALANCING,
    ROLLING,
    Estimator,
    Rebalancing,
)
from quant.strategies.config import TREND_DAYS, StrategyConfig
from quant.strategies.family import CODES, FAMILY, FormulaInputs, numbers_of
from quant.strategies.kernel import (
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
)
from quant.strategies.mandate import Mandate
from quant.strategies.signals import AVERAGE_START, REGIME, TREND

FREQUENCIES: tuple[Rebalancing, ...] = tuple(REBALANCING)
_SIZES = {"garch": 5, "regime": 12}
"""Numbers of each fitted model; a regime model has two states, calm and turbulent."""

SignalKey = tuple[float, float, float]
ExternalKey = tuple[Estimator, int]
ModelParameters = Callable[[Literal["garch", "regime"]], Floats]
"""Returns the parameters of a model fitted on training days, by its name."""


@dataclass(frozen=True)
class Rules:
    """K configs in the kernel's order, which groups equal volatility signals.

    Attributes
    ----------
    order : ndarray, shape (K,)
        Place of each of the kernel's rows in the list of configs.
    table : ndarray, shape (K, 10)
    signals : ndarray, shape (K, 3)
        Kind, lookback and decay of the volatility signal; kind -1 for none. A series of its own has its place in
        `given` for a lookback.
    looks : ndarray, shape (X, 2)
        Kind and hysteresis of the distinct trends and regimes that rules look at.
    look_of, trades_of : ndarray, shape (K,)
        Row of `looks` (-1 for none) and of the trading days.
    garch, hidden : ndarray
        Parameters of the fitted models of volatility and of the regime; empty unless a rule needs them.
    given : tuple of (Estimator, int)
        Estimator and lookback of each volatility that is a series of its own.
    """

    order: Ints
    table: Floats
    signals: Floats
    looks: Floats
    look_of: Ints
    trades_of: Ints
    garch: Floats
    hidden: Floats
    external: tuple[ExternalKey, ...]

    @property
    def lookback(self) -> int:
        """Sessions before every signal of every rule is defined."""
        kind, length = self.signals[:, 0], self.signals[:, 1]
        windowed = (kind == ROLLING) | (kind == DOWNSIDE)
        needs = np.where(windowed, length, np.where((kind == EWMA) | (kind == EWMA_MAX), AVERAGE_START, 0.0))
        trend = max(TREND_DAYS) if (self.looks[:, 0] == TREND).any() else 0
        # overnight returns begin a session late, and so does the first full window of ranges
        lengths = [length + 1 if estimator == "range" else length for estimator, length in self.external]
        return max(trend, int(np.max(needs, initial=0.0)), *lengths, 0)


def signal_key(config: StrategyConfig) -> SignalKey:
    """Kind, lookback and decay of the volatility signal that `config` uses; (-1, 0, 0) for none."""
    if not FAMILY[config.weight_function].volatility:
        return (-1.0, 0.0, 0.0)
    return (float(ESTIMATORS[config.estimator].code), float(config.lookback_days or 0), config.decay or 0.0)


def lay_out(
    configs: Sequence[StrategyConfig],
    mandate: Mandate,
    *,
    trained: Callable[[StrategyConfig], float] | None = None,
    model_parameters: ModelParameters | None = None,
    cost_factor: float = 1.0,
) -> Rules:
    """The kernel's form of `configs`.

    Parameters
    ----------
    configs : sequence of StrategyConfig, length K
    mandate : Mandate
    trained : callable, optional
        Gives the fitted constant, per unit of target volatility, of a config whose `variance_constant` is `trained`:
        see `quant.strategies.history.trained_constant`.
    model_parameters : callable, optional
        Gives the parameters of the model behind the estimator `garch` (`quant.volatility.garch.Garch.parameters`) and
        behind `regime_switch` (`quant.worlds.hidden_markov.HiddenMarkov.parameters`).
    cost_factor : float
        Multiplies the mandate's transaction cost.

    Returns
    -------
    Rules

    Raises
    ------
    DataError
        If a config needs a trained constant or a fitted model that is missing, or the model has another size.
    """
    rows: list[tuple[SignalKey, int, list[float]]] = []
    external: list[ExternalKey] = []
    for place, config in enumerate(configs):
        constant = None
        if config.variance_constant == "trained":
            if trained is None:
                raise DataError("`trained` is missing for a config whose variance constant is fitted")
            constant = trained(config)
        key = signal_key(config)
        if key[0] == EXTERNAL:
            name = (config.estimator, config.lookback_days or 0)
            external.extend([] if name in external else [name])
            key = (key[0], float(external.index(name)), 0.0)
        rows.append((key, place, _row(config, mandate, cost_factor, constant)))
    rows.sort(key=lambda row: row[:2])
    order = [place for _, place, _ in rows]
    ordered = [configs[place] for place in order]
    config_looks = [_look(config) for config in ordered]
    looks = sorted({look for look in config_looks if look is not None})
    return Rules(
        order=np.array(order, dtype=np.int64),
        table=np.array([row for _, _, row in rows]).reshape(len(rows), RULE_COLUMNS),
        signals=np.array([key for key, _, _ in rows]).reshape(len(rows), 3),
        looks=np.array(looks, dtype=np.float64).reshape(len(looks), 2),
        look_of=np.array([-1 if look is None else looks.index(look) for look in config_looks], dtype=np.int64),
        trades_of=np.array([FREQUENCIES.index(c.rebalancing) for c in ordered], dtype=np.int64),
        garch=model_of("garch", model_parameters, needed=any(key[0] == GARCH for key, _, _ in rows)),
        hidden=model_of("regime", model_parameters, needed=any(look[0] == REGIME for look in looks)),
        external=tuple(external),
    )


def _look(config: StrategyConfig) -> tuple[int, float] | None:
    """Kind and hysteresis of the signal that `config` uses in addition to volatility."""
    match FAMILY[config.weight_function].signal:
        case "trend":
            return TREND, config.hysteresis or 0.0
        case "regime":
            return REGIME, 0.0
        case None:
            return None


def model_of(name: Literal["garch", "regime"], model_parameters: ModelParameters | None, *, needed: bool) -> Floats:
    """Parameters of a fitted model, checked; empty unless it is needed."""
    if not needed:
        return np.empty(0)
    if model_parameters is None:
        raise DataError(f"`model_parameters` is missing for a config that needs the {name} model of the training days")
    parameters = model_parameters(name)
    if parameters.shape != (_SIZES[name],):
        raise DataError(
            f"`model_parameters` gives the {name} model parameters of shape {parameters.shape}; "
            f"expected ({_SIZES[name]},), "
            + ("those of two states" if name == "regime" else "those of `Garch.parameters`")
        )
    return parameters


def _row(config: StrategyConfig, mandate: Mandate, cost_factor: float, constant: float | None) -> list[float]:
    target = config.target_volatility or mandate.target_volatility
    bounded = not FAMILY[config.weight_function].benchmark
    row = [0.0] * RULE_COLUMNS
    row[FUNCTION] = CODES[config.weight_function]
    row[BAND] = config.no_trade_band
    row[TARGET] = target
    row[LOWEST] = mandate.min_weight if bounded else 0.0
    row[HIGHEST] = mandate.max_weight if bounded else 2.0
    row[CHANGE] = mandate.max_change if bounded else 2.0
    row[FIRST], row[SECOND] = numbers_of(config.weight_function, FormulaInputs(config, mandate, target, constant))
    row[COST] = cost_factor * mandate.transaction_cost_bps / BASIS_POINTS
    row[BORROW] = mandate.borrow_spread_bps / BASIS_POINTS
    return row


def simulated_trading_days(days: int, start: int, offset: int = 0) -> Flags:
    """Which closes trade in a simulation, shape (4, days), by `FREQUENCIES`; the first at `start` - 1 - `offset`."""
    trades: Flags = np.zeros((len(FREQUENCIES), days), dtype=np.bool_)
    for row, frequency in enumerate(FREQUENCIES):
        step = REBALANCING[frequency].days
        first = (start - 1 - offset) % step
        trades[row, first::step] = True
    return trades
