"""Main effects: how much of the objective each parameter of a search explains on its own."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError


@compiled
def _between_share(groups: Ints, count: int, scores: Floats, total: float) -> float:
    """Bias-corrected sum of squares between groups over `total`; rows of group -1 are left out."""
    sums = np.zeros(count)
    sizes = np.zeros(count)
    overall = 0.0
    rows = 0.0
    for k in range(scores.size):
        if groups[k] >= 0:
            sums[groups[k]] += scores[k]
            sizes[groups[k]] += 1.0
            overall += scores[k]
            rows += 1.0
    if count < 2 or rows <= count:
        return 0.0
    overall /= rows
    between = 0.0
    for g in range(count):
        between += sizes[g] * (sums[g] / sizes[g] - overall) ** 2
    within = 0.0
    for k in range(scores.size):
        if groups[k] >= 0:
            within += (scores[k] - sums[groups[k]] / sizes[groups[k]]) ** 2
    corrected = between - (count - 1) * within / (rows - count)
    return min(max(corrected / total, 0.0), 1.0)


@compiled
def _squares_about_mean(scores: Floats) -> float:
    """Total sum of squares; 0 where it is rounding."""
    mean = 0.0
    raw = 0.0
    for k in range(scores.size):
        mean += scores[k]
        raw += scores[k] * scores[k]
    mean /= scores.size
    squares = 0.0
    for k in range(scores.size):
        squares += (scores[k] - mean) ** 2
    return squares if squares > 1e-24 * raw else 0.0


def main_effects(columns: Mapping[str, Sequence[object]], scores: ArrayLike) -> dict[str, float]:
    r"""Share of the objective's variance that each parameter explains on its own.

    Configurations are grouped by the value of one parameter. The share is the sum of squares
    between the groups over the total, less what groups of that number explain by chance
    (:math:`\epsilon^2 = (SS_b - (g - 1) MS_w) / SS_t`), floored at 0. Shares need not sum to 1:
    parameters interact, and a search does not sample them evenly.

    A conditional parameter is None where it has no effect. Those rows are left out of its groups,
    so that it is not credited with the choice that switched it on; its share still refers to the
    variance of all rows. A parameter with one value, or as many values as rows, explains nothing
    that can be told from chance: 0.

    Parameters
    ----------
    columns : mapping of str to sequence, each of length K
        The value of each parameter in each configuration; values are compared by equality.
    scores : array_like, shape (K,)
        Objective of each configuration.

    Returns
    -------
    dict of str to float
        Shares in [0, 1], in the order of `columns`.

    Raises
    ------
    DataError
        If `scores` is empty, not of one dimension, or not finite, or a column differs in length.

    References
    ----------
    Kelley (1935), "An unbiased correlation ratio measure", PNAS 21(9).

    Examples
    --------
    >>> main_effects({"rule": ["a", "a", "b", "b"], "seed": [1, 2, 1, 2]}, [1.0, 1.0, 2.0, 2.0])
    {'rule': 1.0, 'seed': 0.0}
    """
    values = np.ascontiguousarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise DataError(f"`scores` must be finite, of shape (K,), K > 0; got {values.shape}")
    total = _squares_about_mean(values)
    shares: dict[str, float] = {}
    for name, column in columns.items():
        if len(column) != values.size:
            raise DataError(f"column {name!r} has {len(column)} rows, `scores` has {values.size}")
        numbers: dict[object, int] = {}
        groups = np.array(
            [-1 if v is None else numbers.setdefault(v, len(numbers)) for v in column],
            dtype=np.int64,
        )
        shares[name] = _between_share(groups, len(numbers), values, total) if total > 0.0 else 0.0
    return shares
