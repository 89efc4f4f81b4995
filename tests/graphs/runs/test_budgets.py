"""Model usage matches the double's own count despite faults, and code enforces the budgets."""

import asyncio
import io
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agents.models.factory import make_models
from agents.models.failures import ModelFailure
from agents.models.prices import PriceTable
from agents.table import OPTIMIZATION_AGENTS
from api.cli.output.summary import show
from api.export.formats import as_json
from api.export.report.page import render
from desk.base.errors import InvalidInput
from desk.governance.budgets import UNLIMITED, Budgets
from desk.governance.spending import daily_usage, usage_by_agent
from desk.governance.usage import Usage, total
from desk.optimization.partial_results import LABEL
from desk.optimization.result import OptimizationResult
from desk.runs.events.judgement import ClaimReleased, VerdictReached
from desk.runs.events.models import ModelAnswered, ModelReplaced, ModelRetried
from desk.runs.events.run import WarningIssued
from desk.runs.events.search import TrialsFinished
from desk.runs.repository import load_events, load_final_result
from graphs.agent_decisions import ABSTAINED
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.jobs.reproduction import reproduce
from graphs.runs.creation import create_run
from tests.doubles.bedrock import replies
from tests.doubles.bedrock.clients import MODEL
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import dead, embedded, faulty
from tests.doubles.bedrock.replies import Broken, Call, Reply, Say
from tests.graphs.bedrock_runs import (
    ASKED,
    ONE,
    OPTIMIZER,
    OPTIONS,
    OTHER,
    REQUEST,
    point_at,
)
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.reported_usage import cost_of, reported_tokens, tokens_of

pytestmark = pytest.mark.anyio


def today() -> date:
    return datetime.now(UTC).date()


WHOLE = 100
"""More events than a small answer has, so that the stream breaks after all of them."""
TOLD = Say(("Half of it.",), (Call("RiskAssessment", {"concerns": ["none"]}),), usage=replies.Usage(900, 40, 300, 50))


@dataclass
class Ran:
    run: str
    events: list[Any]
    result: OptimizationResult

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def cut(self) -> list[tuple[str, str | None]]:
        """The agents that abstained for a budget, with the budget."""
        decisions = self.result.manifest.decisions
        assert all((d.author == ABSTAINED) is (d.abstained_for is not None) for d in decisions)
        return [(d.agent, d.budget) for d in decisions if d.abstained_for == "budget"]

    @property
    def warned(self) -> list[tuple[str, str]]:
        return [(event.code, event.subject) for event in self.of(WarningIssued)]

    @property
    def used(self) -> Usage:
        return total(each.usage for each in self.result.usage)


async def ran(dependencies: Dependencies) -> Ran:
    """Execute a new run; checks its counted usage and its reproduction without a model."""
    name = await create_run(dependencies, OWNER, REQUEST)
    before = await daily_usage(dependencies.store, OWNER, today())
    events = [event async for event in execute(dependencies, OWNER, name)]
    assert events == await load_events(dependencies.store, OWNER, name)
    result = await load_final_result(dependencies.store, OWNER, name)
    assert result is not None
    assert {usage.agent: usage.usage for usage in result.usage} == await usage_by_agent(dependencies.store, OWNER, name)
    run_outcome = Ran(name, events, result)
    after = await daily_usage(dependencies.store, OWNER, today())
    assert after.tokens == before.tokens + run_outcome.used.tokens
    return run_outcome


