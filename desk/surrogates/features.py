"""Encodes a strategy config as numbers: similar configs have similar features, parameters without effect are 0."""

import math
from functools import cache
from typing import Any, NamedTuple

from quant.strategies.choices import REBALANCING, Rebalancing
from quant.strategies.config import StrategyConfig
from quant.strategies.family import FAMILY

WIDE = 5.0
"""Ranges that span at least this factor are scaled logarithmically."""


class _Number(NamedTuple):
    name: str
    low: float
    high: float


class _Category(NamedTuple):
    name: str
    options: tuple[str, ...]


@cache
def _parameters() -> tuple[_Number | _Category, ...]:
    """Every parameter of a config with its range or options, from the config's JSON schema."""
    parameters: list[_Number | _Category] = []
    for name, property_schema in StrategyConfig.model_json_schema()["properties"].items():
        schema: dict[str, Any] = next(
            (parameter for parameter in property_schema.get("anyOf", ()) if parameter.get("type") != "null"),
            property_schema,
        )
        if name == "rebalancing":
            days = [row.days for row in REBALANCING.values()]
            parameters.append(_Number(name, min(days), max(days)))
        elif "enum" in schema:
            parameters.append(_Category(name, tuple(schema["enum"])))
        else:
            parameters.append(_Number(name, schema["minimum"], schema["maximum"]))
    return tuple(parameters)


def feature_names() -> tuple[str, ...]:
    return tuple(
        label
        for parameter in _parameters()
        for label in (
            [parameter.name]
            if isinstance(parameter, _Number)
            else [f"{parameter.name}={option}" for option in parameter.options]
        )
    )


def features(config: StrategyConfig, target_volatility: float) -> list[float]:
    """One value for each of `feature_names`: numbers scaled to -1 to 1, options 0 or 1, and 0 without effect.

    `target_volatility` is the mandate's, for configs without their own.
    """
    values: list[float] = []
    for parameter in _parameters():
        value = getattr(config, parameter.name)
        if parameter.name == "estimator" and not FAMILY[config.weight_function].volatility:
            value = None
        if parameter.name == "target_volatility" and value is None:
            value = target_volatility
        if isinstance(parameter, _Category):
            values += [float(value == option) for option in parameter.options]
        else:
            values.append(0.0 if value is None else _scaled(parameter, value))
    return values


def _scaled(number: _Number, value: float | Rebalancing) -> float:
    low, high, position = number.low, number.high, float(REBALANCING[value].days if isinstance(value, str) else value)
    if number.name == "decay":  # memory in sessions
        low, high, position = (1.0 / (1.0 - x) for x in (low, high, position))
    if low > 0.0 and high / low >= WIDE:
        low, high, position = math.log(low), math.log(high), math.log(position)
    return 2.0 * (position - low) / (high - low) - 1.0
