"""Every test that docs/security.md names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAPTER = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TOP_TEN = [f"API{number}" for number in range(1, 11)]
NAMED = re.compile(r"`(tests/[a-z0-9_/]+\.py)::([A-Za-z0-9_]+)`")


@cache
def named_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED.findall(CHAPTER))))
def test_a_test_that_the_chapter_names_exists(file: str, test: str) -> None:
    assert test.startswith("test_")
    assert test in named_in(file)


@pytest.mark.parametrize("weakness", TOP_TEN)
def test_each_weakness_of_the_top_ten_has_tests(weakness: str) -> None:
    (chapter,) = re.findall(
        rf"^\*\*{weakness} [^*]+\.\*\* .*?(?=^\*\*API|^The audit log|\Z)", CHAPTER, re.MULTILINE | re.DOTALL
    )
    assert len(set(NAMED.findall(chapter))) >= 2


def test_every_name_of_a_test_is_recognised() -> None:
    assert CHAPTER.count("::test_") == len(NAMED.findall(CHAPTER))
