"""What asking models may take: limits that code holds, which no model can change."""

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


class Spent(Frozen):
    """What answers took; `dollars` are those of the answers whose price is known."""

    usage: Usage = Usage()
    dollars: float = 0.0
    models: tuple[str, ...] = ()

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            usage=self.usage + other.usage,
            dollars=self.dollars + other.dollars,
            models=tuple(dict.fromkeys((*self.models, *other.models))),
        )


class Totals(Frozen):
    """Of one agent in a run, of the whole run, and of its owner on a day."""

    agent: Spent = Spent()
    run: Spent = Spent()
    user: Spent = Spent()

    def __add__(self, spent: Spent) -> "Totals":
        return Totals(agent=self.agent + spent, run=self.run + spent, user=self.user + spent)


class Budgets(Frozen):
    """Limits on what models take; None is no limit. A day is one of UTC."""

    run_tokens: Tokens | None = None
    run_dollars: Dollars | None = None
    agent_tokens: Tokens | None = None
    agent_dollars: Dollars | None = None
    user_tokens: Tokens | None = None
    user_dollars: Dollars | None = None
    warn_at: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    """Share of a budget from which on a person is warned."""

    def limits(self) -> dict[BudgetName, float]:
        found: dict[BudgetName, float] = {}
        for name in BUDGETS:
            limit: float | None = getattr(self, name.replace(" ", "_"))
            if limit is not None:
                found[name] = limit
        return found

    def spent(self, totals: Totals) -> BudgetName | None:
        """The first budget of which nothing is left."""
        return next(self._reached(totals, 1.0), None)

    def nearly_spent(self, totals: Totals) -> tuple[BudgetName, ...]:
        return tuple(self._reached(totals, self.warn_at))

    def _reached(self, totals: Totals, share: float) -> Iterator[BudgetName]:
        return (name for name, limit in self.limits().items() if _used(name, totals) >= share * limit)


UNLIMITED = Budgets()


class BudgetSpent(UserError):
    """A model was not asked, because nothing is left of `budget`."""

    code = "budget_spent"

    def __init__(self, budget: BudgetName, limit: float) -> None:
        self.budget: BudgetName = budget
        self.limit = limit
        super().__init__(f"{setting_of(budget)}: {limit:g} is spent; expected a larger budget, or none")

    def __reduce__(self) -> tuple[type["BudgetSpent"], tuple[BudgetName, float]]:
        return BudgetSpent, (self.budget, self.limit)


def setting_of(budget: str) -> str:
    return f"BUDGET_{budget.replace(' ', '_').upper()}"


def _used(name: BudgetName, totals: Totals) -> float:
    scope, _, unit = name.partition(" ")
    spent: Spent = getattr(totals, scope)
    return spent.usage.tokens if unit == "tokens" else spent.dollars
