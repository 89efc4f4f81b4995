"""Scores the guard against invented numbers on texts that were written without knowledge of its parser."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desk.figures.figures import Figure
from desk.figures.guard.numbers import Number, find_unexplained

TEXTS = Path(__file__).with_name("numbers.json")


@dataclass(frozen=True)
class Outcome:
    """The guard's report on one text."""

    text: str
    invented: tuple[str, ...]
    numbers: tuple[Number, ...]

    @property
    def misses(self) -> tuple[str, ...]:
        """The invented numbers of which no part was reported."""
        return tuple(each for each in self.invented if not self._found(each))

    def _found(self, invented: str) -> bool:
        start = self.text.find(invented)
        assert start >= 0, f"{invented!r} is not in {self.text!r}"
        while start >= 0:
            end = start + len(invented)
            if not any(number.start < end and start < number.end for number in self.numbers):
                return False
            start = self.text.find(invented, end)
        return True


def outcome(sample: dict[str, Any]) -> Outcome:
    figures = [Figure(**({"source": "sample"} | figure)) for figure in sample["figures"]]
    numbers = find_unexplained(sample["text"], figures, sample["permitted"])
    return Outcome(sample["text"], tuple(sample["invented"]), numbers)


def samples(kind: str) -> list[dict[str, Any]]:
    return [sample for sample in json.loads(TEXTS.read_text(encoding="utf-8")) if sample["kind"] == kind]


def recall(outcomes: Iterable[Outcome]) -> float:
    """The share of texts in which every invented number was reported."""
    hits = [not each.misses for each in outcomes]
    return sum(hits) / len(hits)


def false_alarms(outcomes: Iterable[Outcome]) -> float:
    """The share of clean texts in which anything was reported."""
    alarms = [bool(each.numbers) for each in outcomes]
    return sum(alarms) / len(alarms)
