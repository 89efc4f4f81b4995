"""The terms of the desk with their definitions, read from docs/glossary.md: the same text for every reader."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import Field

from quant.numeric.frozen import Frozen

_PAGE = Path(__file__).parents[2] / "docs" / "glossary.md"
_ENTRY = re.compile(r"^\*\*([^*]+)\*\*: (.+)$", re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


class Term(Frozen):
    """An entry of the glossary."""

    names: tuple[str, ...] = Field(description="The term, then its other names and abbreviations")
    section: str = Field(description="Heading of the section that holds the term")
    definition: str = Field(description="Plain text")


@cache
def glossary() -> tuple[Term, ...]:
    """All terms in the order of the page."""
    sections = _PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    return tuple(term for section in sections for term in _terms(section))


def _terms(section: str) -> Iterator[Term]:
    heading, _, body = section.partition("\n")
    for paragraph in body.split("\n\n"):
        if entry := _ENTRY.match(paragraph.strip()):
            yield Term(names=_names(entry[1]), section=heading, definition=_plain(entry[2]))


def _names(text: str) -> tuple[str, ...]:
    """`Drift, slope (k)` as its three names."""
    whole = re.sub(r"\(([^)]*)\)", r", \1", text)
    return tuple(name.strip() for name in whole.split(",") if name.strip())


def _plain(text: str) -> str:
    """A paragraph of Markdown in one line, without its marks."""
    return re.sub(r"[*`]", "", _LINK.sub(r"\1", " ".join(text.split())))
