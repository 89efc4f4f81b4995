"""Events of Lambda's event sources, and the answers of a function to them."""

import json
from typing import Any

from graphs.jobs import job_queue
from store.queue import Delivery
from tests.api.lambda_.function import Driven


def queue_event(*deliveries: Delivery) -> dict[str, Any]:
    """As the queue's event source sends it: it has received the messages, and deletes those that are done."""
    return {
        "Records": [
            {
                "messageId": each.id,
                "receiptHandle": each.receipt,
                "body": json.dumps(each.body),
                "attributes": {"ApproximateReceiveCount": str(each.attempt), "SentTimestamp": "1545082649183"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:1:jobs",
            }
            for each in deliveries
        ]
    }


def dependencies_of(one: Driven):
    return one.app.state.service.dependencies


async def receive_deliveries(one: Driven, count: int) -> list[Delivery]:
    queue = job_queue.queue_of(dependencies_of(one))
    deliveries = [await queue.receive(lease=60.0, wait=5.0) for _ in range(count)]
    return [each for each in deliveries if each is not None]


async def answer_event(one: Driven, event: dict[str, Any], **options: Any) -> Any:
    answer = await one.answer(event, **options)
    assert not answer.failed, answer.body
    return answer.json()
