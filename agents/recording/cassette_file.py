"""The file format of vcrpy, with the variants that other programs and versions write."""

import base64
import json
from io import BytesIO
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, model_validator


def _body(value: Any) -> bytes:
    """A body in any of the forms that versions and dialects of vcrpy write."""
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
            raise ValueError(f"a body is text, binary or null, not {type(value).__name__}")


def _headers(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"headers are a mapping, not {type(value).__name__}")  # noqa: TRY004 - pydantic expects it
    return {str(name): _first(values) for name, values in value.items()}


def _first(values: Any) -> str:
    value = next(iter(values), "") if isinstance(values, list) else values
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class HttpMessage(BaseModel):
    """The headers and the body of a request or a response."""

    body: Annotated[bytes, BeforeValidator(_body)] = b""
    headers: Annotated[dict[str, str], BeforeValidator(_headers)] = {}

    @model_validator(mode="before")
    @classmethod
    def _take_parsed_body(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("parsed_body") is not None:
            return data | {"body": json.dumps(data["parsed_body"])}
        return data


class RecordedRequest(HttpMessage):
    method: str
    uri: str


class Status(BaseModel):
    code: int = Field(strict=True, ge=100, le=599)


class RecordedResponse(HttpMessage):
    status: Status
    cut: bool = False
    """Whether the connection broke after `body`."""


class RecordedCall(BaseModel):
    request: RecordedRequest
    response: RecordedResponse


class CassetteFile(BaseModel):
    """The content of a cassette file."""

    interactions: list[RecordedCall]
    metadata: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _take_two_lists(cls, data: Any) -> Any:
        """Accept files with one list of requests and one of responses."""
        match data:
            case None:
                raise ValueError("it is empty")
            case list() | str() | int() | float():
                raise ValueError("it holds no interactions")
            case {"requests": list() as requests, "responses": list() as responses}:
                if len(requests) != len(responses):
                    raise ValueError(f"{len(requests)} requests have {len(responses)} responses")
                pairs = zip(requests, responses, strict=True)
                return data | {"interactions": [{"request": first, "response": second} for first, second in pairs]}
            case _:
                return data
