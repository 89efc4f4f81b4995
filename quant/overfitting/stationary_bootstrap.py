"""The stationary bootstrap by prefix sums: a resample costs as much as its blocks, not as its days."""

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word, log, uniform
from quant.numeric.errors import DataError
from quant.numeric.moments import checked_matrix
from quant.numeric.random_numbers import philox
from quant.numeric.returns import Returns


@compiled
def cumulate(rows: Floats, sums: Floats) -> None:
    """Write the sums of the first t rows into `sums[t]`, shape (T + 1, K)."""
    days, trials = rows.shape
    for t in range(days):
        for k in range(trials):
            sums[t + 1, k] = sums[t, k] + rows[t, k]


@compiled
def add_blocks(
    sums: Floats,
    first: int,
    stop: int,
    mean_block: float,
    key: Word,
    draw: int,
    part: int,
    totals: Floats,
) -> None:
    """Draw `stop - first` rows from `first` to `stop - 1` in blocks, circularly, and write their sums.

    Lengths are geometric; `totals` has shape (Q, K), one row for each array of prefix sums.
    """
    totals[:] = 0.0
    days = stop - first
    decay = log(1.0 - 1.0 / mean_block) if mean_block > 1.0 else -1e300
    remaining = days
    block = 0
    while remaining > 0:
        a, b, _, _ = philox(np.uint64(block), np.uint64(draw), np.uint64(part), np.uint64(0), key)
        length = min(remaining, 1 + int(log(uniform(a)) / decay))
        start = first + min(int(uniform(b) * days), days - 1)
        end = start + length
        for q in range(totals.shape[0]):
            for k in range(totals.shape[1]):
                totals[q, k] -= sums[q, start, k]
            if end <= stop:
                for k in range(totals.shape[1]):
                    totals[q, k] += sums[q, end, k]
            else:  # circular: the rest of the block is at the first rows
                for k in range(totals.shape[1]):
                    totals[q, k] += sums[q, stop, k] - sums[q, first, k] + sums[q, end - days, k]
        remaining -= length
        block += 1


@compiled
def _resample_means(sums: Floats, mean_block: float, key: Word, means: Floats) -> None:
    days = sums.shape[1] - 1
    totals = np.empty((1, sums.shape[2]))
    for draw in range(means.shape[0]):
        add_blocks(sums, 0, days, mean_block, key, draw, 0, totals)
        for k in range(means.shape[1]):
            means[draw, k] = totals[0, k] / days


@checked_arguments
def resampled_means(rows: ArrayLike | Returns, *, seed: int, replications: int = 1000, mean_block: int = 21) -> Floats:
    """Column means of stationary bootstrap resamples; a row is drawn whole, so columns stay paired.

    Parameters
    ----------
    rows : array_like, shape (T, K) or (T,)
    seed : int
        Not negative.
    replications : int
        Number of resamples, at least 1.
    mean_block : int
        Expected rows of a block, at most T / 4.

    Returns
    -------
    ndarray, shape (replications, K)

    Raises
    ------
    DataError
        If `rows` is not finite or an argument lies outside its range.

    References
    ----------
    Politis and Romano (1994), "The stationary bootstrap", Journal of the American Statistical Association 89(428).

    Examples
    --------
    >>> resampled_means([0.5] * 100, seed=1, replications=3).tolist()
    [[0.5], [0.5], [0.5]]
    """
    if replications < 1 or mean_block < 1 or seed < 0:
        raise DataError(
            f"needs replications >= 1, mean_block >= 1 and seed >= 0; got {replications!r}, {mean_block!r} and {seed!r}"
        )
    values = np.ascontiguousarray(checked_matrix(rows, name="rows", shortest=max(20, 4 * mean_block)))
    centre = np.sum(values, axis=0) / values.shape[0]
    sums = np.zeros((1, values.shape[0] + 1, values.shape[1]))
    cumulate(values - centre, sums[0])
    means = np.empty((replications, values.shape[1]))
    _resample_means(sums, float(mean_block), np.uint64(seed), means)
    return means + centre
