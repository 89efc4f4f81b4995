"""A second opinion on a message, from all of its words at once: how likely each ability is meant.

Its weights are learned from labelled texts by `make opinion`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import numpy as np

from agents.planner.language.lexicon import Lexicon
from agents.planner.language.parsing import parse
from agents.planner.language.reading import Reading
from quant.numeric.arrays import Floats

HERE: Final = Path(__file__).with_name("opinion.npz")
COURTESY: Final = frozenset("please kindly hello hi hey thanks thank could would can you".split())
"""Words that change nothing of what is asked."""
ALIKE: Final = frozenset({"function", "estimator", "method", "covariance", "rebalancing", "asset"})
"""Kinds of names of which it matters only that one is there, so that a new row of a table is read as the others."""


def features(reading: Reading, last: str | None, lexicon: Lexicon) -> frozenset[str]:
    """The stems of a message, with kinds in place of numbers, dates and names, and what was done before it."""
    spans = [(item, item.unit or item.kind) for item in reading.spans]
    names = parse(reading, lexicon, lambda meaning: meaning.kind in ALIKE).items
    spans += [(item, item.kind) for item in names if item.kind in ALIKE]
    inside = {n for item, _ in spans for n in range(item.first, item.last)}
    stems = {word.stem for n, word in enumerate(reading.words) if n not in inside and word.text not in COURTESY}
    return frozenset(stems | {f"#{kind}" for _, kind in spans if kind != "frame"} | {f"last {last}"})


@dataclass(frozen=True, eq=False)
class Opinion:
    """A logistic regression on the features."""

    words: tuple[str, ...]
    rarity: Floats
    """Of shape (words,): the inverse document frequency of each."""
    meanings: tuple[str, ...]
    """Tools, and topics of questions about a result."""
    weights: Floats
    """Of shape (words + 1, meanings); the last row is that of the intercepts."""

    @classmethod
    def load(cls, path: Path = HERE) -> Self:
        with np.load(path) as stored:
            words, meanings = ("".join(map(chr, stored[name])).split("\n") for name in ("words", "meanings"))
            return cls(tuple(words), stored["rarity"], tuple(meanings), stored["weights"] * stored["step"])

    @cached_property
    def place(self) -> Mapping[str, int]:
        return {word: n for n, word in enumerate(self.words)}

    def row(self, known: frozenset[str]) -> Floats:
        """The features as a vector of length one."""
        row = np.zeros(len(self.words))
        places = sorted(self.place[word] for word in known if word in self.place)
        row[places] = self.rarity[places]
        return row / (np.linalg.norm(row) or 1.0)

    def of(self, known: frozenset[str]) -> dict[str, float]:
        """How likely each meaning is."""
        scores = self.row(known) @ self.weights[:-1] + self.weights[-1]
        shares = np.exp(scores - scores.max())
        return dict(zip(self.meanings, (shares / shares.sum()).tolist(), strict=True))

    def weight(self, word: str, meaning: str) -> float:
        """How much a word speaks for a meaning; nothing less than an unknown one."""
        known = word in self.place and meaning in self.meanings
        return float(self.weights[self.place[word], self.meanings.index(meaning)]) if known else -np.inf


NONE: Final = Opinion((), np.zeros(0), ("none",), np.zeros((1, 1)))
"""It knows no ability, and so judges none."""
OPINION: Final = Opinion.load()
