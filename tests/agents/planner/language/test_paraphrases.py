"""Paraphrases that were written without knowledge of the assistant's rules."""

from pathlib import Path

import pytest

from tests.agents.planner.language.scoring import Score, interpret, items, score

PARAPHRASES = items(Path(__file__).with_name("paraphrases.json"))


@pytest.fixture(scope="module")
def scores() -> list[tuple[str, Score]]:
    """Each message and how it is understood."""
    return [(item["text"], score(item)) for item in PARAPHRASES]


def test_nine_of_ten_are_understood(scores: list[tuple[str, Score]]) -> None:
    misses = [(text, result) for text, result in scores if result.outcome != "understood"]
    assert len(misses) <= 0.10 * len(PARAPHRASES), misses


def test_no_message_is_misread(scores: list[tuple[str, Score]]) -> None:
    assert not [(text, result.why) for text, result in scores if result.outcome == "misread"]


def test_an_unclear_message_gets_offers() -> None:
    for item in PARAPHRASES:
        interpretation = interpret(item["text"], item["context"])
        assert interpretation.calls or interpretation.offers, item["text"]
