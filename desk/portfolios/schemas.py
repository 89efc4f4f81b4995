"""Request and response types of portfolios: weights or units, cash, notes and tags."""

import math
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from desk.base.camel_case import Camel
from desk.base.errors import InvalidInput
from desk.base.frames import frame

if TYPE_CHECKING:
    import pandas as pd

Method: TypeAlias = Literal[
    "equal_weight",
    "inverse_volatility",
    "risk_parity",
    "hierarchical_risk_parity",
    "minimum_variance",
    "maximum_sharpe",
    "maximum_diversification",
    "minimum_cvar",
]


MAX_ASSETS = 500
TOLERANCE = 1e-4
"""Tolerance of the sum of weights."""


def _ticker(text: str) -> str:
    name = text.strip().upper()
    if not (0 < len(name) <= 10 and name.isprintable()):
        raise ValueError(f"{text[:40]!r} is not a ticker; expected 1 to 10 printable characters")
    return name


def reject_duplicates(value: Any) -> Any:
    """Reject tickers that differ only in case, because they are one asset."""
    seen_names: set[str] = set()
    names = list(cast("dict[Any, Any] | list[Any]", value)) if isinstance(value, dict | list) else []
    if len(names) > MAX_ASSETS:
        raise ValueError(f"{len(names)} assets are too many; expected at most {MAX_ASSETS}")
    for name in names:
        folded = str(name).strip().upper()
        if folded in seen_names:
            raise ValueError(f"{folded[:40]!r} is named twice; expected each asset once, ignoring case")
        seen_names.add(folded)
    return cast("object", value)


def _line(text: str) -> str:
    line = " ".join(text.split())
    if not (line and line.isprintable()):
        raise ValueError("it is blank or contains unprintable characters; expected printable characters on one line")
    return line


def _distinct(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple({tag.casefold(): tag for tag in reversed(tags)}.values())[::-1]


Ticker: TypeAlias = Annotated[str, AfterValidator(_ticker)]
Number: TypeAlias = Annotated[float, Field(strict=True, ge=0.0, le=1e15)]
Weights: TypeAlias = Annotated[dict[Ticker, Number], Field(max_length=MAX_ASSETS), BeforeValidator(reject_duplicates)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_line)]
Tag: TypeAlias = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_line)]
Tags: TypeAlias = Annotated[tuple[Tag, ...], Field(max_length=20), AfterValidator(_distinct)]
Text: TypeAlias = Annotated[str, Field(max_length=2_000)]
Notes: TypeAlias = Annotated[str, Field(max_length=20_000)]

_ASSETS = "Fractions of wealth by ticker; with the weight of cash they sum to 1 within 0.0001"
_HOLDINGS = "Units by ticker, such as shares; in addition to weights or instead of them"
_EXAMPLE: dict[str, Any] = {
    "name": "Tech Concentrated",
    "assets": {"AAPL": 0.25, "MSFT": 0.25, "GOOGL": 0.3, "AMZN": 0.2},
}


class Cash(Camel):
    """Cash: its share of wealth, an amount of money, or both."""

    weight: Annotated[Number | None, Field(description="Fraction of wealth; counts in the sum of weights")] = None
    amount: Number | None = None
    """Money in `currency`."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["USD"])] = "USD"

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.weight is None and self.amount is None:
            raise ValueError("cash is empty; expected a weight, an amount, or both")
        return self


class PortfolioContent(Camel):
    """The editable fields of a portfolio."""

    name: Name
    description: Text = ""
    """What the portfolio is for."""
    assets: Weights = Field(default_factory=dict[str, float], description=_ASSETS, examples=[_EXAMPLE["assets"]])
    holdings: Weights = Field(default_factory=dict[str, float], description=_HOLDINGS, examples=[{"AAPL": 120}])
    cash: Cash | None = None
    notes: Notes = ""
    """Free text."""
    tags: Tags = ()


_NORMALIZE = Field(description="Divide all weights by their sum, so that 60 and 40 mean 0.6 and 0.4")


class PortfolioDraft(PortfolioContent):
    """A new portfolio: weights in `assets`, units in `holdings`, or both."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    normalize: Annotated[bool, Field(strict=True), _NORMALIZE] = False


