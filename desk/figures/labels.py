"""Labels of strategies, parameters and scenarios for use in sentences."""

from desk.base.text import spaced
from quant.strategies.choices import ESTIMATORS, INNER_PORTFOLIOS
from quant.strategies.config import StrategyConfig
from quant.strategies.family import FAMILY, PARAMETERS

_TITLES: dict[str, str] = {name: row.title for name, row in FAMILY.items()}
_PARAMETERS = {
    "weight_function": "the weight function",
    "estimator": "the volatility estimator",
    "lookback_days": "the lookback",
    "decay": "the decay of the estimator",
    "rebalancing": "the rebalancing frequency",
    "no_trade_band": "the no-trade band",
    "inner": "the inner portfolio",
    **{name: row.label for name, row in PARAMETERS.items()},
}


def strategy_label(config: StrategyConfig) -> str:
    """Describe a configuration: "inverse volatility on an EWMA maximum (decay 0.94), rebalanced daily"."""
    name = function_label(config.weight_function)
    if config.weight_function == "constant":
        return f"{name} of {config.constant_weight or 0.0:.0%}"
    measure = ESTIMATORS[config.estimator].label.format(lookback_days=config.lookback_days, decay=config.decay)
    on = f" on {measure}" if FAMILY[config.weight_function].volatility else ""
    band = f" with a no-trade band of {config.no_trade_band:.0%}" if config.no_trade_band else ""
    mixed = f", holding {INNER_PORTFOLIOS[config.inner].label}" if config.inner is not None else ""
    return f"{name}{on}, rebalanced {config.rebalancing}{band}{mixed}"


def function_label(name: str) -> str:
    return _TITLES.get(name, spaced(name))


def parameter_label(name: str) -> str:
    return _PARAMETERS.get(name, f"the {spaced(name)}")
