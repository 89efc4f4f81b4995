"""The OpenAPI document."""

import threading
from typing import Any

from fastapi import FastAPI

from agents.table import AGENTS


def generate_once(app: FastAPI) -> None:
    """Serialize the generation of the document, which a thread starts and the first request may also need."""
    lock, generate = threading.Lock(), app.openapi

    def openapi() -> dict[str, Any]:
        with lock:
            if app.openapi_schema is None:
                name_agents(generate())
            return generate()

    app.openapi = openapi


def name_agents(schema: Any) -> None:
    """List the agents in each schema of an agent's name; the types of `desk` do not know them."""
    if isinstance(schema, dict):
        if schema.get("x-values") == "agents":
            del schema["x-values"], schema["pattern"]
            schema["enum"] = list(AGENTS)
        schema = list(schema.values())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(schema, list):
        for part in schema:  # pyright: ignore[reportUnknownVariableType]
            name_agents(part)
