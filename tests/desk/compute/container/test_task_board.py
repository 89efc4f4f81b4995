"""Who computes what next, whoever dies, stalls or answers twice."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.compute.container.task_queue import LATE, Board, Flight
from desk.compute.shards.shards import Task
from desk.optimization.jobs import Shard
from quant.strategies.config import StrategyConfig

CONFIG = StrategyConfig(weight_function="constant", constant_weight=1.0)


def task(number: int) -> Task:
    shard = Shard(
        configs=(CONFIG.digest(),), scenario="s", first_block=number, paths=64, problem="p", data="d", code="c"
    )
    return Task(shard=shard, configs=(CONFIG,), scenario="base_case")


TASKS = [task(number) for number in range(12)]


@pytest.fixture
def board() -> Board:
    return Board(soonest=5.0, unknown=60.0)


def taken(board: Board, host: str, now: float) -> Flight:
    flight = board.take(host, now)
    assert flight is not None
    return flight


def test_tasks_are_handed_out_in_order_and_once(board) -> None:
    board.add(TASKS[:3])
    assert [taken(board, host, 0.0).task for host in "aba"] == TASKS[:3]
    assert board.take("c", 4.9) is None
    board.add(TASKS[:1])
    assert board.take("c", 4.9) is None, "it is being computed"


def test_what_takes_long_is_given_to_another_instance_but_not_twice_to_the_same(board) -> None:
    board.add(TASKS[:3])
    first, second, third = (taken(board, host, now) for host, now in (("a", 0.0), ("b", 1.0), ("a", 2.0)))
    assert board.finish(third, "a", 4.0)
    board.leave(third)
    assert board.take("c", LATE * 2.0 - 0.1) is None, "three times the usual two seconds"
    assert taken(board, "c", 7.5) is first, "the one that was begun first"
    assert taken(board, "c", 7.5) is second
    assert board.take("c", 60.0) is None, "it has both"
    assert taken(board, "b", 60.0) is first
    assert board.take("b", 600.0) is None
    assert board.tally.again == 3


def test_where_nothing_is_known_nobody_is_late_before_a_minute(board) -> None:
    board.add(TASKS[:1])
    flight = taken(board, "a", 0.0)
    assert board.take("b", 59.9) is None
    assert taken(board, "b", 60.0) is flight


def test_the_first_result_counts(board) -> None:
    board.add(TASKS[:1])
    flight = taken(board, "a", 0.0)
    assert taken(board, "b", 60.0) is flight
    assert board.finish(flight, "b", 61.0)
    board.leave(flight)
    assert not board.finish(flight, "a", 62.0)
    board.leave(flight)
    assert (board.tally.computed, board.tally.late, board.tally.lost) == ({"b": 1}, 1, 0)
    assert board.take("c", 1e6) is None


def test_what_nobody_is_at_any_more_is_handed_out_before_all_else(board) -> None:
    board.add(TASKS[:3])
    flight = taken(board, "a", 0.0)
    assert taken(board, "b", 0.0).task == TASKS[1]
    board.leave(flight)
    assert taken(board, "b", 0.0).task == TASKS[0]
    assert taken(board, "b", 0.0).task == TASKS[2]
    assert board.tally.lost == 1


def test_what_another_is_still_at_is_not_lost(board) -> None:
    board.add(TASKS[:1])
    flight = taken(board, "a", 0.0)
    taken(board, "b", 60.0)
    board.leave(flight)
    assert board.take("c", 61.0) is None
    assert board.finish(flight, "b", 62.0)
    assert board.tally.lost == 0


@given(st.integers(0, 2**32))
def test_every_task_has_one_first_result_whatever_happens(seed: int) -> None:
    random, board = Random(seed), Board(soonest=2.0, unknown=4.0)
    board.add(TASKS)
    working: list[tuple[str, Flight]] = []
    finished: list[str] = []
    given: list[tuple[str, int]] = []
    now = 0.0
    while len(finished) < len(TASKS):
        now += random.random()
        host = f"{random.randrange(4)}"
        if random.random() < 0.5 and (flight := board.take(host, now)) is not None:
            working.append((host, flight))
            given.append((host, id(flight)))
        elif working:
            host, flight = working.pop(random.randrange(len(working)))
            if random.random() < 0.7 and board.finish(flight, host, now):
                finished.append(flight.id)
            board.leave(flight)
        assert now < 10_000.0
    assert sorted(finished) == sorted(t.shard.id() for t in TASKS)
    assert board.tally.computed.total() == len(TASKS)
    for host, flight in working:
        assert not board.finish(flight, host, now)
        board.leave(flight)
    assert board.take("another", 1e9) is None
