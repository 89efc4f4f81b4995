"""The event hooks of botocore that the player and the recorder use."""

from typing import Any

BEFORE_SEND = "before-send.bedrock-runtime"
BEFORE_PARSE = "before-parse.bedrock-runtime"


def request_body(body: Any) -> bytes:
    """The bytes of a request's body, which may be text or a file."""
    if hasattr(body, "read"):
        content = body.read()
        body.seek(0)
        return content
    return body.encode() if isinstance(body, str) else bytes(body or b"")
