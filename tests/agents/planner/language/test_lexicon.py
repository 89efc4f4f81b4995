"""Rows of the strategy family in plain English: each is read by its own names, and none as another."""

from dataclasses import replace
from typing import Any

import pytest

from agents.planner.language.lexicon import LEXICON, Lexicon, build_lexicon
from agents.planner.language.understanding import Interpretation, understand
from desk.conversation.focus import Focus
from desk.conversation.wishes import StrategyWish
from quant.strategies.choices import ESTIMATORS, REBALANCING, Estimator, Rebalancing
from quant.strategies.family import FAMILY, PARAMETERS, WeightFunction, WeightRule

STRATEGY = Focus(strategy=StrategyWish(template="twelve_month_rule"), last="evaluate")
DECAY = WeightRule(
    "W13",
    "exponential decay",
    "exp(-slope * max(0, volatility - target))",
    lambda path: path.exp(-path.first * max(0.0, path.volatility - path.target)),
    parameters=("slope",),
    words="exponential decay|exponential decline",
)
WITHOUT = build_lexicon(family={name: row for name, row in FAMILY.items() if "exponential" not in row.words})
"""Weight functions of which none is called exponential."""
NAMED: list[WeightFunction] = [name for name, row in FAMILY.items() if not row.benchmark]


def planted(**rows: WeightRule) -> Lexicon:
    return build_lexicon(family=FAMILY | rows)


def strategy_of(text: str, lexicon: Lexicon = LEXICON, focus: Focus = STRATEGY) -> dict[str, Any]:
    (call,) = understand(text, focus, lexicon).calls
    assert call.tool == "evaluate_strategy"
    return {name: value for name, value in call.arguments["strategy"].items() if name != "base"}


def question_about(text: str, lexicon: Lexicon = LEXICON, focus: Focus = STRATEGY) -> str:
    interpretation: Interpretation = understand(text, focus, lexicon)
    assert not interpretation.calls, interpretation
    return " ".join(interpretation.unclear)


# every row has names


@pytest.mark.parametrize("name", NAMED)
def test_every_weight_function_is_read_by_its_name_title_and_phrases(name: WeightFunction) -> None:
    row = FAMILY[name]
    for phrase in (name, row.title, *row.words.split("|")):
        read = strategy_of(f"what about {phrase} instead?")
        assert name in (read.get("weight_function"), read.get("template")), phrase


@pytest.mark.parametrize("name", [name for name, row in ESTIMATORS.items() if row.simulated])
def test_every_estimator_is_read_by_its_phrases(name: Estimator) -> None:
    for phrase in (name, *ESTIMATORS[name].words.split("|")):
        assert strategy_of(f"use {phrase} instead") == {"estimator": name}, phrase


@pytest.mark.parametrize("name", REBALANCING)
def test_every_rebalancing_is_read_by_its_phrases(name: Rebalancing) -> None:
    for phrase in (name, *REBALANCING[name].words.split("|")):
        assert strategy_of(f"use sigmoid, {phrase}")["rebalancing"] == name, phrase


@pytest.mark.parametrize(
    ("function", "parameter"),
    [(name, parameter) for name in NAMED for parameter in FAMILY[name].parameters if PARAMETERS[parameter].words],
)
def test_every_parameter_is_read_beside_its_function(function: WeightFunction, parameter: str) -> None:
    for phrase in PARAMETERS[parameter].words.split("|"):
        read = strategy_of(f"evaluate {FAMILY[function].words.split('|')[0]} with {phrase} 0.9")
        assert read[parameter] == "0.9", phrase


# a new row


@pytest.mark.parametrize("text", ["use exponential decay with slope 4", "evaluate the exponential decay rule, slope 4"])
def test_a_planted_function_is_read_and_never_as_an_estimator(text: str) -> None:
    assert strategy_of(text, planted(exponential_decay=DECAY)) == {
        "weight_function": "exponential_decay",
        "slope": "4",
    }


