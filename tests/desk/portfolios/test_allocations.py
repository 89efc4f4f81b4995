import asyncio
import math

import numpy as np
import pytest
from scipy.optimize import minimize

from desk.base.errors import InvalidInput
from desk.figures.sheet import Money
from desk.market.bundled import BundledPrices
from desk.portfolios.allocations import METHODS, TOOL, compare_allocations
from desk.portfolios.holdings import load_assets
from desk.portfolios.optimizers.risk_based import estimate_covariance
from tests.doubles.price_source import FixedPrices, assert_well_formed, value, with_returns

ASSETS = ("AAPL", "XOM", "sp500")
MONEY = Money(amount=1_000_000.0, currency="USD")


@pytest.fixture(scope="module")
def comparison():
    return asyncio.run(compare_allocations(BundledPrices(), ASSETS, MONEY))


@pytest.fixture(scope="module")
def assets():
    return asyncio.run(load_assets(BundledPrices(), ASSETS))


@pytest.fixture(scope="module")
def cov(assets):
    return 252 * np.cov(assets.returns.values.T)


def weights_of(comparison, method):
    return np.array(next(a for a in comparison.allocations if a.method == method).weights)


def test_every_figure_is_named_once_and_can_be_read(comparison) -> None:
    assert_well_formed(comparison.figures, TOOL)


def test_every_method_invests_everything_and_tells_its_risk(comparison, cov, assets) -> None:
    assert [a.method for a in comparison.allocations] == list(METHODS)
    for allocation in comparison.allocations:
        w = np.array(allocation.weights)
        assert w.min() >= 0.0
        assert w.sum() == pytest.approx(1.0, abs=1e-9)
        assert allocation.volatility == pytest.approx(math.sqrt(w @ cov @ w))
        np.testing.assert_allclose(allocation.risk_shares, w * (cov @ w) / (w @ cov @ w), atol=1e-12)
        assert allocation.diversification == pytest.approx(w @ np.sqrt(np.diag(cov)) / allocation.volatility)
        assert allocation.expected_return == pytest.approx(252 * w @ assets.returns.values.mean(axis=0))
        for n, weight in enumerate(w, 1):
            money = value(comparison.figures, f"allocation_{allocation.method}_weight_{n}_money")
            assert money == pytest.approx(weight * MONEY.amount)


def test_each_method_is_what_its_name_says(comparison, cov, assets) -> None:
    np.testing.assert_allclose(weights_of(comparison, "equal_weight"), 1 / 3)
    inverse = 1.0 / np.sqrt(np.diag(cov))
    np.testing.assert_allclose(weights_of(comparison, "inverse_volatility"), inverse / inverse.sum())
    parity = next(a for a in comparison.allocations if a.method == "risk_parity")
    np.testing.assert_allclose(parity.risk_shares, 1 / 3, atol=1e-8)

    mean = 252 * assets.returns.values.mean(axis=0)
    rate = 252 * assets.cash.mean()
    deviations = np.sqrt(np.diag(cov))
    goals = {
        "maximum_diversification": lambda w: -(w @ deviations) / math.sqrt(w @ cov @ w),
        "minimum_variance": lambda w: w @ cov @ w,
        "maximum_sharpe": lambda w: -(w @ mean - rate) / math.sqrt(w @ cov @ w),
    }
    for method, goal in goals.items():
        best = minimize(
            goal,
            np.full(3, 1 / 3),
            bounds=[(0, 1)] * 3,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            tol=1e-12,
        )
        np.testing.assert_allclose(weights_of(comparison, method), best.x, atol=1e-4)
        assert goal(weights_of(comparison, method)) <= best.fun + 1e-9


