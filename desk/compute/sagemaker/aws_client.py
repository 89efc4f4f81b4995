"""Calls to a service of AWS, each short and in a thread; what goes wrong says whose it is to mend."""

import asyncio
import re
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from desk.base.errors import UserError
from store.errors import Unavailable

Answer = TypeVar("Answer")

ATTEMPTS = 4
"""Tries of a call, with the growing pauses of botocore's standard mode."""
_PASSING = frozenset({"RequestLimitExceeded", "RequestThrottled", "SlowDown", "Throttling", "ThrottlingException"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "Forbidden", "403"})
_CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
_CREDENTIALS = ("ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature", "SignatureDoesNot")
_ACTION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")


class Denied(UserError):
    """The credentials of this program may not do `action`."""

    code = "access_denied"

    def __init__(self, action: str) -> None:
        self.action = action
        super().__init__(f"AWS: {action} is denied; expected credentials, a role and a key whose policies permit it")

    def __reduce__(self) -> tuple[Any, ...]:
        return Denied, (self.action,)


class Refusal(UserError):
    """An answer of AWS that is none of the others; who calls may know what it means."""

    code = "refused_by_aws"

    def __init__(self, action: str, aws_code: str, message: str) -> None:
        """`message` is AWS's own; it may hold accounts, and is not repeated."""
        self.action, self.aws_code, self.message = action, aws_code, message
        super().__init__(f"AWS: {action} is answered with {aws_code}; expected settings that AWS takes")

    def __reduce__(self) -> tuple[Any, ...]:
        return Refusal, (self.action, self.aws_code, self.message)


class Calls:
    """Of one service; boto3 is imported and connected when the first call is made."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._client: Any = None
        self._lock = threading.Lock()

    async def __call__(self, call: "Callable[[Any], Answer]") -> "Answer":
        """What `call` makes of the client; raises `Denied`, `Unavailable` or `Refusal`."""
        return await asyncio.to_thread(self._made, call)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _made(self, call: "Callable[[Any], Answer]") -> "Answer":
        from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

        from store.aws.client_errors import reason

        try:
            return call(self._connected())
        except ClientError as error:
            raise self._told(error, reason(error)) from None  # AWS's words hold accounts
        except BotoCoreError as error:
            raise Unavailable(f"{self._service} is unavailable ({reason(error)})") from error

    def _told(self, error: Any, reason: str) -> Denied | Unavailable | Refusal:
        told: dict[str, Any] = error.response.get("Error", {})
        code, message = str(told.get("Code", "")), str(told.get("Message", ""))
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 400)
        named = _ACTION.search(message)
        action = named[1] if named else f"{self._service}:{error.operation_name}"
        if code in _DENIED:
            return Denied(action)
        if code in _PASSING or status >= 500 or code.startswith(_CREDENTIALS):
            return Unavailable(f"{self._service} is unavailable ({reason})")
        return Refusal(action, code, message)

    def _connected(self) -> Any:
        from store.aws.clients import connect

        with self._lock:
            if self._client is None:
                self._client = connect(self._service, attempts=ATTEMPTS)
            return self._client


class Stored(NamedTuple):
    content: bytes
    etag: str
    """Of this content; what is written later has another."""


class Bucket:
    """Objects of S3; what is put is encrypted with `kms_key`, where there is one."""

    def __init__(self, calls: Calls, name: str, kms_key: str = "") -> None:
        self._calls = calls
        self._name = name
        self._sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}

    async def put(self, key: str, content: bytes) -> None:
        await self._called(lambda s3: s3.put_object(Bucket=self._name, Key=key, Body=content, **self._sealed))

    async def get(self, key: str) -> bytes | None:
        """None where there is no such object."""
        found = await self.read(key)
        return None if found is None else found.content

    async def read(self, key: str) -> Stored | None:
        """With what `replace` takes."""
        try:
            return await self._called(lambda s3: _stored(s3.get_object(Bucket=self._name, Key=key)))
        except Refusal as refusal:
            if refusal.aws_code == "NoSuchKey":
                return None
            raise

    async def replace(self, key: str, content: bytes, before: Stored | None) -> bool:
        """False, and nothing is written, where somebody else has written since `before`."""
        if_same = {"IfNoneMatch": "*"} if before is None else {"IfMatch": before.etag}
        about = {"Bucket": self._name, "Key": key, **if_same, **self._sealed}
        try:
            await self._called(lambda s3: s3.put_object(Body=content, **about))
        except Refusal as refusal:
            if refusal.aws_code in _CHANGED:
                return False
            raise
        return True

    async def any(self, prefix: str) -> bool:
        """Whether there is an object below it."""
        found = await self._called(lambda s3: s3.list_objects_v2(Bucket=self._name, Prefix=prefix, MaxKeys=1))
        return bool(found.get("KeyCount"))

    async def _called(self, call: Callable[[Any], Any]) -> Any:
        try:
            return await self._calls(call)
        except Refusal as refusal:
            if refusal.aws_code == "NoSuchBucket":
                raise NoBucket(self._name) from refusal
            raise


def _stored(answer: dict[str, Any]) -> Stored:
    return Stored(answer["Body"].read(), answer["ETag"])


class NoBucket(UserError):
    """There is no bucket of this name in the region."""

    code = "no_bucket"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"SAGEMAKER_STORAGE: there is no bucket {name!r}; expected s3://BUCKET/PREFIX of yours")

    def __reduce__(self) -> tuple[Any, ...]:
        return NoBucket, (self.name,)
