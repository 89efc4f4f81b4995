"""Replays a cassette: answers the calls of boto3 clients with the recorded response of an equal request.

It uses botocore's event hooks, so no library is patched.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSResponse
from urllib3.exceptions import ProtocolError

from agents.recording.boto_events import BEFORE_SEND, request_body
from agents.recording.cassette import Cassette, Interaction
from agents.recording.matching import conversation_key, matches
from agents.recording.mismatch import explain_mismatch

CHUNK = 1024


class CassetteMiss(RuntimeError):
    """The cassette has no response for a request; not an `OSError`, so that it is not retried."""


class Player:
    """Answers every call of the attached clients from a cassette; none reaches a socket.

    A request is answered by the first interaction that `matches` it, and each interaction answers once.
    """

    def __init__(self, cassette: Cassette) -> None:
        self.cassette = cassette
        self.misses: list[CassetteMiss] = []
        self._unplayed: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
        self._lock = threading.Lock()
        for number, interaction in enumerate(cassette.interactions):
            self._unplayed[conversation_key(interaction)].append(number)

    def attach(self, client: Any) -> None:
        client.meta.events.register(BEFORE_SEND, self._answer)

    @property
    def replayed_calls(self) -> int:
        """Number of interactions that have been replayed."""
        return len(self.cassette.interactions) - len(self.unplayed)

    @property
    def unplayed(self) -> list[str]:
        """The interactions that have not been replayed, each with its number."""
        with self._lock:
            remaining = sorted(number for numbers in self._unplayed.values() for number in numbers)
        return [f"{number + 1}: {self.cassette.interactions[number]}" for number in remaining]

    def _answer(self, request: Any, **_: object) -> Any:
        requested = _requested(request)
        with self._lock:
            numbers = self._unplayed.get(conversation_key(requested), [])
            number = next((n for n in numbers if matches(self.cassette.interactions[n], requested)), None)
            if number is not None:
                numbers.remove(number)
        if number is None:
            miss = CassetteMiss(explain_mismatch(requested, self.cassette))
            self.misses.append(miss)
            raise miss
        interaction = self.cassette.interactions[number]
        return AWSResponse(request.url, interaction.status, interaction.headers, _RawResponse(interaction))


class _RawResponse:
    """A recorded response in the form that botocore reads."""

    def __init__(self, interaction: Interaction) -> None:
        self._interaction = interaction

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        answer = self._interaction.answer
        for start in range(0, len(answer), CHUNK):
            yield answer[start : start + CHUNK]
        if self._interaction.truncated:
            raise ProtocolError("the stream broke here when it was recorded")

    def close(self) -> None:
        pass


def _requested(request: Any) -> Interaction:
    """The request as an interaction without a response."""
    return Interaction.scrubbed(request.method, request.url, request_body(request.body), 0, (), b"")
