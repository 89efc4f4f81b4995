"""Variants of one test: a few of them in `make test`, all of them in `make soak`."""

from collections.abc import Iterable
from typing import Any

import pytest


def a_few(cases: Iterable[str], *kept: str) -> list[Any]:
    """The cases, those that are not `kept` marked as soak."""
    named = list(cases)
    missing = set(kept) - set(named)
    assert not missing, missing
    return [case if case in kept else pytest.param(case, marks=pytest.mark.soak) for case in named]
