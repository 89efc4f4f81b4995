"""The OpenAPI document."""

import threading
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from agents.table import AGENTS


def generate_once(app: FastAPI) -> None:
    """Serialize the generation of the document, which a thread starts and the first request may also need."""
    lock, generate = threading.Lock(), app.openapi

    def openapi() -> dict[str, Any]:
        with lock:
            if app.openapi_schema is None:
                document = generate()
                name_generic_types(document)
                name_agents(document)
            return generate()

    app.openapi = openapi


def operation_id(route: APIRoute) -> str:
    """The name of the route's function in camel case: listJobs."""
    first, *others = route.name.split("_")
    return first + "".join(part.capitalize() for part in others)


def name_generic_types(document: dict[str, Any]) -> None:
    """Give the schemas of generic types, such as `Page_Job_`, the names of their types, such as `JobPage`."""
    schemas = document["components"]["schemas"]
    names = {name: schema["title"] for name, schema in schemas.items() if name.endswith("_")}
    for name, title in names.items():
        schemas[title] = schemas.pop(name)
    prefix = "#/components/schemas/"
    for node in _objects(document):
        reference = str(node.get("$ref", "")).removeprefix(prefix)
        if reference in names:
            node["$ref"] = prefix + names[reference]


def name_agents(schema: Any) -> None:
    """List the agents in each schema of an agent's name; the types of `desk` do not know them."""
    for node in _objects(schema):
        if node.get("x-values") == "agents":
            del node["x-values"], node["pattern"]
            node["enum"] = list(AGENTS)


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(node, dict):
        yield node  # pyright: ignore[reportUnknownVariableType]
        node = list(node.values())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(node, list):
        for part in node:  # pyright: ignore[reportUnknownVariableType]
            yield from _objects(part)
