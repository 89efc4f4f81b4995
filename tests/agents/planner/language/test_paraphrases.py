"""Paraphrases that were written without knowledge of the assistant's rules."""

from pathlib import Path

from agents.planner.language.understanding import understand
from tests.agents.planner.language.scoring import FOCI, items, score

PARAPHRASES = items(Path(__file__).with_name("paraphrases.json"))


def test_nine_of_ten_are_understood() -> None:
    scores = [score(item) for item in PARAPHRASES]
    misses = [
        (item["text"], result)
        for item, result in zip(PARAPHRASES, scores, strict=True)
        if result.outcome != "understood"
    ]
    assert len(misses) <= 0.10 * len(PARAPHRASES), misses


def test_no_message_is_misread() -> None:
    scores = [(item["text"], score(item)) for item in PARAPHRASES]
    assert not [(text, result.why) for text, result in scores if result.outcome == "misread"]


def test_an_unclear_message_gets_offers() -> None:
    for item in PARAPHRASES:
        interpretation = understand(item["text"], FOCI[item["context"]])
        assert interpretation.calls or interpretation.offers, item["text"]
