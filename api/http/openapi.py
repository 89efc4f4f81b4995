"""The OpenAPI document."""

import threading
from typing import Any

from fastapi import FastAPI


def make_once(app: FastAPI) -> None:
    """A thread makes the document while the server begins, and the first request may want it meanwhile."""
    making, make = threading.Lock(), app.openapi

    def openapi() -> dict[str, Any]:
        with making:
            return make()

    app.openapi = openapi
