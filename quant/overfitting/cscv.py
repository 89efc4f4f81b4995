"""Combinatorially symmetric cross-validation on Sharpe ratios: the classical probability of backtest overfitting."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments, refuse_overflow
from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import log, normal_quantile
from quant.numeric.errors import DataError
from quant.numeric.moments import NO_VARIATION, checked_matrix
from quant.numeric.returns import Returns
from quant.overfitting.ranks import failure, first_maximum, rank_from_below

SelectionRule: TypeAlias = Callable[[Floats], int]
"""Chooses a trial: read-only returns of shape (t, N) in time order go in, a column of them comes out."""

_NULL_DEVIATION = 0.16
"""Deviation of the probability over samples in which nothing has skill (16 blocks, by simulation)."""
MOST_BLOCKS = 20


@dataclass(frozen=True, eq=False)
class OverfittingProbability:
    """Probability of backtest overfitting; Sharpe ratios are per period.

    Arrays have one element for each split, in the order of `itertools.combinations` of the blocks.
    """

    probability: float
    """Share of the splits with a logit at or below 0: the selected trial ranks in the worse half out of sample. A
    logit of 0 that comes from ties counts half."""
    interval: tuple[float, float]
    """95%, Wilson's, the share taken as one of about ten independent splits; see `probability_of_overfitting`."""
    logits: Floats
    """ln(w / (1 - w)) of each split, w = rank out of sample / (N + 1), the best trial having rank N."""
    selected: Ints
    """Column that each split selects in sample, the first of equals."""
    in_sample: Floats
    """Its Sharpe ratio in sample."""
    out_of_sample: Floats
    """Its Sharpe ratio out of sample."""
    degradation_slope: float | None
    """Least squares of `out_of_sample` on `in_sample`; None if the latter is constant."""
    degradation_intercept: float | None
    loss_probability: float
    """Share of the splits in which the selected trial's mean return out of sample is negative."""
    first_order_dominance: bool
    """Whether the selected trial's ratio out of sample stochastically dominates the mean ratio of all trials."""
    second_order_dominance: bool
    rows_dropped: int
    """Rows left out at the start, so that all blocks are of one length."""


