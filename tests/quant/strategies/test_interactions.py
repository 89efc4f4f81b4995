"""Interactions and partial dependence, against full enumeration of the forest and planted effects."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.strategies.forest import Forest, grow_forest
from quant.strategies.interactions import marginal_means, parameter_effects


def columns_of(seed: int, rows: int) -> dict[str, list[object]]:
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 6, rows)
    kinds = rng.integers(0, 3, rows)
    return {
        "length": [int(10 * v) for v in numbers],
        "kind": [("slow", "middle", "fast")[k] for k in kinds],
        "idle": [float(v) / 4 for v in rng.integers(0, 4, rows)],
        "knob": [int(v) if k == 2 else None for v, k in zip(rng.integers(0, 4, rows), kinds, strict=True)],
    }


def grown(seed: int, rows: int) -> tuple[Forest, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = np.array([4, 3, 5])
    codes = np.column_stack([rng.integers(0, size, rows) for size in sizes])
    codes[codes[:, 1] == 2, 2] = -1
    scores = rng.normal(size=rows) + codes[:, 0] * (codes[:, 1] == 1)
    ordered = np.array([True, False, True])
    return grow_forest(codes, sizes, ordered, scores, trees=5, seed=seed), sizes


@given(st.integers(0, 10_000), st.integers(6, 80))
@settings(max_examples=25)
def test_means_over_boxes_of_leaves_are_means_over_all_combinations(seed: int, rows: int) -> None:
    forest, sizes = grown(seed, rows)
    every = np.array(list(itertools.product(*map(range, sizes))))
    values = forest.predict(every).reshape(sizes)
    single, pairs, centre = marginal_means(forest, np.arange(3))
    assert centre == pytest.approx(values.mean(), abs=1e-12)
    for a in range(3):
        others = tuple(p for p in range(3) if p != a)
        np.testing.assert_allclose(single[:, a, : sizes[a]].mean(axis=0), values.mean(axis=others), atol=1e-12)
    for q, (a, b) in enumerate(itertools.combinations(range(3), 2)):
        (other,) = {0, 1, 2} - {a, b}
        np.testing.assert_allclose(pairs[q, : sizes[a], : sizes[b]], values.mean(axis=other), atol=1e-12)


@given(st.integers(0, 10_000), st.integers(12, 60))
@settings(max_examples=20)
def test_the_first_split_is_the_best_of_all_sets_of_values(seed: int, rows: int) -> None:
    """Against every set of the categories, on the rows of the tree's sample.

    The search orders categories by their mean, which finds the best set only where a leaf may have one row.
    """
    rng = np.random.default_rng(seed)
    codes, scores = rng.integers(0, 5, (rows, 1)), rng.normal(size=rows)
    forest = grow_forest(codes, np.array([5]), np.array([False]), scores, trees=1, smallest_leaf=1, seed=seed)

    def explained(forest_values: np.ndarray, bag: np.ndarray) -> float:
        inside = np.isin(codes[bag, 0], forest_values)
        if not 1 <= inside.sum() <= bag.size - 1:
            return 0.0
        whole = scores[bag]
        parts = (whole[inside], whole[~inside])
        return ((whole - whole.mean()) ** 2).sum() - sum(((x - x.mean()) ** 2).sum() for x in parts)

    bag = sample_of(forest, scores, rows, seed)
    best = max(explained(np.array(s), bag) for n in range(1, 5) for s in itertools.combinations(range(5), n))
    if forest.feature[0, 0] < 0:
        assert best == pytest.approx(0.0, abs=1e-9)
    else:
        chosen = np.array([v for v in range(5) if forest.left_values[0, 0] >> v & 1])
        assert explained(chosen, bag) == pytest.approx(best, rel=1e-9)


def sample_of(forest: Forest, scores: np.ndarray, rows: int, seed: int) -> np.ndarray:
    """The rows of the first tree's sample: a tree of one leaf for each row tells which rows it was grown with."""
    codes = np.arange(rows)[:, None] % 62
    counts = []
    for row in range(rows):
        marks = np.zeros(rows)
        marks[row] = 1.0
        alone = grow_forest(codes, np.array([62]), np.array([True]), marks, trees=1, smallest_leaf=rows, seed=seed)
        counts.append(round(alone.mean[0, 0] * rows))  # the root's mean: how often the row was drawn
    return np.repeat(np.arange(rows), counts)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_a_planted_interaction_has_its_share(strength: float) -> None:
    columns = columns_of(1, 400)
    length = np.array(columns["length"], dtype=float) / 10 - 2.5
    fast = np.array([kind == "fast" for kind in columns["kind"]])
    effects = parameter_effects(columns, length + 3.0 * strength * length * fast, seed=1)
    grid = np.arange(6) - 2.5
    table = np.array([grid, grid, grid * (1.0 + 3.0 * strength)])
    residual = table - table.mean(axis=0) - table.mean(axis=1)[:, None] + table.mean()
    share = (residual**2).mean() / table.var()
    assert effects.explained > 0.95
    shares = {(i.first, i.second): i.share for i in effects.interactions}
    assert shares.get(("length", "kind"), shares.get(("kind", "length"), 0.0)) == pytest.approx(share, abs=0.04)
    assert all(value < 0.02 for pair, value in shares.items() if set(pair) != {"length", "kind"})


