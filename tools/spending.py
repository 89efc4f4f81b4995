"""What models took, in the store: added to in the transaction that keeps an answer, so that each counts once."""

from collections.abc import Callable, Sequence
from datetime import date

from store.errors import Conflict
from store.records import Key, Put, every
from store.store import Store
from tools.budget import BudgetName, Spent, Totals
from tools.context import Scope
from tools.optimization import AgentName, AgentUsage
from tools.usage import Usage

KIND = "usage"
DAILY = "usage_day"

Kept = Callable[[Sequence[BudgetName]], Put]
"""What is stored with a charge, given the budgets that are nearly spent with it."""


async def spent(store: Store, owner: str, run: str) -> dict[AgentName, Usage]:
    """What each agent of a run, or of a conversation, has taken so far."""
    return {each.agent: each.usage for each in await agents_usage(store, owner, run)}


async def agents_usage(store: Store, owner: str, run: str) -> tuple[AgentUsage, ...]:
    """By the agents' names."""
    prefix = f"{run}."
    found = [record async for record in every(store.records, owner, KIND, prefix=prefix)]
    parts = [(record.key.id.removeprefix(prefix), Spent.model_validate(record.document)) for record in found]
    return tuple(AgentUsage.model_validate({"agent": a, "models": s.models, "usage": s.usage}) for a, s in parts)


async def spent_by_owner(store: Store, owner: str, day: date) -> Usage:
    """What all runs and conversations of an owner took on a day of UTC."""
    return (await _sum(store, owner, DAILY, f"{day.isoformat()}.")).usage


async def totals(scope: Scope, agent: AgentName) -> Totals:
    """What counts against the budgets of the agent's next call."""
    mine = await scope.store.records.get(_of_run(scope, agent))
    return Totals(
        agent=Spent() if mine is None else Spent.model_validate(mine.document),
        run=await _sum(scope.store, scope.owner, KIND, f"{scope.run}."),
        user=await _sum(scope.store, scope.owner, DAILY, f"{_today(scope)}."),
    )


async def charge(scope: Scope, agent: AgentName, spent: Spent, kept: Kept | None = None) -> bool:
    """Add `spent` to the totals, and store what `kept` makes of them at once.

    False if that is there already: another process was answered first, and both answers have to be paid for.
    """
    records = scope.store.records
    while True:
        puts = [await _added(scope, key, spent) for key in (_of_run(scope, agent), _of_day(scope, agent))]
        near = scope.budgets.nearly_spent(await totals(scope, agent) + spent) if scope.budgets.limits() else ()
        also = [] if kept is None else [kept(near)]
        try:
            await records.put_many([*also, *puts])
        except Conflict:
            if also and await records.get(also[0].key) is not None:
                await charge(scope, agent, spent)
                return False
        else:
            return True


async def _added(scope: Scope, key: Key, spent: Spent) -> Put:
    record = await scope.store.records.get(key)
    before = Spent() if record is None else Spent.model_validate(record.document)
    version = 0 if record is None else record.version
    return Put(key, (before + spent).model_dump(mode="json"), version)


async def _sum(store: Store, owner: str, kind: str, prefix: str) -> Spent:
    total = Spent()
    async for record in every(store.records, owner, kind, prefix=prefix):
        total += Spent.model_validate(record.document)
    return total


def _of_run(scope: Scope, agent: AgentName) -> Key:
    return Key(scope.owner, KIND, f"{scope.run}.{agent}")


def _of_day(scope: Scope, agent: AgentName) -> Key:
    """One record for each run and agent, so that runs side by side never wait for each other."""
    return Key(scope.owner, DAILY, f"{_today(scope)}.{scope.run}.{agent}")


def _today(scope: Scope) -> str:
    return scope.now().date().isoformat()
