"""Replies and faults of the double."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Break = Literal["cut", "end", "reset"]
"""`cut` closes the connection within a frame, `end` ends the body early, `reset` sends RST."""

STATUS = {
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "IncompleteSignatureException": 403,
    "InternalServerException": 500,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ModelStreamErrorException": 424,
    "ModelTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "SerializationException": 400,
    "ServiceQuotaExceededException": 400,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}


@dataclass(frozen=True)
class Usage:
    """Tokens; `input` excludes those read from or written to the cache."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0


@dataclass(frozen=True)
class Call:
    """A tool call; `raw` are stream fragments that replace the arguments, not necessarily JSON."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    raw: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Say:
    """An answer: reasoning, texts and tool calls in this order; with none of them, empty content."""

    texts: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    reasoning: str = ""
    stop: str | None = None
    """By default `tool_use` with calls and `end_turn` without."""
    usage: Usage | None = None
    """By default an estimate from the lengths."""


@dataclass(frozen=True)
class Blocked:
    """The guardrail of the request intervenes on the input or on the model's output."""

    message: str = "Sorry, the model cannot answer this question."
    side: Literal["input", "output"] = "input"


@dataclass(frozen=True)
class Fail:
    """An error response."""

    code: str
    message: str

    @property
    def status(self) -> int:
        return STATUS[self.code]


@dataclass(frozen=True)
class Raise:
    """An exception event within a stream, such as `throttlingException`."""

    name: str
    message: str

    def as_failure(self) -> Fail:
        """The equivalent error of a call without a stream."""
        return Fail(self.name[0].upper() + self.name[1:], self.message)


@dataclass(frozen=True)
class Broken:
    """The stream breaks after some events."""

    whole: Say
    after: int
    by: Raise | Break


@dataclass(frozen=True)
class Reset:
    """The connection is reset before any byte."""


@dataclass(frozen=True)
class Slow:
    """Seconds before the first byte, and before each event of a stream."""

    reply: "Say | Blocked | Fail | Broken | Reset"
    before: float = 0.0
    between: float = 0.0


Reply = Say | Blocked | Fail | Broken | Reset | Slow


def say(text: str) -> Say:
    return Say(texts=(text,))


def call(tool: str, **arguments: Any) -> Say:
    return Say(calls=(Call(tool, arguments),))


THROTTLED = Fail("ThrottlingException", "Too many requests, please wait before trying again.")
TOO_MANY_TOKENS = Fail("ThrottlingException", "Too many tokens, please wait before trying again.")
UNAVAILABLE = Fail("ServiceUnavailableException", "Bedrock is unable to process your request.")
INTERNAL = Fail("InternalServerException", "The system encountered an unexpected error during processing. Try again.")
TIMED_OUT = Fail("ModelTimeoutException", "Model has timed out in processing the request. Try your request again.")
NOT_READY = Fail("ModelNotReadyException", "The model is not ready for inference. Wait and try your request again.")
DENIED = Fail("AccessDeniedException", "You don't have access to the model with the specified model ID.")
EXPIRED = Fail("ExpiredTokenException", "The security token included in the request is expired")
BAD_TOKEN = Fail("UnrecognizedClientException", "The security token included in the request is invalid.")
TOO_LONG = Fail("ValidationException", "Input is too long for requested model.")
MODEL_ERROR = Fail(
    "ModelErrorException",
    "Model produced invalid sequence as part of ToolUse. Please refer to the model tool use troubleshooting guide.",
)
THROTTLED_MIDWAY = Raise("throttlingException", THROTTLED.message)
UNAVAILABLE_MIDWAY = Raise("serviceUnavailableException", UNAVAILABLE.message)
INTERNAL_MIDWAY = Raise("internalServerException", INTERNAL.message)
MODEL_ERROR_MIDWAY = Raise("modelStreamErrorException", MODEL_ERROR.message)
INVALID_MIDWAY = Raise("validationException", TOO_LONG.message)
