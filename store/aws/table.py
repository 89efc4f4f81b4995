"""One DynamoDB table: calls that retry transient errors and translate the others."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

from store.aws.backoff import RETRY_SECONDS, Backoff
from store.aws.client_errors import is_condition_failure, is_invalid_request, is_transient, is_unanswered, reason
from store.aws.clients import MAX_CONNECTIONS
from store.errors import OutcomeUnknown, StoreError, Unavailable

Item: TypeAlias = dict[str, Any]

LONGEST_PAUSE = 1.0
CONTENDED_PAUSE = 0.1


class ConditionFailed(StoreError):
    """A condition of a write did not hold.

    `may_have_applied` is true if an earlier attempt got no response: it may itself have made the condition fail.
    """

    def __init__(self, *, may_have_applied: bool) -> None:
        super().__init__("a condition did not hold")
        self.may_have_applied = may_have_applied


class Table:
    """Runs boto3's blocking calls in a dedicated thread pool, so that numeric work does not delay them."""

    def __init__(self, client: Any, name: str, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self.name = name
        self._client = client
        self._retry_seconds = retry_seconds
        self._threads = ThreadPoolExecutor(MAX_CONNECTIONS, thread_name_prefix="dynamodb")

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def backoff(self, longest: float = LONGEST_PAUSE) -> Backoff:
        return Backoff(self._retry_seconds, longest)

    async def call(self, operation: str, **request: Any) -> Any:
        """The response; throttling and transport errors are retried until the deadline.

        Raises `ConditionFailed`, or `Unavailable` (`OutcomeUnknown` if an attempt got no response).
        """
        work = partial(getattr(self._client, operation), **request)
        backoff = self.backoff()
        unanswered = False
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
            except (ClientError, BotoCoreError) as error:
                if is_condition_failure(error):
                    raise ConditionFailed(may_have_applied=unanswered) from error
                if is_invalid_request(error):
                    raise
                unanswered = unanswered or is_unanswered(error)
                unavailable = self._unavailable(error, unanswered=unanswered)
                if not is_transient(error):
                    raise unavailable from error
                await backoff.wait(unavailable)

    async def put(self, items: list[Item], conditions: list[Item]) -> None:
        """Write all items or none; `conditions` holds the condition of each item."""
        puts = [
            {"TableName": self.name, "Item": item} | condition
            for item, condition in zip(items, conditions, strict=True)
        ]
        if len(puts) == 1:
            await self.call("put_item", **puts[0])
        else:
            await self.call("transact_write_items", TransactItems=[{"Put": put} for put in puts])

    async def delete(self, keys: list[Item]) -> None:
        """Delete all of at most 100 items or none; missing items are ignored."""
        deletes = [{"Delete": {"TableName": self.name, "Key": key}} for key in keys]
        await self.call("transact_write_items", TransactItems=deletes)

    async def find(self, keys: list[Item], attributes: tuple[str, ...] = ()) -> list[Item]:
        """The items that exist under at most 100 different keys, whole or with their keys and these attributes."""
        names = {f"#{name}": name for name in ("pk", "sk", *attributes)}
        projection = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        options = {"ConsistentRead": True} | (projection if attributes else {})
        items: list[Item] = []
        backoff = self.backoff()
        while keys:
            answer = await self.call("batch_get_item", RequestItems={self.name: {"Keys": keys} | options})
            items += answer["Responses"].get(self.name, [])
            keys = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if keys:
                await backoff.wait(Unavailable(f"the table {self.name!r} is unavailable (throttled)"))
        return items

    def _unavailable(self, error: Exception, *, unanswered: bool) -> Unavailable:
        kind = OutcomeUnknown if unanswered else Unavailable
        return kind(f"the table {self.name!r} is unavailable ({reason(error)})")
