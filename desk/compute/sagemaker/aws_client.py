"""Calls AWS services from asyncio; errors are sorted into access denied, unavailable and others.

boto3 is imported inside functions, so that processes that never call AWS start fast.
"""

import asyncio
import re
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from desk.base.errors import UserError
from store.errors import Unavailable

Response = TypeVar("Response")

ATTEMPTS = 4
"""Attempts at a call, with the backoff of botocore's standard mode."""
_TRANSIENT = frozenset({"RequestLimitExceeded", "RequestThrottled", "SlowDown", "Throttling", "ThrottlingException"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "Forbidden", "403"})
_CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
_CREDENTIALS = ("ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature", "SignatureDoesNot")
_ACTION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")


class AccessDenied(UserError):
    """The credentials of this program do not permit `action`."""

    code = "access_denied"

    def __init__(self, action: str) -> None:
        self.action = action
        super().__init__(f"AWS denies {action}; use credentials, a role and a key whose policies permit it")

    def __reduce__(self) -> tuple[Any, ...]:
        return AccessDenied, (self.action,)


class AwsError(UserError):
    """Any other error response of AWS; callers handle the codes that they expect."""

    code = "refused_by_aws"

    def __init__(self, action: str, aws_code: str, message: str) -> None:
        """`message` is AWS's own text; it may contain account numbers and is not shown."""
        self.action, self.aws_code, self.message = action, aws_code, message
        super().__init__(f"AWS rejects {action} with {aws_code}; check the AWS settings")

    def __reduce__(self) -> tuple[Any, ...]:
        return AwsError, (self.action, self.aws_code, self.message)


class AwsClient:
    """A client of one service, created at the first call."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._client: Any = None
        self._lock = threading.Lock()

    async def __call__(self, call: "Callable[[Any], Response]") -> "Response":
        """Run `call` with the boto3 client in a thread; raises `AccessDenied`, `Unavailable` or `AwsError`."""
        return await asyncio.to_thread(self._run, call)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _run(self, call: "Callable[[Any], Response]") -> "Response":
        from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

        from store.aws.client_errors import reason

        try:
            return call(self._connect())
        except ClientError as error:
            raise self._translate(error, reason(error)) from None  # AWS's messages contain account numbers
        except BotoCoreError as error:
            raise Unavailable(f"{self._service} is unavailable ({reason(error)})") from error

    def _translate(self, error: Any, reason: str) -> AccessDenied | Unavailable | AwsError:
        details: dict[str, Any] = error.response.get("Error", {})
        code, message = str(details.get("Code", "")), str(details.get("Message", ""))
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 400)
        action_match = _ACTION.search(message)
        action = action_match[1] if action_match else f"{self._service}:{error.operation_name}"
        if code in _DENIED:
            return AccessDenied(action)
        if code in _TRANSIENT or status >= 500 or code.startswith(_CREDENTIALS):
            return Unavailable(f"{self._service} is unavailable ({reason})")
        return AwsError(action, code, message)

    def _connect(self) -> Any:
        from store.aws.clients import connect

        with self._lock:
            if self._client is None:
                self._client = connect(self._service, attempts=ATTEMPTS)
            return self._client


class S3Object(NamedTuple):
    content: bytes
    etag: str
    """Changes with the content."""


class Bucket:
    """Objects of an S3 bucket, encrypted with `kms_key` if it is given."""

    def __init__(self, client_calls: AwsClient, name: str, kms_key: str = "") -> None:
        self._client_calls = client_calls
        self._name = name
        self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}

    async def put(self, key: str, content: bytes) -> None:
        await self._call(lambda s3: s3.put_object(Bucket=self._name, Key=key, Body=content, **self._encryption))

    async def get(self, key: str) -> bytes | None:
        """None if the object does not exist."""
        s3_object = await self.get_object(key)
        return None if s3_object is None else s3_object.content

    async def get_object(self, key: str) -> S3Object | None:
        """The object with its ETag; None if it does not exist."""
        try:
            return await self._call(lambda s3: _s3_object(s3.get_object(Bucket=self._name, Key=key)))
        except AwsError as error:
            if error.aws_code == "NoSuchKey":
                return None
            raise

    async def replace(self, key: str, content: bytes, expected: S3Object | None) -> bool:
        """Write unless the object has changed since `expected` was read; whether it was written."""
        condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": expected.etag}
        arguments = {"Bucket": self._name, "Key": key, **condition, **self._encryption}
        try:
            await self._call(lambda s3: s3.put_object(Body=content, **arguments))
        except AwsError as error:
            if error.aws_code in _CONFLICTS:
                return False
            raise
        return True

    async def has_objects(self, prefix: str) -> bool:
        """Whether an object has this prefix."""
        page = await self._call(lambda s3: s3.list_objects_v2(Bucket=self._name, Prefix=prefix, MaxKeys=1))
        return bool(page.get("KeyCount"))

    async def _call(self, call: Callable[[Any], Any]) -> Any:
        try:
            return await self._client_calls(call)
        except AwsError as error:
            if error.aws_code == "NoSuchBucket":
                raise NoBucket(self._name) from error
            raise


def _s3_object(response: dict[str, Any]) -> S3Object:
    return S3Object(response["Body"].read(), response["ETag"])


class NoBucket(UserError):
    """The bucket does not exist in the region."""

    code = "no_bucket"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"SAGEMAKER_STORAGE: the bucket {name!r} does not exist; expected s3://BUCKET/PREFIX")

    def __reduce__(self) -> tuple[Any, ...]:
        return NoBucket, (self.name,)
