"""README.md and the pages of docs/: their text, headings, links and code samples."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
EXECUTABLE = ("console", "sh", "python")

_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


class Sample(NamedTuple):
    """A fenced block of code; `language` is empty where none is given."""

    page: str
    language: str
    text: str


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def prose_of(page: str) -> str:
    """The page without its fenced blocks."""
    return _FENCED.sub("", text_of(page))


def samples_of(page: str) -> list[Sample]:
    return [Sample(page, language, text) for _, language, text in _FENCED.findall(text_of(page))]


def links_of(page: str) -> list[str]:
    """Targets of links and images that are no address."""
    targets = [link or image for link, image in _LINK.findall(prose_of(page))]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


@cache
def anchors_of(page: str) -> frozenset[str]:
    """Anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return frozenset(_NOT_IN_ANCHORS.sub("", heading.lower()).replace(" ", "-") for heading in headings)


def commands_of(sample: Sample) -> Iterator[str]:
    """Shell commands of a sample: continued lines are joined, comments and here-documents are left out."""
    shell = re.sub(r"<<'?(\w+)'?\n.*?^\1$", "", sample.text, flags=re.MULTILINE | re.DOTALL).replace("\\\n", " ")
    for line in shell.splitlines():
        if command := re.sub(r"(^|\s)#.*$", "", line).strip():
            yield command
