"""Documents as JSON text; a document that would not read back equal is refused."""

import json
from typing import Any, TypeAlias

from store.errors import Corrupted, Invalid

Document: TypeAlias = dict[str, Any]


def encode(field: str, document: Document) -> str:
    """The document as JSON in ASCII, which can also represent the lone surrogates that a model may write."""
    try:
        text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"{field} is not JSON: {error}; {_ALLOWED}") from error
    # json.dumps turns tuples into lists and number keys into text without an error
    if json.loads(text) != document:
        raise Invalid(f"{field} would read back changed; {_ALLOWED}")
    return text


def decode(text: str | bytes) -> Document:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Corrupted(f"a stored document is not JSON: {error}") from error


_ALLOWED = (
    "allowed are dicts with text keys, lists, text, finite numbers, true, false and null, less than 900 levels deep"
)
