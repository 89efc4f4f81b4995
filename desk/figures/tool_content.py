"""What a model reads of a tool's result: checked sentences, and as many figures as a few kilobytes hold."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from desk.figures.figures import WHOLE_SENTENCE, Claim, Figure, Section, format_figure
from desk.figures.guard.quantities import REFERENCE
from quant.numeric.frozen import Frozen

MAX_BYTES = 6_000
LONGEST, MOST_WORDS = 600, 20
"""Characters of a value, and words of a list, such as the names of assets; the reader sees all of them."""


def write_content(claims: Iterable[Claim], figures: Sequence[Figure], facts: Mapping[str, Any]) -> str:
    """The facts, the claims by section with the figures that they refer to, and then the other figures.

    What a figure measures is left out last, and only where the sentence that refers to it says it.
    """
    by_id = {figure.id: figure for figure in reversed(figures)}
    usable = [claim for claim in claims if by_id.keys() >= {*_references([claim])}]  # the guard refuses the others
    order = _by_importance(usable)
    content = _Content(facts, [], {})
    for count in range(1, len(order) + 1):
        chosen = [usable[place] for place in sorted(order[:count])]
        more = _Content(facts, chosen, {id_: _value(by_id[id_]) for id_ in _references(chosen)})
        if not more.fits:
            break
        content = more
    others = (id_ for id_ in dict.fromkeys(figure.id for figure in figures) if id_ not in content.figures)
    for id_ in (*content.figures, *others):
        more = _Content(facts, content.claims, content.figures | {id_: _described(by_id[id_])})
        if not more.fits:
            break
        content = more
    return content.text


def read_claims(content: str) -> Iterator[Claim]:
    """The claims in what `write_content` wrote."""
    sentences: dict[Section, list[str]] = json.loads(content)["sentences"]
    yield from (Claim(section=section, text=text) for section, texts in sentences.items() for text in texts)


def plain_facts(result: Frozen) -> dict[str, Any]:
    """The fields of a result that are a word, a flag, a count or a list of words, as far as they say something."""
    facts = ((name, _plain(value)) for name, value in result)
    return {name: value for name, value in facts if value not in (None, "", [])}


class _Content:
    """A document of facts, claims by section and figures, and whether it is short enough."""

    def __init__(self, facts: Mapping[str, Any], claims: Sequence[Claim], figures: dict[str, str]) -> None:
        sentences: dict[str, list[str]] = {}
        for claim in claims:
            sentences.setdefault(claim.section, []).append(claim.text)
        self.claims, self.figures = claims, figures
        document = {**facts, "sentences": sentences, "figures": figures}
        self.text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        self.fits = len(self.text.encode()) < MAX_BYTES


def _by_importance(claims: Sequence[Claim]) -> list[int]:
    """The places of the claims: the first of every section, then the second of each, and so on."""
    ranks: Counter[str] = Counter()
    places: list[tuple[int, int]] = []
    for place, claim in enumerate(claims):
        places.append((ranks[claim.section], place))
        ranks[claim.section] += 1
    return [place for _, place in sorted(places)]


def _references(claims: Iterable[Claim]) -> list[str]:
    return [id_ for claim in claims for id_ in REFERENCE.findall(claim.text)]


def _described(figure: Figure) -> str:
    return _value(figure) if figure.quantity == WHOLE_SENTENCE else f"{figure.quantity}: {_value(figure)}"


def _value(figure: Figure) -> str:
    return _shortened(format_figure(figure))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\N{HORIZONTAL ELLIPSIS}"


def _plain(value: object) -> str | int | list[str] | None:
    """None for what is no fact; a text that refers to figures is one of the sentences."""
    match value:
        case str():
            return None if REFERENCE.search(value) else _shortened(value)
        case int():
            return value
        case tuple():
            items = cast("tuple[object, ...]", value)
            words = [_shortened(item) for item in items if isinstance(item, str)]
            return words[:MOST_WORDS] if len(words) == len(items) else None
        case _:
            return None
