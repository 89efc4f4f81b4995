"""A minute of more requests than are allowed: who asks too much is refused, and nobody else notices."""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from tests.bench.loading import serving_as

pytestmark = pytest.mark.bench

SECONDS, RATE = 60.0, 500
GREEDY, MODEST = 4, 40
"""Users who ask as fast as the rest of the rate lets them, and users who keep to what is allowed."""
JOBS = 20
JOB = {"trials": 10, "scenarios": [{"name": "base_case", "engine": "student_t", "paths": 100, "years": 1}]}


@dataclass
class Counted:
    """What one kind of users was answered."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    latencies: list[float] = field(default_factory=list[float])
    silent: int = 0
    """Refusals that do not say when to come again."""


def test_a_minute_of_load(tmp_path: Path) -> None:
    keys = make_keys(tmp_path, ["greedy", "modest", "reader"])
    print(keys)
