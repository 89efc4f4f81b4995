"""Why a request was refused, field by field, with what the OpenAPI document allows there."""

import difflib
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypedDict

from starlette.requests import HTTPConnection

from api.accepted_values import at, in_words, short
from desk.base.errors import reason_and_allowed

Fields = dict[str, Any]
"""A JSON schema of everything that a request may hold: `body`, `query`, `path` and `header`."""

MOST = 100
"""Refusals that are told; a large body may be wrong in a million places."""

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_OBJECTS = ("model_type", "model_attributes_type", "dict_type", "tuple_type", "list_type")


class Refusal(TypedDict):
    field: str
    message: str
    allowed: str | None


def fields_of(request: HTTPConnection) -> Fields:
    """What the OpenAPI document says of the operation that was asked for."""
    document = request.app.openapi()
    path = getattr(request.scope.get("route"), "path_format", "")
    operations = next((known for place, known in document["paths"].items() if place.endswith(path)), {}) if path else {}
    operation = operations.get(request.scope["method"].lower(), {})
    places: dict[str, Any] = {}
    for parameter in operation.get("parameters", ()):
        places.setdefault(parameter["in"], {"properties": {}})["properties"][parameter["name"]] = parameter["schema"]
    bodies = operation.get("requestBody", {}).get("content", {}).values()
    places["body"] = next((body.get("schema", {}) for body in bodies), {})
    return {"$defs": document.get("components", {}).get("schemas", {}), "properties": places}


def refusals(found: Sequence[Any], fields: Fields) -> Iterator[Refusal]:
    """The first of pydantic's errors in words; one that only follows from another is left out."""
    outer = {tuple(one["loc"][:depth]) for one in found for depth in range(len(one["loc"]))}
    told = (one for one in found if not (one["type"] == "too_short" and tuple(one["loc"]) in outer))
    for one in islice(told, MOST):
        yield _refusal(one, fields)


def _refusal(one: Any, fields: Fields) -> Refusal:
    path = [step for step in one["loc"] if not str(step).startswith(("function-", "tagged-"))]
    message, allowed = _words(one, path, fields)
    return Refusal(field=".".join(map(str, path)), message=message, allowed=allowed or None)


def _words(one: Any, path: list[str | int], fields: Fields) -> tuple[str, str]:
    kind, context = one["type"], one.get("ctx") or {}
    if path == ["body"] and isinstance(one.get("input"), bytes):
        return "its content type is not JSON's", "the header Content-Type: application/json"
    if kind == "too_long":
        return f"it holds {context['actual_length'] or 'too many'}", f"at most {context['max_length']}"
    known = _told(at(path, fields))
    if kind == "missing":
        return "it is missing", known or "a value"
    if kind == "extra_forbidden":
        return "there is no such field", _near(str(path[-1]), list(at(path[:-1], fields).get("properties", {})))
    if kind == "value_error":
        return reason_and_allowed(one["msg"])
    if kind == "json_invalid":
        return f"it is no JSON: {context.get('error', one['msg'])}", "JSON"
    refused = f"{short(one.get('input'))} is not allowed"
    if kind in ("literal_error", "enum"):
        return refused, "one of " + re.sub(r"'([^']*)'", r"\1", str(context.get("expected", "")))
    bounds = {_BOUNDS[name]: limit for name, limit in context.items() if name in _BOUNDS}
    if bounds and not known:
        known = in_words({"type": "number", **bounds})
    return refused, (known if kind not in _OBJECTS or known.startswith("an object") else "") or one["msg"]


def _told(node: dict[str, Any]) -> str:
    words = in_words(node) if node else ""
    return "" if words == "see the documentation" else words


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{near[0]} (did you mean it?), or any of {', '.join(known)}" if near else ", ".join(known)
