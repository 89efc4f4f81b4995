"""AWS's wire format: frames of an event stream, and HTTP errors."""

import json
import string
from binascii import crc32
from struct import pack
from typing import Any, Literal

EVENT_STREAM = "application/vnd.amazon.eventstream"
NAMESPACE = "http://internal.amazon.com/coral/com.amazon.bedrock/"
PADDING = string.ascii_lowercase + string.ascii_uppercase + string.digits
STRING_HEADER = 7


def encode(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """A frame: prelude with checksum, headers, payload, checksum of the whole."""
    packed = b"".join(_header(name, value) for name, value in headers.items())
    prelude = pack("!II", 12 + len(packed) + len(payload) + 4, len(packed))
    message = prelude + pack("!I", crc32(prelude)) + packed + payload
    return message + pack("!I", crc32(message))


def event(name: str, value: dict[str, Any]) -> bytes:
    """Padding of an event, with which Bedrock hides the length of a token."""
    padding = PADDING[: len(encode(value)) % len(PADDING) + 1]
    return frame(_headers("event", name), encode({**value, "p": padding}))


def exception(name: str, message: str) -> bytes:
    return frame(_headers("exception", name), encode({"message": message}))


def error_headers(code: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "x-amzn-ErrorType": f"{code}:{NAMESPACE}"}


def _headers(kind: Literal["event", "exception"], name: str) -> dict[str, str]:
    return {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return pack("!B", len(key)) + key + pack("!BH", STRING_HEADER, len(text)) + text
