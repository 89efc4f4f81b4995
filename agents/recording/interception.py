"""Plays and records the calls of one boto3 client through botocore's own events, so nothing is patched.

vcrpy patches urllib3 for the whole process, which loses calls that run in threads.
"""

import difflib
import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any

from agents.recording.cassette import Cassette, Interaction
from desk.base.errors import UserError

BEFORE_SEND = "before-send.bedrock-runtime"
BEFORE_PARSE = "before-parse.bedrock-runtime"
CHUNK = 1024
DIFF_LINES = 40
DIFF_WIDTH = 160
COMPARED = 2000
"""Characters whose likeness is worth its time: the ratio is quadratic."""


class CassetteMiss(RuntimeError):
    """No `OSError`: nothing may take it for a connection that is worth another try."""


class IncompleteRecording(UserError):
    code = "incomplete_recording"


class Player:
    """Answers every call of the clients it is attached to; none reaches a socket."""

    def __init__(self, cassette: Cassette) -> None:
        self.cassette = cassette
        self.missed: list[CassetteMiss] = []
        self._left: defaultdict[tuple[str, str, str], deque[int]] = defaultdict(deque)
        self._lock = threading.Lock()
        for number, interaction in enumerate(cassette.interactions):
            self._left[interaction.key].append(number)

    def attach(self, client: Any) -> None:
        client.meta.events.register(BEFORE_SEND, self._answer)

    @property
    def played(self) -> int:
        return len(self.cassette.interactions) - len(self.unplayed)

    @property
    def unplayed(self) -> list[str]:
        with self._lock:
            left = sorted(number for numbers in self._left.values() for number in numbers)
        return [f"{number + 1}: {self.cassette.interactions[number]}" for number in left]

    def _answer(self, request: Any, **_: object) -> Any:
        from botocore.awsrequest import AWSResponse

        asked = _asked(request)
        with self._lock:
            numbers = self._left.get(asked.key)
            number = numbers.popleft() if numbers else None
        if number is None:
            miss = CassetteMiss(_explain(asked, self.cassette))
            self.missed.append(miss)
            raise miss
        found = self.cassette.interactions[number]
        return AWSResponse(request.url, found.status, found.headers, _Recorded(found))


class _Recorded:
    """The raw response as botocore reads it."""

    def __init__(self, interaction: Interaction) -> None:
        self._interaction = interaction

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        from urllib3.exceptions import ProtocolError

        answer = self._interaction.answer
        for start in range(0, len(answer), CHUNK):
            yield answer[start : start + CHUNK]
        if self._interaction.cut:
            raise ProtocolError("the stream broke here when it was recorded")

    def close(self) -> None:
        pass


