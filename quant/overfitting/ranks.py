"""Winner and rank of one of many values, as the kernels of the two cross-validations take them."""

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
def rank_from_below(values: Floats, winner: int) -> float:
    """Rank of ``values[winner]`` among `values` (K,), 1 for the lowest; ties share the average rank."""
    value = values[winner]
    below = 0
    equal = 0
    for k in range(values.size):
        below += values[k] < value
        equal += values[k] == value
    return below + 0.5 * (equal + 1)
