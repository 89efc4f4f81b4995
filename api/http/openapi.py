"""The OpenAPI document."""

import json
import threading
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from agents.table import AGENTS
from api.http.descriptions import describe_properties, object_text
from api.http.examples import SCHEMAS, add_examples
from api.http.identity.sessions import CSRF_HEADER
from desk.governance.approval_requests import REQUIRED_PERMISSION
from desk.governance.roles import Permission

UNDESCRIBED_ANSWER = "Successful Response"
STATUS = {
    "201": "It is created",
    "202": "It is accepted, and continues in the background",
    "204": "It is done; there is no body",
}
"""Meanings of the statuses of success; 200 means what the body holds."""
LONGEST_DEFAULT = 60
"""Characters of a default in a description; longer ones are in the catalogue."""
PERMISSIONS_FIELD = "x-permissions"
"""Extension of an operation: the permissions of which one is needed; absent where no sign-in is needed."""


def generate_once(app: FastAPI) -> None:
    """Serialize the generation of the document, which a thread starts and the first request may also need."""
    lock, generate = threading.Lock(), app.openapi

    def openapi() -> dict[str, Any]:
        with lock:
            if app.openapi_schema is None:
                document = generate()
                name_generic_types(document)
                name_agents(document)
                describe_properties(document, app)
                describe_defaults(document)
                describe_answers(document)
                require_csrf_token(document)
                add_examples(document)
            return generate()

    app.openapi = openapi


def describe_defaults(document: dict[str, Any]) -> None:
    """Move the defaults of request fields into their descriptions.

    Generators of clients make a field with a default required, because they read schemas as those of responses.
    """
    schemas = document["components"]["schemas"]
    bodies = [
        operation.get("requestBody", {}) for methods in document["paths"].values() for operation in methods.values()
    ]
    for name in _reachable(bodies, schemas):
        for node in schemas[name].get("properties", {}).values():
            if "default" in node:
                text = json.dumps(node.pop("default"))
                if len(text) <= LONGEST_DEFAULT:
                    node["description"] = f"{node['description'].rstrip('.')}. Default: {text}"


def describe_answers(document: dict[str, Any]) -> None:
    """Replace FastAPI's "Successful Response" by what the status means and what the answer holds."""
    schemas = document["components"]["schemas"]
    for methods in document["paths"].values():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if answer["description"] == UNDESCRIBED_ANSWER:
                    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
                    holds = object_text(schema, schemas) or (operation["summary"] if method == "get" else "It is done")
                    answer["description"] = STATUS.get(status) or holds


def require_csrf_token(document: dict[str, Any]) -> None:
    """Require the header of sessions, beside their cookie, for requests that change something."""
    document["components"]["securitySchemes"]["csrf"] = {
        "type": "apiKey",
        "in": "header",
        "name": CSRF_HEADER,
        "description": "`csrf_token` of POST or GET /api/session",
    }
    for methods in document["paths"].values():
        for method, operation in methods.items():
            if method != "get" and "security" in operation:
                operation["security"] = [
                    each | {"csrf": []} if "session" in each else each for each in operation["security"]
                ]


def _reachable(nodes: Any, schemas: dict[str, Any]) -> set[str]:
    """The names of all schemas that the nodes refer to, directly or not."""
    names, todo = set[str](), [nodes]
    while todo:
        for node in _objects(todo.pop()):
            name = str(node.get("$ref", "")).removeprefix(SCHEMAS)
            if name in schemas and name not in names:
                names.add(name)
                todo.append(schemas[name])
    return names


def undescribed(document: dict[str, Any]) -> list[str]:
    """The operations, parameters and properties that have no description."""
    missing: list[str] = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            label = f"{method.upper()} {path}"
            if not (operation.get("summary") and operation.get("description")):
                missing.append(label)
            missing += [f"{label} {each['name']}" for each in operation.get("parameters", ()) if not _has_text(each)]
    for name, schema in document["components"]["schemas"].items():
        missing += [f"{name}.{field}" for field, node in schema.get("properties", {}).items() if not _has_text(node)]
    return missing


def _has_text(node: dict[str, Any]) -> bool:
    return bool(node.get("description") or node.get("schema", {}).get("description"))


def operation_id(route: APIRoute) -> str:
    """The name of the route's function in camel case: listJobs."""
    first, *others = route.name.split("_")
    return first + "".join(part.capitalize() for part in others)


def state_permissions(router: APIRouter, permissions: tuple[()] | tuple[Permission, Permission] | None) -> None:
    """Name the permissions of each operation in the document, of which one is needed; None for those of decisions."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            if permissions is None:
                needed = sorted(REQUIRED_PERMISSION.values())
            else:
                needed = [permissions["GET" not in (route.methods or ())]] if permissions else []
            route.openapi_extra = (route.openapi_extra or {}) | {PERMISSIONS_FIELD: needed}
        elif included := getattr(route, "original_router", None):  # FastAPI keeps a router within a router whole
            state_permissions(included, permissions)


def name_generic_types(document: dict[str, Any]) -> None:
    """Give the schemas of generic types, such as `Page_Job_`, the names of their types, such as `JobPage`."""
    schemas = document["components"]["schemas"]
    names = {name: schema["title"] for name, schema in schemas.items() if name.endswith("_")}
    for name, title in names.items():
        schemas[title] = schemas.pop(name)
    for node in _objects(document):
        reference = str(node.get("$ref", "")).removeprefix(SCHEMAS)
        if reference in names:
            node["$ref"] = SCHEMAS + names[reference]


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
