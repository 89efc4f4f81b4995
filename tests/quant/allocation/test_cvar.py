import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

from quant.allocation.cvar import minimum_cvar
from quant.numeric.errors import DataError, Infeasible

few = settings(max_examples=40, deadline=None)


def cvar(returns: np.ndarray, weights: np.ndarray, level: float) -> float:
    """The mean of the worst outcomes of total probability 1 - level, the boundary one in part."""
    losses = np.sort(-returns @ weights)[::-1]
    tail = (1.0 - level) * len(losses)
    if tail <= 1.0:
        return float(losses[0])
    share = np.clip(tail - np.arange(len(losses)), 0.0, 1.0)
    return float(losses @ share / tail)


def least(returns: np.ndarray, level: float, low: np.ndarray, high: np.ndarray) -> float:
    """The linear programme of Rockafellar and Uryasev, by HiGHS, in units of the mean size of a return."""
    count, assets = returns.shape
    unit = np.abs(returns).mean() or 1.0
    cost = np.concatenate([np.zeros(assets), [1.0], np.full(count, min(1.0, 1.0 / ((1.0 - level) * count)))])
    answer = linprog(
        cost,
        A_ub=sparse.hstack([-returns / unit, np.full((count, 1), -1.0), -sparse.identity(count)]),
        b_ub=np.zeros(count),
        A_eq=np.concatenate([np.ones(assets), np.zeros(count + 1)])[None],
        b_eq=[1.0],
        bounds=[*zip(low, high, strict=True), (None, None), *[(0.0, None)] * count],
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert answer.status == 0
    return answer.fun * unit


def check(returns: np.ndarray, level: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    weights = minimum_cvar(returns, level, low, high)
    assert weights.sum() == pytest.approx(1.0, abs=1e-13)
    assert (weights >= low).all()
    assert (weights <= high).all()
    expected = least(returns, level, low, high)
    size = np.abs(returns).mean()
    assert cvar(returns, weights, level) == pytest.approx(expected, rel=1e-8, abs=1e-10 * size)
    return weights


def history(seed: int, count: int, assets: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.01 * (rng.standard_t(4, (count, 1)) + rng.standard_t(4, (count, assets))) * rng.uniform(0.5, 2.0, assets)


@few
@given(
    st.integers(0, 10**6),
    st.integers(1, 150),
    st.integers(1, 9),
    st.sampled_from([1e-6, 0.05, 0.5, 0.9, 0.95, 0.999]),
    st.sampled_from(["plain", "scenarios twice", "assets twice", "cash", "rounded", "tiny"]),
)
def test_the_value_is_that_of_the_linear_programme(seed: int, count: int, assets: int, level: float, kind: str) -> None:
    rng = np.random.default_rng(seed)
    returns = history(seed, count, assets)
    if kind == "scenarios twice":
        returns = returns[rng.integers(0, max(count // 2, 1), count)]
    elif kind == "assets twice":
        returns = returns[:, rng.integers(0, max(assets // 2, 1), assets)]
    elif kind == "cash":
        returns[:, 0] = 0.0001
    elif kind == "rounded":
        returns = returns.round(2)
    elif kind == "tiny":
        returns = returns * 1e-5
    low = np.where(rng.random(assets) < 0.3, -rng.random(assets), 0.0)
    high = np.where(rng.random(assets) < 0.5, 1.0, low + rng.random(assets))
    if high.sum() < 1.0:
        high[:] = 1.0
    check(returns, level, low, high)


@pytest.mark.parametrize(("count", "assets", "level"), [(2520, 20, 0.95), (1000, 100, 0.9), (300, 500, 0.95)])
def test_large_problems(count: int, assets: int, level: float) -> None:
    check(history(count, count, assets), level, np.zeros(assets), np.full(assets, 0.5))


def test_normal_returns_lead_to_the_minimum_variance_portfolio() -> None:
    """For elliptical laws with equal means, CVaR is proportional to the volatility: inverse variances here."""
    rng = np.random.default_rng(3)
    deviation = np.array([0.01, 0.015, 0.02])
    half = rng.normal(size=(40_000, 3)) * deviation
    weights = minimum_cvar(np.vstack([half, -half]), 0.9)
    assert weights == pytest.approx(deviation**-2 / (deviation**-2).sum(), abs=0.02)


def test_a_tail_of_less_than_one_scenario_is_the_worst_case() -> None:
    """The game of row against column: the loss is the same in both scenarios, 0.04 x = 0.02 (1 - x)."""
    returns = np.array([[-0.04, 0.0], [0.0, -0.02]])
    for level in (0.5, 0.75, 0.999999):
        assert minimum_cvar(returns, level) == pytest.approx([1 / 3, 2 / 3], abs=1e-8)


def test_a_level_near_zero_is_the_mean_loss() -> None:
    returns = history(1, 50, 4)
    assert minimum_cvar(returns, 1e-9) == pytest.approx(np.eye(4)[returns.mean(axis=0).argmax()], abs=1e-6)


def test_copies_of_an_asset_share_its_weight() -> None:
    returns = history(5, 400, 3)
    alone = minimum_cvar(returns, 0.9)
    doubled = minimum_cvar(np.hstack([returns, returns[:, :1]]), 0.9)
    assert doubled[0] == pytest.approx(doubled[3], abs=1e-6)
    assert doubled[0] + doubled[3] == pytest.approx(alone[0], abs=1e-6)


@few
@given(st.integers(0, 10**6), st.floats(1e-4, 1e4), st.floats(-0.01, 0.01))
def test_the_unit_the_order_and_a_common_shift_of_the_returns_do_not_matter(
    seed: int, unit: float, shift: float
) -> None:
    returns = history(seed, 90, 5)
    order = np.random.default_rng(seed).permutation(5)
    first = minimum_cvar(returns, 0.9)
    assert minimum_cvar(unit * returns, 0.9) == pytest.approx(first, abs=1e-6)
    assert minimum_cvar(returns[::-1, order], 0.9) == pytest.approx(first[order], abs=1e-6)
    assert minimum_cvar(returns + shift, 0.9) == pytest.approx(first, abs=1e-6)


def test_fixed_weights_stay_and_equal_inputs_give_equal_bits() -> None:
    returns = history(8, 200, 4)
    low, high = np.array([0.2, 0.0, 0.1, 0.0]), np.array([0.2, 1.0, 0.1, 1.0])
    weights = check(returns, 0.95, low, high)
    assert weights[[0, 2]].tolist() == [0.2, 0.1]
    assert minimum_cvar(returns, 0.95, low, high).tobytes() == weights.tobytes()


def test_what_leaves_no_choice() -> None:
    returns = history(2, 30, 4)
    assert minimum_cvar(returns[:, :1]).tolist() == [1.0]
    assert minimum_cvar(returns, upper=0.25).tolist() == [0.25] * 4
    assert minimum_cvar(returns, lower=0.25).tolist() == [0.25] * 4
    assert minimum_cvar(np.zeros((5, 4))).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"scenarios": [[0.1, np.nan]]}, DataError, "`scenarios` must be finite; row 0, column 1 is nan"),
        ({"scenarios": [0.1, 0.2]}, DataError, r"`scenarios` must be of shape \(T, K\), T >= 1; got \(2,\)"),
        ({"scenarios": np.zeros((0, 2))}, DataError, "`scenarios` must be of shape"),
        ({"level": 0.0}, DataError, "`level`"),
        ({"level": 1.0}, DataError, "`level`"),
        ({"level": np.nan}, DataError, "`level`"),
        ({"lower": -np.inf}, DataError, "`lower` must be finite; asset 0"),
        ({"upper": [1.0, np.nan]}, DataError, "`upper` must be finite; asset 1"),
        ({"upper": [1.0, 1.0, 1.0]}, DataError, "`upper` must be a number or have shape"),
        ({"lower": 0.5, "upper": 0.4}, Infeasible, "`lower` must not be above `upper`; asset 0 has 0.5 and 0.4"),
        ({"upper": 0.4}, Infeasible, "no weights that sum to 1 satisfy `upper` 0.4 of assets 0, 1, which sum to 0.8"),
        ({"lower": 0.6}, Infeasible, "no weights that sum to 1 satisfy `lower` 0.6 of assets 0, 1, which sum to 1.2"),
    ],
)
def test_refusals(changes: dict, error: type[Exception], words: str) -> None:
    arguments: dict = {"scenarios": [[0.01, -0.02], [-0.01, 0.02]]} | changes
    with pytest.raises(error, match=words):
        minimum_cvar(**arguments)