def wilson_interval(share: float) -> tuple[float, float]:
    """95% interval of a share of splits that carry the evidence of 0.25 / 0.16**2 = 9.8 independent ones."""
    count = 0.25 / (_NULL_DEVIATION * _NULL_DEVIATION)
    z = normal_quantile(0.975)
    middle = (share + z * z / (2.0 * count)) / (1.0 + z * z / count)
    spread = share * (1.0 - share) / count + z * z / (4.0 * count * count)
    half = z * math.sqrt(spread) / (1.0 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


@compiled
def _block_sums(
    returns: Floats,
    first: int,
    centre: Floats,
    sums: Floats,
    squares: Floats,
) -> None:
    """Sums of the deviations from `centre`, the columns' means, and of their squares, for each block."""
    blocks, trials = sums.shape
    rows = returns.shape[0] - first
    length = rows // blocks
    centre[:] = 0.0
    for t in range(first, returns.shape[0]):
        for k in range(trials):
            centre[k] += returns[t, k]
    for k in range(trials):
        centre[k] /= rows
    for b in range(blocks):
        for t in range(first + b * length, first + (b + 1) * length):
            for k in range(trials):
                d = returns[t, k] - centre[k]
                sums[b, k] += d
                squares[b, k] += d * d


@compiled
def _sums_of_subsets(sums: Floats, out: Floats) -> None:
    """Write the sum over each subset of the blocks; bit b of the row of `out` stands for block b."""
    blocks, trials = sums.shape
    out[0] = 0.0
    for b in range(blocks):
        for subset in range(1 << b):
            for k in range(trials):
                out[subset + (1 << b), k] = out[subset, k] + sums[b, k]


@compiled
def _ratios(
    total_0: Floats,
    total_1: Floats,
    square_0: Floats,
    square_1: Floats,
    centre: Floats,
    days: float,
    negligible: float,
    out: Floats,
) -> None:
    for k in range(out.size):
        total = total_0[k] + total_1[k]
        shift = total / days
        variance = max((square_0[k] + square_1[k] - total * shift) / (days - 1.0), 0.0)
        mean = centre[k] + shift
        flat = variance <= negligible * (variance + mean * mean)
        out[k] = (0.0 if flat else mean) / math.sqrt(1.0 if flat else variance)


@compiled
def _evaluate(ratios: Floats, winner: int) -> tuple[float, float]:
    """Rank of the winner from below, and the mean of all."""
    mean = 0.0
    for k in range(ratios.size):
        mean += ratios[k]
    return rank_from_below(ratios, winner), mean / ratios.size


@compiled
def _splits(
    masks: Ints,
    tables: Floats,
    centre: Floats,
    days: float,
    negligible: float,
    selected: Ints,
    out: Floats,
) -> None:
    """Fill `out` (5, splits): logit, Sharpe ratio in and out of sample, that of all on average out of sample, failure.

    `tables` (4, subsets, N): sums over the subsets of the lower and of the upper blocks, then sums of squares.
    """
    trials = centre.size
    all_blocks = tables.shape[1] - 1
    half = 0
    while all_blocks >> half:
        half += 1
    splits = masks.size
    ratios = np.empty((2, trials))
    for i in range(splits // 2):
        for side in range(2):
            low = masks[i] & all_blocks
            high = masks[i] >> half
            if side == 1:
                low = all_blocks - low
                high = all_blocks - high
            _ratios(
                tables[0, low],
                tables[1, high],
                tables[2, low],
                tables[3, high],
                centre,
                days,
                negligible,
                ratios[side],
            )
        for side in range(2):
            # a split and its complement stand at mirrored places of the lexicographic order
            place = i if side == 0 else splits - 1 - i
            winner = first_maximum(ratios[side])
            rank, mean = _evaluate(ratios[1 - side], winner)
            selected[place] = winner
            out[0, place] = log(rank / (trials + 1.0 - rank))
            out[1, place] = ratios[side, winner]
            out[2, place] = ratios[1 - side, winner]
            out[3, place] = mean
            out[4, place] = failure(ratios[1 - side], winner)


@compiled
def _line(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Slope and intercept of y on x, and the squares of x about its mean; 0 for a constant x."""
    mean_x = 0.0
    mean_y = 0.0
    for i in range(x.size):
        mean_x += x[i]
        mean_y += y[i]
    mean_x /= x.size
    mean_y /= x.size
    xx = 0.0
    xy = 0.0
    for i in range(x.size):
        xx += (x[i] - mean_x) * (x[i] - mean_x)
        xy += (x[i] - mean_x) * (y[i] - mean_y)
    if xx <= 1e-24 * x.size * (mean_x * mean_x):
        return 0.0, mean_y, 0.0
    return xy / xx, mean_y - xy / xx * mean_x, xx


@compiled
def _dominance(first: Floats, second: Floats) -> tuple[bool, bool]:
    """Whether ascending `first` dominates ascending `second`, of the same length, by the first and second order."""
    every = True
    some = False
    sums = True
    more = 0.0
    for i in range(first.size):
        every = every and first[i] >= second[i]
        some = some or first[i] > second[i]
        more += first[i] - second[i]
        sums = sums and more >= 0.0
    return every and some, sums and some


def checked_blocks(returns: ArrayLike | Returns, splits: int, *, name: str) -> Floats:
    """`returns` of two or more trials as an array that `splits` blocks of two rows or more fit into.

    Raises
    ------
    DataError
        If `splits` is odd or outside [4, 20], there is one trial only, a block would hold fewer than two rows, or a
        value is not finite.
    """
    if splits % 2 or not 4 <= splits <= MOST_BLOCKS:
        raise DataError(f"`splits` must be even in number, from 4 to {MOST_BLOCKS}; got {splits!r}")
    array = checked_matrix(returns, name=name, shortest=2 * splits)
    if array.shape[1] < 2:
        raise DataError(f"overfitting by selection needs two trials at least; `{name}` holds 1")
    return array


@checked_arguments
def probability_of_overfitting(returns: ArrayLike | Returns, splits: int = 16) -> OverfittingProbability:
    r"""Probability that the trial with the best Sharpe ratio is one of the worse half out of sample.

    History is cut into `splits` blocks of one length; rows that do not fill a block are dropped from the start. For
    each way to choose half of the blocks, the trial with the highest Sharpe ratio there is ranked by its Sharpe ratio
    on the other half: :math:`\omega = \mathrm{rank} / (N + 1)`, average ranks for ties, gives the logit
    :math:`\lambda = \ln(\omega / (1 - \omega))`, and the probability is the share of :math:`\lambda \le 0`. A
    :math:`\lambda` of 0 that comes from ties counts half, so that equal trials have a probability of 0.5, not of 1.

    Splits share their blocks, so 12,870 of them carry far less evidence: where nothing has skill the share has a
    deviation of about 0.16 from one sample to the next (16 blocks), that of 0.25 / 0.16**2 = 9.8 independent splits,
    and the interval is Wilson's for so many.

    Parameters
    ----------
    returns : array_like of shape (T, N), or Returns
        Excess returns per period of all N > 1 trials, those that were screened out included.
    splits : int
        Number of blocks, even, 4 to 20; each must hold two rows at least. 16 gives 12,870 splits.

    Returns
    -------
    OverfittingProbability
        A trial without variation in a half counts there as a Sharpe ratio of 0.

    Raises
    ------
    DataError
        If there are fewer than two trials or two rows a block, a value is not finite, or `splits` is odd or outside
        [4, 20].

    References
    ----------
    Bailey, Borwein, Lopez de Prado and Zhu (2017), "The probability of backtest overfitting", Journal of Computational
    Finance 20(4).

    Examples
    --------
    The first trial is better in every block.

    >>> better = [[0.02, 0.01], [-0.01, -0.02]] * 8
    >>> result = probability_of_overfitting(better, splits=4)
    >>> result.probability, result.logits.size
    (0.0, 6)
    """
    array = checked_blocks(returns, splits, name="returns")
    refuse_overflow(array, "returns")
    rows, trials = array.shape
    remainder = rows % splits
    centre = np.empty(trials)
    sums = np.zeros((2, splits, trials))
    _block_sums(array, remainder, centre, sums[0], sums[1])
    half = splits // 2
    tables = np.empty((4, 1 << half, trials))
    for kind in range(2):
        for upper in range(2):
            part = slice(half, splits) if upper else slice(0, half)
            _sums_of_subsets(np.ascontiguousarray(sums[kind, part]), tables[2 * kind + upper])
    count = math.comb(splits, half)
    halves = np.fromiter(combinations(range(splits), half), dtype=np.dtype((np.int64, half)), count=count)
    masks = np.sum(np.left_shift(np.int64(1), halves), axis=1)
    selected = np.empty(count, dtype=np.int64)
    out = np.empty((5, count))
    _splits(masks, tables, centre, float((rows - remainder) // 2), NO_VARIATION, selected, out)

    probability = float(np.sum(out[4]) / count)
    slope, intercept, spread = _line(out[1], out[2])
    first, second = _dominance(np.sort(out[2]), np.sort(out[3]))
    return OverfittingProbability(
        probability=probability,
        interval=wilson_interval(probability),
        logits=out[0],
        selected=selected,
        in_sample=out[1],
        out_of_sample=out[2],
        degradation_slope=slope if spread > 0.0 else None,
        degradation_intercept=intercept if spread > 0.0 else None,
        loss_probability=float(np.count_nonzero(out[2] < 0.0) / count),
        first_order_dominance=bool(first),
        second_order_dominance=bool(second),
        rows_dropped=remainder,
    )


@checked_arguments
def highest_sharpe(returns: Floats) -> int:
    """Column with the highest Sharpe ratio, the first of equals; one without variation counts as 0.

    Parameters
    ----------
    returns : ndarray, shape (t, N)
        Excess returns per period, t > 1.

    Returns
    -------
    int

    Raises
    ------
    DataError
        If there are fewer than two rows, or a value is not finite.
    """
    array = checked_matrix(returns, name="returns", shortest=2)
    rows, trials = array.shape
    centre = np.empty(trials)
    sums = np.zeros((2, 1, trials))
    _block_sums(array, 0, centre, sums[0], sums[1])
    none = np.zeros(trials)
    ratios = np.empty(trials)
    _ratios(sums[0, 0], none, sums[1, 0], none, centre, float(rows), NO_VARIATION, ratios)
    return first_maximum(ratios)


def apply_rule(rule: SelectionRule, returns: Floats) -> int:
    """The column of `returns` that `rule` chooses, checked; `rule` gets a read-only copy.

    Raises
    ------
    DataError
        If the answer is not one of the columns.
    """
    copy = returns.copy()
    copy.setflags(write=False)
    answer = np.asarray(rule(copy))
    if answer.ndim or not np.issubdtype(answer.dtype, np.integer) or not 0 <= int(answer) < returns.shape[1]:
        raise DataError(f"`rule` must choose a column from 0 to {returns.shape[1] - 1}; got {answer!r}")
    return int(answer)
