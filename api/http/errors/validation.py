"""Field errors of a rejected request, with what the OpenAPI document allows for each field."""

import difflib
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypedDict

from starlette.requests import HTTPConnection

from api.accepted_values import describe_schema, schema_at, short_repr
from desk.base.errors import reason_and_allowed

RequestSchema = dict[str, Any]
"""A JSON schema of a request, with the properties `body`, `query`, `path` and `header`."""

MAX_ERRORS = 100
"""Field errors in a response; a large body can have very many."""

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_OBJECTS = ("model_type", "model_attributes_type", "dict_type", "tuple_type", "list_type")


class FieldError(TypedDict):
    field: str
    message: str
    allowed: str | None


def request_schema(request: HTTPConnection) -> RequestSchema:
    """The schema of the requested operation, taken from the OpenAPI document."""
    document = request.app.openapi()
    path = getattr(request.scope.get("route"), "path_format", "")
    operations = next((item for name, item in document["paths"].items() if name.endswith(path)), {}) if path else {}
    operation = operations.get(request.scope["method"].lower(), {})
    places: dict[str, Any] = {}
    for parameter in operation.get("parameters", ()):
        places.setdefault(parameter["in"], {"properties": {}})["properties"][parameter["name"]] = parameter["schema"]
    bodies = operation.get("requestBody", {}).get("content", {}).values()
    places["body"] = next((body.get("schema", {}) for body in bodies), {})
    return {"$defs": document.get("components", {}).get("schemas", {}), "properties": places}


def field_errors(errors: Sequence[Any], schema: RequestSchema) -> Iterator[FieldError]:
    """The first errors of pydantic as texts, without those that only follow from another one."""
    outer = {tuple(error["loc"][:depth]) for error in errors for depth in range(len(error["loc"]))}
    causes = (error for error in errors if not (error["type"] == "too_short" and tuple(error["loc"]) in outer))
    for error in islice(causes, MAX_ERRORS):
        yield _field_error(error, schema)


def _field_error(error: Any, schema: RequestSchema) -> FieldError:
    path = [step for step in error["loc"] if not str(step).startswith(("function-", "tagged-"))]
    message, allowed = _message_and_allowed(error, path, schema)
    return FieldError(field=".".join(map(str, path)), message=message, allowed=allowed or None)


def _message_and_allowed(error: Any, path: list[str | int], schema: RequestSchema) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx") or {}
    if path == ["body"] and isinstance(error.get("input"), bytes):
        return "its content type is not JSON", "the header Content-Type: application/json"
    if kind == "too_long":
        return f"it has {context['actual_length'] or 'too many'} items", f"at most {context['max_length']}"
    documented = _documented(schema_at(path, schema))
    if kind == "missing":
        return "it is missing", documented or "a value"
    if kind == "extra_forbidden":
        return "there is no such field", _suggestion(
            str(path[-1]), list(schema_at(path[:-1], schema).get("properties", {}))
        )
    if kind == "value_error":
        return reason_and_allowed(error["msg"])
    if kind == "json_invalid":
        return f"it is not valid JSON: {context.get('error', error['msg'])}", "JSON"
    message = f"{short_repr(error.get('input'))} is not allowed"
    if kind in ("literal_error", "enum"):
        return message, "one of " + re.sub(r"'([^']*)'", r"\1", str(context.get("expected", "")))
    bounds = {_BOUNDS[name]: limit for name, limit in context.items() if name in _BOUNDS}
    if bounds and not documented:
        documented = describe_schema({"type": "number", **bounds})
    usable = kind not in _OBJECTS or documented.startswith("an object")
    return message, (documented if usable else "") or error["msg"]


def _documented(node: dict[str, Any]) -> str:
    text = describe_schema(node) if node else ""
    return "" if text == "see the documentation" else text


def _suggestion(name: str, fields: list[str]) -> str:
    matches = difflib.get_close_matches(name, fields, n=1)
    return f"{matches[0]} (did you mean it?), or any of {', '.join(fields)}" if matches else ", ".join(fields)
