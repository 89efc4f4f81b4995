"""Runs on Bedrock, each killed once, at another call or event, and resumed."""

import asyncio
import signal
from collections import Counter

import pytest

from tests.journeys.interrupted_runs import (
    InterruptedRun,
    answers_in_store,
    create_prepared_run,
    outcome_of,
    run_undisturbed,
)

DEADLY = ("node_started", "model_answered", "tool_called", "decision_made", "node_finished")

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


async def test_a_call_that_is_held_at_a_kill_is_the_only_one_made_again(tmp_path, small) -> None:
    expected, expected_calls = await run_undisturbed(tmp_path / "calm", small())
    for number, digest in enumerate(expected_calls):
        home = tmp_path / f"call-{number}"
        await create_prepared_run(home, small())
        with InterruptedRun(home, expected_calls, holds=Counter({digest: expected_calls[digest]})) as run:
            codes = [await asyncio.to_thread(run.execute) for _ in range(expected_calls[digest] + 1)]
            assert codes == [-signal.SIGKILL] * expected_calls[digest] + [0]
            assert run.calls == expected_calls + run.lost_calls
            assert run.lost_calls[digest] == expected_calls[digest]
            assert run.stored_calls == expected_calls
        assert await outcome_of(home) == expected
        assert answers_in_store(home) == []
        print(f"call {number + 1} of {len(expected_calls)}: {run.lost_calls.total()} made again", flush=True)


@pytest.mark.parametrize("before", [True, False])
async def test_a_kill_at_an_event_costs_at_most_the_calls_in_flight(before: bool, tmp_path, small) -> None:
    expected, expected_calls = await run_undisturbed(tmp_path / "calm", small())
    for event in expected[1]:
        if event["event"] not in DEADLY:
            continue
        home = tmp_path / event["id"]
        await create_prepared_run(home, small())
        with InterruptedRun(home, expected_calls) as run:
            assert await asyncio.to_thread(run.execute, [event["id"]], before=before) == -signal.SIGKILL
            assert await asyncio.to_thread(run.execute) == 0
            assert run.calls == expected_calls + run.lost_calls
            assert run.lost_calls.total() <= 2  # two agents run concurrently
            assert run.stored_calls == expected_calls
        assert await outcome_of(home) == expected
        assert answers_in_store(home) == []
        print(f"{event['node']} {event['event']}: {run.lost_calls.total()} made again", flush=True)
