"""Wishes: tool arguments that hold names from fixed lists and quotes of the user's words.

A model never converts words to numbers: it copies "12%" or "EUR 2.5m" from the user's text, validation checks that
the quote occurs there, and `desk.conversation.quotes` parses it.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import AfterValidator, Field, ValidationInfo

from desk.conversation.quotes import is_quote
from desk.figures.guard.numbers import find_numbers
from desk.optimization.request import YIELD
from desk.optimization.worlds import Worlds
from desk.strategies.templates import Template
from quant.numeric.frozen import Frozen
from quant.strategies.choices import Estimator, InnerPortfolio, Rebalancing
from quant.strategies.family import WeightFunction
from quant.strategies.goal import Goal
from quant.worlds.scenario import Engine


def _check_quote(value: str, info: ValidationInfo) -> str:
    """Check that the quote occurs in the user's texts, if these are known."""
    user_texts = cast("dict[str, Sequence[str] | None]", info.context or {}).get("user_texts")
    if user_texts is not None and not is_quote(value, user_texts):
        msg = f"{value!r} does not stand in what the person wrote; copy their words, or leave it out"
        raise ValueError(msg)
    return " ".join(value.split())


def _check_name(value: str, info: ValidationInfo) -> str:
    """Check that a name with a number or sign occurs in text visible to the model; plain words are free."""
    visible_text = cast("dict[str, str | None]", info.context or {}).get("visible_text")
    if visible_text is None or (_PLAIN_NAME.fullmatch(value) and not find_numbers(value)) or _INDEX.fullmatch(value):
        return value
    if re.search(rf"(?<![\w.]){re.escape(value.casefold())}(?!\w|[.,]\d)", visible_text.casefold()) is None:
        msg = f"{value!r} was never said nor returned by a tool; copy a name, or leave it out"
        raise ValueError(msg)
    return value


def _check_series(value: str, info: ValidationInfo) -> str:
    """Check each part of a series such as `yield:rates:US10Y` like a name."""
    for part in value.removeprefix(YIELD).split(":"):
        _check_name(part, info)
    return value


_PLAIN_NAME = re.compile(r"[A-Za-z&_ -]{1,64}")
_INDEX = re.compile(r"s&?p ?500", re.IGNORECASE)

Quote: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=60, description="Copied from the person's words: '12%', 'EUR 2.5m', 'ten years'"),
    AfterValidator(_check_quote),
]
Name: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9&][A-Za-z0-9&_ .:/-]*$"),
    AfterValidator(_check_name),
]
"""Name of an asset, scenario or strategy; the tool checks that it exists."""
SeriesName: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9&^][A-Za-z0-9&_ .:/@^=-]*$"),
    AfterValidator(_check_series),
]
"""Name of a series: a data set, DATASET:SERIES, or a series of the same prices; the tool checks that it exists."""
SafeLegWish: TypeAlias = Annotated[
    SeriesName | None,
    Field(
        description="What is held beside the risky assets: cash; a bond by its name among the same prices, or as "
        "DATASET:BOND; or yield:SERIES, a par bond computed from daily yields"
    ),
]
CashRateWish: TypeAlias = Annotated[
    Quote | None, Field(description="What cash earns a year, in place of the Treasury bill")
]
CashWish: TypeAlias = Annotated[
    SeriesName | None, Field(description="Series of rates in percent a year that cash earns, where one is named")
]
ExchangeRateWish: TypeAlias = Annotated[
    SeriesName | None, Field(description="Series named by its pair, such as EURUSD, that converts the prices")
]
Base: TypeAlias = Annotated[
    Literal["new", "last"], Field(description="Begin afresh, or change the one this conversation is about")
]

Offer: TypeAlias = Literal[
    "optimize",
    "estimate",
    "evaluate",
    "save_strategy",
    "scenarios",
    "add_scenario",
    "assess_risk",
    "compare_allocations",
    "analyse_market",
    "simulate",
    "tearsheet",
    "explain",
    "compare_results",
    "list_results",
    "open_holdout",
    "define_term",
]
"""Actions that the assistant can offer; `reply.OFFERS` holds the text of each."""


MOST_NAMES = 32
"""Most names in a list of a wish; it does not depend on how many rows a table has."""


