"""A wish becomes a request; numbers are parsed from the quotes."""

from datetime import date

import pytest
from pydantic import ValidationError

from desk.base.errors import InvalidInput
from desk.conversation.focus import Focus
from desk.conversation.optimization_requests import build_request
from desk.conversation.wishes import Wish
from desk.optimization.request import OptimizationRequest
from desk.scenarios.repository import ScenarioCatalog, ScenarioEntry, built_in_catalog
from quant.worlds.scenario import BUILT_IN


@pytest.mark.parametrize(
    ("before", "wish", "estimators"),
    [
        (None, {"lookbacks": ("21 days",)}, ("rolling", "downside")),
        (None, {"lookbacks": ("21 days",), "estimators": ("garch", "rolling")}, ("garch", "rolling")),
        (("downside", "ewma"), {"lookbacks": ("3 months",)}, ("downside",)),
        (("garch",), {"lookbacks": ("3 months",)}, ("rolling", "downside")),
        (("garch",), {"rebalancing": ("monthly",)}, ("garch",)),
    ],
)
def test_a_lookback_that_a_person_states_leaves_the_estimators_that_have_one(before, wish, estimators) -> None:
    request = OptimizationRequest.model_validate({"space": {"estimators": before}}) if before else None
    base = "new" if before is None else "last"
    actual = build_request(
        Wish.model_validate({"base": base, **wish}), Focus(request=request), ScenarioCatalog(entries=(), figures=())
    )
    assert actual.space.estimators == estimators


@pytest.mark.parametrize(("quote", "cash"), [("1.5%", "0.015"), ("-0.5%", "-0.005"), ("25 bps", "0.0025")])
def test_the_rate_that_a_person_states_is_the_cash_of_the_request(quote, cash) -> None:
    request = build_request(Wish(cash_rate=quote), Focus(), ScenarioCatalog(entries=(), figures=()))
    assert request.cash == cash
    again = build_request(
        Wish(base="last", trials="50"), Focus(request=request), ScenarioCatalog(entries=(), figures=())
    )
    assert (again.cash, again.trials) == (cash, 50)


def test_legs_cash_and_window_of_a_wish_are_those_of_the_request() -> None:
    texts = {"user_texts": ["hold BOND of legs beside it from March 2005 to 2015, cash at ESTR, EURUSD, against MIX"]}
    words = {
        "safe": "legs:BOND",
        "first_day": "March 2005",
        "last_day": "2015",
        "cash": "ESTR",
        "exchange_rate": "EURUSD",
        "benchmark": "MIX",
    }
    wish = Wish.model_validate(words, context=texts | {"visible_text": texts["user_texts"][0]})
    book = ScenarioCatalog(entries=(), figures=())
    request = build_request(wish, Focus(), book, "legs")
    assert (request.universe, request.safe, request.cash) == ("legs", "legs:BOND", "ESTR")
    assert (request.exchange_rate, request.benchmark) == ("EURUSD", "MIX")
    assert (request.first_day, request.last_day) == (date(2005, 3, 1), date(2015, 12, 31))
    again = build_request(Wish(base="last", safe="cash"), Focus(request=request), book)
    assert again == request.model_copy(update={"safe": "cash"})


def test_a_rate_and_a_series_of_cash_contradict_each_other() -> None:
    with pytest.raises(InvalidInput, match="a rate is stated beside the series"):
        build_request(Wish(cash="ESTR", cash_rate="2%"), Focus(), ScenarioCatalog(entries=(), figures=()))


def test_a_series_with_a_number_that_nobody_named_is_refused() -> None:
    seen = {"visible_text": "the bond of my file"}
    assert Wish.model_validate({"safe": "yield:rates"}, context=seen).safe == "yield:rates"
    with pytest.raises(ValidationError, match="never said"):
        Wish.model_validate({"safe": "yield:US10Y"}, context=seen)


@pytest.mark.parametrize(
    ("quote", "minutes"), [("two minutes", 2.0), ("90 seconds", 1.5), ("half an hour", 30.0), ("1.5 hours", 90.0)]
)
def test_budgets_of_time_and_money_are_those_of_the_request(quote, minutes) -> None:
    book = ScenarioCatalog(entries=(), figures=())
    request = build_request(Wish(max_time=quote, max_dollars="$5"), Focus(), book)
    assert (request.max_minutes, request.max_dollars) == (minutes, 5.0)


@pytest.mark.parametrize("wish", [{"max_time": "two weeks"}, {"max_time": "20"}, {"max_dollars": "EUR 5"}])
def test_a_budget_in_another_unit_is_refused(wish) -> None:
    with pytest.raises(InvalidInput):
        build_request(Wish.model_validate(wish), Focus(), ScenarioCatalog(entries=(), figures=()))


def test_a_search_includes_the_scenarios_that_the_conversation_added_unless_others_were_chosen() -> None:
    slump = BUILT_IN[0].model_copy(update={"name": "slump", "probability": 0.1})
    entries = (ScenarioEntry(scenario=slump, own=True, losing=False, banner=None),)
    book = built_in_catalog().model_copy(update={"entries": (*built_in_catalog().entries, *entries)})
    usual = [scenario.name for scenario in OptimizationRequest().scenarios]

    def names(wish: Wish, focus: Focus) -> list[str]:
        return [scenario.name for scenario in build_request(wish, focus, book).scenarios]

    added = Focus(scenarios=("slump",))
    assert names(Wish(), Focus()) == usual
    assert names(Wish(), added) == [*usual, "slump"]
    assert names(Wish(paths="300"), added) == [*usual, "slump"]
    assert names(Wish(scenarios=("bear_market",)), added) == ["bear_market"]
    chosen = added.model_copy(update={"request": build_request(Wish(scenarios=("bear_market",)), added, book)})
    assert names(Wish(base="last", trials="50"), chosen) == ["bear_market"]
    searched = added.model_copy(update={"request": OptimizationRequest()})
    assert names(Wish(base="last", trials="50"), searched) == [*usual, "slump"]
