"""The lexicon: every phrase that the assistant reads, from the tables of the strategy family and of this package.

A phrase names one thing: two rows that claim the same phrase are an error when the lexicon is built. Strategies come
from `quant.strategies`, so that a new row is read, listed and told from its neighbours without a change here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

from agents.planner.language import common_words, cues, out_of_scope, topics, vocabulary
from agents.planner.language.amounts import SMALL
from agents.planner.language.spelling import slips, stem
from quant.strategies.choices import (
    ESTIMATORS,
    INNER_PORTFOLIOS,
    REBALANCING,
    EstimatorRow,
    InnerRow,
    RebalancingRow,
)
from quant.strategies.family import FAMILY, PARAMETERS, WeightRule

Stems: TypeAlias = tuple[str, ...]
Phrases: TypeAlias = dict[Stems, str]
"""What each phrase names, by the stems of its words."""

CUES: Final = {
    "topic": topics.TOPICS,
    "do": cues.DO,
    "bound": {"upper": cues.UPPER, "lower": cues.LOWER},
    "negation": {"not": cues.NEGATION},
    "only": {"only": cues.ONLY},
    "each": {"each": cues.EACH},
    "rest": {"rest": cues.REST},
    "equally": {"equally": cues.EQUALLY},
    "reference": {"last": cues.RUN_LAST, "previous": cues.RUN_PREVIOUS},
    "again": {"again": cues.LAST},
    "change": {"change": cues.CHANGE},
    "fresh": {"fresh": cues.FRESH},
    "show": {"show": cues.SHOW},
    "now": {"now": cues.NOW},
    "flow": {"flow": cues.FLOW},
    "foreign": {"foreign": out_of_scope.FOREIGN},
    "forbidden": {"forbidden": out_of_scope.FORBIDDEN},
    "chat": {"chat": out_of_scope.CHAT},
    "unsupported": {"unsupported": out_of_scope.UNSUPPORTED},
}
NOUNS: Final = {"function": ("function", "rule"), "estimator": ("estimator", "estimate", "vol", "volatility")}
"""Nouns that may follow each phrase of a kind, as in "sigmoid function"."""
SHARED: Final = frozenset({frozenset({"function", "method"})})
"""Kinds that may share a phrase: "inverse volatility" is a weight function and an allocation method, and the action
tells which."""


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Phrases by kind and name, separated by `|`, and the weight functions that they name."""

    names: Mapping[str, Mapping[str, str]]
    """Tables of names; a word of a name cues no amount."""
    slots: Mapping[str, str]
    """Cues of amounts."""
    family: Mapping[Any, WeightRule]

    @cached_property
    def name_tables(self) -> dict[str, Phrases]:
        return {kind: _phrases(kind, rows) for kind, rows in self.names.items()}

    @cached_property
    def cue_tables(self) -> dict[str, Phrases]:
        return {kind: {_split(p): value for value, p in _pairs(rows)} for kind, rows in CUES.items()}

    @cached_property
    def slot_table(self) -> Phrases:
        return _phrases("slot", self.slots)

    @cached_property
    def domain(self) -> frozenset[str]:
        """The stems of every phrase."""
        tables = (*self.name_tables.values(), *self.cue_tables.values(), self.slot_table)
        return frozenset(part for table in tables for phrase in table for part in phrase)

    @cached_property
    def numbered(self) -> tuple[tuple[re.Pattern[str], str, str], ...]:
        """Pattern, kind and name of the phrases of strategies with a number, which is no amount; long ones first."""
        phrases = [
            (words, kind, name)
            for kind in (*NOUNS, "rebalancing")
            for name, phrase in _pairs(self.names[kind])
            if {*(words := _words(phrase))} & SMALL.keys() or any(map(str.isdigit, words))
        ]
        return tuple(
            (re.compile(r"\b" + r"[\s-]+".join(map(re.escape, words)) + r"\b"), kind, name)
            for words, kind, name in sorted(phrases, key=lambda row: -len(row[0]))
        )

    @cached_property
    def of_names_alone(self) -> frozenset[str]:
        """Stems that only begin longer names of functions and estimators, as "exponential": alone they name none."""
        own = {phrase[0] for kind in NOUNS for phrase in self.name_tables[kind]}
        single = {phrase[0] for table in self.name_tables.values() for phrase in table if len(phrase) == 1}
        # "exponential covariance" does not make "exponential" alone a covariance
        others = [self.name_tables[kind] for kind in self.name_tables if kind not in (*NOUNS, "covariance")]
        elsewhere = {p for table in (*others, *self.cue_tables.values(), self.slot_table) for x in table for p in x}
        return frozenset(own - single - elsewhere - FILLER)

    @cached_property
    def heads(self) -> frozenset[str]:
        """Nouns with which the names of weight functions end, as "decay": with another word before them they sound
        like the name of a weight function."""
        ends = {phrase[-1] for phrase in map(_words, _phrases_of(self.names["function"])) if len(phrase) > 1}
        nouns = {stem(word) for word in ends if not word.endswith(("ed", "ing"))}
        of_estimators = {phrase[-1] for phrase in self.name_tables["estimator"]}
        amounts = {phrase[0] for phrase in self.slot_table if len(phrase) == 1} - {"decay"}
        return frozenset(nouns - of_estimators - amounts) | {"function"}

    @cached_property
    def correctable(self) -> frozenset[str]:
        """Words to which typing errors are corrected."""
        cued = (rows for kind, rows in CUES.items() if kind not in ("foreign", "forbidden", "chat"))
        lines = (line for rows in (*self.names.values(), *cued, self.slots) for line in rows.values())
        return frozenset(common_words.WORDS) | {word for line in lines for word in re.findall(r"[a-z]{3,}", line)}

    @cached_property
    def symbols(self) -> frozenset[str]:
        return frozenset(symbol.lower() for symbol in self.names["asset"] if symbol.isupper())

    @cached_property
    def _companies(self) -> frozenset[str]:
        return frozenset(part for line in self.names["asset"].values() for part in re.findall(r"[a-z]+", line))

    @cached_property
    def _corrections(self) -> dict[str, str]:
        return {}

    def corrected(self, word: str) -> str:
        """The full word of an abbreviation, or the known word that `word` misspells if there is exactly one."""
        if word not in self._corrections:
            self._corrections[word] = self._correct(word)
        return self._corrections[word]

    def _correct(self, word: str) -> str:
        word = common_words.ABBREVIATIONS.get(word, word)
        own = stem(word)
        if len(word) < 4 or own in self.domain or own in FILLER or not word.isalpha():
            return word
        near = slips(word, self.correctable)
        near = {w for w in near if stem(w) in self.domain} or near
        if len({stem(w) for w in near}) != 1 or near & self.symbols:
            return word
        best = min(near)
        likely = best not in self._companies or stem(best) in FILLER or sorted(best) == sorted(word) or len(word) > 6
        return best if likely else word


