"""Allocation rules reject every defect of their input and name the argument."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quant import allocate
from quant.numeric.errors import DataError, Infeasible, QuantError

COV = np.array([[1e-4, 2e-5, 0.0], [2e-5, 4e-4, 1e-5], [0.0, 1e-5, 9e-4]])
MEAN = np.array([2e-4, 4e-4, 6e-4])
RETURNS = np.random.default_rng(0).multivariate_normal(MEAN, COV, 60)


def changed(array: np.ndarray, *cells: tuple[Any, float]) -> np.ndarray:
    copy = array.copy()
    for cell, value in cells:
        copy[cell] = value
    return copy


FROM_COV: dict[str, Callable[..., Any]] = {
    "risk_parity": allocate.risk_parity,
    "hierarchical_risk_parity": allocate.hierarchical_risk_parity,
    "inverse_volatility": allocate.inverse_volatility,
    "minimum_variance": allocate.minimum_variance,
    "maximum_diversification": allocate.maximum_diversification,
    "maximum_sharpe": lambda cov, **more: allocate.maximum_sharpe(MEAN, cov, **more),
    "minimum_variance_at": lambda cov, **more: allocate.minimum_variance_at(MEAN, cov, 3e-4, **more),
    "efficient_frontier": lambda cov, **more: allocate.efficient_frontier(MEAN, cov, **more),
}
FROM_MEAN: dict[str, Callable[..., Any]] = {
    "maximum_sharpe": lambda mean: allocate.maximum_sharpe(mean, COV),
    "minimum_variance_at": lambda mean: allocate.minimum_variance_at(mean, COV, 3e-4),
    "efficient_frontier": lambda mean: allocate.efficient_frontier(mean, COV),
}
FROM_RETURNS: dict[str, tuple[str, Callable[..., Any]]] = {
    "minimum_cvar": ("scenarios", allocate.minimum_cvar),
    "resampled_frontier": ("returns", lambda r, **more: allocate.resampled_frontier(r, draws=3, seed=1, **more)),
    "weight_intervals": (
        "returns",
        lambda r: allocate.weight_intervals(r, lambda x: allocate.inverse_volatility(np.cov(x.T)), draws=3, seed=1),
    ),
}
BOUNDED = {
    **{name: lambda f=f, **more: f(COV, **more) for name, f in FROM_COV.items() if name.startswith(("m", "e"))},
    **{name: lambda f=f, **more: f(RETURNS, **more) for name, (_, f) in FROM_RETURNS.items() if name[0] != "w"},
}

COV_DEFECTS = {
    "NaN": changed(COV, ((0, 1), np.nan), ((1, 0), np.nan)),
    "infinity": changed(COV, ((2, 2), np.inf)),
    "a vector": np.diag(COV),
    "not square": COV[:2],
    "empty": np.zeros((0, 0)),
    "asymmetric": changed(COV, ((0, 1), 3e-5)),
    "negative variance": changed(COV, ((1, 1), -4e-4)),
    "indefinite": changed(COV, ((0, 1), 3e-4), ((1, 0), 3e-4)),
}
MEAN_DEFECTS = {
    "NaN": changed(MEAN, (1, np.nan)),
    "infinity": changed(MEAN, (1, -np.inf)),
    "too short": MEAN[:2],
    "a matrix": MEAN[None],
}
RETURNS_DEFECTS = {
    "NaN": changed(RETURNS, ((3, 1), np.nan)),
    "infinity": changed(RETURNS, ((3, 1), np.inf)),
    "a vector": RETURNS[:, 0],
    "empty": RETURNS[:0],
}


@pytest.mark.parametrize("defect", COV_DEFECTS)
@pytest.mark.parametrize("name", FROM_COV)
def test_what_is_no_covariance_is_refused(name: str, defect: str) -> None:
    with pytest.raises(DataError, match="`cov`"):
        FROM_COV[name](COV_DEFECTS[defect])


@pytest.mark.parametrize("defect", MEAN_DEFECTS)
@pytest.mark.parametrize("name", FROM_MEAN)
def test_what_are_no_means_is_refused(name: str, defect: str) -> None:
    with pytest.raises(DataError, match="`mean`"):
        FROM_MEAN[name](MEAN_DEFECTS[defect])


@pytest.mark.parametrize("defect", RETURNS_DEFECTS)
@pytest.mark.parametrize("name", FROM_RETURNS)
def test_what_are_no_returns_is_refused(name: str, defect: str) -> None:
    argument, rule = FROM_RETURNS[name]
    with pytest.raises(DataError, match=f"`{argument}`"):
        rule(RETURNS_DEFECTS[defect])


@pytest.mark.parametrize("name", BOUNDED)
def test_impossible_bounds_are_refused(name: str) -> None:
    rule: Callable[..., Any] = BOUNDED[name]
    for bounds, error, words in (
        ({"lower": 0.4}, Infeasible, "`lower`"),
        ({"upper": 0.3}, Infeasible, "`upper`"),
        ({"lower": 0.5, "upper": [1.0, 0.4, 1.0]}, QuantError, "`lower`"),
        ({"lower": np.nan}, DataError, "`lower`"),
        ({"upper": [0.5, np.nan, 0.5]}, DataError, "`upper`"),
        ({"upper": [0.5, 0.5]}, DataError, "`upper`"),
    ):
        with pytest.raises(error, match=words):
            rule(**bounds)


@pytest.mark.parametrize("name", ["risk_parity", "hierarchical_risk_parity", "inverse_volatility"])
def test_an_asset_without_variance_has_no_share_of_the_risk(name: str) -> None:
    with pytest.raises(DataError, match="`cov`"):
        FROM_COV[name](np.diag([0.0, 1e-4, 1e-4]))


@pytest.mark.parametrize("name", FROM_COV)
def test_sound_input_gives_weights_that_sum_to_one(name: str) -> None:
    answer = FROM_COV[name](COV)
    weights = np.atleast_2d(getattr(answer, "weights", answer))
    assert weights.shape[1] == 3
    assert weights.sum(axis=1) == pytest.approx(np.ones(len(weights)), abs=1e-12)
    assert (weights >= 0.0).all()


def test_without_correlation_and_means_the_rules_that_trust_volatilities_agree() -> None:
    """Inverse volatility, equal risk contributions and the most diversified portfolio: 12, 6, 4, 3 over 25."""
    cov = np.diag(np.square([0.1, 0.2, 0.3, 0.4]))
    expected = np.array([12, 6, 4, 3]) / 25
    for rule in (allocate.inverse_volatility, allocate.risk_parity, allocate.maximum_diversification):
        assert rule(cov) == pytest.approx(expected, abs=1e-8)
    assert allocate.equal_weights(4).tolist() == [0.25] * 4


def test_inverse_volatility_ignores_correlation_and_unit() -> None:
    deviation = np.sqrt(np.diag(COV))
    assert allocate.inverse_volatility(COV) == pytest.approx(1 / deviation / np.sum(1 / deviation))
    assert allocate.inverse_volatility(1e-9 * COV) == pytest.approx(allocate.inverse_volatility(COV))
    assert allocate.inverse_volatility([[0.3]]).tolist() == [1.0]


def test_the_exact_frontier_and_the_constrained_rules_agree() -> None:
    frontier = allocate.efficient_frontier(MEAN, COV, 9, 0.05, 0.7)
    everything = [allocate.Group("everything", (0, 1, 2))]  # without limits; takes the rules past the frontier
    for weights, mean in zip(frontier.weights, frontier.returns, strict=True):
        solution = allocate.minimum_variance_at(MEAN, COV, float(mean), lower=0.05, upper=0.7, groups=everything)
        assert solution == pytest.approx(weights, abs=1e-7)
    least = allocate.minimum_variance(COV, lower=0.05, upper=0.7, groups=everything)
    assert least == pytest.approx(frontier.minimum_variance.weights, abs=1e-9)
    sharpest = allocate.maximum_sharpe(MEAN, COV, rate=5e-5, lower=0.05, upper=0.7, groups=everything)
    assert sharpest == pytest.approx(frontier.maximum_sharpe(5e-5).weights, abs=1e-7)


def test_equal_weights_need_an_asset() -> None:
    with pytest.raises(DataError, match="`assets`"):
        allocate.equal_weights(0)


def test_the_module_docstring_lists_every_rule() -> None:
    for name in allocate.__all__:
        rule = getattr(allocate, name)
        if not inspect.isclass(rule):
            assert f"- `{name}`: " in (allocate.__doc__ or "")
            assert rule.__doc__


def test_the_rules_import_no_heavy_library() -> None:
    code = (
        "import sys, quant.allocate; "
        "print(sorted({'pandas', 'scipy.stats', 'scipy.optimize', 'scipy.cluster', 'clarabel', 'arch'} "
        "& set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert process.stdout.strip() == "[]", process.stderr
