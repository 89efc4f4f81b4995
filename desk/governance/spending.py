"""Stored spending of models; updated in the transaction that stores an answer, so that each answer counts once."""

import operator
from collections.abc import Iterable
from datetime import date
from functools import reduce

from desk.governance.budgets import Spending, Totals
from desk.governance.scope import Scope
from desk.governance.usage import AgentName, AgentUsage, Usage
from store.errors import Conflict
from store.records import Key, Put, iterate_records
from store.store import Store

KIND = "usage"
DAILY = "usage_day"


async def usage_by_agent(store: Store, owner: str, run: str) -> dict[AgentName, Usage]:
    """Usage of each agent of a run or conversation so far."""
    return {agent: spending.usage for agent, spending in (await _spending_by_agent(store, owner, run)).items()}


async def agents_usage(store: Store, owner: str, run: str, agents: Iterable[AgentName]) -> tuple[AgentUsage, ...]:
    """Usage of those of the `agents` that models have answered in the run, in their order."""
    spending = await _spending_by_agent(store, owner, run)
    return tuple(
        AgentUsage(agent=agent, models=spending[agent].models, usage=spending[agent].usage)
        for agent in agents
        if agent in spending
    )


async def daily_usage(store: Store, owner: str, day: date) -> Usage:
    """Usage of all runs and conversations of an owner on a UTC day."""
    return (await _read(store, _day_key(owner, day)))[0].usage


async def load_totals(scope: Scope, agent: AgentName) -> Totals:
    """Load the totals that count against the budgets of the agent's next call."""
    by_agent = {
        record.key.id: Spending.model_validate(record.document)
        async for record in iterate_records(scope.store.records, scope.owner, KIND, prefix=f"{scope.run}.")
    }
    return Totals(
        agent=by_agent.get(_run_key(scope, agent).id, Spending()),
        run=reduce(operator.add, by_agent.values(), Spending()),
        user=(await _read(scope.store, _day_key(scope.owner, scope.now().date())))[0],
    )


async def charge(scope: Scope, agent: AgentName, spending: Spending, answer: Put | None = None) -> bool:
    """Add `spent` to the totals and store its answer in one transaction.

    False if another process stored an answer first; both answers are charged.
    """
    answer_puts = [] if answer is None else [answer]
    while True:
        day = _day_key(scope.owner, scope.now().date())
        puts = [await _addition(scope.store, key, spending) for key in (_run_key(scope, agent), day)]
        try:
            await scope.store.records.put_many([*answer_puts, *puts])
        except Conflict:  # a total changed and is read again, or the answer exists
            if answer is not None and await scope.store.records.get(answer.key) is not None:
                await charge(scope, agent, spending)
                return False
        else:
            return True


async def _spending_by_agent(store: Store, owner: str, run: str) -> dict[AgentName, Spending]:
    prefix = f"{run}."
    return {
        record.key.id.removeprefix(prefix): Spending.model_validate(record.document)
        async for record in iterate_records(store.records, owner, KIND, prefix=prefix)
    }


async def _addition(store: Store, key: Key, spending: Spending) -> Put:
    total, version = await _read(store, key)
    return Put(key, (total + spending).model_dump(mode="json"), version)


async def _read(store: Store, key: Key) -> tuple[Spending, int]:
    """Load the stored spending and its version."""
    record = await store.records.get(key)
    return (Spending(), 0) if record is None else (Spending.model_validate(record.document), record.version)


def _run_key(scope: Scope, agent: AgentName) -> Key:
    return Key(scope.owner, KIND, f"{scope.run}.{agent}")


def _day_key(owner: str, day: date) -> Key:
    return Key(owner, DAILY, day.isoformat())
