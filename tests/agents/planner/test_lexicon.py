"""The words of the planner: each row of the strategy family by its own names, and no stop word with a meaning."""

import random
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

from agents.planner.language.lexicon import LEXICON, STOP_WORDS, VOCABULARY, Lexicon, build_lexicon
from agents.planner.language.understanding import understand
from desk.conversation.focus import Focus
from desk.conversation.wishes import StrategyWish
from desk.figures.guard.numbers import find_numbers
from quant.strategies.choices import ESTIMATORS, REBALANCING, Estimator, Rebalancing
from quant.strategies.family import FAMILY, PARAMETERS, WeightFunction, WeightRule
from quant.strategies.goal import Goal
from quant.strategies.metrics import METRICS

STRATEGY = Focus(strategy=StrategyWish(template="twelve_month_rule"), last="evaluate")
DECAY = WeightRule(
    "W13",
    "exponential decay",
    "exp(-slope * max(0, volatility - target))",
    lambda path: path.exp(-path.first * max(0.0, path.volatility - path.target)),
    parameters=("slope",),
    words="exponential decay|exponential decline",
)
NAMED: list[WeightFunction] = [name for name, row in FAMILY.items() if not row.benchmark]
COMMON = (Path(__file__).with_name("texts") / "common_words.txt").read_text(encoding="utf-8").split()
"""Common English words."""


def planted(**rows: WeightRule) -> Lexicon:
    return build_lexicon(family=FAMILY | rows)


def strategy_of(text: str, lexicon: Lexicon = LEXICON) -> dict[str, Any]:
    (call,) = understand(text, STRATEGY, (), lexicon).calls
    assert call.tool == "evaluate_strategy"
    return {name: value for name, value in call.arguments["strategy"].items() if name != "base"}


@pytest.mark.parametrize("name", NAMED)
def test_every_weight_function_is_read_by_its_name_title_and_phrases(name: WeightFunction) -> None:
    row = FAMILY[name]
    for phrase in (name, row.title, *row.words.split("|")):
        read = strategy_of(f"try it with {phrase} instead")
        assert name in (read.get("weight_function"), read.get("template")), phrase


@pytest.mark.parametrize("name", [name for name, row in ESTIMATORS.items() if row.simulated])
def test_every_estimator_is_read_by_its_phrases(name: Estimator) -> None:
    for phrase in (name, *ESTIMATORS[name].words.split("|")):
        assert strategy_of(f"use {phrase} instead") == {"estimator": name}, phrase


@pytest.mark.parametrize("goal", get_args(Goal))
def test_every_goal_is_read_by_its_name(goal: Goal) -> None:
    (call,) = understand(f"optimize the S&P 500 with the goal {goal}", Focus()).calls
    assert call.arguments["wish"]["goal"] == goal


@pytest.mark.parametrize("name", REBALANCING)
def test_every_rebalancing_is_read_by_its_phrases(name: Rebalancing) -> None:
    for phrase in (name, *REBALANCING[name].words.split("|")):
        assert strategy_of(f"use sigmoid, {phrase}")["rebalancing"] == name, phrase


@pytest.mark.parametrize(
    ("function", "parameter"),
    [(name, parameter) for name in NAMED for parameter in FAMILY[name].parameters if PARAMETERS[parameter].words],
)
def test_every_parameter_is_read_beside_its_function(function: WeightFunction, parameter: str) -> None:
    phrase = PARAMETERS[parameter].words.split("|")[0]
    assert strategy_of(f"evaluate {FAMILY[function].words.split('|')[0]} with {phrase} 0.9")[parameter] == "0.9"


@pytest.mark.parametrize("text", ["use exponential decay with slope 4", "evaluate exponential decay, slope 4"])
def test_a_planted_function_is_read(text: str) -> None:
    read = strategy_of(text, planted(exponential_decay=DECAY))
    assert read == {"weight_function": "exponential_decay", "slope": "4"}
    assert not understand(text, STRATEGY).calls


def test_the_longest_phrase_is_read() -> None:
    lexicon = planted(cubic=replace(DECAY, title="linear decay cubed", words="linear decay cubed"))
    assert strategy_of("what about linear decay cubed instead?", lexicon) == {"weight_function": "cubic"}


def test_a_phrase_that_another_function_claims_is_refused() -> None:
    with pytest.raises(ValueError, match="function linear_decay"):
        planted(exponential_decay=replace(DECAY, words="linear decay"))


def test_no_stop_word_has_a_meaning() -> None:
    """A stop word names nothing by itself: no strategy, metric, term of the glossary, number or date."""
    assert len(STOP_WORDS) <= 200
    tables = (*(row.words for row in (*FAMILY.values(), *ESTIMATORS.values(), *PARAMETERS.values())),
              *(row.words for row in REBALANCING.values()))  # fmt: skip
    named = {phrase for line in tables for phrase in line.split("|")} | {*FAMILY}
    named |= {word.strip(" *>") for metric in METRICS.values() for word in metric.words.split(",")}
    glossary = (Path(__file__).parents[3] / "docs" / "glossary.md").read_text(encoding="utf-8")
    named |= {term.lower() for term in re.findall(r"^\*\*(.+?)\*\*", glossary, re.MULTILINE)}
    for kind in ("asset", "scenario", "engine", "goal", "method", "covariance", "template", "amount"):
        named |= {phrase for line in VOCABULARY[kind].values() for phrase in re.split(r"[|\n]", line)}
    assert STOP_WORDS.isdisjoint(named)
    assert not [word for word in STOP_WORDS if find_numbers(word)]


# every meaningful word is used, or nothing is done


@cache
def _known_words() -> tuple[str, ...]:
    lines = [line for table in VOCABULARY.values() for line in table.values()]
    return tuple(sorted({phrase for line in lines for phrase in re.split(r"[|\n]", line) if phrase}))


def _named(arguments: dict[str, Any]) -> str:
    """The name that a call uses, which may be any words."""
    return arguments.get("name") or arguments.get("strategy", {}).get("saved") or " "


def test_random_messages_use_every_meaningful_word_or_do_nothing(capsys) -> None:
    """A word of no phrase, and not within an edit of one, is in no message that is acted on, except in a name."""
    draw, acted, count = random.Random(24), 0, 400
    for _ in range(count):
        words = [draw.choice(COMMON if draw.random() < 0.15 else _known_words()) for _ in range(draw.randint(2, 6))]
        text = " ".join([*words, *([f"{draw.randint(5, 30)}%"] if draw.random() < 0.3 else [])])
        interpretation = understand(text, draw.choice([Focus(), STRATEGY, Focus(run="0aa1f00d", last="optimize")]))
        if interpretation.calls:
            acted += 1
            unnamed = re.sub(rf"\b{re.escape(_named(interpretation.calls[0].arguments))}\b", " ", text, count=1)
            foreign = [w for w in re.findall(r"[a-z']+", unnamed) if w not in STOP_WORDS and not LEXICON.knows(w)]
            assert not foreign, text
            assert not ("%" in text and "%" not in str(interpretation.calls)), text
    with capsys.disabled():
        print(f" acted on {acted} of {count} ", end="")
    assert acted < 0.5 * count
