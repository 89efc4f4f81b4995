"""The contract of the queue port, and guarantees of single adapters."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from store.aws.queue import SqsQueue, open_sqs_queue
from store.errors import Unavailable
from store.queue import Delivery, Queue
from store.sqlite.queue import open_sqlite_queue

pytestmark = pytest.mark.anyio

LEASE = 30.0
SHORT = 1.0  # SQS has whole seconds


@pytest.fixture
async def queue(
    anyio_backend: str, request: pytest.FixtureRequest, adapter: str, tmp_path: Path
) -> AsyncIterator[Queue]:
    if adapter == "embedded":
        async with open_sqlite_queue(tmp_path) as queue_:
            yield queue_
        return
    server = request.getfixturevalue("servers")[request.node.callspec.params["adapter"]]
    client = server.client("sqs")
    jobs, dead = (client.create_queue(QueueName=f"{name}-{uuid4().hex}")["QueueUrl"] for name in ("jobs", "dead"))
    async with open_sqs_queue(jobs, dead) as queue_:
        yield queue_


async def received(queue: Queue, lease: float = LEASE) -> Delivery:
    delivery = await queue.receive(lease=lease, wait=0.0)
    assert delivery is not None
    return delivery


async def nothing(queue: Queue) -> bool:
    return await queue.receive(lease=LEASE, wait=0.0) is None


async def test_a_message_is_delivered_to_one_until_it_is_finished(queue: Queue) -> None:
    assert await nothing(queue)
    message_id = await queue.send({"job": "one", "number": 1})
    assert await queue.depth() == 1
    delivery = await received(queue)
    assert (delivery.id, delivery.body, delivery.attempt) == (message_id, {"job": "one", "number": 1}, 1)
    assert await nothing(queue)
    assert await queue.extend(delivery, lease=LEASE)
    await queue.finish(delivery)
    await queue.finish(delivery)
    assert await nothing(queue)
    assert not await queue.extend(delivery, lease=LEASE)


async def test_a_released_message_is_delivered_again_with_the_next_attempt(queue: Queue) -> None:
    await queue.send({"job": "one"})
    first = await received(queue)
    await queue.release(first)
    second = await received(queue)
    assert (second.id, second.attempt) == (first.id, 2)
    await queue.release(second, after=LEASE)
    assert await nothing(queue)


async def test_a_message_that_another_process_received_can_be_adopted_until_it_is_finished(
    queue: Queue, tmp_path: Path
) -> None:
    await queue.send({"job": "one"})
    delivery = await received(queue)
    other = open_sqs_queue(queue._url, queue._dead) if isinstance(queue, SqsQueue) else open_sqlite_queue(tmp_path)
    async with other as another:
        assert await another.adopt(delivery, lease=LEASE)
        assert await another.extend(delivery, lease=LEASE)
        await another.finish(delivery)
        assert not await another.adopt(delivery, lease=LEASE)
        assert not await another.extend(delivery, lease=LEASE)
    assert await nothing(queue)


async def test_a_worker_without_a_lease_can_change_nothing(queue: Queue) -> None:
    await queue.send({"job": "one"})
    first = await received(queue, SHORT)
    second = await queue.receive(lease=LEASE, wait=60.0)
    assert second is not None
    assert (second.id, second.attempt) == (first.id, 2)
    await queue.finish(first)
    await queue.bury(first, "late")
    await queue.release(first)
    assert not await queue.extend(first, lease=LEASE)
    assert await nothing(queue)
    assert await queue.dead_letters() == []
    assert await queue.extend(second, lease=LEASE)


async def test_a_waiting_worker_receives_a_message_at_once(queue: Queue) -> None:
    receiver = asyncio.create_task(queue.receive(lease=LEASE, wait=60.0))
    await asyncio.sleep(0.05)
    await queue.send({"job": "one"})
    delivery = await receiver
    assert delivery is not None
    assert delivery.body == {"job": "one"}


async def test_a_dead_letter_is_not_delivered_until_it_is_replayed(queue: Queue) -> None:
    for job in ("one", "two"):
        await queue.send({"job": job})
        await queue.bury(await received(queue), "three workers died")
    assert await nothing(queue)
    letters = await queue.dead_letters()
    assert [letter.body["job"] for letter in letters] == ["one", "two"]
    assert [letter.attempt for letter in await queue.dead_letters(limit=1)] == [1]
    assert not await queue.replay("nothing")
    assert await queue.replay(letters[0].id)
    assert not await queue.replay(letters[0].id)
    again = await received(queue)
    assert (again.body, again.attempt) == ({"job": "one"}, 1)
    assert [letter.body["job"] for letter in await queue.dead_letters()] == ["two"]


async def test_each_message_is_delivered_to_one_of_many_workers(queue: Queue) -> None:
    for number in range(12):
        await queue.send({"number": number})
    deliveries = await asyncio.gather(*(queue.receive(lease=LEASE, wait=1.0) for _ in range(12)))
    assert sorted(each.body["number"] for each in deliveries if each is not None) == list(range(12))


async def test_messages_of_one_process_reach_another_in_order(tmp_path: Path) -> None:
    async with open_sqlite_queue(tmp_path) as sender, open_sqlite_queue(tmp_path) as taker:
        receiver = asyncio.create_task(taker.receive(lease=LEASE, wait=60.0))
        await asyncio.sleep(0.05)
        for number in range(5):
            await sender.send({"number": number})
        first = await receiver
        rest = [await received(taker) for _ in range(4)]
    assert first is not None
    assert [each.body["number"] for each in (first, *rest)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("adapter", ["moto"], indirect=True)
async def test_a_missing_queue_is_unavailable(adapter: str) -> None:
    assert adapter == "aws"
    with pytest.raises(Unavailable, match="the queue is unavailable"):
        async with open_sqs_queue(
            "http://127.0.0.1:9/000000000000/nowhere", "http://127.0.0.1:9/0/none", retry_seconds=0.1
        ):
            pass
