"""A wish becomes a request; numbers are parsed from the quotes."""

import pytest

from desk.conversation.focus import Focus
from desk.conversation.optimization_requests import build_request
from desk.conversation.wishes import Wish
from desk.optimization.request import OptimizationRequest
from desk.scenarios.repository import ScenarioCatalog


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
