"""Out-of-sample tests of a selection: combinatorial purged cross-validation and walk-forward."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Flags, Floats, Ints
from quant.numeric.errors import DataError
from quant.numeric.moments import checked_matrix
from quant.numeric.returns import Returns
from quant.overfitting.cscv import SelectionRule, apply_rule, highest_sharpe

_MOST_SPLITS = 200_000


@dataclass(frozen=True, eq=False)
class PurgedSplit:
    """Rows to fit on and rows to test on; both ascend."""

    test_groups: tuple[int, ...]
    train: Ints
    test: Ints
    """The rows of the test groups, one group after the other."""


@dataclass(frozen=True, eq=False)
class PurgedSplits:
    """All splits of a combinatorial purged cross-validation, and how their tests make whole paths."""

    observations: int
    bounds: Ints
    """Shape (groups + 1,): group g holds the rows bounds[g] to bounds[g + 1] - 1."""
    embargo: int
    """Rows left out after each test group beyond the purged ones."""
    splits: tuple[PurgedSplit, ...]
    """In the order of `itertools.combinations` of the groups."""
    paths: Ints
    """Shape (paths, groups): the split whose test supplies each group of each path."""


def _windows(purge: int | ArrayLike, observations: int) -> tuple[Ints, Ints]:
    """First and last row that each observation is made of."""
    rows = np.arange(observations, dtype=np.int64)
    purges = np.asarray(purge)
    if purges.ndim == 0:
        if not np.issubdtype(purges.dtype, np.integer) or int(purges) < 0:
            raise DataError(f"`purge` must be a number of observations, not negative; got {purge!r}")
        return rows - int(purges), rows
    if purges.shape != (observations, 2) or not np.issubdtype(purges.dtype, np.integer):
        raise DataError(
            f"`purge` must be a number or integers of shape ({observations}, 2); got {purges.dtype} of {purges.shape}"
        )
    windows = purges.astype(np.int64)
    wrong = (windows[:, 0] > rows) | (windows[:, 1] < rows)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"`purge`: the window of row {row} must hold the row itself; got {windows[row].tolist()}")
    return windows[:, 0], windows[:, 1]


def _excluded_rows(first: Ints, last: Ints, start: int, stop: int, embargo: int) -> Flags:
    """Rows that a test of the rows `start` to `stop - 1` keeps out of the fit, the tested rows included.

    The windows of i and j overlap unless one ends before the other begins, so the test rows that i overlaps are those
    that begin by its end less those that end before its beginning.
    """
    started_before = np.searchsorted(np.sort(first[start:stop]), last, side="right")
    over = np.searchsorted(np.sort(last[start:stop]), first, side="left")
    left_out = started_before > over
    left_out[start:stop] = True
    after = int(np.flatnonzero(left_out)[-1]) + 1
    left_out[after : after + embargo] = True
    return left_out


@checked_arguments
def combinatorial_purged_splits(
    observations: int,
    groups: int = 6,
    test_groups: int = 2,
    purge: int | ArrayLike = 0,
    embargo: float = 0.01,
) -> PurgedSplits:
    r"""Every way to test on k of N groups of consecutive rows, with C(N - 1, k - 1) whole paths of tests.

    A row is dropped from a fit if the window of rows that it is made of overlaps that of a tested row (purge), or if it
    is one of the next rows after them (embargo). Each group is tested in :math:`\varphi = \frac{k}{N} \binom{N}{k}`
    splits, so the tests make :math:`\varphi` paths through all of history: path j takes each group from the j-th of the
    splits that test it.

    Parameters
    ----------
    observations : int
        T, at least `groups`.
    groups : int
        N, at least 2; their lengths differ by one at most, the longer ones first.
    test_groups : int
        k, from 1 to N - 1.
    purge : int or array_like of int, shape (T, 2)
        Rows before itself that each row is made of (lookback plus holding): rows nearer than that to a test, on either
        side, are dropped. Or the first and the last row that each row is made of, such as the span of a label.
    embargo : float
        Share of T, in [0, 1): the rows dropped after the purged ones that follow each test group, rounded down.

    Returns
    -------
    PurgedSplits

    Raises
    ------
    DataError
        If an argument lies outside its range, there would be more than 200,000 splits, or nothing is left to fit on.

    References
    ----------
    Lopez de Prado (2018), "Advances in Financial Machine Learning", chapters 7.4 and 12.

    Examples
    --------
    >>> cv = combinatorial_purged_splits(600, groups=6, test_groups=2, purge=5, embargo=0.01)
    >>> len(cv.splits), cv.paths.shape
    (15, (5, 6))
    >>> first = cv.splits[0]  # tests rows 0 to 199; 5 rows are purged and 6 embargoed
    >>> int(first.test[-1]), int(first.train[0])
    (199, 211)
    """
    if groups < 2 or observations < groups:
        raise DataError(f"needs 2 <= `groups` <= `observations`; got {groups!r} and {observations!r}")
    if not 1 <= test_groups < groups:
        raise DataError(f"`test_groups` must lie from 1 to {groups - 1}; got {test_groups!r}")
    if not 0.0 <= embargo < 1.0:
        raise DataError(f"`embargo` must lie in [0, 1); got {embargo!r}")
    count = math.comb(groups, test_groups)
    if count > _MOST_SPLITS:
        raise DataError(
            f"`groups` {groups} and `test_groups` {test_groups} give {count} splits; {_MOST_SPLITS} at most"
        )
    first, last = _windows(purge, observations)
    size, longer = divmod(observations, groups)
    bounds = np.array([g * size + min(g, longer) for g in range(groups + 1)], dtype=np.int64)
    skipped = math.floor(embargo * observations + 1e-9)
    left_out = [_excluded_rows(first, last, int(a), int(b), skipped) for a, b in pairwise(bounds)]
    members = [np.arange(a, b, dtype=np.int64) for a, b in pairwise(bounds)]

    splits: list[PurgedSplit] = []
    splits_of_group: list[list[int]] = [[] for _ in range(groups)]
    for i, test in enumerate(combinations(range(groups), test_groups)):
        train = np.flatnonzero(~np.logical_or.reduce([left_out[g] for g in test]))
        if train.size == 0:
            raise DataError(f"`purge` and `embargo` leave nothing to fit on when groups {test} are tested")
        splits.append(PurgedSplit(test, train, np.concatenate([members[g] for g in test])))
        for g in test:
            splits_of_group[g].append(i)
    return PurgedSplits(
        observations, bounds, skipped, tuple(splits), np.array(splits_of_group, dtype=np.int64).T.copy()
    )


@checked_arguments
def backtest_paths(splits: PurgedSplits, outcomes: Sequence[ArrayLike]) -> Floats:
    """Join the values of each split's test rows into whole paths.

    Parameters
    ----------
    splits : PurgedSplits
    outcomes : sequence of array_like
        For each split, in order, one value for each of its test rows, such as the return out of sample.

    Returns
    -------
    ndarray, shape (paths, T)

    Raises
    ------
    DataError
        If there is not one finite vector of the right length for each split.

    Examples
    --------
    >>> cv = combinatorial_purged_splits(6, groups=3, test_groups=2, embargo=0.0)
    >>> backtest_paths(cv, [[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2]]).tolist()
    [[0.0, 0.0, 0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 2.0, 2.0, 2.0, 2.0]]
    """
    if len(outcomes) != len(splits.splits):
        raise DataError(f"`outcomes` must hold one vector for each of {len(splits.splits)} splits; got {len(outcomes)}")
    paths = np.empty((splits.paths.shape[0], splits.observations))
    for i, (split, outcome) in enumerate(zip(splits.splits, outcomes, strict=True)):
        values = np.asarray(outcome, dtype=np.float64)
        if values.shape != split.test.shape or not np.isfinite(values).all():
            raise DataError(f"`outcomes[{i}]` must be finite, of shape {split.test.shape}; got {values.shape}")
        filled_days = 0
        for g in split.test_groups:
            start, stop = int(splits.bounds[g]), int(splits.bounds[g + 1])
            path = int(np.flatnonzero(splits.paths[:, g] == i)[0])
            paths[path, start:stop] = values[filled_days : filled_days + stop - start]
            filled_days += stop - start
    return paths


@dataclass(frozen=True, eq=False)
class WalkForward:
    """Returns earned by a selection that is repeated at each step, after each selection."""

    selected: Ints
    """Shape (steps,): the column that each step chooses."""
    train: Ints
    """Shape (steps, 2): first row that the choice uses, and the row after the last."""
    test: Ints
    """Shape (steps, 2): first row that the choice earns, and the row after the last; the last step may be shorter."""
    returns: Floats
    """Shape (T - test[0, 0],): the chosen columns' returns, stitched."""


