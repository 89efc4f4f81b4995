"""Winner, rank and failure of one of many values, as the kernels of the two cross-validations take them."""

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled


@compiled
def first_maximum(values: Floats) -> int:
    """Index of the largest of `values` (K,); of equal ones the first."""
    best = 0
    for k in range(1, values.size):
        if values[k] > values[best]:
            best = k
    return best


@compiled
def _below_and_equal(values: Floats, value: float) -> tuple[int, int]:
    """Number of `values` (K,) below `value`, and number of those equal to it."""
    below = 0
    equal = 0
    for k in range(values.size):
        below += values[k] < value
        equal += values[k] == value
    return below, equal


@compiled
def rank_from_below(values: Floats, winner: int) -> float:
    """Rank of ``values[winner]`` among `values` (K,), 1 for the lowest; ties share the average rank."""
    below, equal = _below_and_equal(values, values[winner])
    return below + 0.5 * (equal + 1)


@compiled
def failure(values: Floats, winner: int) -> float:
    """Whether ``values[winner]`` ranks at or below the middle of `values` (K,): 1 or 0, or 0.5.

    0.5 is a tie around the middle, such as all values equal: the values then do not say on which side it ranks. The
    middle rank of an odd number of values, held alone, counts as below, as in Bailey et al. (lambda <= 0).
    """
    below, equal = _below_and_equal(values, values[winner])
    above = values.size - below - equal
    if below != above:
        return 1.0 if below < above else 0.0
    return 0.5 if equal > 1 else 1.0
