"""Request of a risk report: a stored portfolio, a saved strategy, a job or holdings, an amount of money, and stress."""

from typing import Annotated, Self, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from desk.figures.sheet import Money
from desk.portfolios.schemas import Portfolio, reject_duplicates
from desk.portfolios.stress_schemas import StressRequest
from quant.numeric.frozen import Frozen

Holdings: TypeAlias = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Annotated[float, Field(strict=True, ge=0.0, le=1.0)]],
    Field(min_length=1, max_length=21),
    BeforeValidator(reject_duplicates),
]

_SUBJECTS = ("portfolio_id", "strategy_id", "job", "holdings")


class RiskRequest(Frozen):
    """A stored portfolio, a saved strategy, a job or `holdings`; each asset needs prices on the server."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "holdings": {"AAPL": 0.5, "XOM": 0.3, "cash": 0.2},
                    "amount": 1_000_000,
                    "currency": "EUR",
                    "stress": {"loss": 0.15, "sessions": 21, "shocks": {"sp500": -0.3, "XOM": 0.1}},
                }
            ]
        }
    )

    portfolio_id: Annotated[str | None, Field(pattern="^[A-Za-z0-9_-]{1,64}$")] = None
    strategy_id: Annotated[
        str | None, Field(pattern="^[0-9a-f]{32}$", description="A saved strategy, by its latest version")
    ] = None
    job: Annotated[
        str | None,
        Field(pattern="^[A-Za-z0-9_-]{1,64}$", description="A completed job: its winner, on the days of its search"),
    ] = None
    holdings: Annotated[
        Holdings | None, Field(description="Fractions of wealth with the sum 1; `cash` is a holding too")
    ] = None
    amount: Annotated[
        float | None, Field(strict=True, gt=0.0, le=1e15, description="Worth of the portfolio; losses in money follow")
    ] = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    """Currency of `amount`."""
    stress: StressRequest = StressRequest()

    @model_validator(mode="after")
    def _check_subject(self) -> Self:
        named = sum(getattr(self, subject) is not None for subject in _SUBJECTS)
        if named != 1:
            kind = "combined" if named else "missing"
            msg = f"{', '.join(_SUBJECTS[:-1])} and {_SUBJECTS[-1]} are {kind}; expected exactly one of them"
            raise ValueError(msg)
        return self

    @property
    def money(self) -> Money | None:
        return None if self.amount is None else Money(amount=self.amount, currency=self.currency)


def stored_holdings(portfolio: Portfolio) -> dict[str, float]:
    """The weights of a stored portfolio with those of its cash; empty if it has units only."""
    cash = portfolio.cash.weight if portfolio.cash is not None else None
    return dict(portfolio.assets) | ({"cash": cash} if portfolio.assets and cash else {})
