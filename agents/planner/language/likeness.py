"""How like a message is to example questions about a result: naive Bayes over stems and pairs of neighbouring ones."""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from agents.planner.language.stems import stem

Examples = Mapping[str, Sequence[Sequence[str]]]
"""The stems of each question, by topic; `tearsheet` has those that the tear sheet of a result answers."""
PRIOR, RARE = 3.0, 0.1
"""Questions added to those of each topic, and occurrences to those of each feature."""


def read_examples() -> Examples:
    text = Path(__file__).with_name("questions.toml").read_text(encoding="utf-8")
    return {
        topic: [stems_of(question) for question in re.split(r"[|\n]", questions) if question]
        for topic, questions in tomllib.loads(text).items()
    }


def stems_of(text: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in re.findall(r"[a-z]+(?:'[a-z]+)?|\d+", text.lower()))


class Likeness:
    """The probability of each topic given the words of a question about a result."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        self._probabilities = cache(self._compare)

    def __getitem__(self, words: tuple[str, ...]) -> Mapping[str, float]:
        return self._probabilities(words)

    @cached_property
    def _counts(self) -> Mapping[str, Counter[str]]:
        return {
            topic: Counter(feature for question in questions for feature in _features(question))
            for topic, questions in self.examples.items()
        }

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(feature for counts in self._counts.values() for feature in counts)

    def _compare(self, words: tuple[str, ...]) -> Mapping[str, float]:
        features = _features(words) & self._known
        if not features:
            return {}
        scores = {
            topic: math.log(len(questions) + PRIOR)
            + sum(
                math.log((self._counts[topic][feature] + RARE) / (len(questions) + 2.0 * RARE))
                for feature in sorted(features)
            )
            for topic, questions in self.examples.items()
        }
        highest = max(scores.values())
        odds = {topic: math.exp(score - highest) for topic, score in scores.items()}
        total = math.fsum(odds.values())
        return {topic: each / total for topic, each in odds.items()}


def _features(words: Sequence[str]) -> set[str]:
    return {*words, *(f"{left} {right}" for left, right in zip(("", *words), words, strict=False))}


EXAMPLES: Final = read_examples()
LIKENESS: Final = Likeness(EXAMPLES)
