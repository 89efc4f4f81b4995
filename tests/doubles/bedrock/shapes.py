"""Validates a request against botocore's model of the service."""

import re
import sys
from base64 import b64decode
from binascii import Error
from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby
from typing import Any
from unicodedata import category

import botocore.session
from botocore.model import StructureShape

Shape = Any
"""A shape of botocore, whose cached properties have no types."""

KINDS: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}


class WrongType(ValueError):
    """The body cannot be parsed as the shape."""


@cache
def input_shape(operation: str) -> StructureShape:
    service = botocore.session.Session().get_service_model("bedrock-runtime")
    shape = service.operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)
    return shape


def violations(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Yield each violated constraint as a sentence; raises for a wrong type."""
    kind: str = shape.type_name
    if kind == "structure" and shape.is_document_type:
        return
    fits = isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if not fits:
        raise WrongType(f"{type(value).__name__} at '{path}' can not be converted to a {kind}")
    yield from CHECKS.get(kind, _number)(value, shape, path)


def _list(value: list[Any], shape: Shape, path: str) -> Iterator[str]:
    yield from _limits(len(value), shape, value, path, "have length")
    for n, item in enumerate(value, start=1):
        yield from violations(item, shape.member, f"{path}.{n}.member")


def _map(value: dict[str, Any], shape: Shape, path: str) -> Iterator[str]:
    yield from _limits(len(value), shape, value, path, "have length")
    for key, item in value.items():
        yield from violations(key, shape.key, f"{path}.key")
        yield from violations(item, shape.value, f"{path}.{key}.member")


def _structure(value: dict[str, Any], shape: Shape, path: str) -> Iterator[str]:
    members = shape.members
    for name in sorted(value.keys() - members.keys()):
        yield f"Value at '{_join(path, name)}' failed to satisfy constraint: Member must be one of {sorted(members)}"
    for name in shape.required_members:
        if name not in value:
            yield f"Value at '{_join(path, name)}' failed to satisfy constraint: Member must not be null"
    if shape.is_tagged_union and len(value) != 1:
        yield f"Value at '{path}' failed to satisfy constraint: Member must have exactly one of {sorted(members)}"
    for name, item in value.items():
        if name in members:
            yield from violations(item, members[name], _join(path, name))


def _string(value: str, shape: Shape, path: str) -> Iterator[str]:
    limits: dict[str, Any] = shape.metadata
    yield from _limits(len(value), shape, value, path, "have length")
    if "pattern" in limits and not expression(limits["pattern"]).fullmatch(value):
        yield _broken(value, path, f"satisfy regular expression pattern: {limits['pattern']}")
    if "enum" in limits and value not in limits["enum"]:
        yield _broken(value, path, f"satisfy enum value set: [{', '.join(limits['enum'])}]")


@cache
def expression(pattern: str) -> re.Pattern[str]:
    """A Java pattern in Python's syntax: Unicode classes and surrogate pairs are translated."""
    translated = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    return re.compile(re.sub(r"\\p\{(\w+)\}", lambda found: _classes()[found[1]], translated))


@cache
def _classes() -> dict[str, str]:
    """The characters of `L`, `N`, ... as ranges for the inside of square brackets."""
    ranges = {"Alnum": "a-zA-Z0-9"}
    for kind, codes in groupby(range(sys.maxunicode + 1), lambda code: category(chr(code))[0]):
        run = list(codes)
        ranges[kind] = ranges.get(kind, "") + f"\\U{run[0]:08x}-\\U{run[-1]:08x}"
    return ranges


def _blob(value: str, shape: Shape, path: str) -> Iterator[str]:
    yield from _limits(len(_decoded(value, path)), shape, value, path, "have length")


def _number(value: float, shape: Shape, path: str) -> Iterator[str]:
    """Check the limits of a number; booleans have none."""
    yield from _limits(value, shape, value, path, "have value")


def _limits(measure: float, shape: Shape, value: Any, path: str, what: str) -> Iterator[str]:
    limits: dict[str, Any] = shape.metadata
    if "min" in limits and measure < limits["min"]:
        yield _broken(value, path, f"{what} greater than or equal to {limits['min']}")
    if "max" in limits and measure > limits["max"]:
        yield _broken(value, path, f"{what} less than or equal to {limits['max']}")


def _decoded(value: str, path: str) -> bytes:
    try:
        return b64decode(value, validate=True)
    except Error as error:
        raise WrongType(f"the text at '{path}' is no base64: {error}") from error


def _broken(value: Any, path: str, constraint: str) -> str:
    prefix = f"Value '{value}' at" if isinstance(value, str | int | float) else "Value at"
    return f"{prefix} '{path}' failed to satisfy constraint: Member must {constraint}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


CHECKS: dict[str, Callable[[Any, Shape, str], Iterator[str]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "blob": _blob,
}
