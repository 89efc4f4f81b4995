"""Finds what sounds like the name of a weight function or an estimator and is none, as "cubic decay".

Such a name is never read as its nearest neighbour: the assistant asks, and lists what exists.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from agents.planner.language.lexicon import FILLER, Lexicon
from agents.planner.language.words import Mark, Word

FREE: Final = frozenset({"function", "decay"})
"""Heads before which any word that is not plain names a function; before the others only an unknown word does."""
WEIGHTING: Final = frozenset({"weight", "weighting"})
"""Words that belong to the head, as in "weight function"."""
PLAIN: Final = frozenset(
    "the a an this that these those my our your its his her their which what whichever whose best better right other "
    "another same only just each every any all no not some both either new old current present different various "
    "optimal top good great winning winner chosen selected suitable possible usual simple simpler single few two last "
    "previous first second next given of with without use using used uses try trying test take pick choose chose "
    "choosing change changed changing swap switch replace set make keep drop exclude excluded excluding except "
    "include including over across among between by from for to on in as at and or but plus versus than then is are "
    "was be being per like about per evaluate optimize search compare show explain why how weight weighting allocation "
    "objective".split()
)
"""Words before a head that say nothing about the function's shape."""
PARAMETER: Final = re.compile(
    r"\s*(?:factor|rate|constant|parameter|lambda)\b|\s*(?:of|at|is|=|:|set to|to)?\s*(?:0?[.,]\d|[89]\d(?:\.\d+)? ?%)"
)
"""What follows "decay" where it is the parameter of an exponentially weighted estimator."""


def unlisted_names(
    rest: str, folded: str, words: Sequence[Word], marks: Sequence[Mark], lexicon: Lexicon
) -> Iterator[Mark]:
    """The marks of such names, in the order of the message; `rest` has no amounts and no names with signs."""
    named = [mark for mark in marks if mark.kind in lexicon.names]
    covered = {at for mark in named for at in range(mark.start, mark.end)}
    end = 0
    for place, word in enumerate(words):
        if word.start in covered or word.start < end:
            continue
        start = _start_of_name(rest, folded, words, place, marks, lexicon) if word.stem in lexicon.heads else None
        if start is None and word.stem in lexicon.of_names_alone:
            following = words[place + 1] if place + 1 < len(words) else None
            start = None if following and _heads_next(rest, word, following, lexicon) else word.start
        if start is not None:
            end = word.end
            yield Mark("unlisted", folded[start:end], start, end, folded[start:end])


def _heads_next(rest: str, word: Word, following: Word, lexicon: Lexicon) -> bool:
    """Whether the next word is the head of this word's name."""
    return following.stem in lexicon.heads | WEIGHTING and _adjacent(rest, word.end, following.start)


def _start_of_name(
    rest: str, folded: str, words: Sequence[Word], place: int, marks: Sequence[Mark], lexicon: Lexicon
) -> int | None:
    """Where the name begins that ends with the head at `place`; None if the head is not the end of one."""
    head, before = words[place], place - 1
    if head.stem == "decay" and PARAMETER.match(folded[head.end :]):
        return None
    if before >= 0 and words[before].text in WEIGHTING:
        before -= 1
    if before < 0 or not _adjacent(rest, words[before].end, words[before + 1].start):
        return None
    word = words[before]
    around = [mark for mark in marks if mark.start <= word.start < mark.end]
    if any(mark.kind in lexicon.names for mark in around):
        estimator = [mark for mark in around if mark.kind == "estimator"]
        return estimator[0].start if estimator else None
    if word.stem in FILLER | lexicon.domain:  # a known word
        shapes = head.stem in FREE and word.text not in PLAIN and not any(mark.kind == "slot" for mark in around)
        return word.start if shapes or word.stem in lexicon.of_names_alone else None
    return word.start


def _adjacent(rest: str, end: int, start: int) -> bool:
    return re.fullmatch(r"[\s-]+", rest[end:start]) is not None
