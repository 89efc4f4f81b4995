"""The lexicon: every phrase that the planner reads and what it may mean.

Strategies, parameters, estimators, frequencies and inner portfolios come from the tables of `quant.strategies`, so a
new row is read without a change here; all other phrases are in `vocabulary.toml`, the stop words in `stop_words.txt`.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, get_args

from agents.planner.language.stems import corrected, skeleton, stem
from desk.base.text import spaced
from desk.conversation.definitions import definitions
from quant.strategies.choices import ESTIMATORS, INNER_PORTFOLIOS, REBALANCING
from quant.strategies.family import FAMILY, PARAMETERS, WeightRule
from quant.strategies.goal import Goal

Stems: TypeAlias = tuple[str, ...]


class Meaning(NamedTuple):
    kind: str
    """A kind of name (`asset`), `amount`, `topic`, `trigger`, `besides`, `sense`, `talk` or `beyond`."""
    value: str


HERE: Final = Path(__file__).parent
VOCABULARY: Final[dict[str, dict[str, str]]] = tomllib.loads((HERE / "vocabulary.toml").read_text(encoding="utf-8"))
STOP_WORDS: Final = frozenset((HERE / "stop_words.txt").read_text(encoding="utf-8").split())

STOP_STEMS: Final = frozenset(map(stem, STOP_WORDS))


def _tickers(row: str) -> dict[str, list[str]]:
    """The words for assets by ticker, of a row that is written as `TICKER=word,word; ...`."""
    return {ticker: words.split(",") for ticker, words in re.findall(r"(\w+)=([^;]+)", row.replace("\n", " "))}


TICKERS: Final = _tickers(VOCABULARY["ticker"]["bundled"])
ELSEWHERE: Final = _tickers(VOCABULARY.pop("ticker")["elsewhere"])
"""Words for assets without prices, by ticker."""
NAMES: Final = ("function", "estimator", "rebalancing", "template", "method", "covariance", "scenario", "engine",
    "worlds", "goal", "asset", "kept")  # fmt: skip
"""Kinds of names from fixed lists."""
NOUNS: Final = {
    "function": ("function", "rule", "strategy", "weight function", "template", "vol control", "approach", "overlay"),
    "goal": ("goal", "objective"),
    "estimator": ("estimator", "estimate", "vol", "volatility", "vol estimate", "vol estimator"),
    "scenario": ("scenario", "case", "world"),
    "rebalancing": ("rebalancing", "rebalanced", "rebal", "rebalance", "trading"),
}
"""Nouns that may follow each phrase of a kind."""
NEGATIVE: Final = frozenset({"hardly", "barely", "scarcely", "italy", "partly"})
"""Words in -ly that change what is meant."""
ABBREVIATIONS: Final = dict(pair.split("=") for pair in VOCABULARY.pop("abbreviation")["words"].split())
"""Words that the letters of an abbreviation alone do not tell."""


@dataclass(frozen=True, eq=False)
class Lexicon:
    """What each phrase may mean, by the stems of its words."""

    meanings: Mapping[Stems, frozenset[Meaning]]
    family: Mapping[Any, WeightRule]

    @cached_property
    def longest(self) -> int:
        return max(map(len, self.meanings))

    @cached_property
    def known(self) -> frozenset[str]:
        """Stems of all phrases."""
        return frozenset(part for phrase in self.meanings for part in phrase)

    @cached_property
    def words(self) -> frozenset[str]:
        """Words to which slips are corrected."""
        rows = (row for kind, table in VOCABULARY.items() if kind != "asset" for row in table.values())
        tables = self.family, ESTIMATORS, PARAMETERS, REBALANCING, INNER_PORTFOLIOS
        strategies = (row.words for table in tables for row in table.values())
        return frozenset(re.findall(r"[a-z]+", " ".join((*rows, *strategies)).lower())) | STOP_WORDS

    @cached_property
    def short(self) -> dict[str, str]:
        """Words by what remains of them without vowels, where it stands for one word only."""
        full: dict[str, set[str]] = {}
        for word in self.words:
            full.setdefault(skeleton(word), set()).add(word)
        return {s: min(words) for s, words in full.items() if len(s) > 2 and len({stem(w) for w in words}) == 1}

    def knows(self, word: str) -> bool:
        """Whether the word, or the one that it abbreviates or misspells, is part of a phrase or an adverb."""
        return stem(self.full(word)) in self.known or self.is_adverb(word)

    def frames(self, phrase: str) -> bool:
        """Whether the phrase may frame a wish without changing it."""
        return any(meaning.kind == "frame" for meaning in self.meanings.get(stems(phrase), ()))

    def is_adverb(self, word: str) -> bool:
        """Whether the word ends like an adverb of manner and has no meaning of its own, as in "quietly"."""
        return word.endswith("ly") and len(word) > len("july") and stem(word) not in self.known and word not in NEGATIVE

    def full(self, word: str) -> str:
        """The word that an abbreviation or a slip stands for."""
        word = ABBREVIATIONS.get(word, word)
        if word in STOP_WORDS or stem(word) in self.known:
            return word
        return self.short.get(word) or corrected(word, self.words) or word


def build_lexicon(family: Mapping[Any, WeightRule] = FAMILY) -> Lexicon:
    """The lexicon with the given weight functions; `ValueError` where two names of a kind claim one phrase."""
    meanings: dict[Stems, set[Meaning]] = {}
    for kind, value, phrase in (*_strategies(family), *_vocabulary(), *_terms()):
        for text in (phrase, *(f"{phrase} {noun}" for noun in NOUNS.get(kind, ()))):
            claims = meanings.setdefault(stems(text), set())
            other = next((m for m in claims if m.kind == kind and kind in NAMES and m.value != value), None)
            if other is not None:
                raise ValueError(f"{text!r} names both {kind} {other.value} and {kind} {value}")
            claims.add(Meaning(kind, value))
    return Lexicon({phrase: frozenset(each) for phrase, each in meanings.items()}, family)


def _strategies(family: Mapping[Any, WeightRule]) -> Iterator[tuple[str, str, str]]:
    tables: dict[str, Mapping[Any, Any]] = {
        "function": family, "estimator": ESTIMATORS, "rebalancing": REBALANCING, "method": INNER_PORTFOLIOS,
        "amount": PARAMETERS,
    }  # fmt: skip
    for kind, rows in tables.items():
        for name, row in rows.items():
            names = [*row.words.split("|"), *([name] if kind != "amount" else [])] if row.words else []
            yield from ((kind, name, phrase) for phrase in names)


def _vocabulary() -> Iterator[tuple[str, str, str]]:
    yield from (("asset", ticker, word) for ticker, words in (TICKERS | ELSEWHERE).items() for word in words)
    yield from (("asset", ticker, ticker) for ticker in TICKERS)
    yield from (("goal", goal, spaced(goal)) for goal in get_args(Goal))
    for table, rows in VOCABULARY.items():
        for values, line in rows.items():
            phrases = [phrase for phrase in re.split(r"[|\n]", line) if phrase]
            yield from ((table, value, phrase) for value in values.split() for phrase in phrases)


def _terms() -> Iterator[tuple[str, str, str]]:
    """Terms of the glossary and of the tables, with their plurals by stem."""
    yield from (("term", name, name) for name in definitions() if re.search("[a-z]", name))


def stems(phrase: str | Iterable[str]) -> Stems:
    words = re.findall(r"[a-z]+(?:'[a-z]+)?|\d+", phrase.lower()) if isinstance(phrase, str) else phrase
    return without_fillers([stem(ABBREVIATIONS.get(word, word)) for word in words])


FILLERS: Final = frozenset("a an the actually really just even also please exactly simply currently still".split())
"""Words that a phrase may have inside without another meaning."""


def without_fillers(phrase: Sequence[str]) -> Stems:
    """The stems of a phrase without the fillers inside it."""
    return (*phrase[:1], *(part for part in phrase[1:-1] if part not in FILLERS), *phrase[1:][-1:])


LEXICON: Final = build_lexicon()
