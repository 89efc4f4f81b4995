"""Variants of one test: a few of them in `make test`, all of them in `make soak`."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def a_few(cases: Iterable[str], *always: str) -> list[Any]:
    """The cases; all except `always` are marked as soak."""
    names = list(cases)
    missing = set(always) - set(names)
    assert not missing, missing
    return [case if case in always else pytest.param(case, marks=pytest.mark.soak) for case in names]


def covering(first: Sequence[Any], second: Sequence[Any], each: int = 2) -> list[Any]:
    """All pairs; all except `each` of every case of `second`, which take turns through `first`, are marked as soak."""
    return [
        pytest.param(a, b, marks=() if (m - each * n) % len(first) < each else pytest.mark.soak)
        for m, a in enumerate(first)
        for n, b in enumerate(second)
    ]


def sizes(few: int, many: int) -> list[Any]:
    """The size of a sample in `make test`, and the one in `make soak`."""
    return [few, pytest.param(many, marks=pytest.mark.soak)]
