"""The accepted values of a request's fields, read from its JSON schema, and errors that name them."""

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.optimization.request import OptimizationRequest

FRACTIONS = frozenset(
    {
        "mandate.target_volatility",
        "mandate.min_weight",
        "mandate.max_weight",
        "mandate.max_change",
        "mandate.expected_premium",
        "space.no_trade_band",
        "limits.max_drawdown.bound",
        "limits.value_at_risk.bound",
        "limits.expected_shortfall.bound",
        "limits.volatility_error.bound",
        "dividend_yield",
        "cash_rate_after",
    }
)
"""Fields that hold a fraction, for which people type percentages."""

_Path = Sequence[str | int]
_NUMBER = re.compile(r"[-+]?[0-9.]{1,30}(?:e[-+]?[0-9]{1,4})?|nan|[-+]?inf", re.IGNORECASE)
_FIELD_NAME = re.compile(r"\b(?:leverage|[a-z]+(?:[_.][a-z_]+)+)\b")
"""The name of a field in a message."""


@cache
def _schema() -> dict[str, Any]:
    return OptimizationRequest.model_json_schema()


def _request_schema_at(path: _Path) -> dict[str, Any]:
    return schema_at(path, _schema())


def schema_at(path: _Path, schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of the field at `path`; empty if the field does not exist."""
    node = _resolve(schema, schema)
    for step in path:
        if isinstance(step, int) or "items" in node:
            node = _resolve(node.get("items", {}), schema)
        if isinstance(step, str):
            node = _resolve(node.get("properties", {}).get(step, {}), schema)
    return node


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without references and without null."""
    for options in (node.get("anyOf"), node.get("allOf")):
        if options:
            node = next(option for option in options if option.get("type") != "null")
    if "$ref" in node:
        node = _resolve(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    return node


def split_path(path: str) -> list[str | int]:
    """The steps of a path such as `scenarios[2].mu`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"[.\[\]]+", path) if part]


def accepted_values(path: _Path) -> str:
    """The range or the choices of the request's field at `path`."""
    node = _request_schema_at(path)
    if node.get("type") == "array":
        node = _resolve(node.get("items", {}), _schema())
    return describe_schema(node, unsearchable={"constant"} if path[0] == "space" else ())


def describe_schema(node: dict[str, Any], *, unsearchable: Collection[str] = ()) -> str:
    """The values that a resolved JSON schema accepts, as text."""
    if "enum" in node:
        return "one of " + ", ".join(str(choice) for choice in node["enum"] if choice not in unsearchable)
    if "const" in node:
        return repr(node["const"])
    match node.get("type"):
        case "integer":
            return ("a whole number, " + _range(node)).rstrip(", ")
        case "number":
            return _range(node) or "a finite number"
        case "boolean":
            return "true or false"
        case "string":
            return _length(node)
        case "object":
            return "an object with " + ", ".join(node.get("properties", {}))
        case _:
            return "see the documentation"


_FORMATS = {"date": "a day such as 2014-12-31", "date-time": "a time such as 2014-12-31T16:00:00Z"}


def _length(node: dict[str, Any]) -> str:
    if node.get("format") in _FORMATS:
        return _FORMATS[node["format"]]
    if "pattern" in node:
        return f"text like {node['pattern']}"
    least, most = node.get("minLength", 0), node.get("maxLength")
    if most is None:
        return f"text of at least {least} characters" if least else "text"
    return f"text of {least} to {most} characters"


def _range(node: dict[str, Any]) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{low:g} to {_large(high)}"
    if low is not None and below is not None:
        return f"{low:g} to below {_large(below)}"
    bounds = (
        ("above", None if above is None else f"{above:g}"),
        ("at least", None if low is None else f"{low:g}"),
        ("at most", None if high is None else _large(high)),
        ("below", None if below is None else _large(below)),
    )
    return ", ".join(f"{word} {bound}" for word, bound in bounds if bound is not None)


def _large(value: float) -> str:
    return f"{value:g}" if value < 1e6 else f"{value:,.0f}"


def input_error(error: ValidationError, name_of: Callable[[str], str] = str) -> InvalidInput:
    """One error for all invalid fields; `name_of` maps the path of a field to the name that the user typed."""
    errors = input_errors(error, name_of)
    first = errors[0]
    if len(errors) > 1:
        first.args = ("\n".join(dict.fromkeys(map(str, errors))),)
    return first


def input_errors(error: ValidationError, name_of: Callable[[str], str] = str) -> list[InvalidInput]:
    """An error for each invalid field, without those that only follow from another one."""
    failures = [d for d in error.errors(include_url=False) if d["type"] != "default_factory_not_called"]
    paths = [details["loc"] for details in failures]
    return [
        _explain(details, name_of)
        for details in failures
        if details["type"] != "too_short" or not any(_contains(details["loc"], path) for path in paths)
    ]


def _contains(path: _Path, other: _Path) -> bool:
    return len(other) > len(path) and tuple(other[: len(path)]) == tuple(path)


def _explain(details: ErrorDetails, name_of: Callable[[str], str]) -> InvalidInput:
    path = [step for step in details["loc"] if not str(step).startswith(("function-", "tagged-"))]
    dotted = _dotted(path)
    value, kind = details["input"], details["type"]
    if kind == "value_error":
        reason, rest = reason_and_allowed(details["msg"])
        reason, rest = (_FIELD_NAME.sub(lambda m: _as_typed(m[0], path, name_of), text) for text in (reason, rest))
        invalid = InvalidInput(
            name_of(dotted) or "request", short_repr(value), reason=reason, allowed=rest or "a valid value"
        )
        if "--" in reason or not dotted:
            invalid.args = (str(invalid).partition(": ")[2],)
        return invalid
    if kind == "extra_forbidden":
        names = list(_request_schema_at(path[:-1]).get("properties", {}))
        near = difflib.get_close_matches(str(path[-1]), names, n=1)
        hint = f"{near[0]} (did you mean it?), or any of {', '.join(names)}" if near else ", ".join(names)
        return InvalidInput(name_of(dotted), short_repr(value), reason="there is no such field", allowed=hint)
    if kind == "missing":
        return InvalidInput(name_of(dotted), None, reason="it is missing", allowed=accepted_values(path))
    if kind == "too_long":
        context = details.get("ctx", {})
        reason = f"it has {context.get('actual_length') or 'too many'}"
        return InvalidInput(
            name_of(dotted), short_repr(value), reason=reason, allowed=f"at most {context.get('max_length')}"
        )
    if kind == "too_short":
        return InvalidInput(name_of(dotted), short_repr(value), reason="it is empty", allowed="at least one")
    if kind in ("model_type", "model_attributes_type", "tuple_type", "dict_type"):
        expected = accepted_values(path) if path else "an object with " + ", ".join(_schema()["properties"])
        return InvalidInput(name_of(dotted) or "request", short_repr(value), reason=_is_not(value), allowed=expected)
    return InvalidInput(
        name_of(dotted),
        short_repr(value),
        reason=_is_not(value),
        allowed=accepted_values(path) + _percentage_hint(dotted, value),
    )


def _as_typed(word: str, path: _Path, name_of: Callable[[str], str]) -> str:
    """A field that a message mentions, as the user typed it."""
    for candidate in (word, _dotted([*path, word])):
        if (name := name_of(candidate)) != candidate:
            return name
    return word


def _percentage_hint(dotted: str, value: object) -> str:
    """How to write a percentage, if the value looks like one."""
    try:
        number = float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        return ""
    is_percentage = dotted.partition("[")[0] in FRACTIONS and 1.0 < number <= 100.0
    return f" (a fraction: {number:g}% is written {number / 100:g})" if is_percentage else ""


def _dotted(path: _Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _is_not(value: object) -> str:
    return f"{short_repr(value)} is not allowed"


def short_repr(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return value
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."