class PortfolioPatch(Camel):
    """Changes to a portfolio: at least one field; each is replaced as a whole, others are unchanged."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Updated Tech Portfolio"}]})

    name: Name = ""
    description: Text = ""
    """What the portfolio is for."""
    assets: Weights = Field(default_factory=dict[str, float], description=_ASSETS)
    holdings: Weights = Field(default_factory=dict[str, float], description=_HOLDINGS)
    cash: Annotated[Cash | None, Field(description="null removes it")] = None
    notes: Notes = ""
    """Free text."""
    tags: Tags = ()
    normalize: Annotated[bool, Field(strict=True), _NORMALIZE] = False

    @property
    def changes(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in PortfolioContent.model_fields if name in self.model_fields_set}

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.changes:
            fields = ", ".join(PortfolioContent.model_fields)
            raise ValueError(f"the patch is empty; expected at least one of {fields}")
        return self


class Portfolio(Camel):
    """A stored portfolio."""

    id: str = Field(examples=["p-1f0c9c2be5b74d0d8f4a"])
    name: str
    description: str
    """What the portfolio is for."""
    assets: dict[str, float] = Field(description="Weights by ticker; empty if only units are given")
    holdings: dict[str, float] = Field(description="Units by ticker")
    cash: Cash | None
    notes: str
    """Free text."""
    tags: tuple[str, ...]
    version: int = Field(description="Incremented by each change; the ETag contains it")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    """Time of deletion; null unless it is deleted."""
    restorable_until: datetime | None = Field(
        default=None, description="Time after which a deleted portfolio cannot be restored"
    )

    def to_frame(self) -> "pd.DataFrame":
        """One row per symbol with its weight and units if given, without cash."""
        symbols = dict.fromkeys((*self.assets, *self.holdings))
        rows = ({"symbol": s, "weight": self.assets.get(s), "units": self.holdings.get(s)} for s in symbols)
        return frame(rows, index="symbol")

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.assets or self.holdings)


def normalize_content(content: PortfolioContent, *, normalize: bool) -> PortfolioContent:
    """`content` with weights that sum to 1; raises `InvalidInput` if they do not."""
    cash = content.cash
    if not content.assets and (content.holdings or cash is None or cash.weight is None):
        if not content.holdings and cash is None:
            reason = "neither weights nor units nor cash are given"
            raise InvalidInput(
                "assets", {}, reason=reason, allowed="tickers with weights, holdings in units, or cash alone"
            )
        if cash is not None and cash.weight is not None:
            reason = "without weights of assets it has no meaning"
            raise InvalidInput("cash.weight", cash.weight, reason=reason, allowed="an amount beside units")
        return content
    shares = dict(content.assets) if cash is None or cash.weight is None else {**content.assets, "": cash.weight}
    total = math.fsum(shares.values())
    if normalize:
        if not total > 0.0:
            raise InvalidInput("assets", total, reason="all weights are 0", allowed="weights of which one is above 0")
        return _scaled(content, total)
    large = next((name for name, weight in shares.items() if weight > 1.0), None)
    if large is not None:
        field = f"assets.{large}" if large else "cash.weight"
        raise InvalidInput(field, shares[large], allowed="0 to 1; or normalize: true")
    if abs(total - 1.0) > TOLERANCE:
        reason = f"the weights add up to {total:.6g}"
        raise InvalidInput("assets", total, reason=reason, allowed=f"a sum of 1, to {TOLERANCE}; or normalize: true")
    return content


def _scaled(content: PortfolioContent, total: float) -> PortfolioContent:
    cash = content.cash
    if cash is not None and cash.weight is not None:
        cash = cash.model_copy(update={"weight": cash.weight / total})
    assets = {name: weight / total for name, weight in content.assets.items()}
    return content.model_copy(update={"assets": assets, "cash": cash})
