"""The embedded assistant's understanding of plain English."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.planner.language.understanding import Interpretation, understand
from desk.conversation.focus import Focus
from desk.conversation.quotes import is_quote
from desk.conversation.reply import OFFERS
from desk.conversation.wishes import PortfolioWish, SavingsWish, ScenarioWish, StrategyWish, Wish
from tests.agents.planner.language.scoring import FOCI, interpret, items, score

WORDINGS = items(Path(__file__).with_name("wordings.json"))
MODELS = {
    "wish": Wish,
    "strategy": StrategyWish,
    "scenario": ScenarioWish,
    "portfolio": PortfolioWish,
    "plan": SavingsWish,
}
RESULT, STRATEGY, FRESH = FOCI["after_optimization"], FOCI["after_evaluation"], FOCI["fresh"]

SOME = settings(max_examples=60)


@cache
def understood() -> list[dict[str, Any]]:
    """The wordings that lead to a call."""
    return [item for item in WORDINGS if interpret(item["text"], item["context"]).calls]


wordings = st.deferred(lambda: st.sampled_from(understood()))


def calls_of(text: str, focus: Focus) -> list[Any]:
    return [call.model_dump(mode="json") for call in understand(text, focus).calls]


def own_calls(item: dict[str, Any]) -> list[Any]:
    return [call.model_dump(mode="json") for call in interpret(item["text"], item["context"]).calls]


def same(one: list[Any], other: list[Any]) -> bool:
    """The calls in lower case, because quotes and names keep the case of the message."""
    return str(one).casefold() == str(other).casefold()


def test_the_wordings_are_understood_and_none_is_misread() -> None:
    scores = [(item["text"], score(item)) for item in WORDINGS]
    assert not [(text, result.why) for text, result in scores if result.outcome == "misread"]
    assert sum(result.outcome == "understood" for _, result in scores) >= 0.97 * len(scores)


def test_the_arguments_fit_the_tools_and_every_amount_is_a_quote() -> None:
    for item in understood():
        for call in own_calls(item):
            for name, model in MODELS.items():
                if isinstance(call["arguments"].get(name), dict):
                    model.model_validate(call["arguments"][name])
            for quote in quotes_in(call["arguments"]):
                assert is_quote(quote, [item["text"]]), item["text"]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (
            "compare minimum CVaR and maximum diversification for AAPL and KO with denoised covariance",
            {"methods": ["minimum_cvar", "maximum_diversification"], "covariance": "denoised"},
        ),
        ("most diversified portfolio of all stocks", {"methods": ["maximum_diversification"], "assets": ["stocks"]}),
        ("compare allocations for KO and XOM, Ledoit-Wolf", {"covariance": "ledoit_wolf", "methods": []}),
        ("risk of 60% AAPL and 40% cash with a reverse stress of 20%", {"loss": "20%"}),
        ("reverse stress my portfolio at a loss of 25%", {"loss": "25%", "portfolio": {}}),
        (
            "what would my portfolio lose if the S&P 500 falls by 30%?",
            {"shocks": [{"factor": "sp500", "direction": "falls", "move": "30%"}], "portfolio": {}},
        ),
        (
            "stress my portfolio if AAPL fell by 30% and XOM rises 10%",
            {
                "shocks": [
                    {"factor": "AAPL", "direction": "falls", "move": "30%"},
                    {"factor": "XOM", "direction": "rises", "move": "10%"},
                ]
            },
        ),
    ],
)
def test_optimizers_covariances_and_stress_are_named(text: str, arguments: dict[str, Any]) -> None:
    [call] = calls_of(text, FOCI["after_risk"])
    assert arguments.items() <= call["arguments"].items()


@pytest.mark.parametrize(
    "text",
    [
        "optimize KO, PG and PEP with minimum CVaR and 10% volatility",
        "optimize all stocks with maximum diversification, 10% volatility",
        "optimize the index with denoised covariance and 10% volatility",
    ],
)
def test_a_search_that_names_what_only_allocations_have_is_asked_back(text: str) -> None:
    interpretation = understand(text, FRESH)
    assert interpretation.calls == ()
    assert interpretation.unclear


def quotes_in(arguments: object, key: str = "") -> list[str]:
    if isinstance(arguments, dict):
        return [quote for name, value in arguments.items() for quote in quotes_in(value, name)]
    if isinstance(arguments, list | tuple):
        return [quote for value in arguments for quote in quotes_in(value, key)]
    return [arguments] if isinstance(arguments, str) and any(c.isdigit() for c in arguments) and key in AMOUNTS else []


AMOUNTS = {*Wish.model_fields, *StrategyWish.model_fields, *ScenarioWish.model_fields, *SavingsWish.model_fields} | {
    "weight"
}
AMOUNTS -= {"base", "name", "assets", "saved", "template", "scenarios", "scenario", "like"}


@SOME
@given(wordings, st.sampled_from(["37", "8.3%", "EUR 7m", "13 bps", "seventeen", "41 days"]), st.data())
def test_an_additional_number_always_changes_the_calls(item: dict[str, Any], number: str, data: st.DataObject) -> None:
    words = item["text"].split()
    place = data.draw(st.integers(0, len(words)))
    text, focus = " ".join([*words[:place], number, *words[place:]]), FOCI[item["context"]]
    changed = calls_of(text, focus)
    assert not changed or not same(changed, own_calls(item))


@given(
    wordings,
    st.sampled_from(["Please ", "Hi, ", "Could you please ", ""]),
    st.sampled_from([" please", " thanks", " - thank you!", ""]),
)
def test_politeness_changes_no_call(item: dict[str, Any], before: str, after: str) -> None:
    focus = FOCI[item["context"]]
    polite = calls_of(before + item["text"] + after, focus)
    assert not polite or same(polite, own_calls(item))


@given(
    wordings, st.sampled_from([str.upper, str.lower, str.capitalize]), st.sampled_from(["", ".", "!", "?", " ?!", "  "])
)
def test_case_and_final_punctuation_change_no_call(item: dict[str, Any], case: Any, end: str) -> None:
    focus = FOCI[item["context"]]
    calls = calls_of(case(item["text"]).rstrip("?!. ").replace(" ", "  ") + end, focus)
    assert not calls or same(calls, own_calls(item))


@given(st.text(max_size=80))
def test_any_text_is_answered(text: str) -> None:
    interpretation = understand(text, FRESH)
    assert interpretation.calls or interpretation.declined or interpretation.unclear or interpretation.offers


@pytest.mark.parametrize(
    ("text", "focus", "worlds"),
    [
        ("optimize the index, 10% volatility, with the fixed worlds", FRESH, "seed"),
        ("optimise KO PEP PG at 8% vol with the historical mean", FRESH, "historical"),
        ("rerun it with calibrated worlds", RESULT, "calibrated"),
        ("can you rerun it with calibrated worlds?", RESULT, "calibrated"),
        ("could you optimize the index at 10% vol with fixed worlds?", FRESH, "seed"),
        ("what about the historical mean?", RESULT, "historical"),
    ],
)
def test_the_worlds_of_a_search_are_chosen_by_name(text: str, focus: Focus, worlds: str) -> None:
    (call,) = calls_of(text, focus)
    assert (call["tool"], call["arguments"]["wish"]["worlds"]) == ("run_optimization", worlds)


@pytest.mark.parametrize("focus", [FRESH, RESULT], ids=["fresh", "after a result"])
@pytest.mark.parametrize(
    "text",
    [
        "is the verdict calibrated?",
        "is the interval calibrated?",
        "how is the traffic light calibrated?",
        "what does calibrated mean",
        "does the search use fixed scenarios?",
        "is it using the historical mean?",
        "how much timing skill does it have?",
        "what worlds did you use?",
        "are the scenarios calibrated to last year's data?",
        "do you use fixed worlds or random ones?",
        "why are the scenarios not calibrated?",
        "which worlds does the search draw from?",
        "how does the historical mean differ from the calibrated one?",
        "was it run with timing skill zero?",
        "can you explain timing skill to me?",
        "should I be using calibrated worlds?",
        "is a timing skill of 0.1 realistic?",
        "how many scenarios were used?",
        "the search uses the historical mean, right?",
        "the historical mean is misleading",
        "what is the benefit?",
        "what does benefit mean?",
        "is it worth optimizing for benefit?",
        "what is the benefit of a stop loss?",
        "what's the benefit of maximizing the sharpe ratio?",
    ],
)
def test_a_question_about_worlds_or_goals_runs_and_estimates_nothing(text: str, focus: Focus) -> None:
    interpretation = understand(text, focus)
    assert not {"run_optimization", "estimate_optimization"} & {call.tool for call in interpretation.calls}
    assert interpretation.calls or interpretation.unclear


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("does the search use fixed scenarios?", "data"),
        ("what worlds did you use?", "data"),
        ("how much timing skill does it have?", "benchmarks"),
        ("what is the benefit?", "benchmarks"),
    ],
)
def test_a_question_about_worlds_or_the_benefit_explains_the_result(text: str, topic: str) -> None:
    (call,) = calls_of(text, RESULT)
    assert (call["tool"], call["arguments"]["topic"]) == ("explain_result", topic)


@pytest.mark.parametrize(
    ("text", "focus", "goal"),
    [
        ("optimize for benefit at 8% volatility", FRESH, "benefit"),
        ("optimise the S&P 500 for benefit", FRESH, "benefit"),
        ("maximize benefit at 8% vol", FRESH, "benefit"),
        ("optimize KO, PG and PEP for benefit", FRESH, "benefit"),
        ("find the best weights for benefit with drawdown below 15%", FRESH, "benefit"),
        ("maximise the benefit at 10% volatility", FRESH, "benefit"),
        ("search for the strategy with the highest benefit", FRESH, "benefit"),
        ("run an optimization with benefit as the goal", FRESH, "benefit"),
        ("change the goal to benefit", RESULT, "benefit"),
        ("which rule has the largest benefit on the index at 10% vol?", FRESH, "benefit"),
        ("optimize the S&P 500 for the benefit of my clients", FRESH, None),
    ],
)
def test_benefit_beside_a_verb_of_optimizing_is_the_goal(text: str, focus: Focus, goal: str | None) -> None:
    (call,) = calls_of(text, focus)
    assert (call["tool"], call["arguments"]["wish"].get("goal")) == ("run_optimization", goal)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("optimise the index by benefit at 8% vol", "benefit"),
        ("optimize the S&P 500 for happiness", "happiness"),
        ("optimize the S&P 500 with the goal growth", "growth"),
    ],
)
def test_a_goal_that_is_not_understood_is_asked_about(text: str, word: str) -> None:
    interpretation = understand(text, FRESH)
    assert not interpretation.calls
    assert any(f"whether {word} is the goal" in question for question in interpretation.unclear)


def test_a_declined_message_gets_offers() -> None:
    for item in WORDINGS:
        if item["action"] in ("cannot", "unclear"):
            interpretation = understand(item["text"], FOCI[item["context"]])
            assert not interpretation.calls
            assert interpretation.offers, item["text"]
            assert interpretation.declined != bool(interpretation.unclear)


@pytest.mark.parametrize(
    ("text", "focus", "tools"),
    [
        ("why did it win and where does it lose?", RESULT, ["explain_result", "explain_result"]),
        ("Optimize the index at 12% vol. Then list my results.", FRESH, ["run_optimization", "list_results"]),
        ("show the 12-month rule, then analyse the market", FRESH, ["evaluate_strategy", "analyse_market"]),
        ("make it weekly. Save it as v1", STRATEGY, ["evaluate_strategy", "save_strategy"]),
    ],
)
def test_two_wishes_are_two_calls_in_their_order(text: str, focus: Focus, tools: list[str]) -> None:
    assert [call.tool for call in understand(text, focus).calls] == tools


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("optimize the index, vol 12% drawdown", "drawdown"),
        ("optimize with a volatility of 1", "ambiguous_amount"),
        ("optimize with vol between 8 and 12%", "range"),
        ("optimize the index with 12% vol and 15% vol", "contradiction"),
        ("optimize the index with minimum weight 60% and maximum weight 40%", "contradiction"),
        ("optimize the frobnicated index", "frobnicated"),
        ("optimize the index without costs", "negation"),
        ("60% AAPL, 60% MSFT risk report", "more than the whole"),
        ("run it again", "nothing to change"),
    ],
)
def test_a_question_names_the_missing_or_contradictory_part(text: str, part: str) -> None:
    interpretation = understand(text, FRESH)
    assert not interpretation.calls
    assert any(part in question for question in interpretation.unclear)


@pytest.mark.parametrize("slip", ["optimze", "optimise", "otpimize", "optimizze"])
def test_misspelled_words_are_corrected(slip: str) -> None:
    assert same(calls_of(f"{slip} the index at 12% vol", FRESH), calls_of("optimize the index at 12% vol", FRESH))


@pytest.mark.parametrize("text", ["optimize APPL at 12% vol", "optimize MSTF at 12% vol", "optimize KOO at 12% vol"])
def test_misspelled_tickers_lead_to_a_question(text: str) -> None:
    assert not understand(text, FRESH).calls


def test_help_lists_every_action() -> None:
    interpretation = understand("What can you do?", FRESH)
    assert interpretation == Interpretation(offers=interpretation.offers)
    assert len(interpretation.offers) == len({*interpretation.offers}) == 15


def test_every_example_that_is_offered_is_understood_where_it_can_be() -> None:
    able = FOCI["after_optimization"].model_copy(update={"strategy": StrategyWish(template="twelve_month_rule")})
    for _, example in OFFERS.values():
        for part in re.split(r"(?<=\?) ", example):
            assert understand(part, able).calls, part


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("optimize the index at 10% vol with a cash rate of 1.5%", "1.5%"),
        ("optimize the index at 10% volatility, interest rate 3%", "3%"),
        ("optimize sp500 at 12% vol, risk free rate is 0.5%", "0.5%"),
    ],
)
def test_the_rate_of_cash_is_read(text: str, quote: str) -> None:
    [call] = understand(text, FRESH).calls
    assert (call.tool, call.arguments["wish"]["cash_rate"]) == ("run_optimization", quote)


@pytest.mark.parametrize(
    "text",
    [
        "what does each stock contribute?",
        "show me the contributions by asset",
        "what is the risk contribution of each asset?",
        "how much return comes from each stock",
        "what does trading cost per asset?",
    ],
)
def test_a_question_about_single_assets_explains_the_result_by_asset(text: str) -> None:
    [call] = understand(text, RESULT).calls
    assert (call.tool, call.arguments["topic"]) == ("explain_result", "assets")


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("tear sheet of AAPL", {"portfolio": {"holdings": [{"asset": "AAPL"}]}}),
        ("tear sheet of AAPL against KO", {"portfolio": {"holdings": [{"asset": "AAPL"}]}, "benchmark": "KO"}),
        (
            "show me the tearsheet of 60% AAPL and 40% cash",
            {"portfolio": {"holdings": [{"asset": "AAPL", "weight": "60%"}, {"asset": "cash", "weight": "40%"}]}},
        ),
        ("compare AAPL with KO in a tear sheet", {"portfolio": {"holdings": [{"asset": "AAPL"}]}, "benchmark": "KO"}),
        ("tear sheet of the winner", {"run": "4e1f00aa"}),
        ("tear sheet of the previous run against AAPL", {"run": "previous", "benchmark": "AAPL"}),
    ],
)
def test_a_tear_sheet_has_a_subject_and_a_benchmark(text: str, arguments: dict[str, Any]) -> None:
    [call] = understand(text, FOCI["after_optimization"]).calls
    assert (call.tool, call.arguments) == ("show_tearsheet", arguments)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("tear sheet please", "Of which asset or portfolio"),
        ("tear sheet of AAPL against KO and XOM", "Which of these assets is the benchmark"),
        ("tear sheet of AAPL with 10% volatility", "what is the volatility for"),
    ],
)
def test_an_unclear_tear_sheet_is_a_question(text: str, question: str) -> None:
    interpretation = understand(text, FOCI["fresh"])
    assert interpretation.calls == ()
    assert question in interpretation.unclear[0]


def test_without_a_conversation_the_winner_is_that_of_the_last_run() -> None:
    [call] = understand("tear sheet of the winner", FOCI["fresh"]).calls
    assert call.arguments == {"run": "last"}
