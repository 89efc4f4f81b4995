"""A queue on SQS: a standard queue and a second one for dead letters."""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

from store.aws.backoff import RETRY_SECONDS, Backoff
from store.aws.client_errors import reason
from store.aws.clients import connect
from store.errors import Unavailable
from store.keys import check_range
from store.queue import Delivery
from store.serialization import Document, encode

T = TypeVar("T")

LONGEST_POLL = 4.0
"""Seconds, below the read timeout of a call; SQS allows 20."""
LONGEST_LEASE = 43_200
LISTING_LEASE = 30
"""Seconds for which dead letters are leased while they are listed."""
MAX_THREADS = 16
LEASE_LOST = {
    "InvalidParameterValue",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    "ReceiptHandleIsInvalid",
}
TRANSIENT = {"RequestThrottled", "ThrottlingException", "Throttling", "InternalError", "ServiceUnavailable"}
COUNT = "ApproximateReceiveCount"
SENT = "SentTimestamp"


class SqsQueue:
    """Adapter of `store.queue.Queue`."""

    def __init__(self, client: Any, url: str, dead: str, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._client = client
        self._url = url
        self._dead = dead
        self._retry_seconds = retry_seconds
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="sqs")
        self._lease_ends: dict[str, float] = {}
        """End of each receipt's lease; SQS may accept an expired receipt although another worker has the message."""

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, body: Document) -> str:
        text = encode("the body of the message", body)
        return (await self._call("send_message", QueueUrl=self._url, MessageBody=text))["MessageId"]

    async def receive(self, *, lease: float, wait: float) -> Delivery | None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait
        while True:
            sent_at = clock()
            remaining = max(0.0, deadline - sent_at)
            answer = await self._call(
                "receive_message",
                QueueUrl=self._url,
                MaxNumberOfMessages=1,
                VisibilityTimeout=_whole("lease", lease),
                WaitTimeSeconds=round(min(remaining, LONGEST_POLL)),
                MessageSystemAttributeNames=[COUNT],
            )
            if messages := answer.get("Messages"):
                self._lease_ends[messages[0]["ReceiptHandle"]] = sent_at + lease
                return _delivery(messages[0])
            if (remaining := deadline - clock()) <= 0:
                return None
            await asyncio.sleep(min(remaining, 0.1) if remaining < 1 else 0)

    async def adopt(self, delivery: Delivery, *, lease: float) -> bool:
        self._lease_ends[delivery.receipt] = asyncio.get_running_loop().time() + lease
        if await self._set_visibility(delivery, _whole("lease", lease)):
            return True
        del self._lease_ends[delivery.receipt]
        return False

    async def extend(self, delivery: Delivery, *, lease: float) -> bool:
        return await self._set_visibility(delivery, _whole("lease", lease))

    async def finish(self, delivery: Delivery) -> None:
        if self._holds(delivery):
            await self._delete(delivery)

    async def release(self, delivery: Delivery, *, after: float = 0.0) -> None:
        await self._set_visibility(delivery, _whole("after", after))
        self._lease_ends.pop(delivery.receipt, None)

    async def bury(self, delivery: Delivery, reason: str) -> None:
        if not self._holds(delivery):
            return
        await self._call(
            "send_message",
            QueueUrl=self._dead,
            MessageBody=encode("the body of the message", delivery.body),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in (("id", delivery.id), ("attempt", str(delivery.attempt)), ("reason", reason))
            },
        )
        await self._delete(delivery)

    async def dead_letters(self, limit: int = 100) -> list[Delivery]:
        check_range("limit", limit, 1, 1000)
        async with self._lease_dead_letters(limit) as letters:
            return list(letters)

    async def replay(self, message_id: str) -> bool:
        async with self._lease_dead_letters(1000) as letters:
            letter = next((letter for letter in letters if letter.id == message_id), None)
            if letter is None:
                return False
            await self.send(letter.body)
            await self._call("delete_message", QueueUrl=self._dead, ReceiptHandle=letter.receipt)
            return True

    async def depth(self) -> int:
        name = "ApproximateNumberOfMessages"
        answer = await self._call("get_queue_attributes", QueueUrl=self._url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    async def _set_visibility(self, delivery: Delivery, seconds: int) -> bool:
        """Make the message visible to other workers after `seconds`; False if the delivery no longer holds it."""
        if not self._holds(delivery):
            return False
        sent_at = asyncio.get_running_loop().time()
        try:
            await self._call(
                "change_message_visibility",
                QueueUrl=self._url,
                ReceiptHandle=delivery.receipt,
                VisibilityTimeout=seconds,
            )
        except LeaseLost:
            return False
        self._lease_ends[delivery.receipt] = sent_at + seconds
        return True

    def _holds(self, delivery: Delivery) -> bool:
        if self._lease_ends.get(delivery.receipt, 0.0) > asyncio.get_running_loop().time():
            return True
        self._lease_ends.pop(delivery.receipt, None)
        return False

    async def _delete(self, delivery: Delivery) -> None:
        self._lease_ends.pop(delivery.receipt, None)
        try:
            await self._call("delete_message", QueueUrl=self._url, ReceiptHandle=delivery.receipt)
        except LeaseLost:
            return

    @asynccontextmanager
    async def _lease_dead_letters(self, limit: int) -> AsyncGenerator[list[Delivery]]:
        """Lease the dead letters, oldest first, and release them afterwards; SQS has no other way to read them."""
        messages: dict[str, Any] = {}
        try:
            while len(messages) < limit:
                answer = await self._call(
                    "receive_message",
                    QueueUrl=self._dead,
                    MaxNumberOfMessages=min(10, limit - len(messages)),
                    VisibilityTimeout=LISTING_LEASE,
                    MessageSystemAttributeNames=[COUNT, SENT],
                    MessageAttributeNames=["All"],
                )
                if not answer.get("Messages"):
                    break
                messages |= {message["MessageId"]: message for message in answer["Messages"]}
            by_age = sorted(messages.values(), key=lambda message: int(message["Attributes"][SENT]))
            yield [_dead_letter(message) for message in by_age]
        finally:
            for message in messages.values():
                await self._release_dead_letter(message["ReceiptHandle"])

    async def _release_dead_letter(self, receipt: str) -> None:
        try:
            await self._call(
                "change_message_visibility",
                QueueUrl=self._dead,
                ReceiptHandle=receipt,
                VisibilityTimeout=0,
            )
        except LeaseLost:
            return

    async def _call(self, operation: str, **request: Any) -> Any:
        """The response; transient errors are retried. Raises `LeaseLost` or `Unavailable`."""
        backoff = Backoff(self._retry_seconds, 1.0)
        call: Callable[[], Any] = partial(getattr(self._client, operation), **request)
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
            except ClientError as error:
                answer: Any = error.response
                code: str = answer["Error"]["Code"]
                if code in LEASE_LOST and "ReceiptHandle" in request:
                    raise LeaseLost from error
                unavailable = Unavailable(f"the queue is unavailable ({reason(error)})")
                if code not in TRANSIENT and answer["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    raise unavailable from error
                await backoff.wait(unavailable)
            except BotoCoreError as error:
                await backoff.wait(Unavailable(f"the queue is unavailable ({reason(error)})"))


class LeaseLost(Exception):
    """The receipt is no longer valid: the lease has ended, or the message has been deleted."""


@asynccontextmanager
async def open_sqs_queue(url: str, dead: str, *, retry_seconds: float = RETRY_SECONDS) -> AsyncGenerator[SqsQueue]:
    """The queue at `url` with its dead letters at `dead`; raises `Unavailable` if it cannot be read."""
    with closing(await asyncio.to_thread(connect, "sqs")) as client:
        queue = SqsQueue(client, url, dead, retry_seconds=retry_seconds)
        try:
            await queue.depth()
            yield queue
        finally:
            queue.close()


def _delivery(message: Any) -> Delivery:
    body: Document = json.loads(message["Body"])
    return Delivery(message["MessageId"], body, int(message["Attributes"][COUNT]), message["ReceiptHandle"])


def _dead_letter(message: Any) -> Delivery:
    """A dead letter with its original id and attempt, if `bury` has recorded them."""
    attributes = message.get("MessageAttributes", {})
    body: Document = json.loads(message["Body"])
    id_ = attributes["id"]["StringValue"] if "id" in attributes else message["MessageId"]
    attempt = (
        int(attributes["attempt"]["StringValue"]) if "attempt" in attributes else int(message["Attributes"][COUNT])
    )
    return Delivery(id_, body, attempt, message["ReceiptHandle"])


def _whole(field: str, seconds: float) -> int:
    whole = math.ceil(seconds)
    check_range(field, whole, 0, LONGEST_LEASE)
    return whole
