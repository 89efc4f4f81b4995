"""The queue of shard tasks with lost, slow and duplicate results."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.compute.container.task_queue import SLOW_FACTOR, ActiveTask, TaskQueue
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
def queue() -> TaskQueue:
    return TaskQueue(minimum_seconds=5.0, default_seconds=60.0)


def take(queue: TaskQueue, host: str, now: float) -> ActiveTask:
    task = queue.take(host, now)
    assert task is not None
    return task


def test_tasks_are_issued_once_in_order(queue) -> None:
    queue.add(TASKS[:3])
    assert [take(queue, host, 0.0).task for host in "aba"] == TASKS[:3]
    assert queue.take("c", 4.9) is None
    queue.add(TASKS[:1])
    assert queue.take("c", 4.9) is None, "it is being computed"


def test_a_slow_task_is_assigned_to_another_instance_once(queue) -> None:
    queue.add(TASKS[:3])
    first, second, third = (take(queue, host, now) for host, now in (("a", 0.0), ("b", 1.0), ("a", 2.0)))
    assert queue.finish(third, "a", 4.0)
    queue.release(third)
    assert queue.take("c", SLOW_FACTOR * 2.0 - 0.1) is None, "three times the usual two seconds"
    assert take(queue, "c", 7.5) is first, "the one that was begun first"
    assert take(queue, "c", 7.5) is second
    assert queue.take("c", 60.0) is None, "it has both"
    assert take(queue, "b", 60.0) is first
    assert queue.take("b", 600.0) is None
    assert queue.counts.reissued == 3


def test_without_measurements_no_task_is_slow_within_a_minute(queue) -> None:
    queue.add(TASKS[:1])
    task = take(queue, "a", 0.0)
    assert queue.take("b", 59.9) is None
    assert take(queue, "b", 60.0) is task


def test_the_first_result_counts(queue) -> None:
    queue.add(TASKS[:1])
    task = take(queue, "a", 0.0)
    assert take(queue, "b", 60.0) is task
    assert queue.finish(task, "b", 61.0)
    queue.release(task)
    assert not queue.finish(task, "a", 62.0)
    queue.release(task)
    assert (queue.counts.computed, queue.counts.late_results, queue.counts.lost_tasks) == ({"b": 1}, 1, 0)
    assert queue.take("c", 1e6) is None


def test_released_tasks_are_issued_first(queue) -> None:
    queue.add(TASKS[:3])
    task = take(queue, "a", 0.0)
    assert take(queue, "b", 0.0).task == TASKS[1]
    queue.release(task)
    assert take(queue, "b", 0.0).task == TASKS[0]
    assert take(queue, "b", 0.0).task == TASKS[2]
    assert queue.counts.lost_tasks == 1


def test_tasks_of_another_live_instance_are_not_reassigned(queue) -> None:
    queue.add(TASKS[:1])
    task = take(queue, "a", 0.0)
    take(queue, "b", 60.0)
    queue.release(task)
    assert queue.take("c", 61.0) is None
    assert queue.finish(task, "b", 62.0)
    assert queue.counts.lost_tasks == 0


@given(st.integers(0, 2**32))
def test_every_task_has_one_first_result_whatever_happens(seed: int) -> None:
    random, queue = Random(seed), TaskQueue(minimum_seconds=2.0, default_seconds=4.0)
    queue.add(TASKS)
    working: list[tuple[str, ActiveTask]] = []
    finished_tasks: list[str] = []
    issued: list[tuple[str, int]] = []
    now = 0.0
    while len(finished_tasks) < len(TASKS):
        now += random.random()
        host = f"{random.randrange(4)}"
        if random.random() < 0.5 and (task := queue.take(host, now)) is not None:
            working.append((host, task))
            issued.append((host, id(task)))
        elif working:
            host, task = working.pop(random.randrange(len(working)))
            if random.random() < 0.7 and queue.finish(task, host, now):
                finished_tasks.append(task.id)
            queue.release(task)
        assert now < 10_000.0
    assert sorted(finished_tasks) == sorted(t.shard.id() for t in TASKS)
    assert queue.counts.computed.total() == len(TASKS)
    for host, task in working:
        assert not queue.finish(task, host, now)
        queue.release(task)
    assert queue.take("another", 1e9) is None
