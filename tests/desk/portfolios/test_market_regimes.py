import asyncio

import numpy as np
import pytest

from desk.conversation.sentences.risk import describe_market
from desk.market.bundled import BundledPrices
from desk.portfolios.holdings import load_assets
from desk.portfolios.market_regimes import TOOL, analyse_market
from quant.worlds.hidden_markov import fit_hidden_markov
from quant.worlds.regime_evidence import WHY_ONE_STATE
from tests.doubles.price_source import FixedPrices, assert_well_formed, value, with_returns


@pytest.fixture(scope="module")
def analysis():
    return asyncio.run(analyse_market(BundledPrices(), ("sp500", "XOM")))


@pytest.fixture(scope="module")
def assets():
    return asyncio.run(load_assets(BundledPrices(), ("sp500", "XOM")))


def test_every_figure_is_named_once_and_can_be_read(analysis) -> None:
    assert_well_formed(analysis.figures, TOOL)


def test_the_regime_is_that_of_the_last_day_before_the_holdout(analysis, prices) -> None:
    assert analysis.last_day == value(analysis.figures, "regime_last_day") == str(prices.dates[round(0.8 * 8312)])
    assert [r.asset for r in analysis.regimes] == ["SP500", "XOM"]


def test_falls_returns_and_correlations_by_numpy(analysis, assets) -> None:
    values = assets.returns.values
    for n in (1, 2):
        wealth = np.concatenate([[1.0], np.cumprod(1.0 + values[:, n - 1])])
        fall = 1.0 - wealth[-1] / wealth.max()
        assert value(analysis.figures, f"regime_{n}_current_drawdown") == pytest.approx(fall)
        assert analysis.regimes[n - 1].in_drawdown == (fall > 0.10)
        year = np.prod(1.0 + values[-252:, n - 1]) - 1.0
        assert value(analysis.figures, f"regime_{n}_year") == pytest.approx(year)
        distance = abs(wealth[-1] / wealth[-252:].mean() - 1.0)
        assert value(analysis.figures, f"regime_{n}_trend_distance") == pytest.approx(distance, abs=2e-3)
    assert value(analysis.figures, "regime_correlation") == pytest.approx(np.corrcoef(values.T)[0, 1])
    assert value(analysis.figures, "regime_correlation_year") == pytest.approx(np.corrcoef(values[-252:].T)[0, 1])


@pytest.mark.parametrize(("daily", "band", "turbulent"), [(0.03, "high", True), (0.003, "low", False)])
def test_turbulence_and_calm_at_the_end_are_detected(prices, daily, band, turbulent) -> None:
    rng = np.random.default_rng(5)
    returns = 0.01 * rng.standard_normal((prices.dates.size - 1, 1))
    end = round(0.8 * returns.size)
    returns[np.arange(returns.size) // 120 % 3 == 0] *= 3.0  # the training days alternate between both
    returns[end - 60 : end] *= daily / 0.01
    analysis = asyncio.run(analyse_market(FixedPrices({"stocks": with_returns(prices, ("A",), returns)}), ("A",)))
    (regime,) = analysis.regimes
    assert (regime.volatility_band, regime.turbulent) == (band, turbulent)


def test_without_a_second_state_nothing_is_said_of_turbulence(prices) -> None:
    returns = 0.01 * np.random.default_rng(6).standard_normal((prices.dates.size - 1, 1))
    analysis = asyncio.run(analyse_market(FixedPrices({"stocks": with_returns(prices, ("A",), returns)}), ("A",)))
    (regime,) = analysis.regimes
    assert regime.turbulent is None
    assert regime.one_state_because is not None
    assert regime.one_state_because in WHY_ONE_STATE.values()
    assert not any(figure.id.endswith("turbulence") for figure in analysis.figures)
    sentences = " ".join(describe_market(analysis, "how turbulent is the market?"))
    assert regime.one_state_because in sentences
    assert "more likely in the turbulent state" not in sentences


def test_the_last_state_of_the_model_is_the_turbulent_one(assets) -> None:
    model = fit_hidden_markov(assets.returns.values[: assets.train, 0])
    assert model.volatilities[-1] > model.volatilities[0]