@checked_arguments
def walk_forward(
    returns: ArrayLike | Returns,
    rule: SelectionRule = highest_sharpe,
    *,
    train: int = 1260,
    test: int | Sequence[int] = 252,
    anchored: bool = False,
    gap: int = 0,
) -> WalkForward:
    """Select on past rows, hold the selection over the next rows, and repeat; every return lies after its selection.

    Parameters
    ----------
    returns : array_like of shape (T, N), or Returns
        Returns per period of the N trials.
    rule : SelectionRule
        Called with the rows of the past alone, in time order; returns a column.
    train : int
        Rows that the first selection uses, and each later one unless `anchored`; at least 2. Five years by default.
    test : int or sequence of int
        Rows between selections, a year by default; or the rows that begin a test, such as the first of each calendar
        year: ascending, the first at least `train` + `gap`.
    anchored : bool
        Whether later selections use all the past, from row 0 on.
    gap : int
        Rows between the last that a selection uses and the first that it earns.

    Returns
    -------
    WalkForward

    Raises
    ------
    DataError
        If T does not exceed `train` + `gap`, a value is not finite, an argument lies outside its range, or `rule`
        chooses no column.

    Examples
    --------
    >>> result = walk_forward([[0.01, 0.02], [0.0, 0.01], [0.03, 0.0], [0.02, 0.0], [0.5, 0.7]], train=2, test=2)
    >>> result.selected.tolist(), result.returns.tolist()
    ([1, 0], [0.0, 0.0, 0.5])
    """
    if train < 2 or gap < 0 or (isinstance(test, int) and test < 1):
        raise DataError(f"needs `train` >= 2, `test` >= 1 and `gap` >= 0; got {train!r}, {test!r} and {gap!r}")
    array = checked_matrix(returns, name="returns", shortest=train + gap + 1)
    rows = array.shape[0]
    selected: list[int] = []
    windows: list[tuple[int, int]] = []
    earned: list[tuple[int, int]] = []
    for start, stop in pairwise([*_test_starts(test, train + gap, rows), rows]):
        end = start - gap
        windows.append((0 if anchored else end - train, end))
        earned.append((start, stop))
        selected.append(apply_rule(rule, array[slice(*windows[-1])]))
    stitched = [array[start:stop, k] for (start, stop), k in zip(earned, selected, strict=True)]
    return WalkForward(
        selected=np.array(selected, dtype=np.int64),
        train=np.array(windows, dtype=np.int64),
        test=np.array(earned, dtype=np.int64),
        returns=np.concatenate(stitched),
    )


def _test_starts(test: int | Sequence[int], first: int, rows: int) -> list[int]:
    """The rows that begin a test; the first possible one is `first`."""
    if isinstance(test, int):
        return list(range(first, rows, test))
    starts = [int(row) for row in test]
    if not starts or starts[0] < first or starts[-1] >= rows or any(b <= a for a, b in pairwise(starts)):
        raise DataError(f"`test` must ascend from at least {first} to at most {rows - 1}; got {starts}")
    return starts
