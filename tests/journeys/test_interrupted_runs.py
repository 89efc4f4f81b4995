"""Runs that are killed while models answer: a stored answer is never requested again."""

import asyncio
import signal
import threading
from collections import Counter

import pytest

from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import embedded
from tests.journeys.interrupted_runs import (
    InterruptedRun,
    answers_in_store,
    create_prepared_run,
    outcome_of,
    run_undisturbed,
    start_process,
)
from tests.processes import EXIT_TIMEOUT, exit_code_of

DEADLY = ("model_answered", "node_finished")

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.mark.soak
async def test_a_run_killed_at_every_node_and_call_repeats_no_stored_call(tmp_path, small) -> None:
    expected, expected_calls = await run_undisturbed(tmp_path / "calm", small())
    home = tmp_path / "rough"
    await create_prepared_run(home, small())
    with InterruptedRun(home, expected_calls, holds=expected_calls) as run:
        codes = [await asyncio.to_thread(run.execute, DEADLY)]
        while codes[-1] == -signal.SIGKILL:
            codes.append(await asyncio.to_thread(run.execute, DEADLY))
        assert codes[-1] == 0
        assert run.held_calls == run.stored_calls == expected_calls
        assert run.calls == expected_calls + run.lost_calls
    assert await outcome_of(home) == expected
    assert len(codes) > sum(event["event"] in DEADLY for event in expected[1])
    assert answers_in_store(home) == []


@pytest.mark.soak
async def test_two_processes_with_the_same_run_make_no_more_calls_than_two_runs(tmp_path, small) -> None:
    expected, expected_calls = await run_undisturbed(tmp_path / "calm", small())
    await create_prepared_run(tmp_path / "both", small())
    with Double(embedded()) as double:
        both = [start_process(tmp_path / "both", double), start_process(tmp_path / "both", double)]
        assert [await exit_code_of(process) for process in both] == [0, 0]
    calls = Counter(received.digest for received in double.received)
    assert not expected_calls - calls
    assert calls.total() <= 2 * expected_calls.total()  # the slower one may see a later search
    assert await outcome_of(tmp_path / "both") == expected
    assert answers_in_store(tmp_path / "both") == []


@pytest.mark.soak
async def test_an_overtaken_process_emits_no_event_for_its_late_answer(tmp_path, small) -> None:
    home, call_held, ended_elsewhere = tmp_path / "late", threading.Event(), threading.Event()
    await create_prepared_run(home, small())

    def gate(received: Received) -> None:
        if received.body["requestMetadata"]["agent"] == "optimizer" and not call_held.is_set():
            call_held.set()
            ended_elsewhere.wait(EXIT_TIMEOUT)

    with Double(embedded(), gate=gate) as double:
        late = start_process(home, double)
        assert await asyncio.to_thread(call_held.wait, EXIT_TIMEOUT)
        assert await exit_code_of(start_process(home, double)) == 0
        outcome = await outcome_of(home)
        ended_elsewhere.set()
        assert await exit_code_of(late) == 0
    assert await outcome_of(home) == outcome
    assert answers_in_store(home) == []


@pytest.mark.soak
async def test_an_answer_after_the_end_of_its_run_is_deleted(tmp_path, small) -> None:
    home = tmp_path / "late"
    call_held, ended_elsewhere, called_again = threading.Event(), threading.Event(), threading.Event()
    await create_prepared_run(home, small())

    def gate(received: Received) -> None:
        if received.body["requestMetadata"]["agent"] != "risk_manager":
            return
        if not call_held.is_set():
            call_held.set()
            ended_elsewhere.wait(EXIT_TIMEOUT)
        elif ended_elsewhere.is_set():
            called_again.set()
            double.stopping.wait()

    with Double(embedded(), gate=gate) as double:
        late = start_process(home, double)
        assert await asyncio.to_thread(call_held.wait, EXIT_TIMEOUT)
        assert await exit_code_of(start_process(home, double)) == 0
        outcome = await outcome_of(home)
        ended_elsewhere.set()
        assert await asyncio.to_thread(called_again.wait, EXIT_TIMEOUT)
        late.kill()
        assert await exit_code_of(late) == -signal.SIGKILL
        assert len(answers_in_store(home)) == 1
        assert await exit_code_of(start_process(home, double)) == 0
    assert answers_in_store(home) == []
    assert await outcome_of(home) == outcome
