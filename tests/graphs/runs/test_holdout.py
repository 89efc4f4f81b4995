"""The locked holdout opens once, for a person who approved it."""

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desk.base.errors import InvalidInput, UserError
from desk.governance.approvals import AlreadyDecided, ApprovalDecision, NoApprovalRequested, load_approval
from desk.optimization.holdout import KIND, load_holdout
from desk.optimization.inputs.market_data import load_market
from desk.optimization.reading.findings import explainable_figures
from desk.optimization.request import Limit, Limits
from desk.runs.repository import load_events, load_final_result, load_run
from graphs.dependencies import Dependencies
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from graphs.runs.holdout import open_holdout
from store.records import Key
from tests.graphs.dependencies import OWNER, open_dependencies

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FRIDAY = MONDAY + timedelta(days=4)
RUN = "done"

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def at(home: Path, now: datetime = MONDAY) -> AsyncGenerator[Dependencies]:
    async with open_dependencies(home) as dependencies:
        yield replace(dependencies, now=lambda: now)


async def finished(dependencies: Dependencies, request: Any) -> list[Any]:
    await create_run(dependencies, OWNER, request, run_id=RUN)
    return [event async for event in execute(dependencies, OWNER, RUN)]


def decided(verdict: Any = "approved", **changes: Any) -> ApprovalDecision:
    return ApprovalDecision(verdict=verdict, by="risk officer", at=MONDAY, **changes)


async def kinds(dependencies: Dependencies) -> list[str]:
    return [f"{event.node}.{event.event}" for event in await load_events(dependencies.store, OWNER, RUN)]


async def test_the_holdout_opens_once_and_only_after_a_person_approved_it(home, small):
    async with at(home) as dependencies:
        events = await finished(dependencies, small())
        with pytest.raises(NoApprovalRequested):
            await decide_approval(dependencies, OWNER, RUN, decided(), "holdout")
        assert [await open_holdout(dependencies, OWNER, RUN) for _ in range(2)] == [None, None]
        approval = await load_approval(dependencies.store, OWNER, RUN, "holdout")
        assert approval is not None
        assert approval.asked.at == MONDAY
        assert approval.asked.estimate is None
        assert await load_approval(dependencies.store, OWNER, RUN) is None
        assert await load_holdout(dependencies.store, OWNER, RUN) is None
        before = await load_run(dependencies.store, OWNER, RUN)
        await decide_approval(dependencies, OWNER, RUN, decided(), "holdout")
        first = await open_holdout(dependencies, OWNER, RUN)
    async with at(home, FRIDAY) as dependencies:
        assert await open_holdout(dependencies, OWNER, RUN) == first
        assert await load_run(dependencies.store, OWNER, RUN) == before
        result = await load_final_result(dependencies.store, OWNER, RUN)
        record = await dependencies.store.records.get(Key(OWNER, KIND, RUN))
        event_kinds = await kinds(dependencies)
        market = await load_market(dependencies.prices, before.request)
        with pytest.raises(UserError, match="there is no run"):
            await open_holdout(dependencies, "other", RUN)
    assert record is not None
    assert record.version == 1
    assert result is not None
    assert result.digest() == events[-1].result_digest
    assert event_kinds[len(events) :] == [
        "approve.approval_requested",
        "approve.approval_decided",
        "holdout.node_started",
        "holdout.node_finished",
    ]

    assert first is not None
    assert (first.at, first.by) == (MONDAY, "risk officer")
    assert "was opened on 2026-03-02 by risk officer" in first.watermark
    values: dict[str, Any] = {figure.id: figure.value for figure in first.figures}
    assert all(figure.source == f"holdout.{figure.id.removeprefix('holdout_')}" for figure in first.figures)
    assert not values.keys() & {figure.id for figure in explainable_figures(result)}
    days = market.dates[market.holdout]
    assert (values["holdout_first_day"], values["holdout_last_day"]) == (str(days[0]), str(days[-1]))
    assert values["holdout_days"] == days.size
    excess = market.asset[market.holdout] - market.cash[market.holdout]
    assert values["holdout_asset_volatility"] == pytest.approx(math.sqrt(252) * np.std(excess, ddof=1), rel=0.01)
    assert values["holdout_asset_excess_return"] == pytest.approx(252 * np.mean(excess), abs=0.001)
    gained = values["holdout_winner_utility"] - values["holdout_benchmark_utility"]
    assert values["holdout_advantage_bps"] == pytest.approx(1e4 * gained)


async def test_a_holdout_whose_opening_was_rejected_stays_locked(home, small):
    async with at(home) as dependencies:
        await finished(dependencies, small())
        await open_holdout(dependencies, OWNER, RUN)
        await decide_approval(dependencies, OWNER, RUN, decided("rejected", reason="keep it"), "holdout")
        with pytest.raises(UserError, match="was rejected by risk officer on 2026-03-02"):
            await open_holdout(dependencies, OWNER, RUN)
        with pytest.raises(AlreadyDecided):
            await decide_approval(dependencies, OWNER, RUN, decided(), "holdout")
        assert await load_holdout(dependencies.store, OWNER, RUN) is None
        assert (await load_run(dependencies.store, OWNER, RUN)).state == "completed"
        assert "holdout.node_started" not in await kinds(dependencies)


async def test_an_approval_outlives_the_process_that_recorded_it(home, small):
    async with at(home) as dependencies:
        await finished(dependencies, small())
        await open_holdout(dependencies, OWNER, RUN)
        await decide_approval(dependencies, OWNER, RUN, decided(), "holdout")
    async with at(home, FRIDAY) as dependencies:
        await decide_approval(dependencies, OWNER, RUN, decided(), "holdout")
        opened = await open_holdout(dependencies, OWNER, RUN)
    assert opened is not None
    assert (opened.at, opened.by) == (FRIDAY, "risk officer")


async def test_a_holdout_needs_a_completed_run_with_a_winner(home, small):
    tight = Limits(expected_shortfall=Limit(bound=0.0005, scenarios=("base_case",)))
    async with at(home) as dependencies:
        await create_run(dependencies, OWNER, small(limits=tight, mandate={"min_weight": 0.0}), run_id=RUN)
        with pytest.raises(UserError, match="no result yet"):
            await open_holdout(dependencies, OWNER, RUN)
        async for _ in execute(dependencies, OWNER, RUN):
            pass
        with pytest.raises(UserError, match="has no winner"):
            await open_holdout(dependencies, OWNER, RUN)
        assert await load_approval(dependencies.store, OWNER, RUN, "holdout") is None


async def test_a_holdout_decision_cannot_be_an_edit(home, small):
    async with at(home) as dependencies:
        await finished(dependencies, small())
        await open_holdout(dependencies, OWNER, RUN)
        with pytest.raises(InvalidInput, match="verdict"):
            await decide_approval(dependencies, OWNER, RUN, decided("edited", trials=20), "holdout")
