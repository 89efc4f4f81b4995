"""What a field of a request may hold, read from the types, and their refusals in words that a person can act on."""

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
        "dividend_yield",
        "cash_rate_after",
    }
)
"""Fields whose percentages are written as fractions."""

_Path = Sequence[str | int]
_NUMBER = re.compile(r"[-+]?[0-9.]{1,30}(?:e[-+]?[0-9]{1,4})?|nan|[-+]?inf", re.IGNORECASE)
_MENTIONED = re.compile(r"\b(?:leverage|[a-z]+(?:[_.][a-z_]+)+)\b")
"""A field's name within a message."""


@cache
def _schema() -> dict[str, Any]:
    return OptimizationRequest.model_json_schema()


def _at(path: _Path) -> dict[str, Any]:
    return at(path, _schema())


def at(path: _Path, schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of the field at `path`; empty when there is no such field."""
    node = _plain(schema, schema)
    for step in path:
        if isinstance(step, int) or "items" in node:
            node = _plain(node.get("items", {}), schema)
        if isinstance(step, str):
            node = _plain(node.get("properties", {}).get(step, {}), schema)
    return node


def _plain(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """`node` without its references and without the choice of null."""
    for options in (node.get("anyOf"), node.get("allOf")):
        if options:
            node = next(option for option in options if option.get("type") != "null")
    if "$ref" in node:
        node = _plain(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    return node


def field(path: str) -> list[str | int]:
    """`scenarios[2].mu` as the steps that lead there."""
    return [int(part) if part.isdigit() else part for part in re.split(r"[.\[\]]+", path) if part]


def allowed(path: _Path) -> str:
    """The range or the choices of the field at `path`."""
    node = _at(path)
    if node.get("type") == "array":
        node = _plain(node.get("items", {}), _schema())
    return in_words(node, unsearchable={"constant"} if path[0] == "space" else ())


def in_words(node: dict[str, Any], *, unsearchable: Collection[str] = ()) -> str:
    """What a plain JSON schema allows."""
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


_FORMATS = {"date": "a day as 2014-12-31", "date-time": "a time as 2014-12-31T16:00:00Z"}


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


def refuse(error: ValidationError, call: Callable[[str], str] = str) -> InvalidInput:
    """One error a person can mend, however many fields are wrong; `call` names a field as its owner typed it."""
    every = error.errors(include_url=False)
    inner = [details["loc"] for details in every]
    found = [
        _explain(details, call)
        for details in every
        if details["type"] != "too_short" or not any(_holds(details["loc"], loc) for loc in inner)
    ]
    first = found[0]
    if len(found) > 1:
        first.args = ("\n".join(dict.fromkeys(str(one) for one in found)),)
    return first


def _holds(loc: _Path, other: _Path) -> bool:
    return len(other) > len(loc) and tuple(other[: len(loc)]) == tuple(loc)


def _explain(details: ErrorDetails, call: Callable[[str], str]) -> InvalidInput:
    path = [step for step in details["loc"] if not str(step).startswith(("function-", "tagged-"))]
    dotted = _dotted(path)
    value, kind = details["input"], details["type"]
    if kind == "value_error":
        reason, rest = reason_and_allowed(details["msg"])
        reason, rest = (_MENTIONED.sub(lambda m: _said(m[0], path, call), text) for text in (reason, rest))
        mended = InvalidInput(call(dotted) or "request", short(value), reason=reason, allowed=rest or "what it needs")
        if "--" in reason or not dotted:
            mended.args = (str(mended).partition(": ")[2],)
        return mended
    if kind == "extra_forbidden":
        names = list(_at(path[:-1]).get("properties", {}))
        near = difflib.get_close_matches(str(path[-1]), names, n=1)
        hint = f"{near[0]} (did you mean it?), or any of {', '.join(names)}" if near else ", ".join(names)
        return InvalidInput(call(dotted), short(value), reason="there is no such field", allowed=hint)
    if kind == "missing":
        return InvalidInput(call(dotted), None, reason="it is missing", allowed=allowed(path))
    if kind == "too_long":
        context = details.get("ctx", {})
        holds = f"it holds {context.get('actual_length') or 'too many'}"
        return InvalidInput(call(dotted), short(value), reason=holds, allowed=f"at most {context.get('max_length')}")
    if kind == "too_short":
        return InvalidInput(call(dotted), short(value), reason="it is empty", allowed="at least one")
    if kind in ("model_type", "model_attributes_type", "tuple_type", "dict_type"):
        wanted = allowed(path) if path else "an object with " + ", ".join(_schema()["properties"])
        return InvalidInput(call(dotted) or "request", short(value), reason=_is_not(value), allowed=wanted)
    return InvalidInput(
        call(dotted),
        short(value),
        reason=_is_not(value),
        allowed=allowed(path) + hint_of(dotted, value),
    )


def _said(word: str, path: _Path, call: Callable[[str], str]) -> str:
    """A field that a message mentions, as its owner typed it."""
    for candidate in (word, _dotted([*path, word])):
        if (name := call(candidate)) != candidate:
            return name
    return word


def hint_of(dotted: str, value: object) -> str:
    """How a percentage is written, where one seems to have been meant."""
    try:
        number = float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        return ""
    meant = dotted.partition("[")[0] in FRACTIONS and 1.0 < number <= 100.0
    return f" (a fraction: {number:g}% is written {number / 100:g})" if meant else ""


def _dotted(path: _Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _is_not(value: object) -> str:
    return f"{short(value)} is not allowed"


def short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return value
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."
