"""Amounts that a user may state: the parser and range of each."""

from collections.abc import Callable

from desk.base.errors import InvalidInput
from desk.conversation import quotes
from quant.numeric.units import BASIS_POINTS
from quant.strategies.config import StrategyConfig
from quant.strategies.family import PARAMETERS

_CONFIG = StrategyConfig.model_json_schema()["properties"]


def _range(name: str) -> tuple[float, float]:
    """Accepted values of a parameter of a configuration."""
    (number,) = (schema for schema in _CONFIG[name].get("anyOf", [_CONFIG[name]]) if schema["type"] != "null")
    return number["minimum"], number["maximum"]


_FRACTIONS: dict[str, tuple[float, float]] = {
    "target_volatility": _range("target_volatility"),
    "min_weight": (0.0, 1.0),
    "max_drawdown": (0.0, 1.0),
    "value_at_risk": (0.0, 1.0),
    "expected_shortfall": (0.0, 1.0),
    "decay": _range("decay"),
    "no_trade_band": _range("no_trade_band"),
    **{name: _range(name) for name, row in PARAMETERS.items() if row.unit == "fraction"},
    "expected_return": (-0.5, 0.5),
    "volatility": (0.01, 1.0),
    "cash_rate": (-0.05, 0.25),
    "inflation": (-0.05, 0.25),
    "fee": (0.0, 0.10),
    "holdings": (0.0, 1.0),
    "max_weight": (0.0, 2.0),
    "loss": (0.001, 1.0),
    "level": (0.5, 0.9999),
    "fall": (0.0, 0.99),
    "rise": (0.0, 10.0),
}
_RATIOS: dict[str, tuple[float, float]] = {
    "max_turnover": (0.0, 1_000.0),
    "max_leverage": (0.0, 2.0),
    "risk_aversion": (0.5, 10.0),
    **{name: _range(name) for name, row in PARAMETERS.items() if row.unit == "number"},
    "bond_correlation": (-1.0, 1.0),
}
_BASIS_POINTS: dict[str, tuple[float, float]] = {"max_cost": (0.0, BASIS_POINTS), "transaction_cost": (0.0, 50.0)}
_WHOLE: dict[str, tuple[int, int]] = {"trials": (10, 5_000), "paths": (100, 100_000), "seed": (0, (1 << 32) - 1)}
_TIMES = {"x", "times"}


def read_amount(name: str, quote: str) -> float:
    """Parse the amount `name`; `InvalidInput` for a quote that is unreadable, ambiguous or out of range."""
    if name == "max_weight" and any(quote.strip().lower().endswith(word) for word in _TIMES):
        return quotes.parse_ratio(name, quote, *_FRACTIONS[name])
    tables: tuple[tuple[dict[str, tuple[float, float]], Callable[[str, str, float, float], float]], ...] = (
        (_FRACTIONS, quotes.parse_fraction),
        (_RATIOS, quotes.parse_ratio),
        (_BASIS_POINTS, quotes.parse_basis_points),
    )
    for ranges, reader in tables:
        if name in ranges:
            return reader(name, quote, *ranges[name])
    raise KeyError(name)


def read_whole(name: str, quote: str) -> int:
    return quotes.parse_whole(name, quote, *_WHOLE[name])


def read_dollars(name: str, quote: str) -> float:
    """Parse an amount of US dollars; another currency is rejected."""
    money = quotes.parse_money(name, quote, 0.01, 1e6)
    if money.currency not in (None, "USD"):
        raise InvalidInput(name, quote, reason=f"{quote} is in {money.currency}", allowed="dollars, such as $5")
    return money.amount


def read_years(quote: str, longest: int) -> float:
    """Parse whole years; "18 months" is rejected."""
    return quotes.parse_whole("years", _bare_years(quote), 1, longest)


def _bare_years(quote: str) -> str:
    value = quotes.parse_years("years", quote, 0.0, 1_000.0)
    return f"{value:g}"


def read_sessions(quote: str) -> int:
    return quotes.parse_sessions("lookback", quote, 10, 504)


def read_amount_or_multiple(name: str, quote: str, base: float) -> float:
    """Parse an amount, or a multiple of `base` such as "double"."""
    factor = quotes.parse_multiple(quote)
    return read_amount(name, quote) if factor is None else base * factor
