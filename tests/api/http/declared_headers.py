"""Which headers of an answer the OpenAPI document does not declare."""

from collections.abc import Iterable
from typing import Any

from api.http.middleware.security_headers import ALWAYS

OF_EVERY_ANSWER = {
    *("cache-control", "content-encoding", "content-length", "content-type", "date", "server", "transfer-encoding"),
    *("vary", "x-accel-buffering", "x-request-id", *(name.lower() for name in ALWAYS), "content-security-policy"),
}
"""Headers that the document does not repeat for each operation."""


def undeclared_headers(operation: dict[str, Any], status: int, headers: Iterable[str]) -> set[str]:
    declared = operation["responses"].get(str(status), {}).get("headers", {})
    return {name.lower() for name in headers} - OF_EVERY_ANSWER - {name.lower() for name in declared}
