"""A strategy config as numbers: close configs lie close together, and what has no effect has none."""

import math
from functools import cache
from typing import Any, NamedTuple

from quant.strategies.config import REBALANCING_DAYS, Rebalancing, StrategyConfig
from quant.strategies.family import FAMILY

WIDE = 5.0
"""Ranges that span this factor are looked at in logarithms."""


class _Number(NamedTuple):
    name: str
    low: float
    high: float


class _Category(NamedTuple):
    name: str
    options: tuple[str, ...]


@cache
def _parameters() -> tuple[_Number | _Category, ...]:
    """Every parameter of a config with its range or options, as its schema says them."""
    found: list[_Number | _Category] = []
    for name, said in StrategyConfig.model_json_schema()["properties"].items():
        schema: dict[str, Any] = next((one for one in said.get("anyOf", ()) if one.get("type") != "null"), said)
        if name == "rebalancing":
            found.append(_Number(name, min(REBALANCING_DAYS.values()), max(REBALANCING_DAYS.values())))
        elif "enum" in schema:
            found.append(_Category(name, tuple(schema["enum"])))
        else:
            found.append(_Number(name, schema["minimum"], schema["maximum"]))
    return tuple(found)


def feature_names() -> tuple[str, ...]:
    return tuple(
        label
        for one in _parameters()
        for label in ([one.name] if isinstance(one, _Number) else [f"{one.name}={option}" for option in one.options])
    )


def features(config: StrategyConfig, target_volatility: float) -> list[float]:
    """One number for each of `feature_names`: numbers from -1 to 1, options 0 or 1, and 0 for what has no effect.

    `target_volatility` is the mandate's, which holds where the config has none of its own.
    """
    found: list[float] = []
    for one in _parameters():
        value = getattr(config, one.name)
        if one.name == "estimator" and not FAMILY[config.weight_function].volatility:
            value = None
        if one.name == "target_volatility" and value is None:
            value = target_volatility
        if isinstance(one, _Category):
            found += [float(value == option) for option in one.options]
        else:
            found.append(0.0 if value is None else _scaled(one, value))
    return found


def _scaled(number: _Number, value: float | Rebalancing) -> float:
    low, high, there = number.low, number.high, float(REBALANCING_DAYS[value] if isinstance(value, str) else value)
    if number.name == "decay":  # its memory in sessions
        low, high, there = (1.0 / (1.0 - x) for x in (low, high, there))
    if low > 0.0 and high / low >= WIDE:
        low, high, there = math.log(low), math.log(high), math.log(there)
    return 2.0 * (there - low) / (high - low) - 1.0
