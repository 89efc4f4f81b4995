"""Totals of model usage, and the budgets that limit them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.figures.figures import Claim
from desk.figures.guard.claims import check
from desk.governance.budgets import BUDGETS, Budgets, BudgetSpent, Spending, Totals, setting_name
from desk.governance.principals import Principal
from desk.governance.scope import Scope
from desk.governance.spending import agents_usage, charge, daily_usage, load_totals, usage_by_agent
from desk.governance.usage import AgentName, Usage
from desk.optimization.answers import Decision
from desk.optimization.partial_results import label_claims, reasons
from store.embedded import open_store
from store.records import Key, Put

pytestmark = pytest.mark.anyio

AGENTS: tuple[AgentName, ...] = ("optimizer", "explainer")
INTERRUPTIONS: dict[AgentName, str] = {
    agent: f"{agent} had answered: a template stands in its place" for agent in AGENTS
}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE = Spending(usage=Usage(answers=1, input_tokens=10, output_tokens=5, dollars=0.25), dollars=0.25, models=("m",))


@asynccontextmanager
async def scope_at(home: Path, **changes: object) -> AsyncGenerator[Scope]:
    async with open_store(home) as store:
        scope = Scope(principal=Principal(owner="local"), run="r", store=store, now=lambda: NOON)
        yield replace(scope, **changes)


async def test_concurrent_charges_are_all_counted(home):
    async with scope_at(home) as one, open_store(home) as second:
        two = replace(one, store=second)
        await asyncio.gather(*(charge(scope, "optimizer", ONE) for scope in (one, two) * 8))
        assert await usage_by_agent(one.store, "local", "r") == {
            "optimizer": Usage(answers=16, input_tokens=160, output_tokens=80, dollars=4.0)
        }
        assert (await daily_usage(one.store, "local", NOON.date())).tokens == 240


async def test_a_charge_is_stored_with_its_record_or_alone_if_that_exists(home):
    async with scope_at(home) as scope:
        key = Key("local", "thing", "x")
        first = await charge(scope, "optimizer", ONE, Put(key, {"by": 1}, expected=0))
        again = await charge(scope, "optimizer", ONE, Put(key, {"by": 2}, expected=0))
        record = await scope.store.records.get(key)
        assert (first, again) == (True, False)
        assert record is not None
        assert record.document == {"by": 1}
        assert (await usage_by_agent(scope.store, "local", "r"))["optimizer"].answers == 2


async def test_spending_is_separate_per_run_agent_owner_and_day(home):
    async with scope_at(home) as scope:
        night = replace(scope, now=lambda: datetime(2026, 3, 2, 0, 0, 1, tzinfo=UTC))
        other_run, other_owner = replace(scope, run="r2"), replace(scope, principal=Principal(owner="o"))
        charges: list[tuple[Scope, AgentName]] = [
            (scope, "optimizer"),
            (scope, "explainer"),
            (night, "optimizer"),
            (other_run, "optimizer"),
            (other_owner, "optimizer"),
        ]
        for where, agent in charges:
            await charge(where, agent, ONE)
        actual = await load_totals(scope, "optimizer")
        assert (actual.agent.usage.answers, actual.run.usage.answers, actual.user.usage.answers) == (2, 3, 3)
        actual = await load_totals(night, "optimizer")
        assert (actual.agent.usage.answers, actual.run.usage.answers, actual.user.usage.answers) == (2, 3, 1)
        assert [usage.agent for usage in await agents_usage(scope.store, "local", "r", AGENTS)] == [
            "optimizer",
            "explainer",
        ]
        assert (
            await usage_by_agent(scope.store, "local", "") == await usage_by_agent(scope.store, "somebody", "r") == {}
        )
        assert (await daily_usage(scope.store, "local", date(2026, 3, 2))).answers == 1


async def test_unknown_costs_do_not_hide_known_ones(home):
    async with scope_at(home) as scope:
        await charge(scope, "optimizer", ONE)
        await charge(scope, "optimizer", Spending(usage=Usage(answers=1, input_tokens=1, dollars=None), models=("n",)))
        await charge(scope, "optimizer", ONE)
        actual = (await load_totals(scope, "optimizer")).run
        [usage] = await agents_usage(scope.store, "local", "r", AGENTS)
    assert (actual.dollars, actual.usage.dollars) == (0.5, None)
    assert (usage.models, usage.usage.dollars, usage.usage.answers) == (("m", "n"), None, 3)


amounts = st.builds(
    lambda tokens, dollars: Spending(usage=Usage(output_tokens=tokens, dollars=dollars), dollars=dollars),
    st.integers(0, 1000),
    st.floats(0.0, 10.0),
)


@given(st.builds(Totals, agent=amounts, run=amounts, user=amounts), st.data())
def test_a_budget_is_spent_once_its_amount_is_charged(totals, data):
    name = data.draw(st.sampled_from(BUDGETS))
    scope, _, unit = name.partition(" ")
    part = getattr(totals, scope)
    usage = part.usage.tokens if unit == "tokens" else part.dollars
    limit = data.draw(st.integers(0, 1000) if unit == "tokens" else st.floats(0.0, 10.0))
    share = data.draw(st.floats(0.01, 1.0))
    budgets = Budgets(**{name.replace(" ", "_"): limit}, warn_at=share)
    assert budgets.exhausted(totals) == (name if usage >= limit else None)
    assert budgets.nearly_exhausted(totals) == ((name,) if usage >= share * limit else ())
    assert Budgets(warn_at=share).exhausted(totals) is None


def test_a_spent_budget_names_its_setting():
    error = BudgetSpent("agent dollars", 0.5)
    assert str(error) == "BUDGET_AGENT_DOLLARS: 0.5 is spent; expected a larger budget, or none"
    assert setting_name("run tokens") == "BUDGET_RUN_TOKENS"


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("agent", AGENTS)
def test_every_label_names_what_is_missing_and_would_pass_the_check_of_claims(budget, agent):
    shortened = Decision(agent=agent, ordinal=0, author="abstained", answer={}, abstained_for="budget", budget=budget)
    silent = shortened.model_copy(update={"abstained_for": "no_answer", "budget": None})
    [reason] = reasons([silent, shortened, shortened.model_copy(update={"ordinal": 1})], INTERRUPTIONS)
    assert reason.endswith(f" was spent before the {INTERRUPTIONS[agent]}.")
    assert budget.partition(" ")[2] in reason
    [claim] = label_claims([reason])
    assert check(Claim(section="winner", text=claim.template), ()) == []
    assert reasons([silent], INTERRUPTIONS) == ()
