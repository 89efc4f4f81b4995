"""A call that the double received."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from tests.doubles.bedrock.replies import Usage
from tests.doubles.bedrock.wire import encode

Operation = Literal["Converse", "ConverseStream"]


@dataclass
class Received:
    number: int
    """From 1, in the order of arrival."""
    operation: Operation
    model: str
    body: dict[str, Any]
    headers: dict[str, str]
    """Headers with names in lower case."""
    answered: bool = False
    """Whether the complete answer or error was sent; set before its last byte."""
    reported: Usage | None = None
    """The usage in the response; set before the last byte."""
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        # without tools and prompt: the ids of calls stay equal when a table adds a value to a tool's schema
        conversation = {name: part for name, part in self.body.items() if name not in ("toolConfig", "system")}
        self.digest = hashlib.sha256(encode([self.operation, self.model, conversation])).digest()

    @property
    def request_id(self) -> str:
        return str(UUID(bytes=self.digest[:16], version=4))

    def tool_id(self, index: int) -> str:
        mark = hashlib.sha256(self.digest + bytes([index % 256, index // 256])).digest()[:16]
        return f"tooluse_{urlsafe_b64encode(mark).decode().rstrip('=')}"

    @property
    def tools(self) -> list[dict[str, Any]]:
        listed = self.body.get("toolConfig", {}).get("tools", [])
        return [tool["toolSpec"] for tool in listed if "toolSpec" in tool]
