"""The OpenAPI document without a running service: `python -m api.openapi_document`.

With `--check` it lists what has no description instead, and fails if there is any.
"""

import json
import sys
from contextlib import nullcontext
from typing import Any

from api.app import create_app
from api.http.openapi import undescribed
from api.settings import Settings


def document() -> dict[str, Any]:
    """The document of the default settings, which do not change it."""
    return create_app(Settings(), nullcontext()).openapi()  # pyright: ignore[reportArgumentType]


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit("\n".join(["no description:", *missing]) if (missing := undescribed(document())) else 0)
    print(json.dumps(document(), indent=1))
