"""Cassettes: recorded calls of Amazon Bedrock, stored in the file format of vcrpy.

Anything that looks like a key, a token or an account number is masked, in new recordings and in loaded files.
vcrpy patches urllib3 for the whole process, which loses calls in threads, so only its serializer is used; it is
imported when a file is read or written.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from http.client import responses
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from agents.recording.aliases import check_aliases
from agents.recording.cassette_file import CassetteFile, RecordedCall
from agents.recording.scrubbing import has_secret, is_whole, scrub, scrub_body, scrub_uri
from desk.base.errors import InvalidInput, UserError

KEPT_HEADERS = {"content-type": "Content-Type", "x-amzn-errortype": "x-amzn-ErrorType"}
LARGEST = 500_000_000
"""Bytes of an unpacked cassette."""
CASSETTE = "a cassette of vcrpy (YAML, or YAML in gzip)"


@dataclass(frozen=True)
class Interaction:
    """One request and its response; `truncated` if the stream broke after these bytes."""

    method: str
    uri: str
    body: bytes
    status: int
    headers: dict[str, str]
    answer: bytes
    truncated: bool = False

    @classmethod
    def scrubbed(
        cls,
        method: str,
        uri: str,
        body: bytes,
        status: int,
        headers: Iterable[tuple[str, str]],
        answer: bytes,
        *,
        truncated: bool = False,
    ) -> "Interaction":
        """An interaction without secrets, and with the known headers only."""
        known_headers = {
            KEPT_HEADERS[name.lower()]: scrub(value) for name, value in headers if name.lower() in KEPT_HEADERS
        }
        return cls(method, scrub_uri(uri), scrub_body(body), status, known_headers, scrub_body(answer), truncated)

    @property
    def damaged(self) -> bool:
        """Whether the body of a successful response cannot be read to its end."""
        return self.status == 200 and not self.truncated and not is_whole(self.answer)

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.uri).path)

    @cached_property
    def canonical(self) -> str:
        """The request's body in a form that is equal for equal JSON values."""
        return canonical(self.body)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.canonical[:120]}"


def check_library() -> None:
    """Raise `UserError` if the library of the file format is not installed, as in the container image."""
    if find_spec("vcr") is None:
        how = "`uv sync --group recording`"
        raise UserError(f"cassettes: vcrpy, which reads and writes them, is not installed; install it with {how}")


class Cassette:
    """Interactions in the order of recording, with metadata."""

    def __init__(
        self,
        interactions: Iterable[Interaction],
        metadata: dict[str, Any] | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self.interactions = tuple(interactions)
        self.metadata: dict[str, Any] = scrub(metadata or {})
        self.secrets = tuple(secrets)
        """Where the file that was read contains secrets, which are masked here."""

    @property
    def damaged(self) -> list[int]:
        """The numbers, from 1, of responses that are neither whole nor marked as cut off."""
        return [number for number, each in enumerate(self.interactions, 1) if each.damaged]

    @classmethod
    def load(cls, path: Path) -> "Cassette":
        """Read a file; raises `InvalidInput` if it is not a cassette."""
        check_library()
        from vcr.serializers import yamlserializer
        from yaml import MarkedYAMLError, YAMLError

        try:
            text = _read(path).decode()
            check_aliases(text)
            file = CassetteFile.model_validate(yamlserializer.deserialize(text))
            secrets = (place for number, call in enumerate(file.interactions, 1) for place in _secrets(call, number))
            return cls(map(_interaction, file.interactions), file.metadata, secrets)
        except ValidationError as error:
            raise _no_cassette(path, "; ".join(map(_problem, error.errors()[:3]))) from error
        except MarkedYAMLError as error:
            line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise _no_cassette(path, f"it is not YAML of vcrpy{line}: {error.problem}") from error
        except UnicodeDecodeError as error:
            raise _no_cassette(path, "it is not text") from error
        except OSError as error:
            raise _no_cassette(path, error.strerror or str(error)) from error
        except (EOFError, zlib.error, ValueError, RecursionError, YAMLError) as error:
            raise _no_cassette(path, str(error)) from error

    def save(self, path: Path) -> None:
        """Replace the file atomically; equal cassettes are equal bytes."""
        check_library()
        from vcr.request import Request
        from vcr.serialize import serialize
        from vcr.serializers import yamlserializer

        content = {
            "requests": [Request(one.method, one.uri, one.body, {}) for one in self.interactions],
            "responses": [_response(one) for one in self.interactions],
            "metadata": self.metadata,
        }
        data = serialize(content, yamlserializer).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.part")
        draft.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
        draft.replace(path)


def _read(path: Path) -> bytes:
    """The content of the file, unpacked up to a limit."""
    if path.suffix != ".gz":
        return path.read_bytes()
    with gzip.open(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it unpacks to more than {LARGEST:,} bytes")
    return content


def canonical(body: bytes) -> str:
    """The body as canonical JSON, or as text if it is not JSON."""
    try:
        value = json.loads(body, parse_float=_number)
    except ValueError:
        return body.decode("utf-8", "backslashreplace")
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _number(text: str) -> float:
    """1 and 1.0 are the same number in JSON."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _interaction(call: RecordedCall) -> Interaction:
    request, response = call.request, call.response
    return Interaction.scrubbed(
        request.method,
        request.uri,
        request.body,
        response.status.code,
        response.headers.items(),
        response.body,
        truncated=response.cut,
    )


def _secrets(call: RecordedCall, number: int) -> Iterator[str]:
    """The places of a call that hold secrets."""
    for noun, message in (("request", call.request), ("response", call.response)):
        for name, value in message.headers.items():
            if has_secret(name, value):
                yield f"header {name} of {noun} {number}"
        if scrub_body(message.body) != message.body:
            yield f"body of {noun} {number}"


def _response(interaction: Interaction) -> dict[str, Any]:
    response: dict[str, Any] = {
        "status": {"code": interaction.status, "message": responses.get(interaction.status, "")},
        "headers": {name: [value] for name, value in interaction.headers.items()},
        "body": {"string": interaction.answer},
    }
    return response | {"cut": True} if interaction.truncated else response


def _problem(details: Any) -> str:
    place, message = ".".join(map(str, details["loc"])), details["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _no_cassette(path: Path, reason: str) -> InvalidInput:
    return InvalidInput("cassette", str(path), allowed=CASSETTE, reason=f"{str(path)!r} cannot be read: {reason}")
