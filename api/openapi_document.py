"""The OpenAPI document without a running service: `python -m api.openapi_document`."""

import json
from contextlib import nullcontext
from typing import Any

from api.app import create_app
from api.settings import Settings


def document() -> dict[str, Any]:
    """The document of the default settings, which do not change it."""
    return create_app(Settings(), nullcontext()).openapi()  # pyright: ignore[reportArgumentType]


if __name__ == "__main__":
    print(json.dumps(document(), indent=1))
