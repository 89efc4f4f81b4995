"""Prices of models: a dated table of dollars per million tokens, and the cost of an answer."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationError

from desk.base.errors import InvalidInput
from desk.governance.budgets import Budgets, setting_name
from desk.governance.usage import Usage
from quant.numeric.frozen import Frozen

TABLE = Path(__file__).with_name("prices.toml")
SETTING = "MODEL_PRICES"
MILLION = 1_000_000

CacheTime: TypeAlias = Literal["5m", "1h"]
Dollars: TypeAlias = Annotated[float, Field(ge=0.0)]


class Price(Frozen):
    """US dollars per million tokens; a price of None equals that of an input token."""

    input: Dollars
    output: Dollars
    cache_read: Dollars | None = None
    cache_write_5m: Dollars | None = None
    cache_write_1h: Dollars | None = None

    def times(self, factor: float) -> "Price":
        prices = {name: value * factor for name, value in self if value is not None}
        return Price(**prices)

    def dollars(self, usage: Usage, *, written_1h: int) -> float:
        """The cost of `usage`; `written_1h` is the number of tokens written to the one-hour cache."""
        short, long = (self.input if p is None else p for p in (self.cache_write_5m, self.cache_write_1h))
        return (
            usage.input_tokens * self.input
            + usage.cached_tokens * (self.input if self.cache_read is None else self.cache_read)
            + (usage.written_tokens - written_1h) * short
            + written_1h * max(short, long)
            + usage.output_tokens * self.output
        ) / MILLION


FREE = Price(input=0.0, output=0.0)


class ListedPrice(Price):
    model: Annotated[str, Field(min_length=1)]
    """A pattern of model ids."""
    regional: Annotated[float, Field(gt=0.0)] = 1.0
    """Factor for calls that do not use the global endpoints."""


class PriceTable(Frozen):
    as_of: date
    source: str
    tiers: dict[str, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)
    prices: tuple[ListedPrice, ...]

    def of(self, model: str, *, anywhere: bool = True, tier: str = "default") -> Price | None:
        """The price of a model id, None if it is not listed; `anywhere` for global endpoints."""
        factor = self.tiers.get(tier)
        row = next((listed for listed in self.prices if fnmatchcase(model, listed.model)), None)
        if factor is None or row is None:
            return None
        price = Price(**row.model_dump(include=set(Price.model_fields)))
        return price.times(factor if anywhere else factor * row.regional)


def read_prices(own: Path | None = None) -> PriceTable:
    """The table of this program; the prices of the file `own` take precedence."""
    bundled = PriceTable.model_validate(tomllib.loads(TABLE.read_text(encoding="utf-8")))
    if own is None:
        return bundled
    first = _read(own)
    tiers = {**bundled.tiers, **first.tiers}
    return first.model_copy(update={"prices": (*first.prices, *bundled.prices), "tiers": tiers})


def check_priced(budgets: Budgets, unpriced: Sequence[str]) -> None:
    """Refuse a budget in dollars if a model has no price, because its cost could not be compared with the budget."""
    budget = next((name for name in budgets.limits() if name.endswith("dollars")), None)
    if budget is not None and unpriced:
        reason = f"the price of {', '.join(map(repr, unpriced))} is unknown"
        allowed = f"budgets of tokens, or a file with its price in {SETTING}"
        raise InvalidInput(setting_name(budget), None, reason=reason, allowed=allowed)


def _read(path: Path) -> PriceTable:
    form = "a file like agents/models/prices.toml"
    try:
        return PriceTable.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        reason = f"{str(path)!r} cannot be read: {error.strerror}"
        raise InvalidInput(SETTING, str(path), reason=reason, allowed=form) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{str(path)!r}, {place}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        raise InvalidInput(SETTING, str(path), reason=reason, allowed=form) from error
    except ValueError as error:  # not text, or not TOML
        reason = f"{str(path)!r} is not TOML: {error}"
        raise InvalidInput(SETTING, str(path), reason=reason, allowed=form) from error


def usage_of(metadata: Mapping[str, Any] | None, price: Price | None, cached_for: CacheTime = "5m") -> Usage:
    """`Usage` from LangChain's usage metadata; `cached_for` applies to cache writes of unspecified duration."""
    if metadata is None:
        return Usage(dollars=0.0 if price == FREE else None)
    details = metadata.get("input_token_details") or {}
    cached, short, long, unspecified = (
        details.get(name) or 0
        for name in ("cache_read", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "cache_creation")
    )
    written = short + long + unspecified
    usage = Usage(
        input_tokens=max(metadata["input_tokens"] - cached - written, 0),
        cached_tokens=cached,
        written_tokens=written,
        output_tokens=metadata["output_tokens"],
    )
    written_1h = long + (unspecified if cached_for == "1h" else 0)
    dollars = None if price is None else price.dollars(usage, written_1h=written_1h)
    return usage.model_copy(update={"dollars": dollars})
