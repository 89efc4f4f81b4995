import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.luck import backtest_paths, combinatorial_purged_splits, highest_sharpe, walk_forward
from quant.numeric.errors import DataError


def noise(seed: int, days: int, trials: int) -> np.ndarray:
    return 0.01 * np.random.default_rng(seed).standard_normal((days, trials))


@pytest.mark.parametrize(("groups", "test_groups", "splits", "paths"), [(6, 2, 15, 5), (10, 2, 45, 9)])
def test_splits_and_paths_of_the_book(groups: int, test_groups: int, splits: int, paths: int) -> None:
    """Lopez de Prado (2018), section 12.3."""
    cv = combinatorial_purged_splits(1000, groups, test_groups)
    assert len(cv.splits) == splits == math.comb(groups, test_groups)
    assert cv.paths.shape == (paths, groups)


cases = st.integers(2, 7).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(1, n - 1), st.integers(12 * n, 150), st.integers(0, 3))
)


@given(cases, st.sampled_from([0.0, 0.01, 0.03]))
@settings(max_examples=60, deadline=None)
def test_a_fit_sees_no_row_within_the_purge_or_the_embargo_of_a_test_and_all_others(
    case: tuple[int, int, int, int], embargo: float
) -> None:
    groups, test_groups, rows, purge = case
    h = int(embargo * rows + 1e-9)
    cv = combinatorial_purged_splits(rows, groups, test_groups, purge=purge, embargo=embargo)
    parts = np.array_split(np.arange(rows), groups)
    assert cv.embargo == h
    for split, combination in zip(cv.splits, itertools.combinations(range(groups), test_groups), strict=True):
        assert split.test_groups == combination
        np.testing.assert_array_equal(split.test, np.concatenate([parts[g] for g in combination]))
        expected = [
            t for t in range(rows) if not any(parts[g][0] - purge <= t <= parts[g][-1] + purge + h for g in combination)
        ]
        np.testing.assert_array_equal(split.train, expected)


@given(st.integers(0, 1000), st.integers(2, 5), st.floats(0.0, 0.05))
@settings(max_examples=40, deadline=None)
def test_labels_that_span_a_test_are_purged_exactly(seed: int, groups: int, embargo: float) -> None:
    """Pair by pair: a row is dropped if its window shares a row with that of any tested one."""
    rows = 120
    rng = np.random.default_rng(seed)
    t = np.arange(rows)
    windows = np.column_stack([t - rng.integers(0, 4, rows), t + rng.integers(0, 8, rows)])
    cv = combinatorial_purged_splits(rows, groups, 1, purge=windows, embargo=embargo)
    for split in cv.splits:
        purged = [
            i
            for i in range(rows)
            if any(windows[i, 0] <= windows[j, 1] and windows[j, 0] <= windows[i, 1] for j in split.test)
        ]
        embargoed = range(max(purged) + 1, max(purged) + 1 + cv.embargo)
        np.testing.assert_array_equal(split.train, sorted(set(range(rows)) - set(purged) - set(embargoed)))


def test_a_lookback_is_a_window_that_ends_with_its_row() -> None:
    t = np.arange(100)
    by_number = combinatorial_purged_splits(100, 5, 2, purge=7)
    by_window = combinatorial_purged_splits(100, 5, 2, purge=np.column_stack([t - 7, t]))
    for a, b in zip(by_number.splits, by_window.splits, strict=True):
        np.testing.assert_array_equal(a.train, b.train)


@given(cases)
@settings(max_examples=40, deadline=None)
def test_each_path_holds_each_row_once_and_each_test_is_used_once(case: tuple[int, int, int, int]) -> None:
    groups, test_groups, rows, _ = case
    cv = combinatorial_purged_splits(rows, groups, test_groups, embargo=0.0)
    paths = backtest_paths(cv, [1000.0 * i + split.test for i, split in enumerate(cv.splits)])
    assert paths.shape == (math.comb(groups - 1, test_groups - 1), rows)
    np.testing.assert_array_equal(paths % 1000, np.tile(np.arange(rows), (len(paths), 1)))
    pairs = [(int(v) // 1000, int(v) % 1000) for v in paths.ravel()]
    assert len(pairs) == len(set(pairs)) == sum(len(split.test) for split in cv.splits)


def test_the_paths_of_a_selection_are_those_of_a_loop() -> None:
    returns = noise(1, 300, 8)
    cv = combinatorial_purged_splits(300, 6, 2, purge=5)
    paths = backtest_paths(cv, [returns[s.test, highest_sharpe(returns[s.train])] for s in cv.splits])
    for g in range(6):
        rows = slice(50 * g, 50 * g + 50)
        testing = [s for s in cv.splits if g in s.test_groups]
        for path, split in enumerate(testing):
            np.testing.assert_array_equal(paths[path, rows], returns[rows, highest_sharpe(returns[split.train])])


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"groups": 1}, "2 <= `groups` <= `observations`"),
        ({"observations": 5}, "2 <= `groups` <= `observations`"),
        ({"test_groups": 0}, "`test_groups` must lie from 1 to 5; got 0"),
        ({"test_groups": 6}, "`test_groups` must lie from 1 to 5; got 6"),
        ({"embargo": -0.1}, "`embargo` must lie in"),
        ({"embargo": math.nan}, "`embargo` must lie in"),
        ({"purge": -1}, "`purge` must be a number of observations"),
        ({"purge": 1.5}, "`purge` must be a number of observations"),
        ({"purge": 100}, "leave nothing to fit on when groups"),
        ({"purge": np.zeros((3, 2), dtype=int)}, "integers of shape"),
        ({"purge": np.zeros((120, 2), dtype=int)}, "the window of row 1 must hold the row itself"),
        ({"observations": 2000, "groups": 40, "test_groups": 20}, "200000 at most"),
    ],
)
def test_impossible_splits_are_refused(change: dict, name: str) -> None:
    with pytest.raises(DataError, match=name):
        combinatorial_purged_splits(**({"observations": 120} | change))


