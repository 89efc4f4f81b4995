"""Reverse stress and factor stress of a portfolio, against general solvers and regressions."""

import asyncio
from statistics import NormalDist

import numpy as np
import pytest
from scipy.optimize import minimize

from desk.base.errors import InvalidInput
from desk.figures.sheet import Money
from desk.market.bundled import BundledPrices
from desk.portfolios.holdings import load_assets, load_holdings
from desk.portfolios.risk import TOOL, assess
from desk.portfolios.risk_schemas import PortfolioRisk
from desk.portfolios.stress_schemas import StressRequest
from tests.doubles.price_source import FixedPrices, assert_well_formed, value, with_returns

HOLDINGS = {"AAPL": 0.5, "XOM": 0.3, "cash": 0.2}
WEIGHTS = np.array([0.5, 0.3])
STRESS = StressRequest(loss=0.15, sessions=10, shocks={"sp500": -0.3, "JNJ": 0.1, "XOM": -0.2})


@pytest.fixture(scope="module")
def risk() -> PortfolioRisk:
    return asyncio.run(assess(BundledPrices(), HOLDINGS, Money(amount=1_000_000.0, currency="USD"), STRESS))


def test_the_most_likely_loss_is_the_constrained_minimum_of_a_general_solver(risk) -> None:
    days = asyncio.run(load_holdings(BundledPrices(), HOLDINGS)).assets.returns.values
    cov = 10 * np.cov(days.T)
    inverse = np.linalg.inv(cov)
    nearest = minimize(
        lambda x: x @ inverse @ x,
        [-0.2, -0.2],
        constraints={"type": "ineq", "fun": lambda x: -WEIGHTS @ x - 0.15},
        options={"ftol": 1e-14},
    )
    moves = [row.move for row in risk.reverse_stress.moves]
    assert [row.asset for row in risk.reverse_stress.moves] == ["AAPL", "XOM"]
    assert moves == pytest.approx(nearest.x, abs=1e-6)
    assert -WEIGHTS @ moves == pytest.approx(0.15, abs=1e-12), "cash does not move"
    deviation = np.sqrt(WEIGHTS @ cov @ WEIGHTS)
    assert risk.reverse_stress.distance == pytest.approx(np.sqrt(nearest.fun), rel=1e-6)
    assert risk.reverse_stress.distance == pytest.approx(0.15 / deviation, rel=1e-12)
    assert risk.reverse_stress.probability == pytest.approx(NormalDist().cdf(-0.15 / float(deviation)), rel=1e-9)
    assert value(risk.figures, "risk_holding_2_reverse") == moves[1]
    assert value(risk.figures, "risk_reverse_loss_money") == pytest.approx(150_000.0)


def test_factors_move_the_holdings_by_the_betas_of_one_regression(risk) -> None:
    factors = asyncio.run(load_assets(BundledPrices(), ("AAPL", "XOM", "sp500", "JNJ"))).returns.values
    design = np.column_stack([np.ones(len(factors)), factors[:, [2, 3, 1]]])
    betas = np.linalg.lstsq(design, factors[:, :2], rcond=None)[0][1:]
    moves = np.array([-0.3, 0.1, -0.2])
    assert betas[:, 1] == pytest.approx([0.0, 0.0, 1.0], abs=1e-12), "a holding that is a factor moves with itself"
    stress = risk.factor_stress
    assert stress.loss == pytest.approx(-moves @ betas @ WEIGHTS, rel=1e-9)
    assert [row.loss for row in stress.factors] == pytest.approx(-moves * (betas @ WEIGHTS), rel=1e-9)
    assert [row.loss for row in stress.holdings] == pytest.approx(-(moves @ betas) * WEIGHTS, rel=1e-9)
    assert sum(row.loss for row in stress.factors) == pytest.approx(stress.loss)
    assert [(row.factor, row.move) for row in stress.factors] == list(STRESS.shocks.items())
    assert value(risk.figures, "risk_factor_loss_money") == pytest.approx(1e6 * stress.loss)
    assert_well_formed(risk.figures, TOOL)


def test_without_shocks_the_index_falls_by_a_fifth() -> None:
    risk = asyncio.run(assess(BundledPrices(), {"sp500": 0.5, "cash": 0.5}))
    assert risk.factor_stress is not None
    assert risk.factor_stress.loss == pytest.approx(0.5 * 0.2, abs=1e-12)
    assert [(row.factor, row.move) for row in risk.factor_stress.factors] == [("sp500", -0.2)]
    assert risk.reverse_stress is not None
    assert (risk.reverse_stress.loss, risk.reverse_stress.sessions) == (0.10, 21)


def distance(loss: float, sessions: int) -> float:
    risk = asyncio.run(assess(BundledPrices(), HOLDINGS, stress=StressRequest(loss=loss, sessions=sessions)))
    assert risk.reverse_stress is not None
    assert risk.reverse_stress.distance is not None
    return risk.reverse_stress.distance


def test_a_larger_loss_is_farther_in_proportion_and_time_brings_it_nearer() -> None:
    assert distance(0.2, 21) == pytest.approx(2.0 * distance(0.1, 21))
    assert distance(0.1, 84) == pytest.approx(distance(0.1, 21) / 2.0), "the root of four times the sessions"


def test_factors_that_are_copies_are_refused_by_name(prices) -> None:
    rng = np.random.default_rng(9)
    daily = 0.01 * rng.standard_normal((prices.dates.size - 1, 2))
    source = FixedPrices({"stocks": with_returns(prices, ("A", "B", "C"), np.column_stack([daily, daily[:, 1]]))})
    with pytest.raises(InvalidInput, match="collinear") as refusal:
        asyncio.run(assess(source, {"A": 1.0}, stress=StressRequest(shocks={"B": -0.1, "C": -0.1})))
    assert refusal.value.field == "shocks"
    without_index = asyncio.run(assess(source, {"A": 1.0}))
    assert without_index.factor_stress is None
    with pytest.raises(InvalidInput, match=r"^shocks: there are no prices of Q"):
        asyncio.run(assess(source, {"A": 1.0}, stress=StressRequest(shocks={"Q": -0.1})))
    with pytest.raises(InvalidInput, match=r"^shocks: cash has no prices"):
        asyncio.run(assess(source, {"A": 1.0}, stress=StressRequest(shocks={"cash": -0.1})))


def test_reports_that_were_stored_without_stress_still_open(risk) -> None:
    stored = risk.model_dump(mode="json", exclude={"reverse_stress", "factor_stress"})
    assert PortfolioRisk.model_validate(stored).reverse_stress is None


def test_a_report_is_a_table_of_figures(risk) -> None:
    table = risk.to_frame()
    assert list(table.index) == [figure.id for figure in risk.figures]
    assert table.loc["risk_reverse_loss", "value"] == 0.15
