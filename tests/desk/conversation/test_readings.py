"""How a message was read, in the words of a person."""

import re
from typing import Any, get_args

import pytest

from desk.conversation.readings import TOPICS, describe_call, reading_sentence
from desk.conversation.wishes import SavingsWish, ScenarioWish, StrategyWish, Wish
from desk.optimization.reading.topics import Topic

MODELS = {
    "run_optimization": ("wish", Wish),
    "evaluate_strategy": ("strategy", StrategyWish),
    "add_scenario": ("scenario", ScenarioWish),
    "simulate_wealth": ("plan", SavingsWish),
}
BROKEN = re.compile(r"\b(?:None|amount)\b|\ba [aeio]|\b(\w+) \1\b|[_{}]|  | ,|\.\.")


def test_every_topic_has_its_words() -> None:
    assert {*TOPICS} == {*get_args(Topic)}


@pytest.mark.parametrize("tool", MODELS)
def test_every_field_is_said_without_the_machinery(tool: str) -> None:
    argument, model = MODELS[tool]
    for name, field in model.model_fields.items():
        value: Any = "12%"
        if "tuple" in str(field.annotation):
            value = ["inverse_vol", "sigmoid"]
        if name in ("base", "portfolio"):
            continue
        text = reading_sentence(tool, {argument: {"base": "last", name: value}})
        assert text.startswith("How your message was read: ")
        assert not BROKEN.search(text), text
        assert "12%" in text or "sigmoid" in text or name == "template", text


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("explain_result", {"topic": "years", "detail": "2002", "run": "last"}, "on years and crises, about 2002"),
        ("evaluate_strategy", {"strategy": {"template": "constant_weight", "constant_weight": "80"}}, "weight of 80%"),
        ("evaluate_strategy", {"strategy": {"first_day": "2008", "last_day": "2008"}}, "strategy, in 2008"),
        ("simulate_wealth", {"plan": {"contribution": "500", "years": "20"}}, "500 each month paid in, over 20 years"),
        ("simulate_wealth", {"plan": {"withdrawal": "4% a year"}}, "4% a year taken out"),
        ("simulate_wealth", {"plan": {"withdrawal": "four per cent"}}, ", four per cent taken out"),
        ("assess_portfolio", {"horizon": "quarter"}, "over a quarter"),
        ("assess_portfolio", {"portfolio": {"holdings": [{"asset": "sp500", "weight": "60"}, {"asset": "cash"}]}},
         "60% in the S&P 500 and cash"),
        ("assess_portfolio", {"shocks": [{"factor": "sp500", "direction": "falls", "move": "-25%"}]},
         "the S&P 500 falls by 25%"),
        ("assess_portfolio", {"horizon": "month", "level": "99%"}, "over a month, at 99%"),
        ("run_optimization", {"wish": {"expected_shortfall": "12%"}}, ", an expected shortfall of at most 12%"),
        ("simulate_wealth", {"plan": {"inflation": "2%"}}, ", inflation of 2%"),
        ("define_term", {"term": "CVaR"}, "the meaning of CVaR"),
        ("list_saved", {"what": "data"}, "the list of your data sets"),
    ],
)  # fmt: skip
def test_a_call_is_said_as_a_person_would(tool: str, arguments: dict[str, Any], text: str) -> None:
    assert text in describe_call(tool, arguments)


def test_an_amount_in_words_is_said_as_one_in_digits() -> None:
    wish = {"base": "last", "target_volatility": "fifteen", "rebalancing": ["monthly"]}
    text = describe_call("run_optimization", {"wish": wish}, lambda quote: f"<{quote}>")
    assert text.endswith(", built on the last one, a target volatility of <fifteen>, monthly")