@pytest.fixture
def wired(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    @asynccontextmanager
    async def wire(double: Double, budgets: Budgets = UNLIMITED, *, prices: PriceTable | None = None, **options: Any):
        point_at(monkeypatch, double.url)
        async with open_dependencies(home) as dependencies:
            models = make_models(OPTIONS.model_copy(update=options), prices=prices)
            yield replace(dependencies, models=models, budgets=budgets)

    return wire


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run without faults and budgets."""

    async def undisturbed() -> Ran:
        async with open_dependencies(tmp_path_factory.mktemp("plain")) as dependencies:
            return await ran(replace(dependencies, models=make_models(OPTIONS)))

    with pytest.MonkeyPatch.context() as patch, Double(embedded()) as double:
        point_at(patch, double.url)
        return asyncio.run(undisturbed())


ALL_AT_ONCE: dict[int, Reply] = {
    2: replies.THROTTLED,
    3: Broken(TOLD, after=3, by=replies.THROTTLED_MIDWAY),
    4: Broken(TOLD, after=WHOLE, by=replies.UNAVAILABLE_MIDWAY),
    5: Broken(TOLD, after=4, by="reset"),
    7: Say(("I think",), stop="max_tokens"),
    9: Say(calls=(Call("SearchPlan", raw=("{",)),)),
}
DYING = dead(MODEL, Broken(TOLD, after=WHOLE, by=replies.INVALID_MIDWAY))
FAULTS: dict[str, tuple[Any, dict[str, Any], int]] = {
    "streaming": (ALL_AT_ONCE, {}, 1),
    "not_streaming": ({1: replies.THROTTLED, 6: replies.UNAVAILABLE}, {"streaming": False}, 0),
    "fallbacks": (DYING, {"fallbacks": (OTHER,)}, 5),
}


@pytest.mark.parametrize("case", ["streaming", "fallbacks", pytest.param("not_streaming", marks=pytest.mark.soak)])
async def test_the_result_counts_what_the_endpoint_counted(case, wired):
    fault, options, paid_for_nothing = FAULTS[case]
    with Double(faulty(embedded(), fault)) as double:
        async with wired(double, **options) as dependencies:
            run_outcome = await ran(dependencies)
    usage, answers = run_outcome.used, run_outcome.of(ModelAnswered)
    assert tokens_of(usage) == reported_tokens(double.received)
    assert usage.dollars == pytest.approx(cost_of(double.received), rel=1e-12)
    assert usage.answers == len(answers)
    assert usage.retries == len(run_outcome.of(ModelRetried)) + len(run_outcome.of(ModelReplaced))
    assert usage.answers + usage.retries == len(double.received)
    assert sum(each.reported is not None for each in double.received) - usage.answers == paid_for_nothing
    assert sum(map(tokens_told, answers)) == usage.tokens
    assert sum(a.dollars for a in answers) == pytest.approx(usage.dollars)
    assert (run_outcome.result.partial, run_outcome.warned) == ((), [])


async def test_usage_before_a_failure_counts_once(wired, plain):
    with Double(faulty(embedded(), {6: replies.DENIED, 9: replies.DENIED})) as double:
        async with wired(double) as dependencies:
            name = await create_run(dependencies, OWNER, REQUEST)
            for _ in range(2):
                with pytest.raises(ModelFailure):
                    async for _ in execute(dependencies, OWNER, name):
                        pass
            async for _ in execute(dependencies, OWNER, name):
                pass
            result = await load_final_result(dependencies.store, OWNER, name)
    assert result is not None
    usage = total(each.usage for each in result.usage)
    assert tokens_of(usage) == reported_tokens(double.received)
    assert tokens_of(usage) == tokens_of(plain.used)
    assert result.digest() == plain.result.digest()


NO_CALL, AGENTS_SIDE_BY_SIDE, ONE_PLAN = 0, 4, 6


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param(NO_CALL, marks=pytest.mark.soak),
        AGENTS_SIDE_BY_SIDE,
        pytest.param(ONE_PLAN, marks=pytest.mark.soak),
    ],
)
async def test_a_run_ends_with_its_partial_work_when_its_tokens_are_spent(calls, wired, plain):
    answers = plain.of(ModelAnswered)
    limit = sum(map(tokens_told, answers[:calls]))
    with Double(embedded()) as double:
        async with wired(double, Budgets(run_tokens=limit)) as dependencies:
            run_outcome = await ran(dependencies)
            again = await reproduce(dependencies, OWNER, run_outcome.run)
    assert len(double.received) == calls, "no call after the limit, and every one before it"
    assert run_outcome.used.tokens == limit
    silent = [*OPTIMIZATION_AGENTS][0 if calls == NO_CALL else 2 :]
    assert run_outcome.cut == [(agent, "run tokens") for agent in silent]
    plans = [d.answer for d in run_outcome.result.manifest.decisions if d.agent == OPTIMIZER]
    assert len(plans) == 1 + (calls == ONE_PLAN), "it stops if something was tried"
    assert run_outcome.result.counts.plans == 1
    assert run_outcome.result.counts.trials == (run_outcome.of(TrialsFinished)[-1].trials)
    assert run_outcome.warned[-1] == ("budget_spent", "run tokens")
    assert run_outcome.warned.count(("budget_spent", "run tokens")) == 1
    labelled_everywhere(run_outcome)
    assert (again.digest(), again.partial) == (run_outcome.result.digest(), run_outcome.result.partial)


def tokens_told(answer: ModelAnswered) -> int:
    return answer.input_tokens + answer.output_tokens + answer.cached_tokens + answer.written_tokens


def labelled_everywhere(run_outcome: Ran) -> None:
    result = run_outcome.result
    assert len(result.partial) == len(dict.fromkeys(agent for agent, _ in run_outcome.cut))
    assert all(reason.endswith(".") and " spent before the " in reason for reason in result.partial)
    assert not any(character.isdigit() for reason in result.partial for character in reason)
    assert next(iter(json.loads(as_json(result)))) == "partial"
    assert result.verdict.headline.startswith(LABEL)
    assert result.explanation is not None
    assert result.explanation.claims[0].text.startswith(LABEL)
    assert run_outcome.of(ClaimReleased)[-len(result.explanation.claims) :]
    output = io.StringIO()
    show(Console(file=output, width=200), result)
    page = render(result, run=run_outcome.run, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    for text in (output.getvalue().lower(), page.lower()):
        first = text.index("partial result")
        assert all(word not in text[:first] for word in ("winner", "best"))
    if any(agent == OPTIMIZER for agent, _ in run_outcome.cut):
        assert all(event.headline.startswith(LABEL) for event in run_outcome.of(VerdictReached))


async def test_an_agent_stops_at_its_own_budget_after_one_call_at_most(wired, plain):
    answers = plain.of(ModelAnswered)
    limit = min(next(a.dollars for a in answers if a.agent == agent) for agent in ASKED)
    with Double(embedded()) as double:
        async with wired(double, Budgets(agent_dollars=limit)) as dependencies:
            run_outcome = await ran(dependencies)
    assert [usage.usage.answers for usage in run_outcome.result.usage] == [1] * len(OPTIMIZATION_AGENTS)
    assert len(double.received) == len(OPTIMIZATION_AGENTS)
    agents = [*OPTIMIZATION_AGENTS]
    assert run_outcome.cut == [(agent, "agent dollars") for agent in agents]
    assert [w for w in run_outcome.warned if w[0] == "budget_spent"] == [
        ("budget_spent", f"{a} dollars") for a in agents
    ]
    labelled_everywhere(run_outcome)


async def test_usage_of_earlier_runs_counts_and_gives_an_early_warning(wired, plain):
    usage = plain.used
    assert usage.dollars is not None
    with Double(embedded()) as double:
        async with wired(
            double, Budgets(user_dollars=usage.dollars * 1.2, run_tokens=usage.tokens + 1)
        ) as dependencies:
            first, second = await ran(dependencies), await ran(dependencies)
    assert (first.result.partial, first.result.digest()) == ((), plain.result.digest())
    assert sorted(first.warned) == [("budget_nearly_spent", "run tokens"), ("budget_nearly_spent", "user dollars")]
    assert len(second.cut) > 0
    assert {budget for _, budget in second.cut} == {"user dollars"}
    assert second.warned.count(("budget_spent", "user dollars")) == 1
    assert second.warned.count(("budget_nearly_spent", "user dollars")) == 1
    assert second.used.dollars is not None
    assert second.used.dollars < usage.dollars


async def test_a_model_without_a_price_has_no_cost_and_one_warning(wired):
    nothing = PriceTable(as_of=date(2026, 1, 1), source="a test", prices=())
    with Double(embedded()) as double:
        async with wired(double, prices=nothing) as dependencies:
            run_outcome = await ran(dependencies)
        async with wired(double, Budgets(user_dollars=1.0), prices=nothing) as dependencies:
            name = await create_run(dependencies, OWNER, REQUEST)
            before = len(double.received)
            with pytest.raises(InvalidInput, match=r"BUDGET_USER_DOLLARS: the price of .* is unknown"):
                async for _ in execute(dependencies, OWNER, name):
                    pass
            assert len(double.received) == before
    assert tokens_of(run_outcome.used) == reported_tokens(double.received)
    assert run_outcome.used.dollars is None
    assert run_outcome.warned == [("price_unknown", ONE)]
    output = io.StringIO()
    show(Console(file=output, width=200), run_outcome.result)
    assert "price unknown" in output.getvalue()
