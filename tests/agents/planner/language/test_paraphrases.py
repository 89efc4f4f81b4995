"""Wordings by somebody who has not seen the assistant's rules."""

from pathlib import Path

from agents.planner.language.understanding import understand
from tests.agents.planner.language.scoring import FOCI, items, score

PARAPHRASES = items(Path(__file__).with_name("paraphrases.json"))


def test_nine_of_ten_are_understood() -> None:
    scores = [score(item) for item in PARAPHRASES]
    missed = [
        (item["text"], found) for item, found in zip(PARAPHRASES, scores, strict=True) if found.outcome != "understood"
    ]
    assert len(missed) <= 0.10 * len(PARAPHRASES), missed


def test_none_is_misread() -> None:
    scores = [(item["text"], score(item)) for item in PARAPHRASES]
    assert not [(text, found.why) for text, found in scores if found.outcome == "misread"]


def test_what_is_not_understood_says_what_can_be_asked_instead() -> None:
    for item in PARAPHRASES:
        understood = understand(item["text"], FOCI[item["context"]])
        assert understood.calls or understood.offers, item["text"]
