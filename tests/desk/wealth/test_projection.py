import asyncio
import math
from typing import Any

import numpy as np
import pytest

from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices
from desk.portfolios.holdings import load_assets
from desk.wealth.projection import TOOL, simulate
from desk.wealth.savings_plan import SavingsPlan
from quant.worlds.scenario import BUILT_IN, CYCLE
from tests.doubles.price_source import assert_well_formed, value

PLAN = SavingsPlan(
    holdings={"sp500": 0.6, "cash": 0.4},
    amount=100_000.0,
    currency="EUR",
    contribution=500.0,
    goal=250_000.0,
    inflation=0.02,
    paths=2_000,
)
BASE = BUILT_IN[0]


def run(**changes: Any) -> Any:
    return asyncio.run(simulate(BundledPrices(), PLAN.model_copy(update=changes)))


@pytest.fixture(scope="module")
def projection():
    return run()


def test_every_figure_is_named_once_and_can_be_read(projection) -> None:
    assert_well_formed(projection.figures, TOOL)
    for figure in projection.figures:
        assert (figure.currency == "EUR") == (figure.unit == "money")


def test_percentiles_rise_and_come_with_errors(projection) -> None:
    values = [p.wealth.value for p in projection.percentiles]
    assert values == sorted(values)
    for percentile in projection.percentiles:
        assert percentile.wealth.error > 0.0
        assert percentile.real.value == pytest.approx(percentile.wealth.value / 1.02**10, rel=0.02)
    for rows in zip(*projection.bands, strict=True):
        assert list(rows) == sorted(rows)
    assert projection.years == tuple(range(11))
    assert {row[0] for row in projection.bands} == {100_000.0}


def test_the_mean_is_what_arithmetic_expects(projection) -> None:
    """Months of independent returns: E[W] is the start and each contribution, grown at the mean monthly return."""
    mean_day = 0.6 * 0.08 / 252 + 0.4 * (1.03 ** (1 / 252) - 1.0)
    month = (1.0 + mean_day) ** 21
    inflation = 1.02 ** (1 / 12)
    wealth = 100_000.0
    for m in range(1, 121):
        wealth = wealth * month + 500.0 * inflation**m
    figure = next(f for f in projection.figures if f.id == "wealth_mean")
    # serial dependence of volatility and premium, and trading costs, move the mean by less than 3%
    assert figure.value == pytest.approx(wealth, rel=0.03)


def test_all_cash_is_certain_and_compounds() -> None:
    held = run(holdings={"sp500": 0.0, "cash": 1.0}, contribution=0.0, goal=None)
    wealth = 100_000.0 * 1.03**10
    for percentile in held.percentiles:
        assert percentile.wealth.value == pytest.approx(wealth, rel=1e-6)
    assert held.loss.value == 0.0


def test_a_fee_takes_its_share() -> None:
    dear, cheap = (run(contribution=0.0, goal=None, fee=fee, paths=500) for fee in (0.01, 0.0))
    for less, more in zip(dear.percentiles, cheap.percentiles, strict=True):
        assert less.wealth.value / more.wealth.value == pytest.approx(0.99**10, rel=5e-3)


def test_withdrawals_can_ruin_and_higher_goals_are_less_probable() -> None:
    ruined = run(contribution=0.0, withdrawal=1_500.0, goal=None)
    assert ruined.ruin.value > 0.9, "18% a year for ten years"
    assert value(ruined.figures, "wealth_ruin_probability") == ruined.ruin.value
    chances = [run(goal=goal, paths=500).goal.value for goal in (150_000.0, 250_000.0, 400_000.0)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > chances[-1]


@pytest.mark.parametrize(
    "engine",
    ["heston", "merton", "bates", "garch", "regime_switching", "bootstrap", "conditional_bootstrap", "replay", "gbm"],
)
def test_one_index_follows_the_scenario_under_every_engine(engine) -> None:
    scenario = BASE.model_copy(update={"engine": engine, "mu": 0.06, "sigma": 0.15})
    held = run(scenario=scenario, contribution=0.0, goal=None, paths=500, years=5)
    assert held.scenario == "base_case"
    assert value(held.figures, "wealth_holding_1_return") == pytest.approx(0.06)
    assert value(held.figures, "wealth_holding_1_volatility") == pytest.approx(0.15)
    assert any("constant volatility" in c.lower() for c in held.caveats) == (engine == "gbm")


def test_a_conditional_bootstrap_draws_the_days_of_its_label() -> None:
    changes = {"engine": "conditional_bootstrap", "name": "drawn"}
    outlooks = [
        run(
            scenario=BASE.model_copy(update=changes | {"label": label}), contribution=0.0, goal=None, paths=500, years=2
        )
        for label in ("base", "low_volatility")
    ]
    assert outlooks[0].percentiles != outlooks[1].percentiles


def test_the_cycle_has_the_moments_of_its_states() -> None:
    held = run(scenario=CYCLE, contribution=0.0, goal=None, paths=500, years=5)
    days = np.array([s.mean_days for s in CYCLE.states])
    mean = days @ [s.mu for s in CYCLE.states] / days.sum()
    assert value(held.figures, "wealth_holding_1_return") == pytest.approx(mean, abs=1e-9)


def test_stocks_draw_on_their_own_days_before_the_holdout() -> None:
    held = run(holdings={"AAPL": 0.5, "XOM": 0.5}, contribution=0.0, goal=None, paths=500, years=3)
    assets = asyncio.run(load_assets(BundledPrices(), ("AAPL", "XOM")))
    assert held.scenario is None
    for n, column in enumerate(assets.returns.values.T, 1):
        assert value(held.figures, f"wealth_holding_{n}_return") == pytest.approx(252 * column.mean())
        sigma = math.sqrt(252) * column.std()
        assert value(held.figures, f"wealth_holding_{n}_volatility") == pytest.approx(sigma)
    assert any("survivorship" in caveat for caveat in held.caveats)


def test_a_scenario_for_stocks_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidInput, match="describes one index") as error:
        run(holdings={"AAPL": 1.0}, scenario=BASE)
    assert error.value.field == "scenario"


def test_a_replay_longer_than_the_history_is_refused() -> None:
    with pytest.raises(InvalidInput) as error:
        run(scenario=BASE.model_copy(update={"engine": "replay"}), years=40)
    assert error.value.field == "scenario"


def test_the_same_plan_has_the_same_numbers(projection) -> None:
    assert run() == projection


@pytest.mark.soak  # measures a duration
def test_ten_years_take_less_than_a_few_seconds() -> None:
    import time

    began = time.perf_counter()
    run()
    assert time.perf_counter() - began < 3.0, "a quarter of a second when measured"
