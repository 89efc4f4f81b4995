"""The way to a server: requests that are tried again where that is harmless, errors, and streams of events."""

import json
import random
import re
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from api.settings import ADDRESS
from desk.base.errors import InvalidInput, UserError

T = TypeVar("T")

ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
LONGEST_ASKED = 30.0
"""Seconds of a Retry-After that are waited; a server that asks for more is told of as it is."""
SILENCE = 45.0
"""Seconds without a word, of which there is one every 15, after which a stream counts as cut."""
BUSY = frozenset({429, 503})
"""Nothing was done: every request may come again."""
NOTHING_MORE = 204
UNKNOWN = 401
LOST = frozenset({502, 504})
"""Whatever stands before the server does not know what was done."""


class Explained(NamedTuple):
    """One thing that is wrong with a request."""

    field: str
    message: str
    allowed: str | None


class ServerError(Exception):
    """A server did not do what it was asked; `status` is None where no answer came."""

    def __init__(
        self, message: str, *, code: str, status: int | None = None, details: Sequence[Explained] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.details = tuple(details)


class Refused(ServerError, UserError):
    """Whoever asked can mend it: a 4xx, or a server that is too busy or not there."""


class Cut(Exception):
    """A stream ended before its end: what comes after can be had by connecting again."""


class Frame(NamedTuple):
    """One server-sent event."""

    kind: str
    data: str


class Wire:
    """JSON to and from one server."""

    def __init__(self, url: str, *, key: str, timeout: float) -> None:
        self.url = checked(url)
        headers = {"Authorization": f"Bearer {_sendable(key)}"} if key else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=httpx.Timeout(timeout))
        self._met = False
        """Whether the server has ever answered: one that has not is not waited for."""

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        asked: BaseModel | None = None,
        whole: bool = True,
        key: str | None = None,
        repeatable: bool = False,
        headers: Mapping[str, str] | None = None,
        **how: Any,
    ) -> httpx.Response:
        """The answer, whose status is below 400.

        What is `asked` is sent `whole`, or without what was left out. A request whose answer was lost is sent again
        where it reads, has a `key` by which the server knows it, or is said to be `repeatable`.
        """
        told = dict(headers or {})
        if asked is not None:
            how["content"] = asked.model_dump_json(by_alias=True, exclude_unset=not whole).encode()
            told["Content-Type"] = "application/json"
        if key is not None:
            told["Idempotency-Key"] = key
        again = repeatable or key is not None or method == "GET"
        for attempt in range(1, ATTEMPTS):
            try:
                response = self._once(method, path, headers=told, **how)
            except httpx.TransportError as error:
                if not (self._met if isinstance(error, httpx.ConnectError) else again):
                    raise self._explained(error, again=again) from error
                pause = backoff(attempt)
            else:
                if not (response.status_code in BUSY or (again and response.status_code in LOST)):
                    return self.accepted(response)
                pause = _asked(response, attempt)
                if pause > LONGEST_ASKED:
                    return self.accepted(response)
            time.sleep(pause)
        try:
            return self.accepted(self._once(method, path, headers=told, **how))
        except httpx.TransportError as error:
            raise self._explained(error, again=again) from error

    def _once(self, method: str, path: str, **how: Any) -> httpx.Response:
        response = self._http.request(method, f"/api{path}", **how)
        self._met = True
        return response

    def call(self, method: str, path: str, answer: type[T], **how: Any) -> T:
        """The answer as what it is."""
        return self.parsed(answer, self.send(method, path, **how).content)

    def parsed(self, answer: Any, content: bytes | str) -> Any:
        """`content` as a type, or a union of types."""
        try:
            return _adapter(answer).validate_json(content)
        except ValidationError as error:
            message = f"{self.url} answers what is not understood here: is it Stratigos, and of this version?"
            raise ServerError(message, code="NOT_UNDERSTOOD") from error

    def frames(self, path: str, *, after: int) -> Generator[Frame]:
        """The events after one until nothing will come any more; `Cut` where the connection ends before."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        timeout = httpx.Timeout(self._http.timeout.connect, read=SILENCE)
        try:
            with self._http.stream("GET", f"/api{path}", headers=headers, timeout=timeout) as response:
                self._met = True
                if response.status_code in BUSY | LOST:
                    raise Cut(f"it answers {response.status_code}")
                if response.status_code >= 400:
                    response.read()
                self.accepted(response)
                if response.status_code == NOTHING_MORE:
                    return
                for frame in _frames(response.iter_bytes()):
                    if frame.kind == "end":
                        return
                    yield frame
        except httpx.TransportError as error:
            raise Cut(_named(error)) from error
        raise Cut("the stream ended in the middle")

    def accepted(self, response: httpx.Response) -> httpx.Response:
        """The response, if it is none of an error."""
        status = response.status_code
        if status < 400:
            return response
        kind = Refused if status < 500 or status in BUSY else ServerError
        try:
            told = json.loads(response.content)["error"]
            details = [Explained(each["field"], each["message"], each["allowed"]) for each in told["details"]]
            failure = kind(told["message"], code=told["code"], status=status, details=details)
        except (ValueError, KeyError, TypeError):  # it comes from something else that stands there
            message = f"{self.url} answers {status} {response.reason_phrase} and says no more"
            failure = kind(message, code=response.reason_phrase.upper().replace(" ", "_"), status=status)
        if status == UNKNOWN:
            raise self._unknown(failure)
        raise failure

    def _unknown(self, failure: ServerError) -> Refused:
        """What the server says of keys and tokens, for somebody who has a key."""
        how = "a key that holds, in STRATIGOS_KEY (`python -m api keys create` makes one where the server runs)"
        message = f"{self.url}: {failure.message.partition('; expected ')[0]}; expected {how}"
        return Refused(message, code=failure.code, status=failure.status)

    def _explained(self, error: httpx.TransportError, *, again: bool) -> Refused:
        if isinstance(error, httpx.ConnectError):
            return self.unreachable(error)
        known = "" if again else ", and what was asked may have been done all the same"
        message = f"{self.url}: the answer was lost ({_named(error)}){known}; send the request again"
        return Refused(message, code="UNANSWERED")

    def unreachable(self, error: Exception) -> Refused:
        message = (
            f"{self.url}: no server answers there ({_named(error)}); expected the address of one that runs "
            "(`make serve` starts one on http://127.0.0.1:8000)"
        )
        return Refused(message, code="UNREACHABLE")


def _named(error: Exception) -> str:
    return str(error) or type(error).__name__


def checked(url: str) -> str:
    """The address without `/api` and without a slash at its end."""
    text = url.strip()
    if re.fullmatch(ADDRESS, text) is None:
        raise InvalidInput("--server", url, allowed="an address such as http://127.0.0.1:8000")
    return text.rstrip("/").removesuffix("/api").rstrip("/")


def _sendable(key: str) -> str:
    if re.fullmatch(r"[!-~]+", key) is None:
        reason = "it holds what no key does, such as a space or a line break"
        raise InvalidInput(
            "STRATIGOS_KEY", None, reason=reason, allowed="a key as `python -m api keys create` prints it"
        )
    return key


def new_key() -> str:
    """For an Idempotency-Key: made once for each thing that is wanted, however often it is sent."""
    return uuid.uuid4().hex


def backoff(attempt: int) -> float:
    return min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries


@cache
def _adapter(answer: Any) -> TypeAdapter[Any]:
    return TypeAdapter(answer)


def _asked(response: httpx.Response, attempt: int) -> float:
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else backoff(attempt)


def _frames(chunks: Iterator[bytes]) -> Iterator[Frame]:
    """An event that is cut off before its blank line is none."""
    fields: dict[str, str] = {}
    left = b""
    for chunk in chunks:
        *lines, left = (left + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.removesuffix(b"\r").decode().partition(":")
            if name:  # a comment has none
                fields[name] = value.removeprefix(" ")
            elif not line.strip() and fields:
                yield Frame(fields.get("event", ""), fields.get("data", ""))
                fields = {}
