"""Checks of requests by metadata: they accept and refuse like the numeric core, with the same errors."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices, cash_rates
from desk.market.prices import facts_of
from desk.optimization.evaluation import World
from desk.optimization.inputs.admission import CASH_RATE_NONNEGATIVE_FROM, complete_request
from desk.optimization.inputs.market_data import build_market
from desk.optimization.inputs.splits import resolve_mixes
from desk.optimization.judgement.sensitivity import check_scenarios
from desk.optimization.limits import check_minimum_exposure
from desk.optimization.request import CURRENT_RULE
from desk.scenarios.schemas import HISTORY
from quant.worlds.scenario import BUILT_IN

pytestmark = pytest.mark.anyio

WORLD = BUILT_IN[0].model_copy(update={"paths": 100, "years": 1})
STRICT: dict[str, Any] = {
    name: {"bound": bound, "scenarios": [WORLD.name, HISTORY], "tolerated": 0.0}
    for name, bound in (("max_drawdown", 1e-9), ("value_at_risk", 1e-9), ("expected_shortfall", 2e-9), ("turnover", 1))
}


def world(**changes: Any) -> dict[str, Any]:
    return {"scenarios": [WORLD.model_copy(update=changes)]}


ACCEPTED = {
    "usual": {},
    "gbm": world(engine="gbm", sigma=1.0, mu=-0.5),
    "fastest": world(vol_of_vol=10.0, mean_reversion=20.0, premium_power=2),
    "slowest": world(vol_of_vol=1e-3, mean_reversion=1e-3, leverage=1.0),
    "cash keeps every limit": {"limits": STRICT},
    "even without interest": {"limits": STRICT, "cash_rate_after": 0.0, **world(cash_rate=0.0)},
    "a target that some weight has": {"goal": "benefit", "mandate": {"target_volatility": 0.18, "min_weight": 0.2}},
    "a rule with its own mix": {"current_rule": CURRENT_RULE.model_copy(update={"inner": "inverse_volatility"})},
}
DOUBTED = {
    "history is drawn from": world(engine="bootstrap"),
    "jumps may be too many": world(engine="merton", jumps_per_year=5.0),
    "a variance that never returns": world(mean_reversion=1e-9),
    "a weight above zero": {"limits": STRICT, "mandate": {"min_weight": 0.1}},
    "cash that loses": {"limits": STRICT, **world(cash_rate=-0.01)},
    "a target that the largest weight may miss": {
        "goal": "benefit",
        "mandate": {"target_volatility": 0.2, "max_weight": 0.5},
    },
    "a target that the smallest weight may exceed": {"goal": "benefit", "mandate": {"min_weight": 0.6}},
    "a distance in a scenario": {"goal": "benefit", "limits": {"volatility_error": {"bound": 0.1}}},
    "a mix that is solved for": {"space": {"inner": ["risk_parity"]}},
}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted_values_pass_every_check(changes, stocks, prices, make_request) -> None:
    request = make_request(**{"scenarios": [WORLD]} | changes)
    for defaults in (stocks, prices):
        completed = complete_request(request, facts_of(defaults))
        market = build_market(defaults, request)
        assert completed is not None
        assert completed == resolve_mixes(request, assets=len(market.assets))
        check_scenarios(World(market, completed))
        check_minimum_exposure(World(market, completed))


@pytest.mark.parametrize("changes", DOUBTED.values(), ids=DOUBTED)
def test_requests_that_metadata_cannot_decide_are_left_to_the_numeric_core(changes, stocks, make_request) -> None:
    assert complete_request(make_request(**changes), facts_of(stocks)) is None


@pytest.mark.parametrize(
    ("sessions", "changes"),
    [
        (8313, {"space": {"inner": ["equal_weight"]}}),
        (700, {}),
        (1500, {}),
        (1700, {"space": {"lookback_days": [252]}}),
    ],
)
def test_the_check_of_metadata_and_the_numeric_core_have_equal_errors(sessions, changes, prices, make_request) -> None:
    short = replace(prices, dates=prices.dates[-sessions:], closes=prices.closes[-sessions:])
    with pytest.raises(InvalidInput) as by_the_core:
        build_market(short, make_request(**changes))
    with pytest.raises(InvalidInput) as by_its_facts:
        complete_request(make_request(**changes), facts_of(short))
    assert str(by_its_facts.value) == str(by_the_core.value)


def test_prices_from_before_the_cash_rate_gained_are_left_to_the_core(prices, make_request) -> None:
    early = facts_of(prices).model_copy(update={"first": CASH_RATE_NONNEGATIVE_FROM.replace(year=1930)})
    assert complete_request(make_request(), early) is None
    rates = cash_rates()
    assert (rates.rates[rates.months >= np.datetime64(CASH_RATE_NONNEGATIVE_FROM, "M")] >= 0.0).all()


@pytest.mark.parametrize("universe", ["sp500", "stocks"])
async def test_metadata_of_the_bundled_prices_match_their_content(universe, make_request) -> None:
    defaults = await BundledPrices().load(universe)
    assert await BundledPrices().facts(universe) == facts_of(defaults)
    assert build_market(defaults, make_request()).data_digest == facts_of(defaults).digest


def test_facts_of_earlier_versions_leave_the_target_to_the_core(stocks, make_request) -> None:
    earlier = facts_of(stocks).model_copy(update={"training_volatility": None})
    assert complete_request(make_request(), earlier) is not None
    assert complete_request(make_request(goal="benefit"), earlier) is None
