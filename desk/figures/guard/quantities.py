"""The quantity that a sentence claims: whether the words around a reference speak of the figure it refers to.

Of all figures at hand, the one that a clause speaks of most closely must be the one that its reference names. What
the clause says does not depend on the reference, so that no other figure can take its place.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from desk.figures.figures import Figure, shown
from desk.figures.guard.clauses import BEFORE, BEHIND, EARLIER, IN_CLAUSE, IN_ZONE, Place, layout
from desk.figures.guard.lexicon import AGAINST, CONCEPT, DEMANDED, OPTIONAL, STRICT, Mention, mentions, stems

REFERENCE = re.compile(r"\{\{([a-z][a-z0-9_]{0,79})\}\}")
_QUOTED = re.compile(r'"([^"]+)"')
_NEAR = (IN_CLAUSE, 3)


class Meaning(NamedTuple):
    """What a figure measures, by the words of its quantity."""

    concept: str | None
    marks: Mapping[str, frozenset[str]]
    names: frozenset[str]
    words: frozenset[str]


class Wrong(NamedTuple):
    """A reference whose sentence speaks of something else."""

    figure: Figure
    mend: str
    """What the sentence speaks of, and what to say instead."""


@lru_cache(maxsize=8192)
def meaning(quantity: str) -> Meaning:
    """The first concept of a quantity is what it measures; what stands in quotes is a name."""
    bare = _QUOTED.sub(" ", quantity)
    marks: dict[str, set[str]] = {}
    concept: str | None = None
    for mention in mentions(f"# {bare}"):  # as if the number stood first: "# scenarios"
        if mention.group == CONCEPT:
            concept = concept or mention.feature
        else:
            marks.setdefault(mention.group, set()).add(mention.feature)
    names = frozenset(map(_name, _QUOTED.findall(quantity)))
    for mention in mentions(" ".join(names)):
        if mention.group == "world":
            marks.setdefault(mention.group, set()).add(mention.feature)
    return Meaning(concept, {g: frozenset(f) for g, f in marks.items()}, names, frozenset(stems(bare)))


def wrong_quantities(text: str, figures: Sequence[Figure]) -> Iterator[Wrong]:
    """Every reference of `text` to a figure that its clause does not speak of most closely."""
    known = {figure.id: figure for figure in figures}
    names = frozenset(name for figure in figures for name in meaning(figure.quantity).names)
    laid = layout(REFERENCE.sub("#", text.replace("#", " ")).lower(), names)
    referred = [known.get(id_) for id_ in REFERENCE.findall(text)]
    naming = [
        mention for place, figure in zip(laid.places, referred, strict=True) for mention in _naming(place, figure)
    ]
    for place, figure in zip(laid.places, referred, strict=True):
        if figure is None:
            continue
        if isinstance(figure.value, str) and _names_another(place, figure, laid.places, referred):
            continue
        clause = _Clause(place, [] if isinstance(figure.value, str) else naming)
        if mend := clause.objection(figure, figures):
            yield Wrong(figure, mend)
    for low, first, second in zip(laid.places, referred, referred[1:], strict=False):
        if low.bound == "lower end" and first and second and _falls(first, second):
            yield Wrong(first, f"the range must begin with its smaller end, {{{{{second.id}}}}}")


def _naming(place: Place, figure: Figure | None) -> Iterator[Mention]:
    """What a reference to a name says for the numbers around it."""
    if figure is None or not isinstance(figure.value, str):
        return
    of = meaning(figure.quantity)
    for name in {_name(figure.value), *of.names}:
        yield Mention(place.at, place.at + 1, "name", name)
    for rank in of.marks.get("place", ()):
        yield Mention(place.at, place.at + 1, "place", rank)


def _names_another(place: Place, figure: Figure, places: Sequence[Place], referred: Sequence[Figure | None]) -> bool:
    """Whether a name says what a number of its sentence has to say, or whose number it is."""
    said = {mention.feature for mention in _naming(place, figure)}
    for other, number in zip(places, referred, strict=True):
        if number and not isinstance(number.value, str) and other.sentence == place.sentence:
            wanted = meaning(number.quantity)
            if said & (wanted.names | wanted.marks.get("place", frozenset())):
                return True
            if place.leads and _same_subject(figure, wanted):
                return True
    return False


def _same_subject(figure: Figure, wanted: Meaning) -> bool:
    nothing: frozenset[str] = frozenset()
    return bool(meaning(figure.quantity).marks.get("subject", nothing) & wanted.marks.get("subject", nothing))


class _Clause:
    """What is said around one reference, apart from what the reference itself will show."""

    def __init__(self, place: Place, naming: Sequence[Mention]) -> None:
        others = [(*place.far(m), m) for m in naming if m.start != place.at]
        self._place = place
        self._mentions = [*place.mentions, *others]
        self._named: dict[str, tuple[int, int]] = {}
        for level, words, mention in self._mentions:
            if mention.group == CONCEPT:
                nearest = self._named.get(mention.feature, (level, words))
                self._named[mention.feature] = min(nearest, (level, words))
        self._told: dict[tuple[str, int], frozenset[str]] = {}

    def objection(self, mine: Figure, figures: Sequence[Figure]) -> str | None:
        """What is wrong with a reference to `mine` here, if something is."""
        for farthest in (BEFORE, BEHIND, EARLIER):
            fits = {figure.id: fit for figure in figures if (fit := self._fit(meaning(figure.quantity), farthest))}
            if fits:
                best = min(fits.values())
                closest = [figure for figure in figures if fits.get(figure.id) == best]
                others = [figure for figure in closest if not _alike(figure, mine)]
                return self._instead(mine, others[0]) if others else None
        return self._mend(mine)

    def _fit(self, wanted: Meaning, farthest: int) -> tuple[int, ...] | None:
        """How well a figure fits, smaller is better; None if the clause speaks of something else."""
        near = self._concept(wanted, farthest)
        if near is None or self._lacks(wanted, farthest) or self._contradicts(wanted):
            return None
        said = [g for g in wanted.marks if wanted.marks[g] & self._said(g, farthest)]
        overlap = len(wanted.words & self._place.words)
        return (*near, -len(said) - len(wanted.names), len(wanted.marks) - len(said), -overlap, len(wanted.words))

    def _concept(self, wanted: Meaning, farthest: int) -> tuple[int, int] | None:
        """How near the clause names what is measured."""
        if wanted.concept is None:
            shared = len(wanted.words & self._place.words)
            return _NEAR if shared and 2 * shared >= len(wanted.words) else None
        near = self._named.get(wanted.concept)
        return near if near and near[0] <= farthest else None

    def _lacks(self, wanted: Meaning, farthest: int) -> list[str]:
        """What the figure is about and the clause does not say."""
        marks = [
            " or ".join(sorted(wanted.marks[g]))
            for g in DEMANDED
            if g in wanted.marks and not wanted.marks[g] & (OPTIONAL | self._said(g, farthest))
        ]
        said = {m.feature for level, _, m in self._mentions if m.group == "name" and level <= farthest}
        return [*marks, *map(_saying, sorted(wanted.names - said))]

    def _contradicts(self, wanted: Meaning) -> list[str]:
        """What the clause says and the figure is not about."""
        found: list[str] = []
        for group in (*DEMANDED, "world"):
            said, own = self._said(group, IN_ZONE), wanted.marks.get(group, frozenset())
            strict = group in STRICT and (group != "bound" or self._place.bound is None)
            if (said if own else said - OPTIONAL if strict else ()) and not said & own:
                found.append(" or ".join(sorted(said)))
        return found

    def _said(self, group: str, farthest: int) -> frozenset[str]:
        """What the nearest words of a group say."""
        if (group, farthest) not in self._told:
            self._told[group, farthest] = self._nearest(group, farthest)
        return self._told[group, farthest]

    def _nearest(self, group: str, farthest: int) -> frozenset[str]:
        if group == "bound" and self._place.bound:
            return frozenset({self._place.bound})
        groups = (group, AGAINST) if group == "subject" and farthest > IN_ZONE else (group,)
        found = [mention for mention in self._mentions if mention[0] <= farthest and mention[2].group in groups]
        if not found:
            return frozenset()
        level, _, nearest = min(found)
        return (
            frozenset(m.feature for at, _, m in found if at == level or m is nearest)
            if level <= IN_ZONE
            else frozenset({nearest.feature})
        )

    def _instead(self, mine: Figure, rival: Figure) -> str:
        return f'the sentence speaks of "{rival.quantity}", {{{{{rival.id}}}}}; {self._mend(mine)}'

    def _mend(self, mine: Figure) -> str:
        wanted = meaning(mine.quantity)
        lacks, against = self._lacks(wanted, BEFORE), self._contradicts(wanted)
        steps = [
            *([] if self._concept(wanted, BEFORE) else [f"name {wanted.concept or 'its quantity'} next to it"]),
            *([f"say {', '.join(lacks)}"] if lacks else []),
            *([f"do not say {', '.join(against)}"] if against else []),
        ]
        return " and ".join(steps) or "put the words of its own quantity next to it"


def _name(text: str) -> str:
    return re.sub(r"^(?:the|an?) ", "", text.lower().replace("_", " "))


def _saying(name: str) -> str:
    return f'"{name}"' if " " in name else f'"{name}" beside the word scenario, case or rule'


def _falls(first: Figure, second: Figure) -> bool:
    if isinstance(first.value, str) or isinstance(second.value, str):
        return first.unit == second.unit == "date" and str(first.value) > str(second.value)
    return first.unit == second.unit and first.value > second.value


def _alike(one: Figure, other: Figure) -> bool:
    """Whether a reader cannot tell which of the two stands in a sentence."""
    same = meaning(one.quantity).concept == meaning(other.quantity).concept
    return one.id == other.id or one.quantity == other.quantity or (same and shown(one) == shown(other))
