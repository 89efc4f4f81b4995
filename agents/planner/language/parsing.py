"""Divides a message into the phrases that one ability accepts, so that as few words as possible remain."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

from agents.planner.language.lexicon import Lexicon, Meaning, without_fillers
from agents.planner.language.reading import BREAKS, WITHIN, Item, Reading

COSTS: Final = {
    "name": 0.05, "talk": 0.05, "beyond": 0.05, "amount": 0.11, "sense": 0.12, "term": 0.12, "trigger": 0.13,
    "topic": 0.13, "question": 0.15, "besides": 0.16, "frame": 0.17,
}  # fmt: skip
"""Cost of an item; a phrase is cheaper than its parts, and a name than other meanings of the same words."""
STOP, UNUSED = 0.09, 1.0
Priced: TypeAlias = tuple[Item, float]


@dataclass
class Parse:
    """The items of a message for one ability, and those that an argument has used."""

    reading: Reading
    items: tuple[Item, ...]
    used: set[Item] = field(default_factory=set[Item])

    def all(self, kind: str, *values: str) -> list[Item]:
        return [i for i in self.items if i.kind == kind and i not in self.used and (not values or i.value in values)]

    def has(self, kind: str, *values: str) -> bool:
        return any(i.kind == kind and (not values or i.value in values) for i in self.items)

    def use(self, *items: Item) -> None:
        self.used |= {*items}

    def take(self, kind: str, *values: str) -> list[Item]:
        items = self.all(kind, *values)
        self.use(*items)
        return items

    def between(self, left: Item, right: Item) -> list[Item]:
        low, high = (left.last, right.first) if left.last <= right.first else (right.last, left.first)
        return [item for item in self.items if low <= item.first and item.last <= high]

    def breaks(self, left: Item, right: Item) -> int:
        """Punctuation marks between two items."""
        low, high = (left.last, right.first) if left.last <= right.first else (right.last, left.first)
        return sum(len(BREAKS.findall(gap)) for gap in self.reading.gaps[low : high + 1])

    def near(self, left: Item, right: Item, most: int = 0, *empty: str) -> bool:
        """Whether no punctuation and at most `most` items, besides stop words and `empty` kinds, are between two."""
        between = sum(item.kind not in ("stop", *empty) for item in self.between(left, right))
        return between <= most and not self.breaks(left, right)


def parse(reading: Reading, lexicon: Lexicon, accepts: Callable[[Meaning], bool]) -> Parse:
    """The cheapest division of the message into accepted phrases, stop words and words that are not understood."""
    best: list[tuple[float, tuple[Item, ...]]] = [(0.0, ()), *((float("inf"), ()) for _ in reading.words)]
    spans = [s for s in reading.spans if s.kind in ("number", "date") or accepts(Meaning(s.kind, s.value))]
    priced = [(s, COSTS["name"] if s.kind in ("name", "saved", "run", "scenario") else 0.1) for s in spans]
    for n, (word, phrases) in enumerate(_phrases(reading, lexicon)):
        cost, items = best[n]
        known = [rows[meaning] for rows in phrases if (meaning := next(filter(accepts, rows), None))]
        for item, price in (word, *known, *(row for row in priced if row[0].first == n)):
            if cost + price < best[item.last][0] - 1e-9:
                best[item.last] = (cost + price, (*items, item))
    return Parse(reading, best[-1][1])


@lru_cache(maxsize=64)
def names_alone(reading: Reading, lexicon: Lexicon, kinds: frozenset[str]) -> tuple[Item, ...]:
    return parse(reading, lexicon, lambda meaning: meaning.kind in kinds).items


@lru_cache(maxsize=64)
def _phrases(reading: Reading, lexicon: Lexicon) -> list[tuple[Priced, list[dict[Meaning, Priced]]]]:
    """Each word alone, with the meanings, cheapest first, of the phrases that begin with it."""
    rows: list[tuple[Priced, list[dict[Meaning, Priced]]]] = []
    for n, word in enumerate(reading.words):
        kind, cost = ("stop", STOP) if reading.is_stop(n) or lexicon.is_adverb(word.text) else ("unknown", UNUSED)
        rows.append(((Item(kind, word.text, n, n + 1, word.slip or word.text), cost), []))
        for last in range(n + 1, min(n + lexicon.longest + 1, len(reading.words)) + 1):
            if last > n + 1 and WITHIN.search(reading.gaps[last - 1]):
                break
            if meanings := lexicon.meanings.get(without_fillers([word.stem for word in reading.words[n:last]])):
                text, ranked = reading.quote(n, last), sorted(meanings, key=lambda m: (COSTS.get(m.kind, 0.1), m))
                rows[-1][1].append({m: (Item(*m, n, last, text), COSTS.get(m.kind, 0.1)) for m in ranked})
    return rows
