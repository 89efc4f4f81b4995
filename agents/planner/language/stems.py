"""Stems of English words, and the correction of typing errors of one edit."""

import re
from collections.abc import Collection
from functools import cache
from typing import Final

from rapidfuzz.distance import OSA

IRREGULAR: Final = frozenset(
    "apple based earnings news saving savings during thing king bring string spring need speed calibrated "
    "uncalibrated timing less us es bps gas vs pass does was is his this its ges note notes bearing bearer".split()
)
"""Words that would become another word without their ending."""
SHORTEST: Final = 5
"""Letters of the shortest word in which a slip is corrected."""


def skeleton(word: str) -> str:
    """The word without vowels after its first letter and without double letters, as in "wkly"."""
    return re.sub(r"(.)\1", r"\1", word[:1] + re.sub("[aeiou']", "", word[1:]))


@cache
def stem(word: str) -> str:
    """The word without common endings, in American spelling."""
    word = word.removesuffix("'s").replace("'", "")
    if word in IRREGULAR:
        return word
    for british, american in (("isation", "ization"), ("ising", "izing"), ("ised", "ized"), ("ise", "ize"),
                              ("our", "or")):  # fmt: skip
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


def corrected(word: str, vocabulary: Collection[str]) -> str | None:
    """The only word of the vocabulary within one edit of `word`, or None; the first letter is taken as right."""
    if len(word) < SHORTEST or not word.isalpha():
        return None
    alike = {
        known
        for known in vocabulary
        if known[0] == word[0]
        and len(known) >= SHORTEST
        and abs(len(known) - len(word)) <= 1
        and OSA.distance(word, known, score_cutoff=1) <= 1
    }
    return alike.pop() if len({stem(known) for known in alike}) == 1 else None