class _Call:
    """A request on its way, and of its response what has arrived."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.answer = bytearray()
        self.cut = False
        self.ended = False

    @property
    def whole(self) -> bool:
        """An exception within a stream is its end for who reads it."""
        return self.ended or b":exception-type" in self.answer

    def interaction(self) -> Interaction:
        assert self.status is not None
        request = self.request
        return Interaction.scrubbed(
            request.method,
            request.url,
            _bytes(request.body),
            self.status,
            self.headers,
            bytes(self.answer),
            cut=self.cut,
        )


class Recorder:
    """Notes every call of the clients it is attached to, and changes nothing that they see."""

    def __init__(self, metadata: dict[str, Any]) -> None:
        self.metadata = metadata
        self._calls: list[_Call] = []
        self._here = threading.local()

    def attach(self, client: Any) -> None:
        client.meta.events.register(BEFORE_SEND, self._sent)
        client.meta.events.register(BEFORE_PARSE, self._received)

    @property
    def unanswered(self) -> int:
        """Calls whose response is not there to its end: the connection failed, or it was given up."""
        return sum(not call.whole for call in self._calls)

    def cassette(self) -> Cassette:
        if self.unanswered:
            raise IncompleteRecording(
                f"{self.unanswered} of {len(self._calls)} calls have no whole response; "
                "a cassette cannot hold a connection that failed or was given up: record again"
            )
        # parallel calls are sent in any order; the sort is stable
        return Cassette(sorted((call.interaction() for call in self._calls), key=_tags), self.metadata)

    def _sent(self, request: Any, **_: object) -> None:
        call = _Call(request)
        self._calls.append(call)
        self._here.call = call

    def _received(self, response_dict: dict[str, Any], **_: object) -> None:
        call: _Call = self._here.call
        call.headers = list(response_dict["headers"].items())
        body = response_dict["body"]
        if isinstance(body, bytes):
            call.answer += body
            call.ended = True
        else:
            response_dict["body"] = _Tee(body, call)
        call.status = response_dict["status_code"]


class _Tee:
    """A raw stream that is noted as far as it is read."""

    def __init__(self, raw: Any, call: _Call) -> None:
        self._raw = raw
        self._call = call

    def stream(self, *arguments: Any, **options: Any) -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError

        try:
            for chunk in self._raw.stream(*arguments, **options):
                self._call.answer += chunk
                yield chunk
        except (HTTPError, OSError):
            self._call.cut = True
            self._call.ended = True
            raise
        self._call.ended = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _asked(request: Any) -> Interaction:
    return Interaction.scrubbed(request.method, request.url, _bytes(request.body), 0, (), b"")


def _bytes(body: Any) -> bytes:
    if hasattr(body, "read"):
        content = body.read()
        body.seek(0)
        return content
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def _tags(interaction: Interaction) -> str:
    """What sets parallel calls apart: the request's metadata, as canonical JSON."""
    try:
        body = json.loads(interaction.body)
    except ValueError:
        return ""
    tags = body.get("requestMetadata") if isinstance(body, dict) else None
    return "" if tags is None else json.dumps(tags, sort_keys=True)


def _explain(asked: Interaction, cassette: Cassette) -> str:
    recorded = cassette.interactions
    message = f"The cassette has no answer to {asked.method} {asked.path}"
    if equal := [str(number) for number, each in enumerate(recorded, 1) if each.key == asked.key]:
        return f"{message}: all {len(equal)} equal requests were played already (number {', '.join(equal)})."
    if not recorded:
        return f"{message}: it is empty."
    place = max((_place(each) for each in recorded), key=lambda place: _likeness(place, _place(asked)))
    there = [(number, each) for number, each in enumerate(recorded, 1) if _place(each) == place]
    number, nearest = max(there, key=lambda pair: _likeness(pair[1].canonical, asked.canonical))
    same = place == _place(asked)
    why = f"none of the {len(there)} requests recorded there has this body" if same else "no request was recorded there"
    return f"{message}: {why}.\nNearest is number {number}, {place}:\n{_difference(nearest, asked)}"


def _place(interaction: Interaction) -> str:
    return f"{interaction.method} {interaction.path}"


def _likeness(one: str, other: str) -> float:
    """The share of text in common: that at both ends, and of the middle what its beginning shows."""
    start = _in_common(one, other)
    end = _in_common(one[start:][::-1], other[start:][::-1])
    middles = one[start : len(one) - end], other[start : len(other) - end]
    ratio = difflib.SequenceMatcher(None, middles[0][:COMPARED], middles[1][:COMPARED]).ratio()
    whole = len(one) + len(other)
    return (2 * (start + end) + ratio * (len(middles[0]) + len(middles[1]))) / whole if whole else 1.0


def _in_common(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _difference(recorded: Interaction, asked: Interaction) -> str:
    lines = list(difflib.unified_diff(_lines(recorded), _lines(asked), "recorded", "asked", n=2, lineterm=""))
    if len(lines) > DIFF_LINES:
        lines[DIFF_LINES:] = [f"({len(lines) - DIFF_LINES} more lines)"]
    return "\n".join(lines) or "(the bodies are equal)"


def _lines(interaction: Interaction) -> list[str]:
    """Pretty JSON whose long texts are broken, at their own line ends first."""
    try:
        text = json.dumps(json.loads(interaction.canonical), indent=1, sort_keys=True, ensure_ascii=False)
    except ValueError:
        text = interaction.canonical
    lines = [piece for line in text.splitlines() for piece in line.split("\\n")]
    width = DIFF_WIDTH - 1  # the diff puts a sign before each line
    return [line[at : at + width] for line in lines for at in range(0, max(1, len(line)), width)]
