"""The first sentence of an answer is the one that the message asks for."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from desk.conversation.answers import ResultExplanation
from desk.conversation.listings import list_kept
from desk.conversation.sentences.descriptions import describe_result
from desk.figures.figures import Figure, collect_figures
from desk.figures.guard.claims import check, render
from desk.figures.sheet import Money
from desk.market.bundled import BundledPrices
from desk.optimization.judgement.result_figures import result_figures
from desk.optimization.reading.findings import build_findings
from desk.optimization.reading.in_words.next_step import describe_next_step
from desk.optimization.reading.in_words.years import describe_years
from desk.optimization.reading.ranking import build_ranking
from desk.optimization.reading.topic_sentences import topic_sentences
from desk.optimization.reading.topics import Topic
from desk.optimization.result import OptimizationResult, Verdict
from desk.portfolios.allocations import compare_allocations
from desk.portfolios.market_regimes import analyse_market
from desk.portfolios.risk import assess
from desk.portfolios.risk_schemas import TailRequest
from desk.portfolios.stress_schemas import StressRequest
from desk.strategies.evaluation import run_evaluation
from desk.strategies.evaluation_in_words import describe_versus
from desk.strategies.templates import StrategyValues, build_rule
from desk.tearsheets.document import make_tearsheet
from desk.tearsheets.schemas import TearsheetRequest
from desk.tearsheets.summary import summarize
from desk.wealth.projection import WealthOutlook, simulate
from desk.wealth.savings_plan import SavingsPlan
from store.embedded import open_store
from tests.sample_result import sample_result

pytestmark = pytest.mark.anyio
PRICES = BundledPrices()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def with_figures(**changes: Any) -> OptimizationResult:
    result = sample_result(**changes)
    return result.model_copy(update={"figures": result_figures(result)})


RED = with_figures(verdict=Verdict(colour="red", headline="h", reason="r", advice="Keep your current rule: luck."))


def first_sentence(tool: str, result: Any, message: str) -> str:
    """The first sentence of the answer, all of which the guard passes."""
    figures = collect_figures(result)
    claims = list(describe_result(tool, result, message))
    assert [problem for claim in claims for problem in check(claim, figures)] == []
    texts = [render(claim, figures).text for claim in claims]
    assert len(texts) == len({*texts}), "a sentence is said twice"
    return texts[0]


def explanation(result: OptimizationResult, topic: Topic, message: str, detail: str | None = None) -> ResultExplanation:
    figures = (*result.figures, *topic_sentences(result, topic, detail, message), *describe_next_step(result))
    findings = build_findings(result).model_copy(update={"figures": figures})
    ranking = build_ranking(result) if topic in ("ranking", "plateau") else None
    return ResultExplanation(run="r", topic=topic, detail=detail, findings=findings, ranking=ranking)


@pytest.mark.parametrize(
    ("topic", "message", "first"),
    [
        ("benchmarks", "does it beat a plain 60/40 after costs?", r"The winner .*60/40 in cash"),
        ("benchmarks", "is it better than holding shares?", r"The winner .*full investment"),
        ("benchmarks", "how does it compare with our current rule?", r"The winner .*the current rule"),
        ("benchmarks", "does it beat a constant weight?", r"The winner .*a constant weight of the same volatility"),
        ("benchmarks", "is it ahead of a constant weight in the index?", r"The winner .*a constant weight of the same"),
        ("benchmarks", "would something simpler have done as well?", r"(A|No) simpler rule did better"),
        ("benchmarks", "is it worth switching?", r"(Keep your current rule|Do not switch yet)"),
        ("luck", "should I switch?", r"(Keep your current rule|Do not switch yet)"),
        (
            "luck",
            "is it overfitted?",
            r"What is chosen on one half of .* The probability of overfitting \(PBO\), .*%\.",
        ),
        ("luck", "did it work out of sample?", r"On the validation days"),
        ("luck", "is the lead significant?", r"The lead is (not )?significant"),
        ("luck", "which test failed?", r"The verdict is not green because that needs"),
        ("limits", "how likely is it that we break the limit?", r"The probability that the winner falls by more than"),
        ("limits", "which limits bind?", r"(No limit binds|The limits? that bind)"),
        ("limits", "does it keep the limits?", r"The winner keeps the only limit in force: the drawdown limit of 20%"),
        ("ranking", "why this one and not the runner-up?", r"The runner-up, .* behind"),
        ("ranking", "is it clearly ahead of the others?", r"(Of the finalists,|The best finalist is ahead)"),
        ("plateau", "how sensitive is it to a slightly different lookback?", r"(Little changes|It is sensitive)"),
        ("costs", "does the result depend on cheap trading?", r"The result (does not depend|depends)"),
        ("costs", "how much do costs take off a year?", r"On the training history the costs of the winner"),
        ("years", "and the best year?", r"The best year of the winner"),
        ("years", "how often did it lose money?", r"The winner lost money in \d+ of \d+ calendar years"),
        ("years", "which years did it lose money?", r"The winner lost money in \d+ of \d+ calendar years"),
        ("years", "what was the biggest loss in its worst year?", r"The worst year of the winner"),
        ("where_it_loses", "in which scenario is it best?", r"The winner does best in the"),
        ("where_it_loses", "in which market does it do badly?", r"The winner does worst in the"),
        (
            "where_it_loses",
            "in which environment does it lose money?",
            r"(In no scenario does|On average over the years)",
        ),
        ("parameter_error", "what if the premium is lower?", r"With expected return .* lower than assumed the benefit"),
        ("parameter_error", "how much less if volatility is higher?", r"The benefit (stays|does not stay) positive if"),
        ("parameter_error", "what if volatility is higher?", r"With volatility .* higher than assumed the benefit"),
        (
            "parameter_error",
            "what if your inputs are wrong?",
            r"The benefit (stays|does not stay) positive if expected",
        ),
        ("beginner", "what did you find?", r"In plain words: of the \d+ rules tried, the best did better"),
        ("data", "did you include 2020?", r"2020 took no part: the search used the prices from"),
        ("data", "was the covid crash in it?", r"COVID-19 took no part"),
        ("data", "how far back does your data go?", r"The search used the prices from"),
        ("data", "what did you train on?", r"Training used the days to"),
        ("data", "how did it do on the holdout?", r"The days after .* are the holdout and took no part"),
        ("data", "which days did you train on, and which are locked?", r"Training used the days to"),
        ("what_would_change", "what would turn it around?", r"The verdict would turn green with"),
        ("next_trade", "how much do I have to sell?", r"No switch is advised; to follow the winner all the same"),
        ("summary", "which rule came out on top?", r"Of the \d+ configurations that were tried the best is"),
        ("costs", "how much of the return gets eaten by trading?", r"The result (does not depend|depends)"),
        ("costs", "how much of the gain do trading costs eat up?", r"The result (does not depend|depends)"),
        ("costs", "what is its annual turnover?", r"The winner trades"),
        ("costs", "what trading costs did you assume?", r"For each trade an assumed"),
        ("costs", "what if you assume double the costs?", r"With double the costs"),
        ("next_trade", "what does it hold today?", r"At the latest price"),
        ("computed", "how many paths?", r"The search tried \d+ configurations"),
    ],
)
async def test_a_question_about_a_result_is_answered_first(topic, message, first) -> None:
    said = first_sentence("explain_result", explanation(RED, topic, message), message)
    assert re.match(first, said), said


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("2008; 2011", [r"In 2008", r"In 2011"]),
        ("2008; COVID-19", [r"In 2008", r"The episode COVID-19 lies after"]),
        ("2011; 1929", [r"In 2011", r"The days used, .* do not hold 1929\."]),
    ],
)
async def test_several_years_and_crises_are_told_one_by_one(detail, told) -> None:
    said = str(describe_years(RED, detail)[0].value)
    for sentence in told:
        assert re.search(sentence, said), said


@pytest.mark.parametrize("topic", get_args(Topic))
async def test_no_sentence_about_a_topic_is_said_twice(topic) -> None:
    if topic == "alternative":
        return
    detail = RED.scenarios[0].scenario if topic == "scenario" else None
    assert first_sentence("explain_result", explanation(RED, topic, "", detail), "")


async def test_the_years_and_crises_of_a_message_are_told_by_the_days_used() -> None:
    said = {figure.id: str(figure.value) for figure in topic_sentences(RED, "data", None, "1998 and 2030")}
    assert said["data_asked_sentence"].startswith("1998 was used; 2030 took no part: ")


def named(figures: tuple[Figure, ...], id_: str) -> str:
    return next(str(figure.value) for figure in figures if figure.id == id_)


@pytest.mark.parametrize(
    ("message", "first"),
    [
        ("is it riskier than the index?", "The portfolio was riskier than the S&P 500: "),
        ("what is its Sharpe ratio?", "From 1991-01-04 to 2016-05-23 the portfolio would have grown by "),
        ("what was the maximum drawdown?", "The maximum drawdown of the portfolio was "),
        ("which position carries most of the risk?", "AAPL carries more than half of the risk, "),
        ("are they diversified?", "AAPL and KO hardly move together, so they are well diversified: "),
        ("how bad could a really bad month get?", "Over 21 sessions, a month, the loss exceeds "),
        ("how much can 60% AAPL and 40% KO lose in a month at 95%?", "Over 21 sessions, a month, the loss exceeds "),
        ("what would I lose if the S&P 500 fell by 20%?", "If the S&P 500 falls by 20%, the portfolio loses "),
        ("can I rely on that value at risk?", "A value at risk announced every day"),
        ("how likely is it to lose as much?", "A loss of 10.0% or more within 21 sessions has a probability of "),
    ],
)
async def test_a_question_about_a_portfolio_is_answered_first(message, first) -> None:
    risk = await assess(PRICES, {"AAPL": 0.6, "KO": 0.4})
    assert first_sentence("assess_portfolio", risk, message).startswith(first)


async def test_a_fall_that_was_asked_for_is_the_only_one_in_the_answer() -> None:
    asked = await assess(PRICES, {"AAPL": 0.6, "KO": 0.4}, stress=StressRequest(shocks={"sp500": -0.25}))
    texts = [render(claim, collect_figures(asked)).text for claim in describe_result("assess_portfolio", asked, "")]
    assert texts[0].startswith("If the S&P 500 falls by 25%, the portfolio loses ")
    assert not [text for text in texts if "20%" in text.partition("with a probability")[0] and "falls" in text]


async def test_the_drawdown_of_a_window_is_told_first() -> None:
    days = TailRequest(first_day="2000-01-03", last_day="2009-12-31")  # pyright: ignore[reportArgumentType]
    risk = await assess(PRICES, {"AAPL": 1.0}, Money(amount=1e6, currency="USD"), tail=days)
    said = first_sentence("assess_portfolio", risk, "what was the worst drawdown since 2000?")
    assert said.startswith("From 2000-01-03 to 2009-12-31 the maximum drawdown of the portfolio was USD ")


@pytest.mark.parametrize(
    ("methods", "message", "first"),
    [
        (("risk_parity", "equal_weight"), "is risk parity any better?", r"Risk parity was (not |neither )?better"),
        ((), "which mix is the calmest?", r"Of these mixes minimum variance is the calmest, with a volatility of "),
        ((), "how should I split the money?", r"Of these mixes minimum variance holds EUR [\d,]+ \([\d.]+%\) in KO"),
        ((), "which is best?", r"None is best whatever comes: on the validation days"),
        (("minimum_variance",), "how much KO does it hold?", r"Minimum variance holds EUR"),
    ],
)
async def test_a_question_about_mixes_is_answered_first(methods, message, first) -> None:
    money = Money(amount=1e6, currency="EUR")
    chosen = {"methods": methods} if methods else {}
    mixes = await compare_allocations(PRICES, ["AAPL", "KO", "XOM"], money, **chosen)
    said = first_sentence("compare_allocations", mixes, message)
    assert re.match(first, said), said


def test_the_third_place_is_told_with_the_second() -> None:
    best, second, *_ = RED.finalists
    third = second.model_copy(update={"digest": "f" * 64, "objective": second.objective - 0.01})
    three = with_figures(finalists=(best, second, third))
    said = first_sentence(
        "explain_result", explanation(three, "ranking", "who came second and third?"), "second and third?"
    )
    assert re.match(r"Second is inverse volatility on EWMA .* behind the winner; third is inverse volatility", said), (
        said
    )


@pytest.mark.parametrize(
    ("message", "first"),
    [
        ("which kinds of strategies do you have?", "12 kinds of rules can be evaluated and searched: inverse vol"),
        ("list my saved strategies", "You have no saved strategy yet."),
    ],
)
async def test_kinds_of_rules_are_told_unless_what_is_saved_is_asked_for(message, first, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        kept = await list_kept(store, "owner", PRICES, "strategies")
    assert first_sentence("list_saved", kept, message).startswith(first)


async def test_the_recovery_of_a_drawdown_has_its_day() -> None:
    request = TearsheetRequest(asset="AAPL")
    sheet = await make_tearsheet(None, PRICES, "owner", request)  # pyright: ignore[reportArgumentType]
    fall = sheet.falls[0]
    said = first_sentence("show_tearsheet", summarize(sheet), "how long did it take to recover?")
    assert f"from the peak of {fall.peak} to the bottom of {fall.trough}" in said
    assert said.endswith(f"the peak was regained on {fall.recovery}, after {fall.days:,} days in all.")


async def test_mixes_that_are_level_at_what_is_shown_are_not_told_apart() -> None:
    level = await compare_allocations(PRICES, ["KO", "PEP"])
    assert re.match(r"All of these mixes are equally calm", named(level.figures, "allocation_calmest_sentence"))
    assert re.match(r"None was better than the others", named(level.figures, "allocation_best_sentence"))


@pytest.fixture(scope="module")
async def simulated(anyio_backend) -> WealthOutlook:
    plan = SavingsPlan(
        holdings={"sp500": 0.6, "cash": 0.4},
        amount=500_000.0,
        currency="USD",
        years=20,
        withdrawal=1_500.0,
        goal=800_000.0,
        fee=0.01,
        paths=200,
    )
    return await simulate(PRICES, plan)


@pytest.mark.parametrize(
    ("message", "first"),
    [
        ("will it last?", r"The money is .* the 20 years: the probability that it runs out is"),
        ("does it reach the goal?", r"Reaching USD 800,000 in today's money after 20 years is"),
        ("how much could I lose?", r"With bad luck, in (at least )?one path in 20, "),
        ("could I get less than I put in?", r"The probability of getting less out after 20 years"),
        ("what does the fee cost me?", r"A fee of 1% a year takes USD [\d,]+ off the wealth after 20 years"),
        ("how deep could it fall on the way?", r"On the way wealth falls by"),
        ("what will it be worth?", r"After 20 years you would have USD"),
    ],
)
def test_a_question_about_simulated_wealth_is_answered_first(simulated, message, first) -> None:
    said = first_sentence("simulate_wealth", simulated, message)
    assert re.match(first, said), said


@pytest.mark.parametrize(
    ("assets", "message", "first"),
    [
        (
            ["sp500"],
            "is the market calm or nervous?",
            r"On [\d-]+, .*, the S&P 500 was (calm|nervous|neither calm nor)",
        ),
        (["AAPL"], "is Apple in an uptrend?", r"On [\d-]+, .*, AAPL had a (rising|flat|falling) trend"),
        (["XOM"], "how far below its peak is it?", r"On [\d-]+, .*, XOM stood [\d.]+% below its peak"),
        (["XOM"], "how nervous is it, and where is the trend?", r"On .* with a \w+ trend, .* its volatility was"),
        (["XOM"], "trend up or down, and how far below its peak?", r"On .* with a \w+ trend, [\d.]+% below its peak"),
        (
            ["AAPL", "KO", "XOM"],
            "are they calm?",
            r"Of the 3 assets \d (was|were) calm on [\d-]+, \d nervous and \d neither",
        ),
        (["AAPL", "KO", "XOM"], "which is the most volatile?", r"AAPL was the most volatile on [\d-]+, with"),
    ],
)
async def test_a_question_about_the_market_is_answered_first(assets, message, first) -> None:
    said = first_sentence("analyse_market", await analyse_market(PRICES, assets), message)
    assert re.match(first, said), said


async def test_a_strategy_is_compared_with_what_the_message_names() -> None:
    rule = build_rule(StrategyValues(template="twelve_month_rule"))
    evaluation = (await run_evaluation(PRICES, rule)).evaluation
    assert "than 60/40 in cash for its risk" in describe_versus(evaluation)
    assert "than full investment for its risk" in describe_versus(evaluation, full=True)


def test_every_sentence_about_a_result_is_a_sentence() -> None:
    def sentences() -> Iterator[Figure]:
        for topic in get_args(Topic):
            yield from topic_sentences(RED, topic, RED.scenarios[0].scenario if topic == "scenario" else None)

    for figure in sentences():
        text = str(figure.value)
        assert text[0].isupper() or text[0].isdigit(), text
        assert text.endswith("."), text
        assert not re.search(r"\b(a|an|the) (a|an|the)\b|\b1 points|  |,,|\.\.", text), text
