"""Field errors of a rejected request, with what the OpenAPI document allows for each field."""

import difflib
import re
from collections.abc import Iterator, Sequence, Set
from itertools import islice
from typing import Any, TypedDict

from starlette.requests import HTTPConnection

from api.accepted_values import describe_schema, schema_at, short_repr, split_path
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
    for error in islice((error for error in errors if not _follows(error, outer)), MAX_ERRORS):
        yield _field_error(error, schema)


def _follows(error: Any, outer: Set[tuple[Any, ...]]) -> bool:
    """Whether the error goes with another one: of a part, or of a field from which a default is computed."""
    if error["type"] == "default_factory_not_called":
        return True
    return error["type"] == "too_short" and tuple(error["loc"]) in outer


def is_undecoded(error: Any) -> bool:
    """Whether the body was not parsed, because its content type is not JSON."""
    return tuple(error["loc"]) == ("body",) and isinstance(error.get("input"), bytes)


def boolean_errors(value: Any, schema: RequestSchema) -> list[dict[str, Any]]:
    """Errors, as pydantic reports them, of the booleans in a body where the schema has numbers.

    Pydantic would take true as 1.
    """
    return list(_boolean_errors(value, [schema["properties"]["body"]], schema["$defs"], ("body",)))


def _boolean_errors(
    value: Any, nodes: list[dict[str, Any]], definitions: dict[str, Any], path: tuple[str | int, ...]
) -> Iterator[dict[str, Any]]:
    options = list(_options(nodes, definitions))
    if isinstance(value, bool):
        types = {option.get("type") for option in options}
        if types & {"number", "integer"} and "boolean" not in types:
            kind = "float_type" if "number" in types else "int_type"
            yield {"type": kind, "loc": path, "msg": "Input should be a valid number", "input": value}
    elif isinstance(value, dict):
        for name, part in value.items():  # pyright: ignore[reportUnknownVariableType]
            inner = [option["properties"][name] for option in options if name in option.get("properties", ())]
            inner += [
                option["additionalProperties"]
                for option in options
                if not inner and isinstance(option.get("additionalProperties"), dict)
            ]
            yield from _boolean_errors(part, inner, definitions, (*path, name))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for index, part in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            inner = [option["items"] for option in options if isinstance(option.get("items"), dict)]
            yield from _boolean_errors(part, inner, definitions, (*path, index))


def _options(nodes: list[dict[str, Any]], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas without references and unions."""
    for node in nodes:
        schema = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else node
        union = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
        if union:
            yield from _options(union, definitions)
        else:
            yield schema


def _field_error(error: Any, schema: RequestSchema) -> FieldError:
    path = [step for step in error["loc"] if not str(step).startswith(("function-", "tagged-"))]
    message, allowed = _message_and_allowed(error, path, schema)
    if error["type"] == "value_error" and (named := _named_field(message, path, schema)):
        path, message = [*path, *split_path(named)], message.removeprefix(f"{named}: ")
    return FieldError(field=".".join(map(str, path)), message=message, allowed=allowed or None)


def _named_field(message: str, path: list[str | int], schema: RequestSchema) -> str:
    """The field with which the message about a whole object begins, such as `limits.leverage`; empty if none."""
    name = message.partition(" ")[0].rstrip(",:")
    return name if name and schema_at([*path, *split_path(name)], schema) else ""


def _message_and_allowed(error: Any, path: list[str | int], schema: RequestSchema) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx") or {}
    if is_undecoded(error):
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