def test_minimum_cvar_has_the_least_mean_of_the_worst_days(comparison, assets) -> None:
    days = assets.returns.values
    level_share = 0.05 * len(days)

    def cvar(w: np.ndarray) -> float:
        losses = np.sort(-days @ w)[::-1]
        whole = int(level_share)
        return float((losses[:whole].sum() + (level_share - whole) * losses[whole]) / level_share)

    least = cvar(weights_of(comparison, "minimum_cvar"))
    rng = np.random.default_rng(1)
    near = weights_of(comparison, "minimum_cvar") + 0.02 * (rng.dirichlet(np.ones(3), 200) - 1 / 3)
    anywhere = rng.dirichlet(np.ones(3), 300)
    assert all(least <= cvar(w) + 1e-12 for w in (*anywhere, *near[(near >= 0).all(axis=1)]))


@pytest.mark.parametrize("method", ["denoised", "ledoit_wolf", "exponential"])
def test_another_covariance_moves_the_weights_that_rest_on_it(comparison, assets, method) -> None:
    other = asyncio.run(compare_allocations(BundledPrices(), ASSETS, methods=("risk_parity",), covariance=method))
    estimate = estimate_covariance(assets.returns.values, method, 63.0)
    w = np.array(other.allocations[0].weights)
    np.testing.assert_allclose(w * (estimate @ w) / (w @ estimate @ w), 1 / 3, atol=1e-8)
    assert other.allocations[0].volatility == pytest.approx(math.sqrt(252 * w @ estimate @ w))
    assert not np.allclose(w, weights_of(comparison, "risk_parity"), atol=1e-4)
    assert other.covariance == method
    assert value(other.figures, "allocation_covariance")
    assert comparison.covariance == "sample"


def test_realized_risk_is_measured_on_days_after_the_estimate(comparison, assets) -> None:
    past, later = np.split(assets.returns.values, [assets.train])
    inverse = 1.0 / past.std(axis=0, ddof=1)
    own = later @ (inverse / inverse.sum())
    row = next(a for a in comparison.allocations if a.method == "inverse_volatility")
    assert row.later_volatility == pytest.approx(own.std(ddof=1) * math.sqrt(252))
    excess = own - assets.cash[assets.train :]
    assert row.later_sharpe == pytest.approx(excess.mean() / excess.std(ddof=1) * math.sqrt(252))


def test_assets_that_lose_against_cash_have_no_maximum_sharpe(prices) -> None:
    rng = np.random.default_rng(3)
    daily = 0.01 * rng.standard_normal((prices.dates.size - 1, 2))
    losing = with_returns(prices, ("A", "B"), daily - daily.mean(axis=0) - 0.001)
    source = FixedPrices({"stocks": losing})
    comparison = asyncio.run(compare_allocations(source, ("A", "B"), methods=("maximum_sharpe",)))
    (row,) = comparison.allocations
    assert row.weights == ()
    assert row.reason
    assert not [f for f in comparison.figures if "maximum_sharpe" in f.id]


def test_near_copies_are_reported_as_ill_conditioned(prices) -> None:
    rng = np.random.default_rng(4)
    one = 0.01 * rng.standard_normal((prices.dates.size - 1, 1))
    copies = with_returns(prices, ("A", "B"), np.hstack([one, one + 1e-5 * rng.standard_normal(one.shape)]))
    comparison = asyncio.run(compare_allocations(FixedPrices({"stocks": copies}), ("A", "B")))
    assert comparison.ill_conditioned
    assert any("ill-conditioned" in caveat for caveat in comparison.caveats)


def test_all_stocks_are_evaluated_with_a_survivorship_caveat() -> None:
    names = asyncio.run(BundledPrices().load("stocks")).assets
    comparison = asyncio.run(compare_allocations(BundledPrices(), names, methods=("risk_parity", "minimum_variance")))
    assert not comparison.ill_conditioned
    assert any("survivorship" in caveat for caveat in comparison.caveats)
    assert [a.method for a in comparison.allocations] == ["risk_parity", "minimum_variance"]


@pytest.mark.parametrize("names", [(), ("AAPL",), ("AAPL", "NOPE")])
def test_too_few_or_unknown_assets_are_refused(names) -> None:
    with pytest.raises(InvalidInput) as error_info:
        asyncio.run(compare_allocations(BundledPrices(), names))
    assert error_info.value.field == "assets"
