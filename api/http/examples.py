"""The examples of the OpenAPI document: a body and an answer of each operation, recorded from a service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).with_name("examples.json")
"""By operation, such as `GET /api/jobs`, and part: `body` or the status of an answer; `make examples` writes it."""
SCHEMAS = "#/components/schemas/"
_SHOWN = ("application/json", "text/event-stream")
"""Media types that an example makes clearer; a table or a page is for programs that know them."""


def add_examples(document: dict[str, Any]) -> None:
    """Give each body and answer without an example the recorded one."""
    recorded = json.loads(EXAMPLES.read_text())
    for label, part, media in _parts(document):
        example = recorded.get(label, {}).get(part)
        if example is not None and not _has_example(media, document):
            media["example"] = example


def without_example(document: dict[str, Any], recorded: dict[str, Any]) -> list[tuple[str, str]]:
    """The operations and parts that have no example in the document nor a recorded one."""
    return [
        (label, part)
        for label, part, media in _parts(document)
        if part not in recorded.get(label, {}) and not _has_example(media, document)
    ]


def _parts(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each body and answer that can have an example: its operation, `body` or status, and its media type."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            label = f"{method.upper()} {path}"
            contents = [("body", operation.get("requestBody", {}))]
            contents += [(status, answer) for status, answer in operation["responses"].items() if status[0] == "2"]
            for part, content in contents:
                media = content.get("content", {})
                shown = next((media[name] for name in _SHOWN if name in media), None)
                if shown is not None:
                    yield label, part, shown


def _has_example(media: dict[str, Any], document: dict[str, Any]) -> bool:
    schema = media.get("schema", {})
    named = document["components"]["schemas"].get(str(schema.get("$ref", "")).removeprefix(SCHEMAS), {})
    return any(name in node for node in (media, schema, named) for name in ("example", "examples"))
