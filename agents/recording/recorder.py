"""Records the calls of boto3 clients into a cassette.

It uses botocore's event hooks, so no library is patched.
"""

import json
import threading
from collections.abc import Iterator
from typing import Any

from urllib3.exceptions import HTTPError

from agents.recording.boto_events import BEFORE_PARSE, BEFORE_SEND, request_body
from agents.recording.cassette import Cassette, Interaction
from desk.base.errors import UserError


class IncompleteRecording(UserError):
    """A call has no complete response, so the recording cannot become a cassette."""

    code = "incomplete_recording"


class _Call:
    """A request, and the part of its response that has arrived."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.answer = bytearray()
        self.truncated = False
        self.complete = False

    @property
    def usable(self) -> bool:
        """Whether the response ended; an exception event in a stream ends it for its reader."""
        return self.complete or b":exception-type" in self.answer

    def interaction(self) -> Interaction:
        assert self.status is not None
        request = self.request
        return Interaction.scrubbed(
            request.method,
            request.url,
            request_body(request.body),
            self.status,
            self.headers,
            bytes(self.answer),
            truncated=self.truncated,
        )


class Recorder:
    """Records every call of the attached clients without changing what they receive."""

    def __init__(self, metadata: dict[str, Any]) -> None:
        self.metadata = metadata
        self._calls: list[_Call] = []
        self._current = threading.local()

    def attach(self, client: Any) -> None:
        client.meta.events.register(BEFORE_SEND, self._record_request)
        client.meta.events.register(BEFORE_PARSE, self._record_response)

    @property
    def unanswered(self) -> int:
        """Number of calls without a complete response: the connection failed, or the caller abandoned it."""
        return sum(not call.usable for call in self._calls)

    def cassette(self) -> Cassette:
        """The recording; raises `IncompleteRecording` if a response is incomplete."""
        if self.unanswered:
            raise IncompleteRecording(
                f"{self.unanswered} of {len(self._calls)} calls have no complete response, because the connection "
                "failed or was abandoned; record again"
            )
        # parallel calls are sent in any order; the stable sort makes it deterministic
        return Cassette(sorted((call.interaction() for call in self._calls), key=_tags), self.metadata)

    def _record_request(self, request: Any, **_: object) -> None:
        call = _Call(request)
        self._calls.append(call)
        self._current.call = call

    def _record_response(self, response_dict: dict[str, Any], **_: object) -> None:
        call: _Call = self._current.call
        call.headers = list(response_dict["headers"].items())
        body = response_dict["body"]
        if isinstance(body, bytes):
            call.answer += body
            call.complete = True
        else:
            response_dict["body"] = _Tee(body, call)
        call.status = response_dict["status_code"]


class _Tee:
    """A raw stream whose chunks are recorded when they are read."""

    def __init__(self, raw: Any, call: _Call) -> None:
        self._raw = raw
        self._call = call

    def stream(self, *arguments: Any, **options: Any) -> Iterator[bytes]:
        try:
            for chunk in self._raw.stream(*arguments, **options):
                self._call.answer += chunk
                yield chunk
        except (HTTPError, OSError):
            self._call.truncated = True
            self._call.complete = True
            raise
        self._call.complete = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _tags(interaction: Interaction) -> str:
    """The request's metadata as canonical JSON, which distinguishes parallel calls."""
    try:
        body = json.loads(interaction.body)
    except ValueError:
        return ""
    tags = body.get("requestMetadata") if isinstance(body, dict) else None
    return "" if tags is None else json.dumps(tags, sort_keys=True)
