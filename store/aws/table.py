"""One DynamoDB table: calls that wait out what passes, and say what does not."""

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

from botocore.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectionError,  # noqa: A004  (botocore's own; it is no builtin one)
    EndpointConnectionError,
    HTTPClientError,
    ParamValidationError,
)

from store.errors import OutcomeUnknown, StoreError, Unavailable

Item: TypeAlias = dict[str, Any]

CALLS_AT_ONCE = 32
RETRY_SECONDS = 20.0
LONGEST_PAUSE = 1.0
CONTENDED_PAUSE = 0.1
THROTTLED = {
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
}
THROTTLED_IN_TRANSACTION = {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"}
INVALID_REQUEST = {"ValidationException", "SerializationException"}
MAX_KEYS = 100


class ConditionFailed(StoreError):
    """A condition did not hold; `may_have_applied` where an earlier try went unanswered and may be the reason."""

    def __init__(self, *, may_have_applied: bool) -> None:
        super().__init__("a condition did not hold")
        self.may_have_applied = may_have_applied


class Backoff:
    """Pauses that grow, each of a random length, until the time is over."""

    def __init__(self, seconds: float, longest: float) -> None:
        self._end = time.monotonic() + seconds
        self._longest = longest
        self._pause = 0.01

    async def wait(self, unavailable: Unavailable) -> None:
        self._pause = min(2 * self._pause, self._longest)
        pause = random.uniform(0, self._pause)  # noqa: S311 - spreads retries, hides nothing
        if time.monotonic() + pause > self._end:
            raise unavailable
        await asyncio.sleep(pause)


class Table:
    """boto3's blocking calls in threads of their own, so that numeric work never holds them up."""

    def __init__(self, client: Any, name: str, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self.name = name
        self._client = client
        self._retry_seconds = retry_seconds
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="dynamodb")

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def backoff(self, longest: float = LONGEST_PAUSE) -> Backoff:
        return Backoff(self._retry_seconds, longest)

    async def call(self, operation: str, **request: Any) -> Any:
        """The answer, `ConditionFailed` or `Unavailable`; what is throttled or fails on the way is tried again."""
        work = partial(getattr(self._client, operation), **request)
        backoff = self.backoff()
        unanswered = False
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
            except (ClientError, BotoCoreError) as error:
                if _refused(error):
                    raise ConditionFailed(may_have_applied=unanswered) from error
                if is_invalid_request(error):
                    raise
                unanswered = unanswered or _is_unanswered(error)
                unavailable = self._unavailable(error, unanswered=unanswered)
                if not _passes(error):
                    raise unavailable from error
                await backoff.wait(unavailable)

    async def put(self, items: list[Item], conditions: list[Item]) -> None:
        """All or none; each condition is that of the item at its place."""
        puts = [
            {"TableName": self.name, "Item": item} | condition
            for item, condition in zip(items, conditions, strict=True)
        ]
        if len(puts) == 1:
            await self.call("put_item", **puts[0])
        else:
            await self.call("transact_write_items", TransactItems=[{"Put": put} for put in puts])

    async def delete(self, keys: list[Item]) -> None:
        """All or none of at most 100; deleting what is not there is no error."""
        deletes = [{"Delete": {"TableName": self.name, "Key": key}} for key in keys]
        await self.call("transact_write_items", TransactItems=deletes)

    async def find(self, keys: list[Item], attributes: tuple[str, ...]) -> list[Item]:
        """Those of at most 100 keys that exist, with these attributes and their keys."""
        names = {f"#{name}": name for name in ("pk", "sk", *attributes)}
        options = {
            "ConsistentRead": True,
            "ProjectionExpression": ", ".join(names),
            "ExpressionAttributeNames": names,
        }
        found: list[Item] = []
        backoff = self.backoff()
        while keys:
            answer = await self.call("batch_get_item", RequestItems={self.name: {"Keys": keys} | options})
            found += answer["Responses"].get(self.name, [])
            keys = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if keys:
                await backoff.wait(Unavailable(f"the table {self.name!r} is unavailable (throttled)"))
        return found

    def _unavailable(self, error: Exception, *, unanswered: bool) -> Unavailable:
        kind = OutcomeUnknown if unanswered else Unavailable
        return kind(f"the table {self.name!r} is unavailable ({reason(error)})")


def check_length(operation_model: Any, response_dict: dict[str, Any], **_: object) -> None:
    """botocore takes a body that breaks off for an answer that holds nothing: a record would seem not to be there."""
    headers, body = response_dict["headers"], response_dict["body"]
    if operation_model.http["method"] == "HEAD" or not isinstance(body, bytes) or "content-encoding" in headers:
        return
    if len(body) != int(headers.get("content-length", len(body))):
        raise ConnectionClosedError(endpoint_url="AWS")


_MISSING = {
    "NoRegionError": "AWS_REGION names no region",
    "NoCredentialsError": "neither AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, nor AWS_PROFILE, nor a role gives "
    "credentials",
    "PartialCredentialsError": "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is set without the other",
    "ProfileNotFound": "AWS_PROFILE names no profile of ~/.aws/config",
}
"""What botocore misses before it asks anybody, by its class."""


def reason(error: Exception) -> str:
    """Without AWS's own sentence, which may hold keys and accounts."""
    if isinstance(error, ClientError):
        code = _code(error)
        if code.startswith("ExpiredToken"):
            return f"the credentials have expired: {code}"
        if code == "ResourceNotFoundException":
            return f"there is none of this name: {code}"
        return f"AWS answers {code}"
    if isinstance(error, EndpointConnectionError):
        return "it cannot be reached"
    name = type(error).__name__
    return f"{_MISSING[name]}: {name}" if name in _MISSING else name


def _refused(error: ClientError | BotoCoreError) -> bool:
    if not isinstance(error, ClientError):
        return False
    return _code(error) == "ConditionalCheckFailedException" or ("ConditionalCheckFailed" in _cancellations(error))


def is_invalid_request(error: ClientError | BotoCoreError) -> bool:
    """The request is wrong in itself, and no storage the reason."""
    if not isinstance(error, ClientError):
        return isinstance(error, ParamValidationError)
    return _code(error) in INVALID_REQUEST or "ValidationError" in _cancellations(error)


def _passes(error: ClientError | BotoCoreError) -> bool:
    """Whether another try may help."""
    if not isinstance(error, ClientError):
        return isinstance(error, (ConnectionError, HTTPClientError))
    return _code(error) in THROTTLED or bool(THROTTLED_IN_TRANSACTION & _cancellations(error)) or _status(error) >= 500


def _is_unanswered(error: ClientError | BotoCoreError) -> bool:
    if isinstance(error, ClientError):
        return _status(error) >= 500
    return isinstance(error, HTTPClientError)


def _status(error: ClientError) -> int:
    return _response(error)["ResponseMetadata"]["HTTPStatusCode"]


def _cancellations(error: ClientError) -> set[str]:
    return {each.get("Code", "None") for each in _response(error).get("CancellationReasons", ())}


def _code(error: ClientError) -> str:
    return _response(error)["Error"]["Code"]


def _response(error: Any) -> dict[str, Any]:
    return error.response
