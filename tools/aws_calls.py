"""Calls to a service of AWS, each short and in a thread; what goes wrong says whose it is to mend."""

import asyncio
import re
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from store.errors import Unavailable
from tools.errors import UserError

Answer = TypeVar("Answer")

ATTEMPTS = 4
"""Tries of a call, with the growing pauses of botocore's standard mode."""
PASSING = frozenset({"RequestLimitExceeded", "RequestThrottled", "SlowDown", "Throttling", "ThrottlingException"})
_CREDENTIALS = ("ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature", "SignatureDoesNot")
_ACTION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")


class Denied(UserError):
    """The credentials of this program may not do `action`."""

    code = "access_denied"

    def __init__(self, action: str) -> None:
        self.action = action
        super().__init__(f"AWS: {action} is denied; allowed: credentials, a role and a key whose policies permit it")

    def __reduce__(self) -> tuple[Any, ...]:
        return Denied, (self.action,)


class Calls:
    """Of one service; boto3 is imported and connected when the first call is made."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._client: Any = None
        self._lock = threading.Lock()

    async def __call__(self, call: "Callable[[Any], Answer]") -> "Answer":
        """What `call` makes of the client: `Denied`, `Unavailable`, or botocore's `ClientError` for any other code."""
        return await asyncio.to_thread(self._made, call)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _made(self, call: "Callable[[Any], Answer]") -> "Answer":
        from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

        from store.table import reason

        try:
            return call(self._connected())
        except ClientError as error:
            answer: Any = error.response
            code, status = code_of(error), answer["ResponseMetadata"].get("HTTPStatusCode", 400)
            if code in ("AccessDenied", "AccessDeniedException", "Forbidden", "403"):
                raise Denied(_action(self._service, error)) from None  # AWS's words hold accounts
            if code in PASSING or status >= 500 or code.startswith(_CREDENTIALS):
                raise Unavailable(f"{self._service} is unavailable ({reason(error)})") from error
            raise
        except BotoCoreError as error:
            raise Unavailable(f"{self._service} is unavailable ({reason(error)})") from error

    def _connected(self) -> Any:
        from store.aws import connect

        with self._lock:
            if self._client is None:
                self._client = connect(self._service, attempts=ATTEMPTS)
            return self._client


def code_of(error: Any) -> str:
    """Of botocore's `ClientError`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _action(service: str, error: Any) -> str:
    named = _ACTION.search(str(error.response.get("Error", {}).get("Message", "")))
    return named[1] if named else f"{service}:{error.operation_name}"


class Bucket:
    """Objects of S3 below a prefix; what is put is encrypted with `kms_key`, where there is one."""

    def __init__(self, calls: Calls, name: str, kms_key: str = "") -> None:
        self._calls = calls
        self._name = name
        self._sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}

    async def put(self, key: str, content: bytes) -> None:
        await self._called(lambda s3: s3.put_object(Bucket=self._name, Key=key, Body=content, **self._sealed))

    async def get(self, key: str) -> bytes | None:
        """None where there is no such object."""
        from botocore.exceptions import ClientError  # pyright: ignore[reportMissingTypeStubs]

        try:
            return await self._called(lambda s3: s3.get_object(Bucket=self._name, Key=key)["Body"].read())
        except ClientError as error:
            if code_of(error) in ("NoSuchKey", "404"):
                return None
            raise

    async def any(self, prefix: str) -> bool:
        """Whether there is an object below it."""
        found = await self._called(lambda s3: s3.list_objects_v2(Bucket=self._name, Prefix=prefix, MaxKeys=1))
        return bool(found.get("KeyCount"))

    async def _called(self, call: Callable[[Any], Any]) -> Any:
        from botocore.exceptions import ClientError  # pyright: ignore[reportMissingTypeStubs]

        try:
            return await self._calls(call)
        except ClientError as error:
            if code_of(error) == "NoSuchBucket":
                raise NoBucket(self._name) from error
            raise


class NoBucket(UserError):
    """There is no bucket of this name in the region."""

    code = "no_bucket"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"SAGEMAKER_STORAGE: there is no bucket {name!r}; allowed: s3://BUCKET/PREFIX of yours")

    def __reduce__(self) -> tuple[Any, ...]:
        return NoBucket, (self.name,)
