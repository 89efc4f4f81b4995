"""Kill -9 while models are asked: what a model answered and the store has is never asked for again."""

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
async def test_a_run_killed_at_every_node_and_call_asks_for_nothing_that_was_stored(tmp_path, small) -> None:
    expected, wanted = await run_undisturbed(tmp_path / "calm", small())
    home = tmp_path / "rough"
    await create_prepared_run(home, small())
    with InterruptedRun(home, wanted, holds=wanted) as run:
        codes = [await asyncio.to_thread(run.execute, DEADLY)]
        while codes[-1] == -signal.SIGKILL:
            codes.append(await asyncio.to_thread(run.execute, DEADLY))
        assert codes[-1] == 0
        assert run.held == run.stored == wanted
        assert run.asked == wanted + run.lost
    assert await outcome_of(home) == expected
    assert len(codes) > sum(event["event"] in DEADLY for event in expected[1])
    assert answers_in_store(home) == []


@pytest.mark.soak
async def test_two_processes_with_the_same_run_ask_no_more_than_each_alone(tmp_path, small) -> None:
    expected, wanted = await run_undisturbed(tmp_path / "calm", small())
    await create_prepared_run(tmp_path / "both", small())
    with Double(embedded()) as double:
        both = [start_process(tmp_path / "both", double), start_process(tmp_path / "both", double)]
        assert [await exit_code_of(process) for process in both] == [0, 0]
    asked = Counter(received.digest for received in double.received)
    assert not wanted - asked
    assert asked.total() <= 2 * wanted.total()  # the slower one may see a later state of the search, and ask about that
    assert await outcome_of(tmp_path / "both") == expected
    assert answers_in_store(tmp_path / "both") == []


@pytest.mark.soak
async def test_a_process_that_is_overtaken_tells_nothing_of_an_answer_that_does_not_count(tmp_path, small) -> None:
    home, held, ended_elsewhere = tmp_path / "late", threading.Event(), threading.Event()
    await create_prepared_run(home, small())

    def gate(received: Received) -> None:
        if received.body["requestMetadata"]["agent"] == "optimizer" and not held.is_set():
            held.set()
            ended_elsewhere.wait(EXIT_TIMEOUT)

    with Double(embedded(), gate=gate) as double:
        late = start_process(home, double)
        assert await asyncio.to_thread(held.wait, EXIT_TIMEOUT)
        assert await exit_code_of(start_process(home, double)) == 0
        told = await outcome_of(home)
        ended_elsewhere.set()
        assert await exit_code_of(late) == 0
    assert await outcome_of(home) == told
    assert answers_in_store(home) == []


@pytest.mark.soak
async def test_an_answer_that_comes_after_the_end_of_its_run_is_not_kept(tmp_path, small) -> None:
    home = tmp_path / "late"
    held, ended_elsewhere, asked_again = threading.Event(), threading.Event(), threading.Event()
    await create_prepared_run(home, small())

    def gate(received: Received) -> None:
        if received.body["requestMetadata"]["agent"] != "risk_manager":
            return
        if not held.is_set():
            held.set()
            ended_elsewhere.wait(EXIT_TIMEOUT)
        elif ended_elsewhere.is_set():
            asked_again.set()
            double.stopping.wait()

    with Double(embedded(), gate=gate) as double:
        late = start_process(home, double)
        assert await asyncio.to_thread(held.wait, EXIT_TIMEOUT)
        assert await exit_code_of(start_process(home, double)) == 0
        told = await outcome_of(home)
        ended_elsewhere.set()
        assert await asyncio.to_thread(asked_again.wait, EXIT_TIMEOUT)
        late.kill()
        assert await exit_code_of(late) == -signal.SIGKILL
        assert len(answers_in_store(home)) == 1
        assert await exit_code_of(start_process(home, double)) == 0
    assert answers_in_store(home) == []
    assert await outcome_of(home) == told