class Wish(Frozen):
    """An optimization; what is None stays as in the base."""

    base: Base = "new"
    name: Quote | None = None
    assets: Annotated[
        tuple[Name, ...],
        Field(max_length=20, description="sp500, stocks, tickers, a data set of the person's own, or DATASET:ASSET"),
    ] = ()
    safe: SafeLegWish = None
    first_day: Annotated[
        Quote | None, Field(description="First day of prices that is used, as said: 2005, March 2005, 2005-03-15")
    ] = None
    last_day: Annotated[Quote | None, Field(description="Last day of prices that is used, as said")] = None
    target_volatility: Quote | None = None
    max_drawdown: Quote | None = None
    value_at_risk: Quote | None = None
    expected_shortfall: Quote | None = None
    max_turnover: Quote | None = None
    max_cost: Quote | None = None
    max_leverage: Quote | None = None
    min_weight: Quote | None = None
    max_weight: Quote | None = None
    """Of all risky assets together; a cap on each of them is not possible."""
    risk_aversion: Quote | None = None
    transaction_cost: Quote | None = None
    """Also "double" or "half", of the base's."""
    cash_rate: CashRateWish = None
    cash: CashWish = None
    currency: Annotated[
        str | None,
        Field(
            pattern="^[A-Z]{3}$",
            description="Currency of the result as its code, such as EUR; prices in another one need exchange_rate",
        ),
    ] = None
    exchange_rate: ExchangeRateWish = None
    benchmark: Annotated[
        SeriesName | None, Field(description="Series, with dividends, that the winner is compared with")
    ] = None
    weight_functions: Annotated[tuple[WeightFunction, ...], Field(max_length=MOST_NAMES)] = ()
    estimators: Annotated[tuple[Estimator, ...], Field(max_length=MOST_NAMES)] = ()
    lookbacks: Annotated[tuple[Quote, ...], Field(max_length=10)] = ()
    rebalancing: Annotated[tuple[Rebalancing, ...], Field(max_length=MOST_NAMES)] = ()
    inner: Annotated[tuple[InnerPortfolio, ...], Field(max_length=MOST_NAMES)] = ()
    scenarios: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    engine: Engine | None = None
    worlds: Annotated[
        Worlds | None,
        Field(description="What scenarios follow: the data's volatility, its mean return too, or fixed numbers"),
    ] = None
    engine_parameters: Annotated[
        Literal["default", "fitted"] | None,
        Field(description="Whether the parameters of the engines are fitted to the training days"),
    ] = None
    goal: Goal | None = None
    trials: Quote | None = None
    max_time: Annotated[Quote | None, Field(description="Longest time that the search may take: two minutes")] = None
    max_dollars: Annotated[Quote | None, Field(description="Most dollars that the search may cost: $5")] = None
    paths: Quote | None = None
    years: Quote | None = None
    seed: Quote | None = None


class StrategyWish(Frozen):
    """One configuration; what is None stays as in the base, or takes its usual value."""

    base: Base = "new"
    template: Template | None = None
    """Name of a predefined strategy."""
    saved: Name | None = None
    """Name of a saved strategy."""
    assets: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    safe: SafeLegWish = None
    cash_rate: CashRateWish = None
    cash: CashWish = None
    exchange_rate: ExchangeRateWish = None
    weight_function: WeightFunction | None = None
    estimator: Estimator | None = None
    lookback: Quote | None = None
    """Sessions that the estimator uses."""
    decay: Quote | None = None
    rebalancing: Rebalancing | None = None
    target_volatility: Quote | None = None
    midpoint: Quote | None = None
    scale: Quote | None = None
    slope: Quote | None = None
    floor: Quote | None = None
    multiplier: Quote | None = None
    hysteresis: Quote | None = None
    drawdown_cap: Quote | None = None
    calm_weight: Quote | None = None
    turbulent_weight: Quote | None = None
    gain: Quote | None = None
    constant_weight: Quote | None = None
    no_trade_band: Quote | None = None
    transaction_cost: Quote | None = None
    """Cost of trading, in basis points of the traded amount."""
    first_day: Annotated[Quote | None, Field(description="First day to evaluate, as said: 1990, March 2005")] = None
    last_day: Annotated[
        Quote | None,
        Field(description="Last day to evaluate, as said; the same year as first_day for one year"),
    ] = None


class ScenarioWish(Frozen):
    """A scenario of one's own, made from another."""

    name: Name
    like: Name = "base_case"
    expected_return: Quote | None = None
    volatility: Quote | None = None
    cash_rate: Quote | None = None
    bond_correlation: Quote | None = None
    engine: Engine | None = None


class Holding(Frozen):
    """`weight` is "60%" or a share such as "0.6"; all None means equal shares. `amount` is money instead."""

    asset: Name
    weight: Quote | None = None
    amount: Quote | None = None
    """Money in the holding."""


class PortfolioWish(Frozen):
    """Holdings by name; "cash" is a holding too. Without holdings the one this conversation is about."""

    holdings: Annotated[tuple[Holding, ...], Field(max_length=21)] = ()
    """Holdings by name."""
    amount: Quote | None = None
    """Total amount."""


class Shock(Frozen):
    """A move of a factor that is imagined."""

    factor: Annotated[Name, Field(description="sp500, or a ticker")]
    direction: Literal["falls", "rises"]
    move: Quote


class SavingsWish(Frozen):
    """Money over time on simulated markets."""

    portfolio: PortfolioWish = PortfolioWish()
    years: Quote | None = None
    contribution: Quote | None = None
    """Deposit each month; with "a year" in the quote, a twelfth of it."""
    withdrawal: Quote | None = None
    """Withdrawal each month; with "a year" a twelfth of it; "4%" is that share of the start, a year."""
    goal: Quote | None = None
    inflation: Quote | None = None
    fee: Quote | None = None
    scenario: Name | None = None
    paths: Quote | None = None
