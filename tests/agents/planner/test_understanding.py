"""The planner's understanding of messages: it uses every meaningful word, or it does not act."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.planner.assistant import reply_or_calls
from agents.planner.language.languages import language_note
from agents.planner.language.understanding import Interpretation, Past, understand
from desk.conversation.focus import Focus
from desk.conversation.quotes import is_quote
from desk.conversation.reply import OFFERS
from desk.conversation.wishes import Holding, PortfolioWish, SavingsWish, ScenarioWish, StrategyWish, Wish
from desk.optimization.request import Limit, Limits, OptimizationRequest
from tests.agents.planner.scoring import Outcome, load, score

TEXTS = [item for path in sorted(Path(__file__).with_name("texts").glob("development*.jsonl")) for item in load(path)]
MODELS = {"wish": Wish, "strategy": StrategyWish, "scenario": ScenarioWish, "portfolio": PortfolioWish,
          "plan": SavingsWish}  # fmt: skip
SPX, CASH = Holding(asset="sp500", weight="60%"), Holding(asset="cash", weight="40%")
REQUEST = OptimizationRequest(limits=Limits(max_drawdown=Limit(bound=0.20)))
FRESH = Focus()
RESULT = Focus(run="4e1f00aa", previous_run="9b2c11dd", request=REQUEST, last="optimize")
STRATEGY = Focus(strategy=StrategyWish(template="twelve_month_rule"), last="evaluate")
RISK = Focus(portfolio=PortfolioWish(holdings=(SPX, CASH), amount="EUR 1m"), last="assess_risk")


QUESTIONS = Path(__file__).with_name("texts").joinpath("questions.txt").read_text(encoding="utf-8").splitlines()
"""Questions after a search, each behind its topic or its tool; of a list of what is kept, behind what it lists."""


@pytest.mark.parametrize("line", QUESTIONS)
def test_questions_about_a_result_are_answered_and_not_asked_back(line: str) -> None:
    wanted, _, text = line.partition(" | ")
    [call] = understand(text, RESULT).calls
    arguments = call.arguments
    what = f":{arguments['what']}" if "what" in arguments else ""
    assert arguments.get("topic", f"{call.tool}{what}") == wanted


@pytest.mark.parametrize("name", ["Somerset", "Whatley", "Anyon 2"])
def test_a_strategy_may_have_any_name_but_none(name: str) -> None:
    assert calls_of(f"save this as {name}", STRATEGY) == [("save_strategy", {"name": name})]
    assert calls_of("please save this under something sensible", STRATEGY) == []


def test_half_the_trials_is_no_number_of_trials() -> None:
    assert calls_of("half the trials", RESULT) == []


@pytest.mark.parametrize("text", ["what would have to happen for us to lose EUR 2m?", "how could we lose EUR 2m?"])
def test_money_that_is_lost_is_not_what_is_held(text: str) -> None:
    assert calls_of(text, RISK) == []


@pytest.mark.parametrize("text", ["rerun it, is it luck?", "is this luck, stop the search"])
def test_a_question_swallows_no_order(text: str) -> None:
    assert calls_of(text, RESULT) == []


def test_a_greeting_again_repeats_no_search() -> None:
    [(_, arguments)] = calls_of("hi again! find the best rule for the S&P 500 with 12% drawdown, monthly", RESULT)
    assert arguments["wish"]["base"] == "new"


@pytest.mark.parametrize(("quote", "direction"), [("minus 39%", "falls"), ("-39%", "falls"), ("+10%", "rises")])
def test_a_signed_move_of_the_index_is_a_shock_of_the_portfolio(quote: str, direction: str) -> None:
    [(tool, arguments)] = calls_of(f"Index {quote}. Loss?", RISK)
    assert tool == "assess_portfolio"
    assert [*arguments["shocks"]] == [{"factor": "sp500", "direction": direction, "move": quote}]


def test_a_search_of_an_earlier_conversation_is_changed_where_the_message_says_so() -> None:
    later = Focus(run="4e1f00aa", request=REQUEST)
    [(_, same)] = calls_of("run the same search again, but rebalance quarterly", later)
    assert same["wish"]["base"] == "last"
    [(_, new)] = calls_of("optimize with 10% volatility", later)
    assert new["wish"]["base"] == "new"


@pytest.mark.parametrize(
    "text",
    [
        "optimize AAPL, MSFT and KO with min 10% and max 50% per name, 250 trials",
        "search AAPL, KO and JNJ with at most 40% each",
        "best mix of KO, PG and GE, position limit 30%",
    ],
)
def test_a_bound_of_each_asset_is_not_taken_for_one_of_all_together(text: str) -> None:
    assert calls_of(text) == []


@pytest.mark.parametrize(("amount", "answered"), [("60", True), ("61", False), ("$60", False), ("60 years", False)])
def test_only_an_amount_of_the_search_names_it(amount: str, answered: bool) -> None:
    searched = RESULT.model_copy(update={"request": REQUEST.model_copy(update={"trials": 60})})
    calls = understand(f"how likely is it that the best of the {amount} was just lucky?", searched).calls
    assert bool(calls) is answered


@pytest.mark.parametrize(
    ("text", "weight"), [("is 80/20 any better?", "80"), ("20/80?", "20"), ("does 70/30 beat 60/40?", "70")]
)
def test_a_mix_is_the_share_of_risky_assets(text: str, weight: str) -> None:
    [(tool, arguments)] = calls_of(text, RESULT)
    assert tool == "evaluate_strategy"
    assert arguments["strategy"]["constant_weight"] == weight


@pytest.mark.parametrize(
    "text",
    [
        "how would 60% S&P 500 and 40% cash have done?",
        "backtest 40% cash 60% spx",
        "backtest spx 60% cash 40%",
        "what if we just held 60% in the index, rest in cash",
    ],
)
def test_a_share_beside_cash_is_held_all_the_time(text: str) -> None:
    [(tool, arguments)] = calls_of(text, FRESH)
    assert tool == "evaluate_strategy"
    assert arguments["strategy"].items() >= {"template": "constant_weight", "constant_weight": "60%"}.items()


def test_another_mix_keeps_the_days_of_the_last_one() -> None:
    [(_, arguments)] = calls_of("and 40/60?", STRATEGY)
    assert arguments["strategy"] == {"base": "last", "weight_function": "constant", "constant_weight": "40"}


@pytest.mark.parametrize("age", ["Mrs Keller is 58 and", "She is 58,", "My client, aged 58,", "My 58-year-old client"])
def test_how_old_somebody_is_says_nothing_about_money(age: str) -> None:
    [(tool, arguments)] = calls_of(
        f"{age} has CHF 1m in the S&P 500 and spends 40k/yr. Is it enough for 30 years?", FRESH
    )
    assert tool == "simulate_wealth"
    assert arguments["plan"].items() >= {"years": "30 years", "withdrawal": "40k/yr"}.items()


@pytest.mark.parametrize("ticker", ["BA", "ORCL"])
def test_a_ticker_beside_a_share_is_an_asset_whether_it_has_prices_or_not(ticker: str) -> None:
    [(tool, arguments)] = calls_of(f"risk of 50% AAPL and 50% {ticker}", FRESH)
    assert tool == "assess_portfolio"
    assert [each["asset"] for each in arguments["portfolio"]["holdings"]] == ["AAPL", ticker]


def test_a_term_is_not_defined_without_the_word_before_it() -> None:
    interpretation = understand("what is an effective trial?", RESULT)
    assert interpretation.calls == ()
    assert interpretation.proposals[0].call.arguments == {"term": "trial"}


def test_a_period_belongs_to_the_amount_before_it() -> None:
    [(_, arguments)] = calls_of("simulate 5% withdrawals a year on EUR 1m for 20 years", FRESH)
    portfolio = {"amount": "EUR 1m", "holdings": [{"asset": "sp500"}]}
    assert arguments["plan"] == {
        "portfolio": portfolio, "withdrawal": "5% withdrawals a year", "years": "20 years"
    }  # fmt: skip


def test_money_that_is_held_and_the_same_sum_that_is_wanted_are_two_things() -> None:
    [(_, arguments)] = calls_of("simulate 1 million in the S&P 500, I want 1 million in 10 years", FRESH)
    assert arguments["plan"]["portfolio"]["amount"] == arguments["plan"]["goal"] == "1 million"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("and in 2008?", ("2008", "2008")),
        ("since 2005", ("2005", None)),
        ("from 2000 to 2003?", ("2000", "2003")),
        ("since '98", ("'98", None)),
        ("start on 3 March 2001", ("3 March 2001", None)),
    ],
)
def test_a_portfolio_has_its_days(text: str, days: tuple[str | None, str | None]) -> None:
    [(tool, arguments)] = calls_of(text, RISK)
    assert tool == "assess_portfolio"
    assert (arguments.get("first_day"), arguments.get("last_day")) == days


def test_undo_takes_back_a_scenario_that_was_added() -> None:
    added = Past(asked="add", did=(("add_scenario", {"scenario": {"name": "Stagflation", "like": "bear_market"}}),))
    assert calls_of("undo", FRESH, (added,)) == [("remove_scenario", {"name": "Stagflation"})]


def calls_of(text: str, focus: Focus = FRESH, before: tuple[Past, ...] = ()) -> list[tuple[str, dict[str, Any]]]:
    return [(call.tool, call.arguments) for call in understand(text, focus, before).calls]


def call_of(text: str, focus: Focus = FRESH, before: tuple[Past, ...] = ()) -> tuple[str, dict[str, Any]]:
    [call] = calls_of(text, focus, before)
    return call


@pytest.fixture(scope="module", params=[3, pytest.param(1, marks=pytest.mark.soak)], ids=["a third", "all"])
def readings(request: pytest.FixtureRequest) -> list[tuple[dict[str, Any], Outcome, Interpretation]]:
    """The readings of every so many texts, from all files."""
    return [(item, *score(item)) for item in TEXTS[:: request.param]]


def test_texts_written_without_sight_of_the_code_are_read_or_asked_about(readings) -> None:
    outcomes = Counter(outcome for _, outcome, _ in readings)
    share = {outcome: count / len(readings) for outcome, count in outcomes.items()}
    assert share.get("misread", 0.0) <= 0.01
    assert share["understood"] >= 0.60
    assert share["understood"] + share["offered"] >= 0.80
    assert share.get("unhelpful", 0.0) <= 0.05


def test_the_arguments_fit_the_tools_and_every_amount_is_a_quote(readings) -> None:
    for item, _, interpretation in readings:
        said = [*item["before"], item["text"]]
        for call in interpretation.calls:
            for name, model in MODELS.items():
                if isinstance(call.arguments.get(name), dict):
                    model.model_validate(call.arguments[name])
            for quote in _quotes(call.arguments):
                assert is_quote(quote, said), item["text"]


def _quotes(arguments: object, key: str = "") -> list[str]:
    if isinstance(arguments, dict):
        return [quote for name, value in arguments.items() for quote in _quotes(value, name)]
    if isinstance(arguments, list | tuple):
        return [quote for value in arguments for quote in _quotes(value, key)]
    names = ("run", "first", "second", "saved", "name", "asset", "assets", "template", "factor", "benchmark")
    return [arguments] if isinstance(arguments, str) and key not in names and any(map(str.isdigit, arguments)) else []


texts = st.sampled_from([item["text"] for item in TEXTS])


@settings(max_examples=40)
@given(texts, st.sampled_from(["37", "8.3%", "EUR 7m", "13 bps", "seventeen", "41 days"]), st.data())
def test_an_additional_number_always_changes_the_calls(text: str, number: str, data: st.DataObject) -> None:
    words = text.split()
    place = data.draw(st.integers(0, len(words)))
    changed = calls_of(" ".join([*words[:place], number, *words[place:]]), RESULT)
    assert not changed or str(changed).casefold() != str(calls_of(text, RESULT)).casefold()


@settings(max_examples=40)
@given(texts, st.sampled_from([str.upper, str.lower]), st.sampled_from(["", "please ", "Hello, could you "]))
def test_case_and_politeness_change_no_call(text: str, case: Any, lead: str) -> None:
    calls = calls_of(case(lead + text), RESULT)
    assert not calls or str(calls).casefold() == str(calls_of(text, RESULT)).casefold()


@settings(max_examples=60)
@given(st.text(max_size=80))
def test_any_text_is_answered(text: str) -> None:
    task = json.dumps({"person": text, "focus": {}})
    reply = reply_or_calls(task, ())
    assert isinstance(reply, list) or reply.claims


@pytest.mark.parametrize("text", ["x " * 1_900, "12% " * 900, "optimize " * 400, "7" * 4_000])
def test_a_message_without_end_is_answered_at_once(text: str) -> None:
    reply = reply_or_calls(json.dumps({"person": text, "focus": {}}), ())
    assert not isinstance(reply, list)
    assert reply.outcome == "asked_back"


@pytest.mark.parametrize("word", ["quarterish", "pension-adjusted", "Liechtenstein", "17"])
@pytest.mark.parametrize(
    ("text", "focus"),
    [
        ("optimize the S&P 500 with 10% volatility and at most 20% drawdown, 100 trials", FRESH),
        ("risk of 60% S&P 500 and 40% cash worth EUR 1m", FRESH),
        ("why did it win?", RESULT),
    ],
)
def test_a_word_without_a_use_is_asked_about(text: str, focus: Focus, word: str) -> None:
    assert calls_of(text, focus)
    interpretation = understand(f"{text.rstrip('?')}, {word}", focus)
    assert interpretation.calls == ()
    part = word.partition("-")[0].casefold()
    assert any(part in " ".join(each.unused).casefold() or each.questions for each in interpretation.proposals)


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("compare minimum CVaR and maximum diversification for AAPL and KO with denoised covariance",
         "compare_allocations", {"methods": ["minimum_cvar", "maximum_diversification"], "covariance": "denoised"}),
        ("risk of 60% AAPL and 40% cash with a reverse stress of 20%", "assess_portfolio", {"loss": "20%"}),
        ("what would my portfolio lose if the S&P 500 falls by 30%?", "assess_portfolio",
         {"shocks": [{"factor": "sp500", "direction": "falls", "move": "30%"}], "portfolio": {}}),
        ("what is the risk of my portfolio if the market drops 30%?", "assess_portfolio",
         {"shocks": [{"factor": "sp500", "direction": "falls", "move": "30%"}], "portfolio": {}}),
        ("tear sheet of AAPL against KO", "show_tearsheet",
         {"portfolio": {"holdings": [{"asset": "AAPL"}]}, "benchmark": "KO"}),
        ("tear sheet of the winner", "show_tearsheet", {"run": "last"}),
        ("VaR 70/30 spx/cash, $5m", "assess_portfolio",
         {"portfolio": {"amount": "$5m", "holdings": [{"asset": "sp500", "weight": "70"},
                                                      {"asset": "cash", "weight": "30"}]}}),
        ("pnl of 70% XOM and 30% CVX, shock: XOM -30%, CVX +5%", "assess_portfolio",
         {"shocks": [{"factor": "XOM", "direction": "falls", "move": "-30%"},
                     {"factor": "CVX", "direction": "rises", "move": "+5%"}]}),
        ("is 60% AAPL and 40% KO riskier than the index?", "assess_portfolio",
         {"portfolio": {"holdings": [{"asset": "AAPL", "weight": "60%"}, {"asset": "KO", "weight": "40%"}]}}),
        ("risk of USD 2m in JPM and USD 1m in GE", "assess_portfolio",
         {"portfolio": {"holdings": [{"asset": "JPM", "amount": "USD 2m"}, {"asset": "GE", "amount": "USD 1m"}]}}),
        ("risk of a 50:50 mix of AAPL and KO", "assess_portfolio",
         {"portfolio": {"holdings": [{"asset": "AAPL", "weight": "50"}, {"asset": "KO", "weight": "50"}]}}),
        ("simulate $2m in the S&P 500 for 25 years, taking out 4% a year", "simulate_wealth",
         {"plan": {"portfolio": {"amount": "$2m", "holdings": [{"asset": "sp500"}]}, "years": "25 years",
                   "withdrawal": "4% a year"}}),
        ("risk of 0.5/0.3/0.2 in MSFT/JNJ/XOM", "assess_portfolio",
         {"portfolio": {"holdings": [{"asset": "MSFT", "weight": "0.5"}, {"asset": "JNJ", "weight": "0.3"},
                                     {"asset": "XOM", "weight": "0.2"}]}}),
        ("ES 97.5 over 10d: 30 AAPL 30 AMD 40 XOM", "assess_portfolio", {"level": "97.5", "horizon": "10d"}),
        ("beta of AAPL to the index", "assess_portfolio", {"portfolio": {"holdings": [{"asset": "AAPL"}]}}),
        ("save it as Keller family", "save_strategy", {"name": "Keller family"}),
        ("tear sheet of the winner, no benchmark", "show_tearsheet", {"run": "last", "benchmark": "none"}),
        ("risk of 25% each in JPM, BAC, PG and HD", "assess_portfolio",
         {"portfolio": {"holdings": [{"asset": name, "weight": "25%"} for name in ("JPM", "BAC", "PG", "HD")]}}),
    ],
)  # fmt: skip
def test_tools_get_the_arguments_of_the_message(text: str, tool: str, arguments: dict[str, Any]) -> None:
    name, given_arguments = call_of(text, RISK.model_copy(update={"strategy": StrategyWish()}))
    assert (name, {key: given_arguments.get(key) for key in arguments}) == (tool, arguments)


@pytest.mark.parametrize(
    ("text", "field", "quote"),
    [
        ("optimise SPX, tgt vol 8 percent, max DD 15 percent", "max_drawdown", "15 percent"),
        ("optimise the index at 12% vol, never lose more than 20%", "max_drawdown", "20%"),
        ("search the index, ann. vol 10% p.a., costs 5 bps", "transaction_cost", "5 bps"),
        ("optimize AAPL and MSFT at 12% vol, weights between 10% and 60%", "max_weight", "60%"),
        ("optimize sp500 at 12% vol, risk free rate is 0.5%", "cash_rate", "0.5%"),
        ("optimize the S&P 500 from 2010 to 2015 at 10% volatility", "last_day", "2015"),
        ("optimize AAPL, MSFT and KO with min 10% and max 50% equity, 250 trials", "min_weight", "10%"),
        ("optimize the index with minimum weight 20% and maximum weight 80%", "min_weight", "20%"),
        ("optmize the index at 12% volatilty", "target_volatility", "12%"),
    ],
)
def test_amounts_are_read_beside_their_cues(text: str, field: str, quote: str) -> None:
    tool, arguments = call_of(text)
    assert (tool, arguments["wish"][field]) == ("run_optimization", quote)


def test_scenarios_but_one_are_all_others() -> None:
    _, arguments = call_of("optimize the index at 10% volatility in all scenarios except the bear market")
    assert "bear_market" not in arguments["wish"]["scenarios"]
    assert {"base_case", "high_volatility"} <= {*arguments["wish"]["scenarios"]}


@pytest.mark.parametrize(
    "text",
    [
        "optimize the index with 12% vol and 15% vol",
        "optimize the index, 10% volatility below 8%",
        "optimize the frobnicated index",
        "optimize all stocks but AAPL at 10% volatility",
        "risk of EUR 500k in WMT and 37 PEP",
        "60% AAPL, 60% MSFT risk report",
        "run it again",
        "simulate 100k in the index for 10 years with 500",
        "save it as v2",
        "how did the index do in 2008?",
        "optimize the S&P 500 at 10% volatility in 2008",
        "evaluate drawdown control with the risk control template",
        "simulate 100k in 60% AAPL and 40% KO for 10 years, rebalanced quarterly",
        "simulate 100k in the index for 10 years, 5,000 a year",
    ],
)
def test_contradictions_gaps_and_dates_are_asked_about(text: str) -> None:
    interpretation = understand(text, FRESH)
    assert interpretation.calls == ()
    assert interpretation.proposals


@pytest.mark.parametrize(
    "text",
    [
        "is the verdict calibrated?",
        "what worlds did you use?",
        "why are the scenarios not calibrated?",
        "is a timing skill of 0.1 realistic?",
        "what is the benefit of a stop loss?",
        "the historical mean is misleading",
        "is 10% volatility a sensible target?",
        "how risky is 10% volatility?",
        "should I run a search with 10% volatility?",
        "what is the Sharpe ratio of the strategy?",
        "how does risk parity work?",
        "half of that",
    ],
)
@pytest.mark.parametrize("focus", [FRESH, RESULT], ids=["fresh", "after a result"])
def test_a_question_launches_nothing(text: str, focus: Focus) -> None:
    assert not {"run_optimization", "estimate_optimization"} & {tool for tool, _ in calls_of(text, focus)}


@pytest.mark.parametrize("text", ["make it better", "what exactly happens when the holdout is opened?"])
def test_a_vague_wish_and_a_question_about_an_act_are_asked_about(text: str) -> None:
    assert understand(text, STRATEGY.model_copy(update={"run": "4e1f00aa"})).calls == ()


@pytest.mark.parametrize(
    ("text", "focus", "tools"),
    [
        ("how does it compare with the benchmarks?", RESULT, ["explain_result"]),
        ("compare both", RESULT, ["compare_results"]),
        ("why did it win and where does it lose?", RESULT, ["explain_result", "explain_result"]),
        ("Optimize the index at 12% vol. Then list my results.", FRESH, ["run_optimization", "list_results"]),
        ("evaluate the 12-month rule and save it as Core", FRESH, ["evaluate_strategy", "save_strategy"]),
    ],
)
def test_each_wish_is_a_call_in_its_order(text: str, focus: Focus, tools: list[str]) -> None:
    assert [tool for tool, _ in calls_of(text, focus)] == tools


# what a conversation adds


OWN = FRESH.model_copy(update={"data": {"legs": ("EQ", "BOND")}})


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        (
            "optimize legs with BOND as the safe leg, rebalanced monthly",
            "run_optimization",
            {"wish": {"base": "new", "safe": "BOND", "assets": ("legs",), "rebalancing": ("monthly",)}},
        ),
        (
            "optimize legs:EQ at 8% volatility, safe leg BOND",
            "run_optimization",
            {"wish": {"base": "new", "safe": "BOND", "assets": ("legs:EQ",), "target_volatility": "8%"}},
        ),
        (
            "how would the 12 month rule do on legs?",
            "evaluate_strategy",
            {"strategy": {"base": "new", "template": "twelve_month_rule", "assets": ("legs",)}},
        ),
    ],
)
def test_data_of_ones_own_are_assets_by_name(text: str, tool: str, arguments: dict[str, Any]) -> None:
    assert calls_of(text, OWN) == [(tool, arguments)]
    assert calls_of(text, FRESH) != [(tool, arguments)]


def test_my_index_and_my_bond_are_those_of_the_only_data_set_of_both() -> None:
    said = "my index and my bond, rebalanced monthly: is the 12-month rule still good?"
    tool, arguments = call_of(said, OWN)
    assert tool == "evaluate_strategy"
    assert (arguments["strategy"]["assets"], arguments["strategy"]["safe"]) == (("EQ",), "BOND")
    assert arguments["strategy"]["template"] == "twelve_month_rule"
    tool, arguments = call_of("optimize my index EQ with my bond BOND", OWN)
    assert (tool, arguments["wish"]["assets"], arguments["wish"]["safe"]) == ("run_optimization", ("EQ",), "BOND")
    two = OWN.model_copy(update={"data": {**OWN.data, "other": ("INDEX", "BONDS")}})
    assert understand(said, two).calls == understand(said, FRESH).calls == ()


def test_what_follows_a_search_in_a_message_is_on_its_prices() -> None:
    search = "optimize legs with BOND as the safe leg"
    [_, judged] = calls_of(f"{search}; is the 12-month rule still good?", OWN)
    assert judged == ("explain_result", {"run": "last", "topic": "benchmarks"})
    [_, (_, evaluated)] = calls_of(f"{search}; evaluate inverse vol 63d", OWN)
    assert (evaluated["strategy"]["assets"], evaluated["strategy"]["safe"]) == (("legs",), "BOND")
    [_, (_, evaluated)] = calls_of("optimize legs; evaluate inverse vol 63d", OWN)
    assert evaluated["strategy"]["assets"] == ("legs",)
    assert "safe" not in evaluated["strategy"]


def test_a_safe_leg_changes_what_is_named_beside_it_and_else_the_last_thing() -> None:
    seen = STRATEGY.model_copy(update={"data": OWN.data, "request": OptimizationRequest()})
    tool, arguments = call_of("and with cash as the safe leg?", seen)
    assert (tool, arguments["strategy"]) == ("evaluate_strategy", {"base": "last", "safe": "cash"})
    tool, arguments = call_of("same search with cash as the safe leg", seen)
    assert (tool, arguments["wish"]) == ("run_optimization", {"base": "last", "safe": "cash"})
    tool, arguments = call_of("evaluate the 12-month rule on EQ with my bond BOND", seen)
    assert (arguments["strategy"]["assets"], arguments["strategy"]["safe"]) == (("EQ",), "BOND")


def test_a_word_is_an_asset_of_ones_own_only_as_it_is_written_there() -> None:
    assert not any(tool == "analyse_market" for tool, _ in calls_of("what is a bond?", OWN))


def test_a_time_beside_an_imagined_move_is_not_dropped() -> None:
    for text in (
        "what happens to 100% XOM if XOM rises 10% in 41 days?",
        "could 60% KO and 40% AAPL lose 20% in 3 months?",
    ):
        assert understand(text, FRESH).calls == ()


def test_an_offered_reading_is_accepted_by_yes_or_by_its_place() -> None:
    asked = "optimize the S&P 500 at 10% volatility with tweed, 100 trials"
    [first, *_] = understand(asked, FRESH).proposals
    assert first.call.tool == "run_optimization"
    for reply in ("yes", "1", "the first one please", "Yes!"):
        assert calls_of(reply, FRESH, (Past(asked=asked),)) == [(first.call.tool, first.call.arguments)]
    assert understand("yes", FRESH).talk == "yes"


def test_an_answer_completes_the_message_before_it() -> None:
    before = (Past(asked="what is the risk of my portfolio?"),)
    tool, arguments = call_of("60% AAPL and 40% KO", FRESH, before)
    assert (tool, len(arguments["portfolio"]["holdings"])) == ("assess_portfolio", 2)


def test_a_follow_up_changes_one_thing_of_a_simulation() -> None:
    first = call_of("simulate EUR 500k in the S&P 500 for 10 years, adding EUR 1,000 a month")
    focus = Focus(portfolio=PortfolioWish(holdings=(SPX,), amount="EUR 500k"), last="simulate")
    _, changed = call_of("what about 20 years?", focus, (Past(asked="...", did=(first,)),))
    assert changed["plan"] == first[1]["plan"] | {"years": "20 years"}


def test_a_scenario_after_a_simulation_is_one_of_it() -> None:
    first = call_of("simulate EUR 500k in the S&P 500 for 10 years")
    focus = Focus(portfolio=PortfolioWish(holdings=(SPX,), amount="EUR 500k"), last="simulate")
    _, changed = call_of("And in the bear market scenario?", focus, (Past(asked="...", did=(first,)),))
    assert changed["plan"] == first[1]["plan"] | {"scenario": "bear_market"}
    assert calls_of("now add 10 more years", focus, (Past(asked="...", did=(first,)),)) == []


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("n 15%?", {"target_volatility": "15%"}),
        ("n 15?", None),
        ("and 42 days", {"lookback": "42 days"}),
        ("now 63", {"lookback": "63"}),
        ("what about 9000?", None),
    ],
)
def test_a_bare_amount_replaces_the_one_of_its_unit_and_size(text: str, changed: dict[str, str] | None) -> None:
    strategy = {"base": "new", "weight_function": "inverse_vol", "target_volatility": "12%", "lookback": "30 days"}
    before = (Past(asked="...", did=(("evaluate_strategy", {"strategy": strategy}),)),)
    focus = Focus(strategy=StrategyWish(weight_function="inverse_vol"), last="evaluate")
    calls = calls_of(text, focus, before)
    assert calls == ([("evaluate_strategy", {"strategy": {"base": "last", **changed}})] if changed else [])


@pytest.mark.parametrize("text", ["with 10% cash", "what about half in cash?"])
def test_a_part_of_a_portfolio_is_asked_about(text: str) -> None:
    assert understand(text, RISK).calls == ()


def test_undo_repeats_what_the_last_change_was_made_to() -> None:
    did = (
        Past(asked="a", did=(("evaluate_strategy", {"strategy": {"base": "new", "weight_function": "sigmoid"}}),)),
        Past(asked="b", did=(("evaluate_strategy", {"strategy": {"base": "last", "lookback": "60 days"}}),)),
        Past(asked="c", did=(("evaluate_strategy", {"strategy": {"base": "last", "rebalancing": "weekly"}}),)),
    )
    strategy = {"base": "new", "weight_function": "sigmoid", "lookback": "60 days"}
    assert calls_of("undo", STRATEGY, did) == [("evaluate_strategy", {"strategy": strategy})]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("and with 15%?", {"base": "last", "target_volatility": "15%"}),
        ("run it again with a 25% drawdown limit", {"base": "last", "max_drawdown": "25%"}),
        ("make it weekly", {"base": "last", "rebalancing": ("weekly",)}),
        ("same search but without CPPI and TIPP", None),
    ],
)
def test_a_follow_up_changes_one_thing_of_a_search(text: str, arguments: dict[str, Any] | None) -> None:
    tool, wish = call_of(text, RESULT)
    assert tool == "run_optimization"
    assert arguments is None or wish["wish"] == arguments
    assert arguments is not None or not {"cppi", "tipp"} & {*wish["wish"]["weight_functions"]}


@pytest.mark.parametrize(
    ("text", "talk"),
    [("hello", "greeting"), ("Thanks a lot!", "thanks"), ("help", "help"), ("What can you do?", "help")],
)
def test_small_talk_has_a_short_answer(text: str, talk: str) -> None:
    assert understand(text, RESULT).talk == talk


@pytest.mark.parametrize("text", ["what did our 2018 memo say about vol targeting?", "buy 500 AAPL", "tell me a joke"])
def test_what_no_tool_does_is_declined(text: str) -> None:
    interpretation = understand(text, RESULT)
    assert interpretation.beyond
    assert not interpretation.calls


def test_another_language_is_answered_in_it() -> None:
    german = "Bitte suche mir die beste Strategie für den S&P 500 mit 10 % Volatilität"
    assert (language_note(german) or "").startswith("Diese Fassung")
    assert language_note("optimize the S&P 500 for the best Sharpe ratio") is None
    assert understand(german, FRESH) == Interpretation()


def test_every_example_that_is_offered_is_understood_where_it_can_be() -> None:
    able = RESULT.model_copy(update={"strategy": StrategyWish(template="twelve_month_rule")})
    for _, example in OFFERS.values():
        for part in re.split(r"(?<=\?) ", example):
            assert understand(part, able).calls, part