def test_noise_is_credited_to_no_pair() -> None:
    shares = []
    for seed in range(20):
        effects = parameter_effects(columns_of(seed, 60), np.random.default_rng(seed).normal(size=60), seed=seed)
        shares.append(sum(i.share for i in effects.interactions))
    assert np.mean(shares) < 0.02
    assert shares.count(0.0) > 10


def test_partial_dependence_of_an_additive_objective_is_the_effect_itself() -> None:
    columns = columns_of(2, 500)
    objective = np.array(columns["length"], dtype=float) / 10 + np.array([k == "slow" for k in columns["kind"]])
    effects = parameter_effects(columns, objective, shown=("length", "kind"), seed=2)
    length, kind = effects.dependence
    assert [p.value for p in length.points] == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    assert [p.objective - length.points[0].objective for p in length.points] == pytest.approx(range(6), abs=0.15)
    assert [p.value for p in kind.points] == list(dict.fromkeys(columns["kind"]))
    by_name = {p.value: p.objective for p in kind.points}
    assert by_name["slow"] - by_name["fast"] == pytest.approx(1.0, abs=0.1)
    for point in (*length.points, *kind.points):
        assert point.low - 1e-9 <= point.objective <= point.high + 1e-9


def test_a_parameter_is_not_credited_with_the_choice_that_switches_it_on() -> None:
    columns = columns_of(3, 400)
    fast = np.array([k == "fast" for k in columns["kind"]], dtype=float)
    effects = parameter_effects(columns, fast, shown=("knob",), seed=3)
    (knob,) = effects.dependence
    levels = [p.objective for p in knob.points]
    assert max(levels) - min(levels) < 0.02


def test_the_same_rows_give_the_same_bits_and_another_seed_other_trees() -> None:
    columns, scores = columns_of(4, 60), np.random.default_rng(4).normal(size=60) + np.arange(60) // 20
    columns["third"] = [k // 20 for k in range(60)]
    first = parameter_effects(columns, scores, shown=("third",), seed=5)
    assert parameter_effects(columns, scores, shown=("third",), seed=5) == first
    assert parameter_effects(columns, scores, shown=("third",), seed=6) != first


@pytest.mark.parametrize("scores", [[1.0], [2.0, 2.0, 2.0], [0.0, 1.0]])
def test_too_little_to_learn_from_explains_nothing(scores: list[float]) -> None:
    effects = parameter_effects({"a": list(range(len(scores))), "b": ["x"] * len(scores)}, scores, shown=("a", "b"))
    assert (effects.explained, effects.interactions, effects.dependence) == (0.0, (), ())


@pytest.mark.parametrize(("columns", "scores"), [({"a": [1]}, [1.0, 2.0]), ({}, []), ({"a": [1]}, [float("nan")])])
def test_refuses_rows_that_do_not_match(columns: dict[str, list[object]], scores: list[float]) -> None:
    with pytest.raises(DataError):
        parameter_effects(columns, scores)


def test_refuses_codes_outside_their_range() -> None:
    with pytest.raises(DataError, match="from -1 to below its size"):
        grow_forest(np.array([[3]]), np.array([3]), np.array([True]), np.array([1.0]))
