"""What models took, in the store: added to in the transaction that keeps an answer, so that each counts once."""

import operator
from datetime import date
from functools import reduce
from typing import get_args

from desk.governance.budgets import Spent, Totals
from desk.governance.scope import Scope
from desk.governance.usage import AgentName, AgentUsage, Usage
from store.errors import Conflict
from store.records import Key, Put, iterate_records
from store.store import Store

KIND = "usage"
DAILY = "usage_day"


async def spent(store: Store, owner: str, run: str) -> dict[AgentName, Usage]:
    """What each agent of a run, or of a conversation, has taken so far."""
    return {each.agent: each.usage for each in await agents_usage(store, owner, run)}


async def agents_usage(store: Store, owner: str, run: str) -> tuple[AgentUsage, ...]:
    """In the order in which agents come in a run."""
    prefix = f"{run}."
    found = {
        record.key.id.removeprefix(prefix): Spent.model_validate(record.document)
        async for record in iterate_records(store.records, owner, KIND, prefix=prefix)
    }
    agents: tuple[AgentName, ...] = get_args(AgentName)
    return tuple(
        AgentUsage(agent=agent, models=found[agent].models, usage=found[agent].usage)
        for agent in agents
        if agent in found
    )


async def spent_by_owner(store: Store, owner: str, day: date) -> Usage:
    """What all runs and conversations of an owner took on a day of UTC."""
    return (await _read(store, _of_day(owner, day)))[0].usage


async def totals(scope: Scope, agent: AgentName) -> Totals:
    """What counts against the budgets of the agent's next call."""
    by_agent = {
        record.key.id: Spent.model_validate(record.document)
        async for record in iterate_records(scope.store.records, scope.owner, KIND, prefix=f"{scope.run}.")
    }
    return Totals(
        agent=by_agent.get(_of_run(scope, agent).id, Spent()),
        run=reduce(operator.add, by_agent.values(), Spent()),
        user=(await _read(scope.store, _of_day(scope.owner, scope.now().date())))[0],
    )


async def charge(scope: Scope, agent: AgentName, spent: Spent, answer: Put | None = None) -> bool:
    """Add `spent` to the totals, and store the answer that it was for at once.

    False if there is one already: another process was answered first, and both answers have to be paid for.
    """
    also = [] if answer is None else [answer]
    while True:
        day = _of_day(scope.owner, scope.now().date())
        puts = [await _added(scope.store, key, spent) for key in (_of_run(scope, agent), day)]
        try:
            await scope.store.records.put_many([*also, *puts])
        except Conflict:  # of a total, to be read again, or of the answer
            if answer is not None and await scope.store.records.get(answer.key) is not None:
                await charge(scope, agent, spent)
                return False
        else:
            return True


async def _added(store: Store, key: Key, spent: Spent) -> Put:
    before, version = await _read(store, key)
    return Put(key, (before + spent).model_dump(mode="json"), version)


async def _read(store: Store, key: Key) -> tuple[Spent, int]:
    """What is stored there, and its version."""
    record = await store.records.get(key)
    return (Spent(), 0) if record is None else (Spent.model_validate(record.document), record.version)


def _of_run(scope: Scope, agent: AgentName) -> Key:
    return Key(scope.owner, KIND, f"{scope.run}.{agent}")


def _of_day(owner: str, day: date) -> Key:
    return Key(owner, DAILY, day.isoformat())
