"""Variants of one test: a few of them in `make test`, all of them in `make soak`."""

from collections.abc import Iterable
from typing import Any

import pytest


def a_few(cases: Iterable[str], *always: str) -> list[Any]:
    """The cases; all except `always` are marked as soak."""
    names = list(cases)
    missing = set(always) - set(names)
    assert not missing, missing
    return [case if case in always else pytest.param(case, marks=pytest.mark.soak) for case in names]
