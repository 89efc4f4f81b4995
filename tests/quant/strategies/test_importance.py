import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.strategies.importance import main_effects


def epsilon_squared(groups: list[np.ndarray]) -> float:
    """The same from the F statistic of one-way analysis of variance."""
    from scipy.stats import f_oneway

    n, g = sum(len(x) for x in groups), len(groups)
    f = f_oneway(*groups).statistic
    return max(0.0, (g - 1) * (f - 1) / ((g - 1) * f + n - g))


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_corrected_ratio_of_an_analysis_of_variance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    value = rng.integers(0, 4, size=80)
    score = 0.3 * value + rng.normal(size=80)
    groups = [score[value == v] for v in range(4)]
    assert main_effects({"x": value.tolist()}, score)["x"] == pytest.approx(epsilon_squared(groups), rel=1e-10)


def test_an_additive_objective_is_shared_out_by_variance() -> None:
    """Full factorial design: 1 x a + 2 x b with equal spreads gives shares 1/5 and 4/5."""
    a, b = (x.ravel() for x in np.meshgrid(np.arange(10), np.arange(10)))
    shares = main_effects({"a": a.tolist(), "b": b.tolist()}, a + 2.0 * b)
    assert shares["a"] == pytest.approx(0.2, abs=0.09)  # less what ten groups explain by chance
    assert shares["b"] == pytest.approx(0.8, abs=0.03)


def test_a_parameter_without_effect_has_no_share_on_average() -> None:
    rng = np.random.default_rng(0)
    shares = [main_effects({"x": rng.integers(0, 10, size=60).tolist()}, rng.normal(size=60))["x"] for _ in range(200)]
    assert np.mean(shares) < 0.05  # the uncorrected ratio would be 9 / 59 = 0.15


def test_a_conditional_parameter_gets_no_credit_for_its_switch() -> None:
    rule = ["cppi"] * 20 + ["linear"] * 20
    floor = [0.8, 0.9] * 10 + [None] * 20
    score = np.array([1.0] * 20 + [0.0] * 20) + np.tile([0.01, -0.01, -0.01, 0.01], 10)
    shares = main_effects({"rule": rule, "floor": floor}, score)
    assert shares["rule"] > 0.99
    assert shares["floor"] == 0.0


@pytest.mark.parametrize("column", [["a"] * 4, [None] * 4, [1, 2, 3, 4], [None, None, 1, 2], [None, None, None, 1]])
def test_what_cannot_be_told_from_chance_is_zero(column: list[object]) -> None:
    assert main_effects({"x": column}, [1.0, 2.0, 3.0, 4.0]) == {"x": 0.0}


def test_equal_scores_have_no_variance_to_explain() -> None:
    assert main_effects({"x": ["a", "a", "b", "b", "b", "b"]}, [0.1] * 6) == {"x": 0.0}
    assert main_effects({"x": ["a"]}, [0.1]) == {"x": 0.0}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(-1, 1, width=32)), min_size=6),
    st.floats(0.5, 2.0),
)
@settings(max_examples=50, deadline=None)
def test_is_a_share_and_does_not_change_with_unit_or_origin(rows: list[tuple[str, float]], scale: float) -> None:
    names = [name for name, _ in rows]
    score = np.array([value for _, value in rows]) + 0.01 * np.arange(len(rows))
    share = main_effects({"x": names}, score)["x"]
    assert 0.0 <= share <= 1.0
    shifted = main_effects({"x": [{"a": 3, "b": 1, "c": 2}[n] for n in names]}, scale * score + 5.0)
    assert shifted["x"] == pytest.approx(share, abs=1e-8)


def test_refuses_scores_that_are_not_a_finite_vector_and_columns_that_do_not_fit() -> None:
    for bad in ([], [np.nan, 1.0], np.zeros((2, 2))):
        with pytest.raises(DataError):
            main_effects({}, bad)
    with pytest.raises(DataError, match="'x' has 1 rows"):
        main_effects({"x": [1]}, [1.0, 2.0])
