"""Checks that the words around a reference describe the figure it refers to.

Of all available figures, the one that fits a clause best must be the one that its reference names. The fit depends
only on the clause, not on the reference, so that another figure cannot take its place.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from desk.figures.figures import Figure, format_figure
from desk.figures.guard.clauses import BEFORE, BEHIND, EARLIER, IN_CLAUSE, IN_ZONE, Place, layout
from desk.figures.guard.lexicon import AGAINST, CONCEPT, DEMANDED, OPTIONAL, STRICT, Mention, mentions, stems

REFERENCE = re.compile(r"\{\{([a-z][a-z0-9_]{0,79})\}\}")
_QUOTED = re.compile(r'"([^"]+)"')
_NEAR = (IN_CLAUSE, 3)


class Meaning(NamedTuple):
    """What a figure measures, derived from the words of its quantity."""

    concept: str | None
    marks: Mapping[str, frozenset[str]]
    names: frozenset[str]
    words: frozenset[str]


class WrongQuantity(NamedTuple):
    """A reference whose sentence describes another quantity."""

    figure: Figure
    correction: str
    """What the sentence describes, and what to write instead."""


@lru_cache(maxsize=8192)
def meaning(quantity: str) -> Meaning:
    """Parse a quantity: its first concept is what it measures, quoted parts are names."""
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


def wrong_quantities(text: str, figures: Sequence[Figure]) -> Iterator[WrongQuantity]:
    """Return the references of `text` whose clause fits another figure better."""
    figures_by_id = {figure.id: figure for figure in figures}
    names = frozenset(name for figure in figures for name in meaning(figure.quantity).names)
    text_layout = layout(REFERENCE.sub("#", text.replace("#", " ")).lower(), names)
    referred_figures = [figures_by_id.get(id_) for id_ in REFERENCE.findall(text)]
    candidates = [(figure, meaning(figure.quantity)) for figure in figures]
    naming = [
        mention
        for place, figure in zip(text_layout.places, referred_figures, strict=True)
        for mention in _naming(place, figure)
    ]
    for place, figure in zip(text_layout.places, referred_figures, strict=True):
        if figure is None:
            continue
        if isinstance(figure.value, str) and _names_another(place, figure, text_layout.places, referred_figures):
            continue
        clause = _Clause(place, [] if isinstance(figure.value, str) else naming)
        if correction := clause.objection(figure, candidates):
            yield WrongQuantity(figure, correction)
    for low, first, second in zip(text_layout.places, referred_figures, referred_figures[1:], strict=False):
        if low.bound == "lower end" and first and second and _is_descending(first, second):
            yield WrongQuantity(first, f"the range must begin with its smaller end, {{{{{second.id}}}}}")


def _naming(place: Place, figure: Figure | None) -> Iterator[Mention]:
    """Return the mentions that a reference to a name adds for the numbers around it."""
    if figure is None or not isinstance(figure.value, str):
        return
    of = meaning(figure.quantity)
    for name in {_name(figure.value), *of.names}:
        yield Mention(place.at, place.at + 1, "name", name)
    for rank in of.marks.get("place", ()):
        yield Mention(place.at, place.at + 1, "place", rank)


def _names_another(
    place: Place, figure: Figure, places: Sequence[Place], referred_figures: Sequence[Figure | None]
) -> bool:
    """Whether a name supplies a feature or the subject of a number in its sentence."""
    features = {mention.feature for mention in _naming(place, figure)}
    for other, number in zip(places, referred_figures, strict=True):
        if number and not isinstance(number.value, str) and other.sentence == place.sentence:
            measured_meaning = meaning(number.quantity)
            if features & (measured_meaning.names | measured_meaning.marks.get("place", frozenset())):
                return True
            if place.leads and _same_subject(figure, measured_meaning):
                return True
    return False


def _same_subject(figure: Figure, measured_meaning: Meaning) -> bool:
    nothing: frozenset[str] = frozenset()
    return bool(meaning(figure.quantity).marks.get("subject", nothing) & measured_meaning.marks.get("subject", nothing))


class _Clause:
    """The mentions around one reference, without those of the reference itself."""

    def __init__(self, place: Place, naming: Sequence[Mention]) -> None:
        others = [(*place.distance(m), m) for m in naming if m.start != place.at]
        self._place = place
        self._mentions = [*place.mentions, *others]
        self._concept_distances: dict[str, tuple[int, int]] = {}
        for level, words, mention in self._mentions:
            if mention.group == CONCEPT:
                nearest = self._concept_distances.get(mention.feature, (level, words))
                self._concept_distances[mention.feature] = min(nearest, (level, words))
        self._feature_cache: dict[tuple[str, int], frozenset[str]] = {}

    def objection(self, mine: Figure, candidates: Sequence[tuple[Figure, Meaning]]) -> str | None:
        """Return why a reference to `mine`, one of the `candidates`, is wrong here; None if it fits."""
        concepts = {None, *self._concept_distances}  # the clause names no other: most candidates are out at once
        named = [(figure, of) for figure, of in candidates if of.concept in concepts]
        for farthest in (BEFORE, BEHIND, EARLIER):
            fits = [(figure, fit) for figure, of in named if (fit := self._fit(of, farthest))]
            if fits:
                best = min(fit for _, fit in fits)
                closest = [figure for figure, fit in fits if fit == best]
                others = [figure for figure in closest if not _are_indistinguishable(figure, mine)]
                return self._rival_correction(mine, others[0]) if others else None
        return self._correction(mine)

    def _fit(self, figure_meaning: Meaning, farthest: int) -> tuple[int, ...] | None:
        """Return how well a figure fits (smaller is better); None if the clause describes something else."""
        near = self._concept(figure_meaning, farthest)
        if near is None or self._missing(figure_meaning, farthest) or self._contradictions(figure_meaning):
            return None
        matching_groups = [g for g in figure_meaning.marks if figure_meaning.marks[g] & self._features(g, farthest)]
        overlap = len(figure_meaning.words & self._place.words)
        return (
            *near,
            -len(matching_groups) - len(figure_meaning.names),
            len(figure_meaning.marks) - len(matching_groups),
            -overlap,
            len(figure_meaning.words),
        )

    def _concept(self, figure_meaning: Meaning, farthest: int) -> tuple[int, int] | None:
        """Distance at which the clause names what is measured."""
        if figure_meaning.concept is None:
            shared = len(figure_meaning.words & self._place.words)
            return _NEAR if shared and 2 * shared >= len(figure_meaning.words) else None
        near = self._concept_distances.get(figure_meaning.concept)
        return near if near and near[0] <= farthest else None

    def _missing(self, figure_meaning: Meaning, farthest: int) -> list[str]:
        """Features of the figure that the clause omits."""
        marks = [
            " or ".join(sorted(figure_meaning.marks[g]))
            for g in DEMANDED
            if g in figure_meaning.marks and not figure_meaning.marks[g] & (OPTIONAL | self._features(g, farthest))
        ]
        names = {m.feature for level, _, m in self._mentions if m.group == "name" and level <= farthest}
        return [*marks, *map(_name_instruction, sorted(figure_meaning.names - names))]

    def _contradictions(self, figure_meaning: Meaning) -> list[str]:
        """Features of the clause that contradict the figure."""
        contradictions: list[str] = []
        for group in (*DEMANDED, "world"):
            features, own = self._features(group, IN_ZONE), figure_meaning.marks.get(group, frozenset())
            strict = group in STRICT and (group != "bound" or self._place.bound is None)
            if group == "period" and not figure_meaning.marks:  # a figure without a period may be that of today
                features -= {"the latest"}
            if (features if own else features - OPTIONAL if strict else ()) and not features & own:
                contradictions.append(" or ".join(sorted(features)))
        return contradictions

    def _features(self, group: str, farthest: int) -> frozenset[str]:
        """Features of the nearest mentions of a group."""
        if (group, farthest) not in self._feature_cache:
            self._feature_cache[group, farthest] = self._nearest(group, farthest)
        return self._feature_cache[group, farthest]

    def _nearest(self, group: str, farthest: int) -> frozenset[str]:
        if group == "bound" and self._place.bound:
            return frozenset({self._place.bound})
        groups = (group, AGAINST) if group == "subject" and farthest > IN_ZONE else (group,)
        candidates = [mention for mention in self._mentions if mention[0] <= farthest and mention[2].group in groups]
        if not candidates:
            return frozenset()
        level, _, nearest = min(candidates)
        return (
            frozenset(m.feature for at, _, m in candidates if at == level or m is nearest)
            if level <= IN_ZONE
            else frozenset({nearest.feature})
        )

    def _rival_correction(self, mine: Figure, rival: Figure) -> str:
        return f'the sentence speaks of "{rival.quantity}", {{{{{rival.id}}}}}; {self._correction(mine)}'

    def _correction(self, mine: Figure) -> str:
        figure_meaning = meaning(mine.quantity)
        lacks, against = self._missing(figure_meaning, BEFORE), self._contradictions(figure_meaning)
        steps = [
            *(
                []
                if self._concept(figure_meaning, BEFORE)
                else [f"name {figure_meaning.concept or 'its quantity'} next to it"]
            ),
            *([f"say {', '.join(lacks)}"] if lacks else []),
            *([f"do not say {', '.join(against)}"] if against else []),
        ]
        return " and ".join(steps) or "put the words of its own quantity next to it"


def _name(text: str) -> str:
    return re.sub(r"^(?:the|an?) ", "", text.lower().replace("_", " "))


def _name_instruction(name: str) -> str:
    return f'"{name}"' if " " in name else f'"{name}" beside the word scenario, case or rule'


def _is_descending(first: Figure, second: Figure) -> bool:
    if isinstance(first.value, str) or isinstance(second.value, str):
        return first.unit == second.unit == "date" and str(first.value) > str(second.value)
    return first.unit == second.unit and first.value > second.value


def _are_indistinguishable(one: Figure, other: Figure) -> bool:
    """Whether a reader cannot distinguish the two figures in a sentence."""
    same = meaning(one.quantity).concept == meaning(other.quantity).concept
    return one.id == other.id or one.quantity == other.quantity or (same and format_figure(one) == format_figure(other))
