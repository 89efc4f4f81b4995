"""Type checks of arguments: a public function rejects an argument of another type than declared, by its name.

A function keeps the checks that need its subject (ranges, shapes, finiteness); what Python leaves open, text for a
number, a fraction of a session, an object for an array, is settled here from the annotations.
"""

import functools
import inspect
import numbers
import types
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, cast, get_args, get_origin

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant.numeric.arrays import Dates, Floats
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Check = Callable[[Any, str], Any]
_ARRAY_LIKE = frozenset(get_args(ArrayLike))
_WHOLE = 2**63
_LARGEST = 1e140
_FLOAT64 = np.dtype(np.float64)


def checked_arguments(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate `function` so that arguments of other types than it declares raise a DataError.

    Arrays reach it as numbers, dates (parameters whose name ends with `dates`) as days; whole and real numbers, text,
    instances, functions and sequences of these are passed on unchanged.

    Raises
    ------
    DataError
        By the decorated function: names the parameter, the value and the accepted types.

    Examples
    --------
    >>> @checked_arguments
    ... def mean_of(values: ArrayLike, count: int) -> float:
    ...     return float(np.sum(values)) / count
    >>> mean_of([1.0, 2.0], 2.5)
    Traceback (most recent call last):
        ...
    quant.numeric.errors.DataError: `count` must be a whole number; got 2.5
    """
    checks: dict[str, _Check] = {}
    places: list[tuple[str, _Check | None]] = []
    for name, parameter in inspect.signature(function).parameters.items():
        check = _check(parameter.annotation, name)
        if check is not None:
            checks[name] = check
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            places.append((name, check))

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        arguments = [
            check(value, name) if check is not None else value
            for value, (name, check) in zip(args, places, strict=False)
        ]
        for name, value in kwargs.items():
            check = checks.get(name)
            if check is not None:
                kwargs[name] = check(value, name)
        return cast("Any", function)(*arguments, *args[len(arguments) :], **kwargs)

    return cast("Callable[_P, _R]", checked)


def check_fields(record: Any) -> None:
    """Raise a DataError for fields of a dataclass of other types than declared; called from its `__post_init__`.

    Raises
    ------
    DataError
        As `checked_arguments`.
    """
    for name, check in _field_checks(cast("type[Any]", type(record))):
        check(getattr(record, name), name)


@functools.cache
def _field_checks(record: type[Any]) -> tuple[tuple[str, _Check], ...]:
    checks = ((name, _check(kind, name)) for name, kind in inspect.get_annotations(record).items())
    return tuple((name, check) for name, check in checks if check is not None)


def floats(values: Any, name: str) -> Floats:
    """`values` as numbers, not yet known to be finite; an array of float64 is not copied.

    Raises
    ------
    DataError
        If they are text, dates, complex, objects or rows of different lengths.

    Examples
    --------
    >>> floats([[0.01, "n/a"]], "returns")
    Traceback (most recent call last):
        ...
    quant.numeric.errors.DataError: `returns` must be numbers; row 0, column 1 is 'n/a'
    """
    return _unconverted(values, name).astype(np.float64, copy=False)


def _unconverted(values: Any, name: str) -> NDArray[Any]:
    """`values` as an array: numbers and flags as they are, objects as float64."""
    if type(values) is np.ndarray and values.dtype is _FLOAT64:
        return values
    try:
        array: NDArray[Any] = np.asarray(values)
    except (TypeError, ValueError):
        raise DataError(f"`{name}` must be numbers in rows of one length") from None
    if array.dtype.kind in "fiub":
        return array
    if array.dtype.kind != "O":
        raise DataError(f"`{name}` must be numbers; {_first_non_number(array)}")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"`{name}` must be numbers; {_first_non_number(array)}") from None


def refuse_overflow(values: Floats, name: str) -> None:
    """Raise a DataError for finite numbers whose squares overflow.

    Raises
    ------
    DataError
        States the position of the largest and the limit.
    """
    if values.size and not max(values.max(), -values.min()) < _LARGEST:
        place = np.unravel_index(int(np.abs(values).argmax()), values.shape)
        where = ", ".join(f"{axis} {i}" for axis, i in zip(("row", "column"), place, strict=False))
        raise DataError(f"`{name}` must be below {_LARGEST:g} in size; {where} is {values[place]:g}")


def _first_non_number(array: NDArray[Any]) -> str:
    """Position and value of the first entry that is not a number."""
    for place in np.ndindex(array.shape):
        value = array[place]
        if isinstance(value, numbers.Real) or (isinstance(value, str) and _is_number(value)):
            continue
        if not place:
            return f"got {_shown(value)}"
        where = f"row {place[0]}" + (f", column {place[1]}" if len(place) > 1 else "")
        return f"{where} is {_shown(value)}"
    return f"got {array.dtype} of shape {array.shape}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shown(value: Any) -> str:
    plain = cast("Any", value).item() if isinstance(value, np.number | np.str_) else value
    text = repr(plain)
    return text if len(text) <= 60 else text[:57] + "..."


def _days(values: Any, name: str) -> Dates:
    allowed = "days, as datetime64, date or ISO text"
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "MOU":
            raise DataError(f"`{name}` must be {allowed}; got {array.dtype} of shape {array.shape}")
        return array.astype("datetime64[D]")
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"`{name}` must be {allowed}; got {_shown(values)}") from None


def _real(value: Any, name: str) -> Any:
    if type(value) is float:
        return value
    if not isinstance(value, numbers.Real) or isinstance(value, bool | np.bool):
        raise DataError(f"`{name}` must be a number; got {_shown(value)}")
    try:
        return float(value) if isinstance(value, int) and int(value).bit_length() > 63 else value
    except OverflowError:
        raise DataError(f"`{name}` must be a number below 1e308; got {_shown(value)}") from None


def _whole(value: Any, name: str) -> Any:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool | np.bool):
        raise DataError(f"`{name}` must be a whole number; got {_shown(value)}")
    if not -_WHOLE <= int(value) < 2 * _WHOLE:
        raise DataError(f"`{name}` must be a whole number of 64 bits; got {_shown(value)}")
    return value


def _flag(value: Any, name: str) -> Any:
    if isinstance(value, bool | np.bool):
        return bool(cast("Any", value))
    raise DataError(f"`{name}` must be True or False; got {_shown(value)}")


def _flags(values: Any, name: str) -> Any:
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind != "b":
        raise DataError(f"`{name}` must be True or False throughout; got {array.dtype} of shape {array.shape}")
    return array


def _callable(value: Any, name: str) -> Any:
    if not callable(value):
        raise DataError(f"`{name}` must be a function; got {_shown(value)}")
    return value


def _text(value: Any, name: str) -> Any:
    if not isinstance(value, str):
        raise DataError(f"`{name}` must be text; got {_shown(value)}")
    return value


def _word(words: tuple[Any, ...]) -> _Check | None:
    """Checks only that a literal is a string, or an integer; the function checks its value with its own message."""
    if all(isinstance(word, str) for word in words):
        return _text
    return _whole if all(isinstance(word, int) for word in words) else None


def _instance(kind: type[Any]) -> _Check:
    def check(value: Any, name: str) -> Any:
        if not isinstance(value, kind):
            raise DataError(f"`{name}` must be of type {kind.__name__}; got {_shown(value)}")
        return value

    return check


def _sequence(member: _Check | None) -> _Check:
    def check(value: Any, name: str) -> Any:
        if isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray):
            raise DataError(f"`{name}` must be a sequence; got {_shown(value)}")
        members = cast("Sequence[Any]", value)
        for i in range(len(members) if member is not None else 0):
            cast("_Check", member)(members[i], f"{name}[{i}]")
        return members

    return check


def _optional(check: _Check) -> _Check:
    return lambda value, name: None if value is None else check(value, name)


def _check_integers(check: _Check) -> _Check:
    """Raise a DataError if the conversion changes an integer."""

    def checked(value: Any, name: str) -> Any:
        check(value, name)
        return value

    return checked


def _numbers(value: Any, name: str) -> Any:
    return value if isinstance(value, Returns) else _unconverted(value, name)


def _only_numbers(value: Any, name: str) -> Any:
    return _unconverted(value.values if isinstance(value, Returns) else value, name)


def _only_floats(value: Any, name: str) -> Any:
    return floats(value.values if isinstance(value, Returns) else value, name)


_SCALARS: dict[Any, _Check] = {float: _real, int: _whole, bool: _flag, str: _text}


def _check(annotation: Any, name: str) -> _Check | None:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _check(members[0], name)
    if origin in (Union, types.UnionType):
        return _check_of_union(members, name)
    if origin is Literal:
        return _word(members)
    if origin is np.ndarray:
        return {np.float64: _only_floats, np.bool: _flags}.get(get_args(members[1])[0])
    if origin is Callable or annotation is Callable:
        return _callable
    if origin in (tuple, Sequence):
        return _sequence(_check(members[0], name) if members else None)
    if origin is None and isinstance(annotation, type) and annotation.__module__.startswith("quant."):
        return _instance(cast("type[Any]", annotation)) if not getattr(annotation, "_is_protocol", False) else _callable
    return None


def _check_of_union(members: tuple[Any, ...], name: str) -> _Check | None:
    if set(members) >= _ARRAY_LIKE:
        if name.endswith("dates"):
            check: _Check | None = _days
        else:
            check = _numbers if Returns in members else _only_numbers
            if {int, float} & set(members):
                check = _check_integers(check)
    else:
        others = [m for m in members if m is not types.NoneType]
        check = _check(others[0], name) if len(others) == 1 else None
    return _optional(check) if check is not None and types.NoneType in members else check