def test_paths_need_one_vector_for_each_split() -> None:
    cv = combinatorial_purged_splits(60, 3, 1)
    outcomes = [np.zeros(20)] * 3
    for wrong, name in (
        (outcomes[:2], "each of 3 splits; got 2"),
        ([*outcomes[:2], np.zeros(19)], r"`outcomes\[2\]` must be finite, of shape \(20,\)"),
        ([np.full(20, np.nan), *outcomes[:2]], r"`outcomes\[0\]` must be finite"),
    ):
        with pytest.raises(DataError, match=name):
            backtest_paths(cv, wrong)


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize(("rows", "train", "test", "gap"), [(700, 252, 63, 0), (701, 252, 63, 5), (253, 252, 10, 0)])
def test_walking_forward_is_a_loop_over_the_past(anchored: bool, rows: int, train: int, test: int, gap: int) -> None:
    returns = noise(2, rows, 6)
    result = walk_forward(returns, train=train, test=test, anchored=anchored, gap=gap)
    stitched = []
    for step, start in enumerate(range(train + gap, rows, test)):
        past = returns[0 if anchored else start - gap - train : start - gap]
        best = int(np.argmax(past.mean(axis=0) / past.std(axis=0, ddof=1)))
        assert result.selected[step] == best
        assert result.train[step].tolist() == [0 if anchored else start - gap - train, start - gap]
        stitched.extend(returns[start : start + test, best])
    np.testing.assert_array_equal(result.returns, stitched)
    assert result.returns.size == rows - train - gap == np.diff(result.test).sum()


@given(st.integers(100, 299), st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_future_changes_no_earlier_selection(changed: int, anchored: bool) -> None:
    returns = noise(3, 300, 5)
    other = returns.copy()
    other[changed:] = noise(4, 300 - changed, 5)
    a, b = (walk_forward(x, train=100, test=20, anchored=anchored) for x in (returns, other))
    unaffected = a.train[:, 1] <= changed
    np.testing.assert_array_equal(a.selected[unaffected], b.selected[unaffected])
    np.testing.assert_array_equal(a.returns[: changed - 100], b.returns[: changed - 100])


def test_a_rule_is_given_nothing_but_the_past() -> None:
    returns = np.tile(np.arange(50.0)[:, None], (1, 2))
    inputs: list[tuple[float, float]] = []

    def rule(past: np.ndarray) -> int:
        inputs.append((past[0, 0], past[-1, 0]))
        return 1

    walk_forward(returns, rule, train=20, test=10, gap=2)
    assert inputs == [(0.0, 19.0), (10.0, 29.0), (20.0, 39.0)]


def test_tests_that_begin_at_given_rows_end_where_the_next_begins() -> None:
    returns = np.repeat(np.arange(50.0), 2).reshape(50, 2)
    inputs: list[float] = []

    def rule(past: np.ndarray) -> int:
        inputs.append(past[-1, 0])
        return 1

    walk = walk_forward(returns, rule, train=10, test=[15, 16, 40], anchored=True, gap=2)
    assert inputs == [12.0, 13.0, 37.0]
    assert walk.test.tolist() == [[15, 16], [16, 40], [40, 50]]
    assert walk.train.tolist() == [[0, 13], [0, 14], [0, 38]]
    np.testing.assert_array_equal(walk.returns, returns[15:, 1])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"train": 50, "test": [49, 60]}, "`test` must ascend from at least 50 to at most 99"),
        ({"train": 50, "test": [60, 60]}, "`test` must ascend"),
        ({"train": 50, "test": [60, 100]}, "`test` must ascend"),
        ({"train": 50, "test": []}, "`test` must ascend"),
        ({"train": 1}, "`train` >= 2"),
        ({"test": 0}, "`test` >= 1"),
        ({"gap": -1}, "`gap` >= 0"),
        ({"train": 100}, "T >= 101"),
        ({"train": 50, "rule": lambda _: 7}, "`rule` must choose a column from 0 to 2"),
    ],
)
def test_impossible_walks_are_refused(options: dict, name: str) -> None:
    with pytest.raises(DataError, match=name):
        walk_forward(noise(5, 100, 3), **options)
