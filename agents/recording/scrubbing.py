"""Masks keys, tokens and account numbers in recordings, logs and error texts.

A mask has the length of the text it hides, so that text that arrived in pieces can be masked as a whole and split.
"""

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from zlib import crc32

ENDPOINT = "https://bedrock-runtime.us-east-1.amazonaws.com"

TOKEN = "A-Za-z0-9._~+/=-"  # noqa: S105 - the characters of a token
MASKS = (
    (re.compile(r"(arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:)([0-9]{12})(?=:)"), "0"),
    (re.compile(r"(AKIA|ASIA)([A-Z0-9]{16})"), "*"),
    (re.compile(r"(bedrock-api-key-)([A-Za-z0-9+/=_-]+)"), "*"),
    (re.compile(r"(ABSK)([A-Za-z0-9+/=]{8,})"), "*"),
    # "bearer bonds" and "bearer shares" are not tokens
    (re.compile(rf"((?i:bearer)\s+)((?:(?=[A-Za-z]*[0-9._~+/=-][{TOKEN}])[{TOKEN}]{{6,}})|[{TOKEN}]{{16,}})"), "*"),
)
SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization", "set-cookie", "x-amz-security-token", "x-api-key"}
PLACEHOLDER = re.compile(r"(?i)[*x.]+|.{0,24}(redacted|masked|filtered|dummy|placeholder|scrubbed).{0,24}")
"""Values that stand for a secret."""
ACCOUNT = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")

PRELUDE = struct.Struct("!III")
"""Length of the frame, length of its headers, CRC of both; a CRC of the whole frame follows at its end."""
CRC = struct.Struct("!I")


def scrub(value: Any) -> Any:
    """A JSON value with keys, tokens and account numbers of ARNs masked."""
    match value:
        case str():
            return _mask(value)
        case list():
            return [scrub(item) for item in value]
        case dict():
            return {scrub(name): scrub(item) for name, item in value.items()}
        case _:
            return value


def has_secret(header: str, value: str) -> bool:
    """Whether a header holds a secret, and no placeholder in its place."""
    if header.lower() in SECRET_HEADERS:
        return bool(value) and PLACEHOLDER.fullmatch(value.removeprefix("Bearer ")) is None
    return _mask(value) != value


def is_whole(body: bytes) -> bool:
    """Whether a body is JSON, or an event stream whose last frame is complete."""
    if _is_stream(body):
        return not _frames(body)[1]
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def scrub_uri(uri: str) -> str:
    """The masked path at a fixed endpoint: neither the region nor the query is part of the request."""
    parts = urlsplit(uri).path.split("/")
    return ENDPOINT + "/".join(quote(ACCOUNT.sub("0" * 12, _mask(unquote(part))), safe="") for part in parts)


def scrub_body(body: bytes) -> bytes:
    """The body with secrets masked; unchanged if there is none."""
    if _is_stream(body):
        return _scrub_stream(body)
    body = _mask_bytes(body)
    try:
        value = json.loads(body)
    except ValueError:
        return body
    clean = scrub(value)  # also finds secrets that are written with escapes
    return body if clean == value else _dump(clean)


def _mask(text: str) -> str:
    for pattern, character in MASKS:
        text = pattern.sub(lambda match, c=character: match[1] + c * len(match[2]), text)
    return text


def _mask_bytes(data: bytes) -> bytes:
    return _mask(data.decode("latin-1")).encode("latin-1")


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass
class Frame:
    """One message of an event stream."""

    headers: bytes
    payload: bytes

    def encode(self) -> bytes:
        length = PRELUDE.size + len(self.headers) + len(self.payload) + CRC.size
        lengths = struct.pack("!II", length, len(self.headers))
        message = lengths + CRC.pack(crc32(lengths)) + self.headers + self.payload
        return message + CRC.pack(crc32(message))


def _is_stream(data: bytes) -> bool:
    return len(data) >= PRELUDE.size and crc32(data[:8]) == PRELUDE.unpack_from(data)[2]


def _frames(data: bytes) -> tuple[list[Frame], bytes]:
    """The complete frames, and the rest that cannot be decoded."""
    frames: list[Frame] = []
    while _is_stream(data):
        length, headers, _ = PRELUDE.unpack_from(data)
        body, end = PRELUDE.size + headers, length - CRC.size
        if not body <= end <= len(data) - CRC.size or crc32(data[:end]) != CRC.unpack_from(data, end)[0]:
            break
        frames.append(Frame(data[PRELUDE.size : body], data[body:end]))
        data = data[length:]
    return frames, data


def _scrub_stream(data: bytes) -> bytes:
    frames, rest = _frames(data)
    events = [_event(frame.payload) for frame in frames]
    _mask_across(events)
    for frame, event in zip(frames, events, strict=True):
        frame.headers = _mask_bytes(frame.headers)
        if event is not None and (clean := scrub(event)) != json.loads(frame.payload):
            frame.payload = _dump(clean)
        frame.payload = _mask_bytes(frame.payload)
    # the rest cannot be decoded: its prelude and length remain, so that a reader fails as before
    unread = rest[: PRELUDE.size] + bytes(max(0, len(rest) - PRELUDE.size))
    return b"".join(frame.encode() for frame in frames) + unread


def _event(payload: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(payload)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _mask_across(events: list[dict[str, Any] | None]) -> None:
    """Mask secrets that span several deltas of the same content block."""
    pieces: dict[tuple[object, ...], list[tuple[dict[str, Any], str]]] = {}
    for event in events:
        if event and isinstance(event.get("delta"), dict):
            for path, holder, name in _texts(event["delta"]):
                pieces.setdefault((str(event.get("contentBlockIndex")), *path), []).append((holder, name))
    for places in pieces.values():
        text = _mask("".join(holder[name] for holder, name in places))
        for holder, name in places:
            length = len(holder[name])
            holder[name], text = text[:length], text[length:]


def _texts(value: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any], str]]:
    for name, item in value.items():
        if isinstance(item, str):
            yield (*path, name), value, name
        elif isinstance(item, dict):
            yield from _texts(item, (*path, name))
