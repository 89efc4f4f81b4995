"""Response headers as the OpenAPI document declares them."""

from typing import Any

HeaderObjects = dict[str, dict[str, Any]]
"""By name; `headers` of a response in the OpenAPI document."""


def location_header(of: str) -> HeaderObjects:
    return {"Location": {"description": f"Path of the {of}", "schema": {"type": "string"}}}


def version_header(description: str) -> HeaderObjects:
    """The ETag of an object with versions."""
    return {"ETag": {"description": description, "schema": {"type": "string", "examples": ['"3"']}}}


TAG_HEADER: HeaderObjects = {"ETag": {"description": "The tag of the content", "schema": {"type": "string"}}}
DIGEST_HEADER: HeaderObjects = {"ETag": {"description": "SHA-256 of the response", "schema": {"type": "string"}}}
FILE_NAME_HEADER: HeaderObjects = {
    "Content-Disposition": {"description": "A name for the file", "schema": {"type": "string"}}
}
COOKIE_HEADER: HeaderObjects = {
    "Set-Cookie": {"description": "An HttpOnly, SameSite=Strict cookie", "schema": {"type": "string"}}
}
RETRY_AFTER_HEADER: HeaderObjects = {
    "Retry-After": {
        "description": "Seconds after which a retry may succeed",
        "schema": {"type": "integer", "minimum": 0},
    }
}
CHALLENGE_HEADER: HeaderObjects = {
    "WWW-Authenticate": {"description": "The scheme of the credentials: Bearer", "schema": {"type": "string"}}
}
