"""Budgets for model calls, in tokens and dollars; enforced in code, out of reach of models."""

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field

from desk.base.errors import UserError
from desk.governance.usage import Usage
from quant.numeric.frozen import Frozen

BudgetName: TypeAlias = Literal[
    "run tokens", "run dollars", "agent tokens", "agent dollars", "user tokens", "user dollars"
]
BUDGETS: tuple[BudgetName, ...] = get_args(BudgetName)

Tokens: TypeAlias = Annotated[int, Field(ge=0)]
Dollars: TypeAlias = Annotated[float, Field(ge=0.0)]


class Spending(Frozen):
    """Usage of model answers; `dollars` covers the answers whose price is known."""

    usage: Usage = Usage()
    dollars: float = 0.0
    models: tuple[str, ...] = ()

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(
            usage=self.usage + other.usage,
            dollars=self.dollars + other.dollars,
            models=tuple(dict.fromkeys((*self.models, *other.models))),
        )


class Totals(Frozen):
    """Spending of one agent in a run, of the whole run, and of its owner on a day."""

    agent: Spending = Spending()
    run: Spending = Spending()
    user: Spending = Spending()

    def __add__(self, spending: Spending) -> "Totals":
        return Totals(agent=self.agent + spending, run=self.run + spending, user=self.user + spending)


class Budgets(Frozen):
    """Limits on model spending; None means no limit. Days are in UTC."""

    run_tokens: Tokens | None = None
    run_dollars: Dollars | None = None
    agent_tokens: Tokens | None = None
    agent_dollars: Dollars | None = None
    user_tokens: Tokens | None = None
    user_dollars: Dollars | None = None
    warn_at: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    """Share of a budget at which a warning is issued."""

    def limits(self) -> dict[BudgetName, float]:
        limits: dict[BudgetName, float] = {}
        for name in BUDGETS:
            limit: float | None = getattr(self, name.replace(" ", "_"))
            if limit is not None:
                limits[name] = limit
        return limits

    def exhausted(self, totals: Totals) -> BudgetName | None:
        """Return the first exhausted budget."""
        return next(self._at_share(totals, 1.0), None)

    def nearly_exhausted(self, totals: Totals) -> tuple[BudgetName, ...]:
        return tuple(self._at_share(totals, self.warn_at))

    def _at_share(self, totals: Totals, share: float) -> Iterator[BudgetName]:
        return (name for name, limit in self.limits().items() if _amount(name, totals) >= share * limit)


UNLIMITED = Budgets()


class BudgetSpent(UserError):
    """The model was not called because `budget` is exhausted."""

    code = "budget_spent"

    def __init__(self, budget: BudgetName, limit: float) -> None:
        self.budget: BudgetName = budget
        self.limit = limit
        super().__init__(f"{setting_name(budget)}: {limit:g} is spent; expected a larger budget, or none")

    def __reduce__(self) -> tuple[type["BudgetSpent"], tuple[BudgetName, float]]:
        return BudgetSpent, (self.budget, self.limit)


def setting_name(budget: str) -> str:
    return f"BUDGET_{budget.replace(' ', '_').upper()}"


def _amount(name: BudgetName, totals: Totals) -> float:
    scope, _, unit = name.partition(" ")
    spending: Spending = getattr(totals, scope)
    return spending.usage.tokens if unit == "tokens" else spending.dollars
