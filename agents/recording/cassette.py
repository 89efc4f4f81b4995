"""Recorded calls of Amazon Bedrock in the file format of vcrpy, whose patching of urllib3 is not used.

Nothing that looks like a key, a token or an account number is kept, neither from a recording nor from a file.
"""

import base64
import gzip
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from http.client import responses
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from agents.recording.scrubbing import scrub, scrub_body, scrub_uri
from desk.base.errors import InvalidInput

KEPT_HEADERS = {"content-type": "Content-Type", "x-amzn-errortype": "x-amzn-ErrorType"}
CASSETTE = "a cassette of vcrpy (YAML, or YAML in gzip)"


@dataclass(frozen=True)
class Interaction:
    """One request and its response; `cut` says that the stream broke after these bytes."""

    method: str
    uri: str
    body: bytes
    status: int
    headers: dict[str, str]
    answer: bytes
    cut: bool = False

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
        cut: bool = False,
    ) -> "Interaction":
        kept = {KEPT_HEADERS[name.lower()]: scrub(value) for name, value in headers if name.lower() in KEPT_HEADERS}
        return cls(method, scrub_uri(uri), scrub_body(body), status, kept, scrub_body(answer), cut)

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.uri).path)

    @cached_property
    def canonical(self) -> str:
        """The request's body in a form that is equal for equal JSON."""
        return canonical(self.body)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.method, self.path, self.canonical

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.canonical[:120]}"


class Cassette:
    def __init__(self, interactions: Iterable[Interaction], metadata: dict[str, Any] | None = None) -> None:
        self.interactions = tuple(interactions)
        self.metadata: dict[str, Any] = scrub(metadata or {})

    @classmethod
    def load(cls, path: Path) -> "Cassette":
        from vcr.serializers import yamlserializer
        from yaml import MarkedYAMLError, YAMLError

        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
            file = File.model_validate(yamlserializer.deserialize(text))
            return cls((pair.read() for pair in file.interactions), file.metadata)
        except ValidationError as error:
            raise _no_cassette(path, "; ".join(map(_problem, error.errors()[:3]))) from error
        except MarkedYAMLError as error:
            line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise _no_cassette(path, f"it is no YAML of vcrpy{line}: {error.problem}") from error
        except UnicodeDecodeError as error:
            raise _no_cassette(path, "it is no text") from error
        except OSError as error:
            raise _no_cassette(path, error.strerror or str(error)) from error
        except (EOFError, zlib.error, ValueError, RecursionError, YAMLError) as error:
            raise _no_cassette(path, str(error)) from error

    def save(self, path: Path) -> None:
        """Put the file there whole, or leave what was there; equal cassettes are equal bytes."""
        from vcr.request import Request
        from vcr.serialize import serialize
        from vcr.serializers import yamlserializer

        content = {
            "requests": [Request(each.method, each.uri, each.body, {}) for each in self.interactions],
            "responses": [_response(each) for each in self.interactions],
            "metadata": self.metadata,
        }
        data = serialize(content, yamlserializer).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.part")
        draft.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
        draft.replace(path)


def canonical(body: bytes) -> str:
    try:
        value = json.loads(body, parse_float=_number)
    except ValueError:
        return body.decode("utf-8", "backslashreplace")
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _number(text: str) -> float:
    """1 and 1.0 are one number in JSON."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _response(interaction: Interaction) -> dict[str, Any]:
    response: dict[str, Any] = {
        "status": {"code": interaction.status, "message": responses.get(interaction.status, "")},
        "headers": {name: [value] for name, value in interaction.headers.items()},
        "body": {"string": interaction.answer},
    }
    return response | {"cut": True} if interaction.cut else response


def _problem(details: Any) -> str:
    place, told = ".".join(map(str, details["loc"])), details["msg"].removeprefix("Value error, ")
    return f"{place}: {told}" if place else told


def _no_cassette(path: Path, reason: str) -> InvalidInput:
    return InvalidInput("cassette", str(path), allowed=CASSETTE, reason=f"{str(path)!r} cannot be read: {reason}")


def _body(value: Any) -> bytes:
    """The forms in which versions and dialects of vcrpy write a body."""
    match value:
        case None:
            return b""
        case str():
            return value.encode()
        case bytes():
            return value
        case BytesIO():
            return value.getvalue()
        case {"base64_string": str() | bytes() as text}:
            return base64.b64decode(text)
        case {"string": (None | str() | bytes() | BytesIO()) as text}:
            return _body(text)
        case _:
            raise ValueError(f"a body is text, binary or nothing, not {type(value).__name__}")


def _headers(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"headers are a mapping, not {type(value).__name__}")  # noqa: TRY004 - pydantic expects it
    return {str(name): _first(values) for name, values in value.items()}


def _first(values: Any) -> str:
    value = next(iter(values), "") if isinstance(values, list) else values
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class Message(BaseModel):
    body: Annotated[bytes, BeforeValidator(_body)] = b""

    @model_validator(mode="before")
    @classmethod
    def _take_parsed_body(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("parsed_body") is not None:
            return data | {"body": json.dumps(data["parsed_body"])}
        return data


class Asked(Message):
    method: str
    uri: str


class Status(BaseModel):
    code: int = Field(strict=True, ge=100, le=599)


class Answered(Message):
    status: Status
    headers: Annotated[dict[str, str], BeforeValidator(_headers)] = {}
    cut: bool = False


class Pair(BaseModel):
    request: Asked
    response: Answered

    def read(self) -> Interaction:
        asked, answered = self.request, self.response
        return Interaction.scrubbed(
            asked.method,
            asked.uri,
            asked.body,
            answered.status.code,
            answered.headers.items(),
            answered.body,
            cut=answered.cut,
        )


class File(BaseModel):
    interactions: list[Pair]
    metadata: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _take_two_lists(cls, data: Any) -> Any:
        """Some write all requests and then all responses."""
        match data:
            case None:
                raise ValueError("it is empty")
            case list() | str() | int() | float():
                raise ValueError("it holds no interactions")
            case {"requests": list() as requests, "responses": list() as responses}:
                if len(requests) != len(responses):
                    raise ValueError(f"{len(requests)} requests have {len(responses)} responses")
                pairs = zip(requests, responses, strict=True)
                return data | {"interactions": [{"request": asked, "response": answered} for asked, answered in pairs]}
            case _:
                return data
