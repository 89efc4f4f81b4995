"""The OpenAPI document."""

import threading
from typing import Any

from fastapi import FastAPI


def generate_once(app: FastAPI) -> None:
    """Serialize the generation of the document, which a thread starts and the first request may also need."""
    lock, generate = threading.Lock(), app.openapi

    def openapi() -> dict[str, Any]:
        with lock:
            return generate()

    app.openapi = openapi