def build_lexicon(
    *,
    family: Mapping[Any, WeightRule] = FAMILY,
    estimators: Mapping[Any, EstimatorRow] = ESTIMATORS,
    rebalancing: Mapping[Any, RebalancingRow] = REBALANCING,
    inner: Mapping[Any, InnerRow] = INNER_PORTFOLIOS,
) -> Lexicon:
    """The lexicon of the given tables; `ValueError` where two rows claim one phrase."""
    functions = {name: row.words for name, row in family.items() if row.words}
    measures = {name: row.words for name, row in estimators.items() if row.words}
    lexicon = Lexicon(
        names={
            "function": _with_nouns("function", functions),
            "estimator": _with_nouns("estimator", measures),
            "scenario": vocabulary.SCENARIOS,
            "engine": vocabulary.ENGINES,
            "worlds": vocabulary.WORLDS,
            "goal": vocabulary.GOALS,
            "method": {name: row.words for name, row in inner.items() if row.words} | vocabulary.METHODS,
            "covariance": vocabulary.COVARIANCES,
            "template": vocabulary.TEMPLATES,
            "asset": vocabulary.ASSETS,
            "rebalancing": {name: row.words for name, row in rebalancing.items()},
        },
        slots=vocabulary.SLOTS | {name: row.words for name, row in PARAMETERS.items() if row.words},
        family=family,
    )
    _check_claims(lexicon)
    return lexicon


def _with_nouns(kind: str, rows: Mapping[str, str]) -> dict[str, str]:
    """The phrases of each row, alone and with each noun of the kind."""
    return {
        name: "|".join([line, *(f"{phrase} {noun}" for phrase in line.split("|") for noun in NOUNS[kind])])
        for name, line in rows.items()
    }


def _check_claims(lexicon: Lexicon) -> None:
    claims: dict[Stems, str] = {}
    for kind, table in (*lexicon.name_tables.items(), ("slot", lexicon.slot_table)):
        for phrase in table:
            other = claims.setdefault(phrase, kind)
            if other != kind and frozenset({kind, other}) not in SHARED:
                names = (lexicon.name_tables[other][phrase], table[phrase])
                raise ValueError(_claimed(phrase, f"{other} {names[0]}", f"{kind} {names[1]}"))


def _phrases(kind: str, rows: Mapping[str, str]) -> Phrases:
    table: Phrases = {}
    for name, phrase in _pairs(rows):
        other = table.setdefault(_split(phrase), name)
        if other != name:
            raise ValueError(_claimed(_split(phrase), f"{kind} {other}", f"{kind} {name}"))
    return table


def _claimed(phrase: Stems, one: str, other: str) -> str:
    return f"{' '.join(phrase)!r} names both {one} and {other}; a phrase may name only one of them"


def _pairs(rows: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, phrase) for name, line in rows.items() for phrase in line.split("|"))


def _phrases_of(rows: Mapping[str, str]) -> Iterator[str]:
    return (phrase for _, phrase in _pairs(rows))


def _words(phrase: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", phrase)


def _split(phrase: str) -> Stems:
    return stems(_words(phrase))


def stems(words: Iterable[str]) -> Stems:
    return tuple(map(stem, words))


FILLER: Final = frozenset(stem(word) for word in common_words.WORDS)
LEXICON: Final = build_lexicon()
