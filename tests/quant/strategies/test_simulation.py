"""Sums over paths do not depend on threads, other configs or partition, and equal numpy's over single paths."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from quant.numeric.errors import DataError
from quant.numeric.thread_count import thread_count
from quant.strategies.choices import REBALANCING, Estimator
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.family import ACTIVE
from quant.strategies.kernel import BINS, STATISTIC
from quant.strategies.mandate import Mandate
from quant.strategies.search import sobol
from quant.strategies.simulation import Simulation, evaluations
from quant.worlds.bond import Bond, bond_model, bond_paths
from quant.worlds.hidden_markov import filtered_probabilities
from quant.worlds.paths import path_model, sample_paths
from quant.worlds.scenario import BUILT_IN, CYCLE
from tests.quant.strategies.accounts import simulate_account
from tests.quant.strategies.sample_simulations import (
    BASE,
    MANDATE,
    SEVERAL,
    SPACE,
    WARM_UP,
    YEAR,
    assert_equal_results,
    regimes,
    simulate_configs,
)

CASH = StrategyConfig(weight_function="constant", constant_weight=0.0)
ASSET = StrategyConfig(weight_function="constant", constant_weight=1.0)


def evaluated(configs: Sequence[StrategyConfig], **changes: Any) -> list[Evaluation]:
    return evaluations(simulate_configs(configs, **changes), [c.digest() for c in configs], BASE.name)


def test_every_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for count in ("1", "2", "3"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", count)
        assert thread_count() == int(count)
        results.append(simulate_configs(SEVERAL, paths=700, keep_paths=True))
    assert_equal_results(results[0], results[1])
    assert_equal_results(results[0], results[2])


@pytest.mark.parametrize("size", [1, 5, 23])
def test_a_config_has_the_same_evaluation_in_any_company(size: int) -> None:
    """Common random numbers: which configs are computed together, and in which order, changes no bit."""
    together = evaluated(SEVERAL)
    apart = [e for k in range(0, len(SEVERAL), size) for e in evaluated(SEVERAL[k : k + size])]
    assert apart == together
    assert evaluated(SEVERAL[::-1])[::-1] == together


def one_path(
    config: StrategyConfig, mandate: Mandate, returns: np.ndarray, cash: float, *, bonds: np.ndarray | None = None
) -> Any:
    step = REBALANCING[config.rebalancing].days
    sessions = np.arange(returns.size)
    trades = (sessions - (WARM_UP - 1)) % step == 0
    turbulence = filtered_probabilities(regimes(), returns)[:, 1]
    return simulate_account(
        config, mandate, returns, np.full(returns.size, cash), trades, start=WARM_UP, turbulence=turbulence, bonds=bonds
    )


def example_of(function: str, place: int) -> StrategyConfig:
    if function == "constant":
        return StrategyConfig(weight_function="constant", constant_weight=0.7, rebalancing="weekly")
    space = SPACE.model_copy(update={"weight_functions": (function,), "no_trade_band": (0.0, 0.05)})
    return sobol(space, place + 1, seed=2)[place]


@pytest.mark.parametrize("mandate", [MANDATE, Mandate()], ids=["borrows", "never borrows"])
@pytest.mark.parametrize("function", list(ACTIVE))
def test_each_path_is_a_money_account(function: str, mandate: Mandate) -> None:
    configs = [example_of(function, place) for place in range(1 if function == "constant" else 2)]
    model = path_model(BASE, seed=7)
    returns = sample_paths(model, days=WARM_UP + YEAR)
    simulated = simulate_configs(configs, mandate=mandate, paths=64, keep_paths=True)
    for k, config in enumerate(configs):
        for path in (0, 31, 63):
            account = one_path(config, mandate, returns[:, path], model.cash)
            assert simulated.utilities[k, path] == pytest.approx(account.utility(mandate.risk_aversion), abs=1e-10)
            wealth = np.cumprod(np.append(1.0, 1.0 + account.excess[WARM_UP:] + model.cash))
            fall = np.max(1.0 - wealth / np.maximum.accumulate(wealth))
            assert simulated.drawdowns[k, path] == pytest.approx(fall, abs=1e-10)


@pytest.mark.parametrize("function", list(ACTIVE))
def test_with_a_bond_beside_it_each_path_is_a_money_account(function: str) -> None:
    """A correlation of either sign; above a weight of one, cash is borrowed."""
    config = example_of(function, 0)
    scenario = BASE.model_copy(update={"bond_correlation": -0.6})
    bond = Bond(duration=7.0, convexity=60.0, level=0.04)
    returns = sample_paths(path_model(scenario, seed=7), days=WARM_UP + YEAR)
    bonds = bond_paths(bond, scenario, returns, seed=7).returns
    simulated = simulate_configs(
        [config], scenario=scenario, paths=64, keep_paths=True, bond=bond_model(bond, scenario, seed=7)
    )
    cash = path_model(scenario, seed=7).cash
    for path in (0, 40):
        account = one_path(config, MANDATE, returns[:, path], cash, bonds=bonds[:, path])
        assert simulated.utilities[0, path] == pytest.approx(account.utility(MANDATE.risk_aversion), abs=1e-10)
    if function != "constant":
        assert not np.array_equal(simulated.utilities, simulate_configs([config], paths=64, keep_paths=True).utilities)


@pytest.fixture(scope="module")
def with_paths() -> Simulation:
    return simulate_configs(SEVERAL, paths=1_000, keep_paths=True)


def test_a_merge_of_blocks_is_numpys_mean_and_variance(with_paths: Simulation) -> None:
    """1,000 paths are fifteen blocks of 64 and one of 40."""
    for row, sample in (
        (STATISTIC["utility"], with_paths.utilities),
        (STATISTIC["max_drawdown"], with_paths.drawdowns),
    ):
        np.testing.assert_allclose(with_paths.mean[:, row], sample.mean(axis=1), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(with_paths.spread[:, row], sample.var(axis=1) * 1_000, rtol=1e-10)


def test_a_merge_of_groups_is_numpys_mean_and_variance() -> None:
    """2,500 paths are two groups of 1,024 and one of 452, whose last block has four."""
    merged = simulate_configs(SEVERAL[:4], paths=2_500, days=63, keep_paths=True)
    for name, sample in (("utility", merged.utilities), ("max_drawdown", merged.drawdowns)):
        row = STATISTIC[name]
        np.testing.assert_allclose(merged.mean[:, row], sample.mean(axis=1), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(merged.spread[:, row], sample.var(axis=1) * 2_500, rtol=1e-10)


def test_an_error_is_the_deviation_over_the_root_of_the_number_of_paths(with_paths: Simulation) -> None:
    for k, result in enumerate(evaluations(with_paths, [c.digest() for c in SEVERAL], BASE.name)):
        expected = with_paths.utilities[k].std(ddof=1) / math.sqrt(1_000)
        assert result.metrics.utility.error == pytest.approx(expected, rel=1e-10)
        assert result.metrics.utility.value == pytest.approx(with_paths.utilities[k].mean(), abs=1e-14)
        assert (result.paths, result.days, result.config) == (1_000, YEAR, SEVERAL[k].digest())


def test_the_drawdown_of_four_paths_in_five_is_numpys_quantile(with_paths: Simulation) -> None:
    for k, result in enumerate(evaluations(with_paths, [c.digest() for c in SEVERAL], BASE.name)):
        expected = np.quantile(with_paths.drawdowns[k], 0.80)
        assert result.metrics.max_drawdown_p80.value == pytest.approx(expected, abs=1.0 / BINS + spacing(with_paths, k))


def spacing(with_paths: Simulation, k: int) -> float:
    """Distance of neighbouring order statistics at the quantile, by which definitions of a quantile differ."""
    ordered = np.sort(with_paths.drawdowns[k])
    return float(ordered[802] - ordered[798])


def test_tail_losses_are_those_of_windows_of_21_sessions() -> None:
    """Of the asset itself, where each window can be multiplied out from the returns."""
    (metrics,) = evaluated([ASSET], paths=640, mandate=Mandate(transaction_cost_bps=0.0))
    returns = sample_paths(path_model(BASE, seed=7), days=WARM_UP + YEAR, blocks=10)[WARM_UP:]
    losses = np.sort(1.0 - np.prod(1.0 + returns.reshape(YEAR // 21, 21, 640), axis=1).ravel())[::-1]
    tail = losses[: losses.size // 20]  # 384 of 7,680
    assert metrics.metrics.value_at_risk.value == pytest.approx(tail[-1], abs=1.0 / BINS + 2e-4)
    assert metrics.metrics.expected_shortfall.value == pytest.approx(tail.mean(), abs=1.0 / BINS)
    shortfall_error = metrics.metrics.expected_shortfall.error
    assert shortfall_error is not None
    assert 0.5 * tail.std() / math.sqrt(tail.size) < shortfall_error < 2.0 * tail.std() / math.sqrt(tail.size)


def test_metrics_of_the_asset_are_those_of_its_returns() -> None:
    (result,) = evaluated([ASSET], paths=130, mandate=Mandate(transaction_cost_bps=0.0))
    model = path_model(BASE, seed=7)
    returns = sample_paths(model, days=WARM_UP + YEAR, blocks=3)[WARM_UP:, :130]
    excess, wealth = returns - model.cash, np.prod(1.0 + returns, axis=0)
    sharpes = excess.mean(axis=0) / excess.std(axis=0, ddof=1) * math.sqrt(YEAR)
    m = result.metrics
    for estimate, by_path in (
        (m.excess_return, YEAR * excess.mean(axis=0)),
        (m.volatility, excess.std(axis=0, ddof=1) * math.sqrt(YEAR)),
        (m.sharpe, sharpes),
        (m.geometric_return, wealth - 1.0),  # over one year
        (m.loss_probability, (wealth < 1.0).astype(float)),
        (m.utility, YEAR * excess.mean(axis=0) - YEAR * excess.var(axis=0, ddof=1)),  # gamma 2
    ):
        assert estimate.value == pytest.approx(by_path.mean(), abs=1e-12)
        assert estimate.error == pytest.approx(by_path.std(ddof=1) / math.sqrt(130), rel=1e-9)
    assert m.sharpe_pooled.value == pytest.approx(excess.mean() / excess.std() * math.sqrt(YEAR), rel=1e-9)
    assert m.sharpe_pooled.value != m.sharpe.value
    assert (m.average_weight.value, m.weight_volatility.value, m.largest_weight.value) == pytest.approx((1.0, 0.0, 1.0))
    assert m.turnover.value == pytest.approx(1.0)  # the first position, once in this year


def test_cash_has_neither_risk_nor_cost() -> None:
    (result,) = evaluated([CASH])
    m = result.metrics
    for estimate in (m.utility, m.excess_return, m.volatility, m.sharpe, m.sharpe_pooled, m.max_drawdown, m.turnover):
        assert estimate.value == pytest.approx(0.0, abs=1e-12)
        assert estimate.error == pytest.approx(0.0, abs=1e-12) or estimate.error is None
    for estimate in (m.cost, m.average_weight, m.weight_volatility, m.largest_weight, m.loss_probability):
        assert estimate.value == 0.0
    assert m.geometric_return.value == pytest.approx(BASE.cash_rate, abs=1e-9)
    window = (1.0 + BASE.cash_rate) ** (21 / YEAR) - 1.0
    assert m.value_at_risk.value == pytest.approx(-window, abs=1.0 / BINS)  # the "loss" is what cash earns


def test_other_blocks_are_other_paths_and_parts_of_one_whole() -> None:
    whole = simulate_configs(SEVERAL[:3], paths=192, keep_paths=True)
    for first in range(3):
        part = simulate_configs(SEVERAL[:3], paths=64, first_block=first, keep_paths=True)
        assert part.utilities.tobytes() == np.ascontiguousarray(whole.utilities[:, 64 * first :][:, :64]).tobytes()
    assert np.unique(whole.utilities[0]).size == 192


def test_more_paths_begin_with_the_same_ones() -> None:
    few, many = (
        simulate_configs(SEVERAL[:3], paths=100, keep_paths=True),
        simulate_configs(SEVERAL[:3], paths=300, keep_paths=True),
    )
    np.testing.assert_array_equal(few.utilities, many.utilities[:, :100])


def test_paths_of_a_last_block_that_were_not_asked_for_do_not_count() -> None:
    simulated = simulate_configs(SEVERAL[:3], paths=130)
    assert simulated.falls.sum(axis=1).tolist() == [130] * 3
    assert simulated.losses.sum(axis=1).tolist() == [130 * (YEAR // 21)] * 3
    assert simulated.utilities.size == simulated.drawdowns.size == 0


def test_the_share_of_breaches_is_the_share_of_deeper_drawdowns() -> None:
    simulated = simulate_configs(SEVERAL, paths=300, keep_paths=True, drawdown_limit=0.08)
    result = evaluations(simulated, [c.digest() for c in SEVERAL], BASE.name)
    for k, one in enumerate(result):
        assert one.metrics.drawdown_breach.value == pytest.approx((simulated.drawdowns[k] > 0.08).mean(), abs=1e-12)
    assert 0.0 < np.mean([one.metrics.drawdown_breach.value for one in result]) < 1.0


def test_a_floor_that_binds_is_counted_as_locked() -> None:
    """A strict floor in a bear market locks some paths in cash; a loose one in a bull market locks none."""
    strict = StrategyConfig(weight_function="cppi", floor=0.95, multiplier=10.0, rebalancing="daily")
    bear, bull = BUILT_IN[2], BUILT_IN[1]
    (locked,) = evaluated([strict], scenario=bear, days=2 * YEAR)
    (free,) = evaluated([strict.model_copy(update={"floor": 0.5, "multiplier": 2.0})], scenario=bull)
    assert 0.1 < locked.metrics.locked_in_cash.value <= 1.0
    assert free.metrics.locked_in_cash.value == 0.0


def test_a_cancelled_simulation_stops() -> None:
    calls = iter([False, False, True])
    with pytest.raises(InterruptedError):
        simulate_configs(SEVERAL, paths=6_400, cancelled=lambda: next(calls, True))


def test_an_engine_of_several_regimes_runs_like_any_other() -> None:
    (result,) = evaluated([ASSET], scenario=CYCLE, paths=1_000)
    assert result.metrics.volatility.value == pytest.approx(CYCLE.sigma, abs=0.04)


def test_a_warm_up_that_would_look_ahead_is_refused() -> None:
    needed = max(c.longest_lookback() for c in SEVERAL)
    assert needed == SPACE.longest_lookback()
    with pytest.raises(DataError, match=f"`warm_up` .* too short; expected at least {needed + MANDATE.decision_lag}"):
        simulate_configs(SEVERAL, warm_up=needed + MANDATE.decision_lag - 1)


@pytest.mark.parametrize(("estimator", "lookback"), [("range", 21), ("implied", None)])
def test_data_that_simulated_worlds_do_not_have_is_refused(estimator: Estimator, lookback: int | None) -> None:
    config = StrategyConfig(weight_function="inverse_vol", estimator=estimator, lookback_days=lookback)
    with pytest.raises(DataError, match=f"estimator '{estimator}' needs data that simulated worlds do not have"):
        simulate_configs([config])
