"""Stems of words, and edit distances between them."""

from collections.abc import Iterable
from functools import cache
from typing import Final

IRREGULAR: Final = frozenset(
    "apple drops here based earnings news saving savings saved stored puts calls cons used during thing king "
    "bring string spring lots need speed calibrated uncalibrated timing".split()
)
"""Words that would become another word without their ending."""


@cache
def stem(word: str) -> str:
    """The word without common endings."""
    word = word.removesuffix("'s").replace("'", "")
    if word in IRREGULAR:
        return word
    for british, american in (
        ("isation", "ization"),
        ("ising", "izing"),
        ("ised", "ized"),
        ("ise", "ize"),
        ("our", "or"),
    ):
        if word.endswith(british) and len(word) > len(british) + 2:
            word = word.removesuffix(british) + american
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            word = word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls" else word
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def distance(left: str, right: str) -> int:
    """The number of edits of one letter, or swaps of neighbours, between two words."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            best = min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]


def slips(word: str, vocabulary: Iterable[str]) -> set[str]:
    """The words of the vocabulary that `word` probably misspells: two letters swapped, or one or two edits."""
    alike = [k for k in vocabulary if k[0] == word[0] and abs(len(k) - len(word)) <= 2]
    if swapped := {k for k in alike if len(k) == len(word) and sorted(k) == sorted(word) and distance(word, k) == 1}:
        return swapped
    for edits in range(1, 1 + (len(word) >= 5) + (len(word) >= 8)):
        if near := {k for k in alike if len(k) >= 4 and distance(word, k) <= edits}:
            return near
    return {k for k in alike if len(word) == 4 and len(k) == 5 and distance(word, k) == 1}
