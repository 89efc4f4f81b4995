"""HTTP requests to a server with retries, errors, and streams of server-sent events."""

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from api.settings import ADDRESS
from desk.base.errors import InvalidInput, UserError

T = TypeVar("T")

ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
LONGEST_RETRY_AFTER = 30.0
"""Seconds of a Retry-After header that are waited; a longer one is reported as an error."""
READ_TIMEOUT = 45.0
"""Seconds without data after which a stream counts as interrupted; the server sends a heartbeat every 15."""
BUSY = frozenset({429, 503})
"""The server has done nothing: every request may be sent again."""
NO_CONTENT = 204
UNAUTHORIZED = 401
GATEWAY_ERRORS = frozenset({502, 504})
"""The outcome of the request is unknown."""


class FieldError(NamedTuple):
    """One invalid field of a request."""

    field: str
    message: str
    allowed: str | None


class ServerError(Exception):
    """A request failed; `status` is None without a response."""

    def __init__(
        self, message: str, *, code: str, status: int | None = None, details: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.details = tuple(details)


class Refused(ServerError, UserError):
    """The user can fix the cause: a 4xx, or a server that is busy or unreachable."""


class StreamInterrupted(Exception):
    """A stream ended too early; a new connection continues it."""


class Frame(NamedTuple):
    """One server-sent event."""

    kind: str
    data: str


class KeyAuth(httpx.Auth):
    """Sends the key; one that the server refuses is renewed once, and the request sent again."""

    def __init__(self, key: str, renew: Callable[[], str | None] | None) -> None:
        self._key = _check_key(key)
        self._renew = renew

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {self._key}"
        response = yield request
        if response.status_code != UNAUTHORIZED or self._renew is None:
            return
        key = self._renew()
        if key is None or key == self._key:
            return
        self._key = _check_key(key)
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


class Transport:
    """JSON requests to one server."""

    def __init__(
        self, url: str, *, key: str, timeout: float, renew_key: Callable[[], str | None] | None = None
    ) -> None:
        self.url = normalize_url(url)
        auth = KeyAuth(key, renew_key) if key else None
        self._http = httpx.Client(base_url=self.url, auth=auth, timeout=httpx.Timeout(timeout))
        self._connected = False
        """Whether the server has ever answered; otherwise a failed connection is not retried."""

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | None = None,
        exclude_unset: bool = False,
        key: str | None = None,
        repeatable: bool = False,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """The response, whose status is below 400.

        A request without a response is sent again if it is a GET, has an idempotency `key`, or is `repeatable`.
        """
        sent_headers = dict(headers or {})
        if body is not None:
            options["content"] = body.model_dump_json(by_alias=True, exclude_unset=exclude_unset).encode()
            sent_headers["Content-Type"] = "application/json"
        if key is not None:
            sent_headers["Idempotency-Key"] = key
        retryable = repeatable or key is not None or method == "GET"
        for attempt in range(1, ATTEMPTS):
            try:
                response = self._once(method, path, headers=sent_headers, **options)
            except httpx.TransportError as error:
                if not (self._connected if isinstance(error, httpx.ConnectError) else retryable):
                    raise self._lost_response(error, retryable=retryable) from error
                pause = backoff(attempt)
            else:
                if not (response.status_code in BUSY or (retryable and response.status_code in GATEWAY_ERRORS)):
                    return self.check(response)
                pause = _retry_after(response, attempt)
                if pause > LONGEST_RETRY_AFTER:
                    return self.check(response)
            time.sleep(pause)
        try:
            return self.check(self._once(method, path, headers=sent_headers, **options))
        except httpx.TransportError as error:
            raise self._lost_response(error, retryable=retryable) from error

    def _once(self, method: str, path: str, **options: Any) -> httpx.Response:
        response = self._http.request(method, f"/api{path}", **options)
        self._connected = True
        return response

    def call(self, method: str, path: str, answer: type[T], **options: Any) -> T:
        """The response as an object of the type `answer`."""
        return self.parse(answer, self.send(method, path, **options).content)

    def parse(self, answer: Any, content: bytes | str) -> Any:
        """JSON as an object of a type or of a union of types."""
        try:
            return _adapter(answer).validate_json(content)
        except ValidationError as error:
            message = f"{self.url} sent an unknown response; check that it is Stratigos of this version"
            raise ServerError(message, code="NOT_UNDERSTOOD") from error

    def frames(self, path: str, *, after: int) -> Generator[Frame]:
        """The events after a sequence number until the stream ends; else `StreamInterrupted`."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        timeout = httpx.Timeout(self._http.timeout.connect, read=READ_TIMEOUT)
        try:
            with self._http.stream("GET", f"/api{path}", headers=headers, timeout=timeout) as response:
                self._connected = True
                if response.status_code in BUSY | GATEWAY_ERRORS:
                    raise StreamInterrupted(f"status {response.status_code}")
                if response.status_code >= 400:
                    response.read()
                self.check(response)
                if response.status_code == NO_CONTENT:
                    return
                for frame in _frames(response.iter_bytes()):
                    if frame.kind == "end":
                        return
                    yield frame
        except httpx.TransportError as error:
            raise StreamInterrupted(_describe(error)) from error
        raise StreamInterrupted("the stream ended without an end event")

    def check(self, response: httpx.Response) -> httpx.Response:
        """The response; raises the error that it holds."""
        status = response.status_code
        if status < 400:
            return response
        kind = Refused if status < 500 or status in BUSY else ServerError
        try:
            content = json.loads(response.content)["error"]
            details = [FieldError(each["field"], each["message"], each["allowed"]) for each in content["details"]]
            failure = kind(content["message"], code=content["code"], status=status, details=details)
        except (ValueError, KeyError, TypeError):  # from a proxy, or another service
            message = f"{self.url} answered {status} {response.reason_phrase} without details"
            failure = kind(message, code=response.reason_phrase.upper().replace(" ", "_"), status=status)
        if status == UNAUTHORIZED:
            raise self._unauthorized(failure)
        raise failure

    def _unauthorized(self, failure: ServerError) -> Refused:
        """The refusal of a key or token, with the way to a valid key."""
        allowed = "a valid key in STRATIGOS_KEY (`python -m api keys create` makes one where the server runs)"
        message = f"{self.url}: {failure.message.partition('; expected ')[0]}; expected {allowed}"
        return Refused(message, code=failure.code, status=failure.status)

    def _lost_response(self, error: httpx.TransportError, *, retryable: bool) -> Refused:
        if isinstance(error, httpx.ConnectError):
            return self.unreachable(error)
        outcome = "" if retryable else ", and the server may have executed the request"
        message = f"{self.url}: the response was lost ({_describe(error)}){outcome}; send the request again"
        return Refused(message, code="UNANSWERED")

    def unreachable(self, error: Exception) -> Refused:
        message = (
            f"{self.url}: no server answers ({_describe(error)}); expected the address of a running server "
            "(`make serve` starts one on http://127.0.0.1:8000)"
        )
        return Refused(message, code="UNREACHABLE")


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__


def normalize_url(url: str) -> str:
    """The address without `/api` and without a slash at the end."""
    text = url.strip()
    if re.fullmatch(ADDRESS, text) is None:
        raise InvalidInput("--server", url, allowed="an address such as http://127.0.0.1:8000")
    return text.rstrip("/").removesuffix("/api").rstrip("/")


def _check_key(key: str) -> str:
    if re.fullmatch(r"[!-~]+", key) is None:
        reason = "it contains a character that no key has, such as a space or a line break"
        raise InvalidInput(
            "STRATIGOS_KEY", None, reason=reason, allowed="a key as `python -m api keys create` prints it"
        )
    return key


def new_key() -> str:
    """An idempotency key: one per request, however often it is sent."""
    return uuid.uuid4().hex


def backoff(attempt: int) -> float:
    return min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries


@cache
def _adapter(answer: Any) -> TypeAdapter[Any]:
    return TypeAdapter(answer)


def _retry_after(response: httpx.Response, attempt: int) -> float:
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else backoff(attempt)


def _frames(chunks: Iterator[bytes]) -> Iterator[Frame]:
    """The complete events, each of which ends with a blank line."""
    fields: dict[str, str] = {}
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.removesuffix(b"\r").decode().partition(":")
            if name:  # a comment has none
                fields[name] = value.removeprefix(" ")
            elif not line.strip() and fields:
                yield Frame(fields.get("event", ""), fields.get("data", ""))
                fields = {}
