"""Definitions of terms: the glossary, and what the tables of strategies and metrics say of their rows."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache

from desk.base.errors import InvalidInput
from desk.base.glossary import glossary
from desk.base.text import join_words, sentence_case
from desk.figures.figures import Figure
from desk.figures.sheet import sentence_figure
from quant.numeric.frozen import Frozen
from quant.strategies.family import FAMILY
from quant.strategies.metrics import METRICS


class Definition(Frozen):
    """A term and what it means."""

    term: str
    figures: tuple[Figure, ...]


@cache
def definitions() -> dict[str, tuple[str, str]]:
    """The term and its definition, by each of its names in lower case; the glossary comes first."""
    terms: dict[str, tuple[str, str]] = {}
    for names, text in _entries():
        for name in names:
            terms.setdefault(name.casefold(), (names[0], text))
    return terms


BETWEEN = re.compile(r",? (?:and|or|versus|vs\.?|from) (?:an? |the )?")
"""What stands between two terms."""


LONGEST_ID = 60
"""Characters of the names of terms in an id."""
ARTICLES = frozenset({"A", "An", "The", "One", "How", "What"})


def define(name: str) -> Definition:
    """The definition of a term, or of two that are named together; `InvalidInput` for another."""
    terms, both = definitions(), BETWEEN.split(name.strip())
    if name.strip().casefold() not in terms and len(both) == 2:
        first, second = map(define, both)
        return Definition(
            term=f"{first.term}, {second.term}",
            figures=(_figure(f"{first.term} {second.term}", _contrast(first, second)),),
        )
    wanted = name.strip().casefold()
    found = terms.get(wanted) or terms.get(wanted.removesuffix("s"))
    if found is None:
        near = [terms[key][0] for key in get_close_matches(wanted, terms, 3)] or ["Volatility", "Drawdown"]
        raise InvalidInput(
            "term", name, reason=f"{name} is no term of the glossary", allowed=f"a term such as {join_words(near)}"
        )
    rows = {
        f"{_slug(found[0])}_name": ("term", found[0]),
        f"{_slug(found[0])}_definition": ("definition", found[1]),
    }
    return Definition(
        term=found[0],
        figures=(
            _figure(found[0], _sentence(name, *found)),
            *(
                Figure(id=id_, quantity=quantity, value=value, unit="text", source=f"define_term.{id_}")
                for id_, (quantity, value) in rows.items()
            ),
        ),
    )


def _contrast(first: Definition, second: Definition) -> str:
    """What each is, in one sentence, and then the rest of both definitions."""
    (is_first, _, more), (is_second, _, still) = (
        str(each.figures[-1].value).removesuffix(".").partition(". ") for each in (first, second)
    )
    both = f"“{sentence_case(first.term)}” is {_within(is_first)}, while “{second.term}” is {_within(is_second)}."
    return " ".join([both, *(f"{text}." for text in (more, still) if text)])


def _within(text: str) -> str:
    """A definition after "is"."""
    return text[:1].lower() + text[1:] if text.partition(" ")[0] in ARTICLES else text


def _figure(terms: str, text: str) -> Figure:
    """Each term has an id of its own, since an answer may define several."""
    return sentence_figure(f"{_slug(terms)}_sentence", text, "define_term.term_sentence")


def _slug(terms: str) -> str:
    return "term_" + re.sub(r"[^a-z0-9]+", "_", terms.casefold()).strip("_")[:LONGEST_ID]


def _sentence(asked: str, name: str, definition: str) -> str:
    """`Expected shortfall: the mean ...`, with the abbreviation that was asked for."""
    term = asked.strip()
    abbreviation = f" ({term})" if term.isupper() and term.casefold() != name.casefold() else ""
    return f"{sentence_case(name)}{abbreviation}: {definition[:1].lower()}{definition[1:]}"


def _entries() -> Iterator[tuple[tuple[str, ...], str]]:
    yield from ((term.names, sentence_case(term.definition)) for term in glossary())
    for name, metric in METRICS.items():
        words = (word.strip(" *") for word in metric.words.split(",") if not set(">*") & set(word))
        article = "" if metric.definition[0].isdigit() or metric.definition.startswith("the ") else "the "
        names = (metric.label, metric.quantity, name.replace("_", " "), *filter(None, words))
        yield names, f"{article}{metric.definition}."
    for name, row in FAMILY.items():
        text = f"A weight function whose weight of the risky asset is {row.formula}."
        yield (row.title, name.replace("_", " "), *filter(None, row.words.split("|"))), text