@pytest.mark.parametrize(
    "text",
    [
        "use EWMA with decay 0.94",
        "use EWMA, decay of 0.94",
        "use an exponential volatility with a decay factor of 0.94",
        "use exponential weighting with decay 0.94",
    ],
)
@pytest.mark.parametrize("lexicon", [LEXICON, planted(exponential_decay=DECAY)], ids=["as it is", "planted"])
def test_the_decay_of_an_estimator_remains_its_parameter(text: str, lexicon: Lexicon) -> None:
    assert strategy_of(text, lexicon) == {"estimator": "ewma", "decay": "0.94"}


def test_both_a_planted_function_and_the_estimator_are_read_in_one_message() -> None:
    text = "evaluate exponential decay with slope 4 on EWMA with decay 0.97"
    read = strategy_of(text, planted(exponential_decay=DECAY))
    assert read == {"weight_function": "exponential_decay", "slope": "4", "estimator": "ewma", "decay": "0.97"}


def test_a_planted_function_is_searched_beside_others() -> None:
    lexicon = planted(exponential_decay=DECAY)
    text = "optimize the index at 10% vol with sigmoid, exponential decay and linear decay, EWMA"
    (call,) = understand(text, Focus(), lexicon).calls
    assert call.arguments["wish"]["weight_functions"] == ("sigmoid", "exponential_decay", "linear_decay")
    assert call.arguments["wish"]["estimators"] == ("ewma",)


def test_the_longest_phrase_is_read() -> None:
    lexicon = planted(cubic=replace(DECAY, title="linear decay cubed", words="decay cubed|cubic"))
    assert strategy_of("what about linear decay instead?", lexicon) == {"weight_function": "linear_decay"}
    lexicon = planted(cubic=replace(DECAY, title="linear decay cubed", words="linear decay cubed"))
    assert strategy_of("what about linear decay cubed instead?", lexicon) == {"weight_function": "cubic"}
    lexicon = planted(slow=replace(DECAY, words="volatility on stilts"))
    assert strategy_of("what about inverse volatility on stilts instead?", lexicon) == {"weight_function": "slow"}


@pytest.mark.parametrize(
    ("words", "other"),
    [
        ("linear decay", "function linear_decay"),
        ("exponential weighting", "estimator ewma"),
        ("monthly", "rebalancing monthly"),
        ("steepness", "slot slope"),
        ("sigmoid rule", "function sigmoid"),
    ],
)
def test_a_phrase_that_another_row_claims_is_refused(words: str, other: str) -> None:
    with pytest.raises(ValueError, match=other):
        planted(exponential_decay=replace(DECAY, words=words))


# names of nothing


@pytest.mark.parametrize(
    "text",
    [
        "use exponential decay with slope 4",
        "evaluate cubic decay with slope 4",
        "what about the exponential weighting function?",
        "use the quadratic weight function",
        "optimize the index at 10% vol with exponential decay",
        "optimize the index at 10% vol with sigmoid and exponential decay",
        "optimize the index at 12% vol with a step function",
        "optimize the index at 12% vol, linear or exponential",
        "use an exponential rule",
        "use the EWMA function",
        "why not exponential decay?",
    ],
)
@pytest.mark.parametrize("focus", [Focus(), STRATEGY], ids=["fresh", "after an evaluation"])
def test_a_function_that_does_not_exist_is_asked_about_with_what_exists(text: str, focus: Focus) -> None:
    question = question_about(text, WITHOUT, focus)
    assert all(row.title in question for row in WITHOUT.family.values() if not row.benchmark)
    assert "ewma" in question


@pytest.mark.parametrize(
    "text",
    [
        "optimize the index at 10% vol with the best weight function",
        "optimize the index at 10% vol, which weight function is best?",
        "optimize the index for the utility function at 10% vol",
        "evaluate the sigmoid weight function",
        "decrease the vol to 8%",
    ],
)
def test_a_function_without_a_name_is_no_unknown_function(text: str) -> None:
    assert understand(text, STRATEGY).calls
