"""Refuses documents and images as Bedrock does.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html: documents and images are the user's,
and a document needs a text beside it. https://docs.aws.amazon.com/bedrock/latest/userguide/inference-api-restrictions.html:
five documents in a request, 4.5 MB each, except for some formats of newer models.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html: the characters of names, which
have to differ.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from tests.doubles.bedrock.models import Features

MOST_DOCUMENTS = 5
LARGEST = 4_500_000
NAME = re.compile(r"[A-Za-z0-9()\[\]_-]+(?:\s[A-Za-z0-9()\[\]_-]+)*")
"""Live calls accept underscores, which the page does not list."""


def problems(messages: list[dict[str, Any]], model: Features) -> Iterator[str]:
    documents: list[dict[str, Any]] = []
    for n, message in enumerate(messages):
        kinds = [kind for block in message["content"] for kind in block]
        for kind, supported in (("document", model.documents), ("image", model.images)):
            if kind not in kinds:
                continue
            if not supported:
                yield f"This model doesn't support {kind}s. Remove the {kind} and try again."
            if message["role"] != "user":
                yield f"The {kind} block at messages.{n}.content is only allowed in a message of the user role."
        found = [block["document"] for block in message["content"] if "document" in block]
        if found and "text" not in kinds:
            yield f"A text block must be included with the document at messages.{n}.content."
        documents += found
    yield from _documents(documents, model)


def _documents(documents: list[dict[str, Any]], model: Features) -> Iterator[str]:
    if len(documents) > MOST_DOCUMENTS:
        yield f"The number of documents exceeds the limit of {MOST_DOCUMENTS}. Remove documents and try again."
    names = [document["name"] for document in documents]
    if len(set(names)) < len(names):
        yield "Messages can't contain duplicate document names. Rename the document and retry your request."
    for document in documents:
        if not NAME.fullmatch(document["name"]):
            yield (
                "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, "
                "parentheses, and square brackets. The name can't contain more than one consecutive whitespace "
                "character. Check that the file name conforms to these restrictions and retry your request."
            )
        size = len(b64decode(document["source"].get("bytes", "")))
        if size > LARGEST and document.get("format") not in model.large_documents:
            yield f"The document {document['name']} is larger than 4.5 MB. Use a smaller document and try again."
