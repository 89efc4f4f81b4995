import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from quant.allocation.constrained import maximum_diversification, maximum_sharpe, minimum_variance, minimum_variance_at
from quant.allocation.constraints import Group
from quant.allocation.frontier import efficient_frontier
from quant.numeric.errors import DataError, Infeasible

FREE: dict = {"lower": -np.inf, "upper": np.inf}
few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 10**6)


def covariance(seed: int, assets: int, *, observations: int = 0) -> np.ndarray:
    """Of daily returns with one common factor: variances near 1e-4."""
    rng = np.random.default_rng(seed)
    days = observations or 3 * assets + 10
    returns = 0.008 * rng.normal(size=(days, 1)) + 0.01 * rng.normal(size=(days, assets)) * rng.uniform(0.5, 2, assets)
    return np.cov(returns, rowvar=False).reshape(assets, assets)


def means(seed: int, assets: int) -> np.ndarray:
    return np.random.default_rng(seed + 1).normal(0.0004, 0.0003, assets)


def constraints(seed: int, assets: int) -> dict:
    """Bounds, two overlapping groups and a turnover limit that some portfolio, not at the edge, satisfies."""
    rng = np.random.default_rng(seed + 2)
    inside = rng.dirichlet(np.ones(assets))
    sets = [np.sort(rng.permutation(assets)[: max(assets // 2, 1)]) for _ in range(2)]
    groups = tuple(
        Group(f"g{k}", tuple(s.tolist()), float(inside[s].sum() - 0.05), float(inside[s].sum() + 0.1))
        for k, s in enumerate(sets)
    )
    current = rng.dirichlet(np.ones(assets))
    return {
        "lower": np.maximum(inside - 0.2, -0.05),
        "upper": inside + rng.uniform(0.05, 0.5, assets),
        "groups": groups,
        "turnover": 0.5 * float(np.abs(inside - current).sum()) + 0.05,
        "current": current,
    }


def slsqp(objective: object, constraints: dict, assets: int, more: tuple = ()) -> np.ndarray:
    """The same problem in the variables w = current + bought - sold, by sequential quadratic programming."""
    current, groups = constraints["current"], constraints["groups"]

    def weights(x: np.ndarray) -> np.ndarray:
        return current + x[:assets] - x[assets:]

    rows = [{"type": "eq", "fun": lambda x: weights(x).sum() - 1.0}]
    rows += [{"type": "ineq", "fun": lambda x: weights(x) - constraints["lower"]}]
    rows += [{"type": "ineq", "fun": lambda x: constraints["upper"] - weights(x)}]
    rows += [{"type": "ineq", "fun": lambda x: 2.0 * constraints["turnover"] - x.sum()}]
    for g in groups:
        rows += [{"type": "ineq", "fun": lambda x, g=g: weights(x)[list(g.members)].sum() - g.lower}]
        rows += [{"type": "ineq", "fun": lambda x, g=g: g.upper - weights(x)[list(g.members)].sum()}]
    rows += [{"type": kind, "fun": lambda x, f=f: f(weights(x))} for kind, f in more]
    start = np.random.default_rng(0).dirichlet(np.ones(assets)) - current
    answer = minimize(
        lambda x: objective(weights(x)),  # pyright: ignore[reportCallIssue]
        np.concatenate([np.maximum(start, 0.0), np.maximum(-start, 0.0)]),
        method="SLSQP",
        bounds=[(0.0, None)] * (2 * assets),
        constraints=rows,
        options={"ftol": 1e-13, "maxiter": 2000},
    )
    assert answer.status in {0, 8}, answer.message
    return weights(answer.x)


def check_feasible(w: np.ndarray, constraints: dict) -> None:
    assert w.sum() == pytest.approx(1.0, abs=1e-12)
    assert (w >= constraints["lower"] - 1e-13).all()
    assert (w <= constraints["upper"] + 1e-13).all()
    for g in constraints["groups"]:
        assert g.lower - 1e-10 <= w[list(g.members)].sum() <= g.upper + 1e-10
    assert 0.5 * np.abs(w - constraints["current"]).sum() <= constraints["turnover"] + 1e-10


def highest_slope(gradient: np.ndarray, constraints: dict) -> float:
    """The most that gradient'v reaches over the feasible v, by linear programming."""
    n = gradient.size
    eye, zero = np.eye(n), np.zeros
    member = np.zeros((len(constraints["groups"]), n))
    for k, g in enumerate(constraints["groups"]):
        member[k, list(g.members)] = 1.0
    matrix = np.vstack(
        [
            np.hstack([eye, -eye]),
            np.hstack([-eye, -eye]),
            np.concatenate([zero(n), np.ones(n)])[None],
            np.hstack([member, np.zeros_like(member)]),
            np.hstack([-member, np.zeros_like(member)]),
        ]
    )
    limits = np.concatenate(
        [
            constraints["current"],
            -constraints["current"],
            [2.0 * constraints["turnover"]],
            [g.upper for g in constraints["groups"]],
            [-g.lower for g in constraints["groups"]],
        ]
    )
    unit = np.abs(gradient).max() or 1.0
    answer = linprog(
        np.concatenate([-gradient / unit, zero(n)]),
        A_ub=matrix,
        b_ub=limits,
        A_eq=np.concatenate([np.ones(n), zero(n)])[None],
        b_eq=[1.0],
        bounds=[*zip(constraints["lower"], constraints["upper"], strict=True), *[(0.0, None)] * n],
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert answer.status == 0
    return -answer.fun * unit


@few
@given(seeds, st.integers(2, 12))
def test_no_feasible_direction_lowers_the_variance(seed: int, assets: int) -> None:
    """The first-order conditions of a convex problem: (cov w)'(v - w) >= 0 for all feasible v."""
    cov, given_ = covariance(seed, assets), constraints(seed, assets)
    w = minimum_variance(cov, **given_)
    check_feasible(w, given_)
    variance = w @ cov @ w
    assert variance + highest_slope(-cov @ w, given_) <= 1e-8 * variance


@few
@given(seeds, st.integers(2, 12))
def test_no_feasible_direction_raises_the_ratios(seed: int, assets: int) -> None:
    """A ratio m'w / sqrt(w' cov w) is highest where (m - (m'w / variance) cov w)'v <= 0 for all feasible v."""
    cov, given_ = covariance(seed, assets), constraints(seed, assets)
    mean, rate = means(seed, assets) + 0.001, 0.0001
    for values, w in (
        (mean - rate, maximum_sharpe(mean, cov, rate=rate, **given_)),
        (np.sqrt(np.diag(cov)), maximum_diversification(cov, **given_)),
    ):
        check_feasible(w, given_)
        top = values @ w
        assert highest_slope(values - top / (w @ cov @ w) * (cov @ w), given_) <= 1e-7 * top


@pytest.mark.parametrize(("seed", "assets"), [(768, 12), (575, 8), (775, 5), (334, 12), (579, 5)])
def test_weights_next_to_a_bound_leave_the_groups_exact(seed: int, assets: int) -> None:
    """Moving such weights onto their bounds breaks a binding group by more than 1e-10 in the first four."""
    given_ = constraints(seed, assets)
    check_feasible(maximum_diversification(covariance(seed, assets), **given_), given_)


@few
@given(seeds, st.integers(1, 25), st.booleans())
def test_bounds_alone_and_the_general_programme_give_the_same_weights(seed: int, assets: int, short: bool) -> None:
    """A group without limits sends the same problem through the interior point method."""
    rng = np.random.default_rng(seed)
    cov, mean = covariance(seed, assets), means(seed, assets) + 0.002
    bounds = {
        "lower": -rng.uniform(0.0, 0.2, assets) if short else 0.0,
        "upper": 1.0 / assets + rng.uniform(0.0, 0.5, assets),
    }
    general = bounds | {"groups": [Group("everything", tuple(range(assets)))]}
    most = float(mean @ maximum_sharpe(mean, cov, rate=float(mean.min()) - 1.0, **bounds))
    for rule in (
        lambda given_: minimum_variance(cov, **given_),
        lambda given_: maximum_sharpe(mean, cov, rate=0.0001, **given_),
        lambda given_: maximum_diversification(cov, **given_),
        lambda given_: minimum_variance_at(mean, cov, most, **given_),
        lambda given_: minimum_variance_at(mean, cov, -1.0, **given_),
    ):
        result = rule(bounds)
        assert result == pytest.approx(rule(general), abs=1e-7)
        assert result.sum() == pytest.approx(1.0, abs=1e-12)
        assert (result >= bounds["lower"]).all()
        assert (result <= bounds["upper"]).all()


@few
@given(seeds, st.integers(2, 30), st.integers(2, 40))
def test_no_direction_between_bounds_lowers_the_variance_of_any_covariance(
    seed: int, assets: int, observations: int
) -> None:
    """The first-order conditions, singular covariances and copies of one asset included."""
    cov = covariance(seed, assets, observations=observations)
    cov = np.kron(np.ones((2, 2)), cov) if seed % 2 else cov
    n = len(cov)
    upper = np.full(n, 1.5 / n)
    w = minimum_variance(cov, upper=upper)
    loose = {"lower": np.zeros(n), "upper": upper, "groups": (), "turnover": 9.0, "current": w}
    assert w.sum() == pytest.approx(1.0, abs=1e-12)
    assert w @ cov @ w + highest_slope(-cov @ w, loose) <= 1e-8 * np.diag(cov).mean()


def test_a_line_that_rounding_ends_too_early_is_not_taken() -> None:
    """300 assets of 50 days, sold short up to 2%: a portfolio without variance exists, far along."""
    rng = np.random.default_rng(7)
    cov = np.cov((0.01 * rng.normal(size=(50, 300)) + 0.005 * rng.normal(size=(50, 1))).T)
    w = minimum_variance(cov, lower=-0.02)
    loose = {"lower": np.full(300, -0.02), "upper": np.ones(300), "groups": (), "turnover": 99.0, "current": w}
    assert w.sum() == pytest.approx(1.0, abs=1e-12)
    assert w @ cov @ w + highest_slope(-cov @ w, loose) <= 1e-8 * np.diag(cov).mean()
    with pytest.raises(DataError, match="does not end at the least variance"):
        efficient_frontier(np.zeros(300), cov, 2, -0.02)


@pytest.mark.parametrize("seed", range(4))
def test_slsqp_finds_the_same_weights(seed: int) -> None:
    cov, given_, mean = covariance(seed, 5), constraints(seed, 5), means(seed, 5) + 0.001
    big = 1e4 * cov
    assert minimum_variance(cov, **given_) == pytest.approx(slsqp(lambda w: w @ big @ w, given_, 5), abs=2e-5)
    sharpest = slsqp(lambda w: -1e3 * (mean @ w) / np.sqrt(w @ big @ w), given_, 5)
    assert maximum_sharpe(mean, cov, **given_) == pytest.approx(sharpest, abs=2e-4)
    least = minimum_variance(cov, **given_)
    target = float(0.5 * mean @ least + 0.5 * highest_slope(mean, given_))
    at = slsqp(lambda w: w @ big @ w, given_, 5, (("ineq", lambda w: 1e3 * (mean @ w - target)),))
    result = minimum_variance_at(mean, cov, target, **given_)
    assert mean @ result == pytest.approx(target, rel=1e-9)
    assert result == pytest.approx(at, abs=2e-4)
    check_feasible(result, given_)


@few
@given(seeds, st.integers(1, 15))
def test_without_binding_constraints_the_closed_forms_hold(seed: int, assets: int) -> None:
    cov, mean = covariance(seed, assets), means(seed, assets) + 0.002
    ones = np.linalg.solve(cov, np.ones(assets))
    assert minimum_variance(cov, **FREE) == pytest.approx(ones / ones.sum(), abs=1e-8)
    tangency = np.linalg.solve(cov, mean - 0.0001)
    if tangency.sum() > 0.05 * np.abs(tangency).sum():
        assert maximum_sharpe(mean, cov, rate=0.0001, **FREE) == pytest.approx(tangency / tangency.sum(), abs=1e-7)
    diversified = np.linalg.solve(cov, np.sqrt(np.diag(cov)))
    if diversified.sum() > 0.05 * np.abs(diversified).sum():
        weights = maximum_diversification(cov, **FREE)
        assert weights == pytest.approx(diversified / diversified.sum(), abs=1e-7)


def test_two_assets_between_their_extremes() -> None:
    """The parabola of the variance: w = (s2^2 - s12) / (s1^2 + s2^2 - 2 s12), cut to the bounds."""
    cov = np.array([[1e-4, 0.5e-4], [0.5e-4, 4e-4]])
    w = (4.0 - 0.5) / (1.0 + 4.0 - 1.0)
    assert minimum_variance(cov, upper=0.8).tolist() == pytest.approx([min(w, 0.8), 1.0 - min(w, 0.8)], abs=1e-15)
    assert minimum_variance(cov, upper=0.9, lower=0.05) == pytest.approx([w, 1.0 - w], abs=1e-12)
    assert minimum_variance_at([0.01, 0.03], cov, 0.02) == pytest.approx([0.5, 0.5], abs=1e-10)
    low = minimum_variance_at([0.01, 0.03], cov, -5.0)
    assert low == pytest.approx([w, 1.0 - w], abs=1e-10)
    assert minimum_variance_at([0.01, 0.03], cov, 0.03) == pytest.approx([0.0, 1.0], abs=1e-9)


def test_markowitz_s_frontier_of_1959() -> None:
    """Portfolio Selection, chapter 8: the corner portfolios of three assets, by their mean returns."""
    mean = np.array([0.062, 0.146, 0.128])
    cov = np.array([[0.0146, 0.0187, 0.0145], [0.0187, 0.0854, 0.0104], [0.0145, 0.0104, 0.0289]])
    for corner in ([0.0, 0.22496808, 0.77503192], [0.84140518, 0.0, 0.15859482], [0.99310345, 0.0, 0.00689655]):
        assert minimum_variance_at(mean, cov, float(mean @ corner)) == pytest.approx(corner, abs=3e-8)
    assert minimum_variance(cov) == pytest.approx([0.99310345, 0.0, 0.00689655], abs=1e-8)


@few
@given(seeds, st.floats(1e-8, 1e8))
def test_the_unit_and_the_order_of_the_assets_do_not_matter(seed: int, unit: float) -> None:
    cov, given_, mean = covariance(seed, 6), constraints(seed, 6), means(seed, 6) + 0.001
    order = np.random.default_rng(seed).permutation(6)
    back = np.argsort(order)
    transformed = given_ | {
        "lower": given_["lower"][order],
        "upper": given_["upper"][order],
        "current": given_["current"][order],
        "groups": tuple(
            Group(g.name, tuple(int(back[i]) for i in g.members), g.lower, g.upper) for g in given_["groups"]
        ),
    }
    other = unit * cov[np.ix_(order, order)]
    assert minimum_variance(other, **transformed) == pytest.approx(minimum_variance(cov, **given_)[order], abs=1e-6)
    sharpest = maximum_sharpe(mean, cov, **given_)[order]
    assert maximum_sharpe(math.sqrt(unit) * mean[order], other, **transformed) == pytest.approx(sharpest, abs=1e-6)


def test_daily_covariances_are_not_below_the_solver_s_tolerance() -> None:
    """Variances of 1e-10 give the weights of variances of 1: a solver whose tolerance is absolute stops at once."""
    deviation = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    for unit in (1e-10, 1e-4, 1.0):
        w = minimum_variance(unit * np.diag(deviation**2))
        assert w == pytest.approx(deviation**-2.0 / (deviation**-2.0).sum(), abs=1e-12)


def test_near_singular_and_singular_covariances() -> None:
    cov = covariance(4, 30, observations=12)
    w = minimum_variance(cov)
    loose = {"lower": np.zeros(30), "upper": np.ones(30), "groups": (), "turnover": 9.0, "current": w}
    assert w @ cov @ w + highest_slope(-cov @ w, loose) <= 1e-8 * np.diag(cov).mean()
    twice = np.kron(np.ones((2, 2)), covariance(4, 3))
    doubled = minimum_variance(twice)
    assert doubled[:3] + doubled[3:] == pytest.approx(minimum_variance(covariance(4, 3)), abs=1e-6)
    nearly = twice + 1e-14 * np.eye(6)
    combined = minimum_variance(nearly)
    assert combined[:3] + combined[3:] == pytest.approx(minimum_variance(covariance(4, 3)), abs=1e-6)


def test_an_asset_without_variance() -> None:
    cov = np.diag([0.0, 1e-4, 4e-4])
    assert minimum_variance(cov) == pytest.approx([1.0, 0.0, 0.0], abs=1e-5)
    capped = minimum_variance(cov, upper=0.5)
    assert capped == pytest.approx([0.5, 0.4, 0.1], abs=1e-8)
    with pytest.raises(Infeasible, match="the ratio has no maximum"):
        maximum_sharpe([0.01, 0.02, 0.02], cov)
    assert maximum_sharpe([0.0, 0.02, 0.02], cov, upper=0.5).sum() == pytest.approx(1.0)


def test_infinite_bounds_may_leave_no_highest_ratio() -> None:
    """The line of highest ratio points to a negative budget: selling short without end comes ever closer to it."""
    with pytest.raises(Infeasible, match="the ratio has no maximum"):
        maximum_sharpe([0.01, 0.05], [[1e-2, 0.9e-2], [0.9e-2, 1e-2]], rate=0.04, **FREE)


def test_five_hundred_assets() -> None:
    n = 500
    cov = covariance(7, n, observations=1500)
    groups = tuple(Group(f"sector {k}", tuple(range(50 * k, 50 * k + 50)), 0.05, 0.2) for k in range(10))
    current = np.full(n, 1.0 / n)
    given_ = {"lower": np.zeros(n), "upper": np.full(n, 0.02), "groups": groups, "turnover": 0.4, "current": current}
    w = minimum_variance(cov, **given_)
    check_feasible(w, given_)
    variance = w @ cov @ w
    assert variance + highest_slope(-cov @ w, given_) <= 1e-8 * variance
    assert minimum_variance(cov, **given_).tobytes() == w.tobytes()


@pytest.mark.parametrize("rule", [minimum_variance, maximum_diversification])
def test_exactly_one_feasible_portfolio(rule: object) -> None:
    cov = covariance(5, 4)
    only = [0.1, 0.2, 0.3, 0.4]
    for given_ in (
        {"lower": only},
        {"upper": only},
        {"turnover": 0.0, "current": only},
        {"groups": [Group(str(i), (i,), w, w) for i, w in enumerate(only)]},
        {"upper": [0.1, 0.2, 1.0, 1.0], "groups": [Group("a", (0, 1), 0.3), Group("b", (2,), 0.3, 0.3)]},
        {"groups": [Group("a", (0, 1), 0.3)], "upper": [0.1, 0.2, 0.3, 1.0], "lower": [0.0, 0.0, 0.3, 0.4]},
        {"turnover": 0.1, "current": [0.2, 0.1, 0.3, 0.4], "upper": [0.1, 1, 1, 1], "lower": [0, 0.2, 0, 0]},
    ):
        assert rule(cov, **given_) == pytest.approx(only, abs=1e-7)  # pyright: ignore[reportCallIssue]
    assert maximum_sharpe([1e-3] * 4, cov, upper=only) == pytest.approx(only, abs=1e-7)


TECH = Group("tech", (1, 3, 5, 7), 0.6, 1.0)


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        (
            {"groups": [TECH], "upper": 0.1},
            "no weights satisfy `groups` 'tech' (at least 0.6) together with `upper` 0.1 for its 4 members",
        ),
        (
            {"groups": [Group("cash", (0, 2), upper=0.1)], "lower": 0.06},
            "no weights satisfy `groups` 'cash' (at most 0.1) together with `lower` 0.06 for its 2 members",
        ),
        ({"upper": 0.05}, "no weights that sum to 1 satisfy `upper` 0.05 of assets 0, 1 and 6 more"),
        ({"lower": 0.2}, "no weights that sum to 1 satisfy `lower` 0.2 of assets 0, 1 and 6 more"),
        (
            {"groups": [TECH, Group("rest", (0, 2, 4, 6), 0.5, 1.0)], **FREE},
            "no weights that sum to 1 satisfy `groups` 'tech' (at least 0.6) together with `groups` 'rest' (at least "
            "0.5)",
        ),
        (
            {"groups": [TECH, Group("a", (1, 3), upper=0.2), Group("b", (5, 7), upper=0.2)]},
            "no weights satisfy `groups` 'tech' (at least 0.6) together with `groups` 'a' (at most 0.2) together with "
            "`groups` 'b' (at most 0.2)",
        ),
        (
            {"turnover": 0.05, "current": np.eye(8)[2], "upper": 0.5},
            "no weights satisfy `turnover` 0.05 from `current`, whose sum is 1 together with `upper` 0.5 of asset 2",
        ),
        (
            {"turnover": 0.2, "current": np.full(8, 0.05)},
            "no weights that sum to 1 satisfy `turnover` 0.2 from `current`, whose sum is 0.4",
        ),
        (
            {"turnover": 0.1, "current": np.eye(8)[2], "groups": [TECH]},
            "no weights satisfy `groups` 'tech' (at least 0.6) together with `turnover` 0.1 from `current`, whose sum "
            "is 1",
        ),
    ],
)
def test_constraints_that_contradict_each_other_are_named(given_: dict, words: str) -> None:
    cov, mean = covariance(6, 8), np.full(8, 0.001)
    for call in (
        lambda: minimum_variance(cov, **given_),
        lambda: maximum_sharpe(mean, cov, **given_),
        lambda: maximum_diversification(cov, **given_),
        lambda: minimum_variance_at(mean, cov, 0.001, **given_),
    ):
        with pytest.raises(Infeasible) as refusal:
            call()
        assert str(refusal.value) == words


def test_returns_out_of_reach_say_what_is_in_reach() -> None:
    cov = np.diag([1e-4, 1e-4])
    with pytest.raises(Infeasible, match=r"`target` 0.1 is above 0.028, the highest mean return"):
        minimum_variance_at([0.01, 0.03], cov, 0.1, upper=0.9)
    with pytest.raises(Infeasible, match=r"mean return above `rate` 0.05; the highest is 0.03"):
        maximum_sharpe([0.01, 0.03], cov, rate=0.05)
    with pytest.raises(Infeasible, match=r"above `rate` 0.02; the highest is 0.02"):
        maximum_sharpe([0.02, 0.02], cov, rate=0.02)
    with pytest.raises(Infeasible, match="no weights that satisfy the constraints have a positive mean volatility"):
        maximum_diversification(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("given_", "error", "words"),
    [
        ({"lower": np.nan}, DataError, "`lower` must be a number; asset 0 has nan"),
        ({"lower": np.inf}, DataError, "`lower` must be a number; asset 0 has inf"),
        ({"upper": [1.0]}, DataError, "`upper` must be a number or have shape"),
        ({"lower": 0.3, "upper": 0.2}, Infeasible, "`lower` must not be above `upper`; asset 0"),
        ({"turnover": 0.1}, DataError, "`turnover` and `current` must be given together"),
        ({"current": [0.5, 0.5]}, DataError, "`turnover` and `current` must be given together"),
        ({"turnover": -0.1, "current": [0.5, 0.5]}, DataError, "`turnover` must be finite and not negative"),
        ({"turnover": np.nan, "current": [0.5, 0.5]}, DataError, "`turnover` must be finite and not negative"),
        ({"turnover": 0.1, "current": [0.5]}, DataError, "`current` must have shape"),
        ({"turnover": 0.1, "current": [0.5, np.nan]}, DataError, "`current` must be finite; asset 1"),
        ({"groups": [Group("far", (0, 2))]}, DataError, "`groups` 'far' has asset 2; there are 2 assets"),
    ],
)
def test_refused_constraints(given_: dict, error: type[Exception], words: str) -> None:
    cov = np.diag([1e-4, 2e-4])
    for call in (
        lambda: minimum_variance(cov, **given_),
        lambda: maximum_sharpe([0.1, 0.1], cov, **given_),
        lambda: maximum_diversification(cov, **given_),
        lambda: minimum_variance_at([0.1, 0.1], cov, 0.1, **given_),
    ):
        with pytest.raises(error, match=words):
            call()


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"name": ""}, "`name`"),
        ({"members": ()}, "`members` of group 'g'"),
        ({"members": (0, 0)}, "`members` of group 'g'"),
        ({"members": (-1,)}, "`members` of group 'g'"),
        ({"lower": 0.5, "upper": 0.4}, "`lower` 0.5 of group 'g' must not be above `upper` 0.4"),
        ({"lower": np.nan}, "`lower` nan of group 'g'"),
    ],
)
def test_refused_groups(given_: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Group(**({"name": "g", "members": (0,)} | given_))


@pytest.mark.parametrize("bad", [{"mean": [0.1, np.nan]}, {"mean": [0.1]}])
def test_refused_means(bad: dict) -> None:
    cov = np.diag([1e-4, 2e-4])
    with pytest.raises(DataError, match="`mean`"):
        maximum_sharpe(bad["mean"], cov)
    with pytest.raises(DataError, match="`mean`"):
        minimum_variance_at(bad["mean"], cov, 0.1)


def test_refused_rates_and_targets() -> None:
    cov = np.diag([1e-4, 2e-4])
    with pytest.raises(DataError, match="`rate`"):
        maximum_sharpe([0.1, 0.2], cov, rate=math.nan)
    with pytest.raises(DataError, match="`target`"):
        minimum_variance_at([0.1, 0.2], cov, math.inf)


def test_assets_of_very_different_volatilities_are_diversified_to_all_digits() -> None:
    """Without correlation the weights are inverse to the volatilities."""
    deviations = np.array([1e-6, 1.0, 1e6])
    weights = maximum_diversification(np.diag(deviations**2))
    np.testing.assert_allclose(weights, 1.0 / deviations / (1.0 / deviations).sum(), rtol=1e-9)


def test_the_most_diversified_portfolio_does_not_depend_on_the_units_of_the_assets() -> None:
    correlation = np.array([[1.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 1.0]])
    deviations = np.array([1e-4, 1.0, 1e4])
    exposures = maximum_diversification(correlation * np.outer(deviations, deviations)) * deviations
    np.testing.assert_allclose(exposures / exposures.sum(), maximum_diversification(correlation), rtol=1e-7)
