from dataclasses import replace

import numpy as np
import pytest

from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.judgement.historical_record import CRISES, crises, facts, unlocked_days, years
from desk.optimization.judgement.luck import Records
from quant.strategies.mandate import Mandate


@pytest.fixture(scope="module")
def rule_series(world, finished_search):
    configs = [finished_search.trials[0].config, world.constant(0.5), world.constant(1.0)]
    return world.replay(configs).series[:, :, unlocked_days(world)]


@pytest.fixture(scope="module")
def records(rule_series):
    return Records(*(np.ascontiguousarray(h[0]) for h in rule_series))


@pytest.fixture(scope="module")
def facts_by_name(world, finished_search, rule_series, records):
    rules = (finished_search.trials[0].config, world.constant(0.5))
    actual = facts(world, records, rule_series[:2, 1], rules, years(world, records))
    return {fact.name: fact for fact in actual}


def total(world, excess):
    return excess + world.market.cash[unlocked_days(world)]


def test_only_train_and_validate_are_shown(world) -> None:
    part = unlocked_days(world)
    assert part == slice(world.market.train.start, world.market.holdout.start)


def test_calendar_years_compound_to_the_whole(world, records) -> None:
    actual = years(world, records)
    assert [y.year for y in actual] == list(range(1991, 2017))
    for name in ("winner", "benchmark", "asset"):
        grown = np.prod([1 + getattr(y, name) for y in actual])
        assert grown == pytest.approx(np.prod(1 + total(world, getattr(records, name))), rel=1e-9)


def test_the_year_of_the_last_session_of_validate_is_partial(world, records) -> None:
    """Scored days run from January 1991 to May 2016."""
    dates = world.market.dates[unlocked_days(world)]
    assert (str(dates[0])[:7], str(dates[-1])[:4]) == ("1991-01", "2016")
    assert {y.year for y in years(world, records) if y.partial} == {2016}


def test_a_year_that_begins_late_is_partial(prices, make_request, world, finished_search, records) -> None:
    later = replace(prices, dates=prices.dates[60:], closes=prices.closes[60:])
    shifted = replace(world, market=build_market(later, make_request()))
    part = unlocked_days(shifted)
    records = Records(
        *(np.ascontiguousarray(r[0, part]) for r in shifted.replay([world.constant(w) for w in (0, 1, 1)]).series)
    )
    assert years(shifted, records)[0].partial


def test_crises_are_shown_only_if_all_their_days_are_scored_and_visible(world, records) -> None:
    dates = world.market.dates[unlocked_days(world)]
    first, last = dates[0], dates[-1]
    covered = [n for n, start, end in CRISES if np.datetime64(start) >= first and np.datetime64(end) <= last]
    assert [c.name for c in crises(world, records)] == covered
    assert "COVID-19" not in covered, "it lies in the holdout"
    assert "October 1987" not in covered, "it lies before the data"
    assert "Global financial crisis" in covered


def test_a_crisis_runs_from_the_close_of_its_first_day_to_the_close_of_its_last(world, records) -> None:
    """The asset's loss is that between two closes of the index, and the dividends between them."""
    dates, asset = world.market.dates, 1 + world.market.asset
    for crisis in crises(world, records):
        first = np.searchsorted(dates, np.datetime64(crisis.start), side="right")
        last = np.searchsorted(dates, np.datetime64(crisis.end), side="right")
        # full weight drifts nowhere; the first position was paid for long before
        assert crisis.asset == pytest.approx(np.prod(asset[first:last]) - 1, abs=2e-5)
        assert crisis.asset < crisis.benchmark < 0.0


def test_facts_follow_their_definitions(world, rule_series, records, facts_by_name) -> None:
    x, b, a = records.winner, records.benchmark, records.asset
    wealth = np.concatenate(([1.0], np.cumprod(1 + total(world, x))))
    falls = 1 - wealth / np.maximum.accumulate(wealth)
    assert facts_by_name["worst_drawdown"].value == pytest.approx(falls.max(), rel=1e-9)
    trough = int(falls.argmax())
    peak = int(np.flatnonzero(falls[: trough + 1] == 0)[-1])
    recovered = np.flatnonzero(falls[trough:] == 0)
    days = None if recovered.size == 0 else float(trough + recovered[0] - peak)
    assert facts_by_name["recovery"].value == days
    assert facts_by_name["tracking_error"].value == pytest.approx((x - b).std(ddof=1) * 252**0.5, rel=1e-9)
    beta = np.cov(x, a)[0, 1] / a.var(ddof=1)
    assert facts_by_name["beta"].value == pytest.approx(beta, rel=1e-9)
    assert facts_by_name["alpha"].value == pytest.approx(252 * (x.mean() - beta * a.mean()), rel=1e-9)
    assert facts_by_name["average_weight"].value == pytest.approx(rule_series[0, 1].mean(), rel=1e-9)
    assert facts_by_name["largest_weight"].value == rule_series[0, 1].max()
    # sqrt(1 / (59 pi)) of a target of 10% is 0.73 points
    assert facts_by_name["target_noise"].value == pytest.approx(0.0073, abs=5e-5)


def test_upside_given_up_is_the_average_over_rising_years(world, records, facts_by_name) -> None:
    up = [y for y in years(world, records) if y.asset > 0]
    assert facts_by_name["upside_given_up"].value == pytest.approx(np.mean([y.asset - y.winner for y in up]), rel=1e-9)


def test_at_the_break_even_cost_the_advantage_is_gone(prices, make_request, finished_search, facts_by_name) -> None:
    """Both rules are replayed under a mandate with that cost: utility is not linear in costs."""
    rate = facts_by_name["break_even_cost"].value
    request = make_request(mandate=Mandate().model_copy(update={"transaction_cost_bps": rate}))
    charged = World(build_market(prices, request), request)
    rules = [finished_search.trials[0].config, charged.constant(0.5)]
    series = charged.replay(rules).series[:, 0, unlocked_days(charged)]
    first, second = (252 * (r.mean() - np.var(r, ddof=1)) for r in series)  # a risk aversion of 2
    assert first == pytest.approx(second, abs=1e-10)
