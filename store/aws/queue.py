"""A queue on SQS: a standard queue, and another one for the dead letters; boto3's own variables say for whom."""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

from store.aws.session import connect
from store.aws.table import Backoff, reason
from store.errors import Unavailable
from store.keys import check_range
from store.queue import Delivery
from store.serialization import Document, encode

T = TypeVar("T")

LONGEST_POLL = 4.0
"""Below the time in which a call must answer; SQS allows 20 seconds."""
LONGEST_LEASE = 43_200
LOOK_SECONDS = 30
"""For which dead letters are held while somebody looks through them."""
RETRY_SECONDS = 20.0
CALLS_AT_ONCE = 16
NOT_HELD = {
    "InvalidParameterValue",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    "ReceiptHandleIsInvalid",
}
PASSING = {"RequestThrottled", "ThrottlingException", "Throttling", "InternalError", "ServiceUnavailable"}
COUNT = "ApproximateReceiveCount"
SENT = "SentTimestamp"


class SqsQueue:
    """Adapter of `store.queue.Queue`."""

    def __init__(self, client: Any, url: str, dead: str, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._client = client
        self._url = url
        self._dead = dead
        self._retry_seconds = retry_seconds
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="sqs")
        self._until: dict[str, float] = {}
        """When the lease of a receipt ends; SQS may take an old one for the one that somebody else has by now."""

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, body: Document) -> str:
        text = encode("the body of the message", body)
        return (await self._call("send_message", QueueUrl=self._url, MessageBody=text))["MessageId"]

    async def receive(self, *, lease: float, wait: float) -> Delivery | None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait
        while True:
            asked = clock()
            left = max(0.0, deadline - asked)
            answer = await self._call(
                "receive_message",
                QueueUrl=self._url,
                MaxNumberOfMessages=1,
                VisibilityTimeout=_whole("lease", lease),
                WaitTimeSeconds=round(min(left, LONGEST_POLL)),
                MessageSystemAttributeNames=[COUNT],
            )
            if found := answer.get("Messages"):
                self._until[found[0]["ReceiptHandle"]] = asked + lease
                return _delivery(found[0])
            if (left := deadline - clock()) <= 0:
                return None
            await asyncio.sleep(min(left, 0.1) if left < 1 else 0)

    async def adopt(self, delivery: Delivery, *, lease: float) -> bool:
        self._until[delivery.receipt] = asyncio.get_running_loop().time() + lease
        if held := await self._held(delivery, _whole("lease", lease)):
            return held
        del self._until[delivery.receipt]
        return False

    async def extend(self, delivery: Delivery, *, lease: float) -> bool:
        return await self._held(delivery, _whole("lease", lease))

    async def finish(self, delivery: Delivery) -> None:
        if self._holds(delivery):
            await self._delete(delivery)

    async def release(self, delivery: Delivery, *, after: float = 0.0) -> None:
        await self._held(delivery, _whole("after", after))
        self._until.pop(delivery.receipt, None)

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
        async with self._letters(limit) as letters:
            return list(letters)

    async def replay(self, message_id: str) -> bool:
        async with self._letters(1000) as letters:
            letter = next((each for each in letters if each.id == message_id), None)
            if letter is None:
                return False
            await self.send(letter.body)
            await self._call("delete_message", QueueUrl=self._dead, ReceiptHandle=letter.receipt)
            return True

    async def depth(self) -> int:
        name = "ApproximateNumberOfMessages"
        answer = await self._call("get_queue_attributes", QueueUrl=self._url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    async def _held(self, delivery: Delivery, seconds: int) -> bool:
        """Whether the delivery still holds its message, which is visible to others after so many seconds."""
        if not self._holds(delivery):
            return False
        asked = asyncio.get_running_loop().time()
        try:
            await self._call(
                "change_message_visibility",
                QueueUrl=self._url,
                ReceiptHandle=delivery.receipt,
                VisibilityTimeout=seconds,
            )
        except NotHeld:
            return False
        self._until[delivery.receipt] = asked + seconds
        return True

    def _holds(self, delivery: Delivery) -> bool:
        if self._until.get(delivery.receipt, 0.0) > asyncio.get_running_loop().time():
            return True
        self._until.pop(delivery.receipt, None)
        return False

    async def _delete(self, delivery: Delivery) -> None:
        self._until.pop(delivery.receipt, None)
        try:
            await self._call("delete_message", QueueUrl=self._url, ReceiptHandle=delivery.receipt)
        except NotHeld:
            return

    @asynccontextmanager
    async def _letters(self, limit: int) -> AsyncGenerator[list[Delivery]]:
        """Hold the dead letters, oldest first, and give back those that are left; SQS has no other look at them."""
        found: dict[str, Any] = {}
        try:
            while len(found) < limit:
                answer = await self._call(
                    "receive_message",
                    QueueUrl=self._dead,
                    MaxNumberOfMessages=min(10, limit - len(found)),
                    VisibilityTimeout=LOOK_SECONDS,
                    MessageSystemAttributeNames=[COUNT, SENT],
                    MessageAttributeNames=["All"],
                )
                if not answer.get("Messages"):
                    break
                found |= {message["MessageId"]: message for message in answer["Messages"]}
            yield [_letter(each) for each in sorted(found.values(), key=lambda each: int(each["Attributes"][SENT]))]
        finally:
            for each in found.values():
                await self._give_back(each["ReceiptHandle"])

    async def _give_back(self, receipt: str) -> None:
        try:
            await self._call(
                "change_message_visibility",
                QueueUrl=self._dead,
                ReceiptHandle=receipt,
                VisibilityTimeout=0,
            )
        except NotHeld:
            return

    async def _call(self, operation: str, **request: Any) -> Any:
        """The answer, `NotHeld` or `Unavailable`; what passes is tried again."""
        backoff = Backoff(self._retry_seconds, 1.0)
        call: Callable[[], Any] = partial(getattr(self._client, operation), **request)
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
            except ClientError as error:
                answer: Any = error.response
                code: str = answer["Error"]["Code"]
                if code in NOT_HELD and "ReceiptHandle" in request:
                    raise NotHeld from error
                unavailable = Unavailable(f"the queue is unavailable ({reason(error)})")
                if code not in PASSING and answer["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    raise unavailable from error
                await backoff.wait(unavailable)
            except BotoCoreError as error:
                await backoff.wait(Unavailable(f"the queue is unavailable ({reason(error)})"))


class NotHeld(Exception):
    """The receipt is worthless: the lease has ended, or the message is gone."""


@asynccontextmanager
async def open_sqs_queue(url: str, dead: str, *, retry_seconds: float = RETRY_SECONDS) -> AsyncGenerator[SqsQueue]:
    """`Unavailable` where there are no such queues."""
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


def _letter(message: Any) -> Delivery:
    """With the id that it had when it was sent, if we have put it aside."""
    said = message.get("MessageAttributes", {})
    body: Document = json.loads(message["Body"])
    id_ = said["id"]["StringValue"] if "id" in said else message["MessageId"]
    attempt = int(said["attempt"]["StringValue"]) if "attempt" in said else int(message["Attributes"][COUNT])
    return Delivery(id_, body, attempt, message["ReceiptHandle"])


def _whole(field: str, seconds: float) -> int:
    whole = math.ceil(seconds)
    check_range(field, whole, 0, LONGEST_LEASE)
    return whole
