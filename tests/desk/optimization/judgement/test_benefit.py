import numpy as np
import pytest
from scipy.special import stdtrit

from desk.optimization.judgement.benefit import history_error, measure_benefit, utility_difference
from desk.optimization.judgement.finalists import score
from desk.scenarios.schemas import HISTORY
from quant.numeric.measured import Measured

WEIGHTS = {"base_case": 0.5, "bear_market": 0.2, HISTORY: 0.3}


@pytest.fixture(scope="module")
def table(world, finished_search):
    configs = [*(t.config for t in finished_search.trials[:2]), world.constant(0.5)]
    return score(world, configs, world.request.scenarios, keep="drawdowns")


def test_a_difference_is_paired_path_by_path_and_weighted_over_scenarios(table) -> None:
    actual = utility_difference(table, 0, 2, WEIGHTS)
    total, squared = 0.0, 0.0
    for name, weight in WEIGHTS.items():
        one, other = (table.evaluations[name][k].metrics.utility.value for k in (0, 2))
        total += weight * (one - other)
        if name != HISTORY:
            gaps = [a - b for a, b in zip(table.paths[name][0][0], table.paths[name][2][0], strict=True)]
            mean = sum(gaps) / len(gaps)
            squared += weight**2 * sum((g - mean) ** 2 for g in gaps) / (len(gaps) - 1) / len(gaps)
    assert actual.value == pytest.approx(10_000 * total, rel=1e-9)
    assert actual.error == pytest.approx(10_000 * squared**0.5, rel=1e-9)


def test_a_difference_changes_its_sign_with_its_sides_and_is_zero_with_itself(table) -> None:
    there, back = utility_difference(table, 0, 1, WEIGHTS), utility_difference(table, 1, 0, WEIGHTS)
    assert (there.value, there.error) == pytest.approx((-back.value, back.error))
    assert utility_difference(table, 1, 1, WEIGHTS).value == utility_difference(table, 1, 1, WEIGHTS).error == 0.0


def test_history_has_no_error_of_paths(table) -> None:
    assert utility_difference(table, 0, 2, {HISTORY: 1.0}).error is None


def test_a_pairing_on_common_paths_is_sharper_than_none(table) -> None:
    """Both sides hold the same asset on the same paths."""
    apart = [table.evaluations["bear_market"][k].metrics.utility.error for k in (0, 2)]
    assert utility_difference(table, 0, 2, {"bear_market": 1.0}).error < 10_000 * (apart[0] ** 2 + apart[1] ** 2) ** 0.5


def test_the_benefit_has_its_interval_and_drawdowns_in_points(table) -> None:
    timing = {name: Measured(value=10.0 * k, error=float(k)) for k, name in enumerate(WEIGHTS)}
    actual = measure_benefit(table, 0, 2, WEIGHTS, 0.5, timing, 40.0)
    assert actual.timing_bps.value == pytest.approx(sum(10.0 * k * w for k, w in enumerate(WEIGHTS.values())))
    assert actual.timing_bps.error == pytest.approx(sum((k * w) ** 2 for k, w in enumerate(WEIGHTS.values())) ** 0.5)
    gain = utility_difference(table, 0, 2, WEIGHTS)
    assert actual.basis_points == gain
    assert gain.error is not None
    # the history has the weight 0.3
    assert actual.history_error_bps == pytest.approx(12.0)
    assert actual.total is not None
    assert (actual.total.value, actual.total.error) == pytest.approx((gain.value, (gain.error**2 + 12.0**2) ** 0.5))
    # Welch and Satterthwaite: 15 degrees of freedom of the history, many of the paths
    variance = gain.error**2 + 12.0**2
    half = stdtrit(15.0 * variance**2 / 12.0**4, 0.975) * variance**0.5
    assert (actual.low, actual.high) == pytest.approx((gain.value - half, gain.value + half), rel=1e-6)
    fall = sum(
        w * (table.evaluations[n][2].metrics.max_drawdown.value - table.evaluations[n][0].metrics.max_drawdown.value)
        for n, w in WEIGHTS.items()
    )
    assert actual.drawdown_points.value == pytest.approx(100 * fall, rel=1e-9)
    assert actual.drawdown_points.error
    assert actual.benchmark_weight == 0.5


def test_the_benefit_on_history_and_the_benefit_in_the_worlds_stand_apart(table) -> None:
    timing = {name: Measured(value=0.0) for name in WEIGHTS}
    actual = measure_benefit(table, 0, 2, WEIGHTS, 0.5, timing, 40.0)
    assert actual.history_bps is not None
    assert actual.worlds_bps is not None
    gaps = {
        name: table.evaluations[name][0].metrics.utility.value - table.evaluations[name][2].metrics.utility.value
        for name in WEIGHTS
    }
    assert actual.history_bps.value == pytest.approx(10_000 * gaps[HISTORY], rel=1e-9)
    assert actual.history_bps.error == 40.0
    worlds = (0.5 * gaps["base_case"] + 0.2 * gaps["bear_market"]) / 0.7
    assert actual.worlds_bps.value == pytest.approx(10_000 * worlds, rel=1e-9)
    together = 0.3 * actual.history_bps.value + 0.7 * actual.worlds_bps.value
    assert actual.basis_points.value == pytest.approx(together, rel=1e-9)
    assert actual.basis_points.error == pytest.approx(0.7 * (actual.worlds_bps.error or 0.0), rel=1e-9)


def test_an_interval_without_an_error_of_history_is_normal(table) -> None:
    timing = {name: Measured(value=0.0) for name in WEIGHTS}
    actual = measure_benefit(table, 0, 2, WEIGHTS, 0.5, timing, 0.0)
    assert actual.basis_points.error
    assert actual.high - actual.low == pytest.approx(2 * 1.959964 * actual.basis_points.error, rel=1e-6)


def test_the_error_of_one_history_is_that_of_the_mean_of_its_parts() -> None:
    random = np.random.default_rng(3)
    benchmark = random.normal(0.0, 0.01, 16 * 300)
    winner = benchmark + random.normal(0.0001, 0.002, 16 * 300)
    parts = (winner - benchmark).reshape(16, 300).mean(axis=1)
    error = history_error(winner, benchmark, risk_aversion=1e-9)
    assert error == pytest.approx(1e4 * 252 * parts.std(ddof=1) / 4, rel=1e-6)


def test_results_of_earlier_versions_have_no_parts(table) -> None:
    timing = {name: Measured(value=0.0) for name in WEIGHTS}
    whole, older = (measure_benefit(table, 0, 2, WEIGHTS, 0.5, timing, 40.0, apart=apart) for apart in (True, False))
    assert (older.history_bps, older.worlds_bps) == (None, None)
    assert older == whole.model_copy(update={"history_bps": None, "worlds_bps": None})
    assert "worlds_bps" not in older.model_dump()
