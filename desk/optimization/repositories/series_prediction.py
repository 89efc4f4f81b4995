"""Predicts the excess returns and weights of trials on the same days, so that little is left to store.

An excess return is about the weight times the asset's excess return, which all trials of a run share; a weight that is
not traded drifts with that return. Differences are those of the bits, so that decoding restores every bit, and the
predictions use only + - * /, which are the same on every machine.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats

LARGEST_RATE = 0.01
"""Of cash on a day; a larger estimate comes from a traded weight."""


def encode_records(records: "Floats") -> Any:
    """The unsigned integers that replace `records`, float64 (K, 2, T): excess returns and weights."""
    import numpy as np

    excess, weights = records[:, 0], records[:, 1]
    with np.errstate(all="ignore"):
        returns = _middle(excess / weights)
        before, after, moves = weights[:, :-1], weights[:, 1:], returns[:-1]
        rates = _middle((before * (1.0 + moves) - after * (1.0 + before * moves)) / (after - before))
        rates = np.where(np.abs(rates) <= LARGEST_RATE, rates, 0.0)
        drifted = np.zeros_like(weights)
        drifted[:, 1:] = _drift(before, moves, rates)
        parts = (_difference(excess, _finite(weights * returns)), _difference(weights, drifted))
    return np.concatenate([returns.view("u8"), rates.view("u8"), *(part.reshape(-1) for part in parts)])


def decode_records(numbers: Any, count: int) -> "Floats":
    """The records, float64 (`count`, 2, T); raises `ValueError` if the numbers do not fit."""
    import numpy as np

    days = (numbers.size + 1) // (2 * count + 2)
    returns, rates, rest = np.split(numbers, [days, 2 * days - 1])
    returns, rates = returns.view("f8"), rates.view("f8")
    excess, weights = rest.reshape(2, count, days)
    steps = np.ascontiguousarray(_signed(weights).T)
    drifting = np.empty((days, count))
    predicted = np.zeros(count)
    with np.errstate(all="ignore"):
        for day in range(days):
            drifting[day] = (predicted.view("u8") + steps[day]).view("f8")
            if day + 1 < days:
                predicted = _drift(drifting[day], returns[day], rates[day])
        held = np.ascontiguousarray(drifting.T)
        earned = (_finite(held * returns).view("u8") + _signed(excess)).view("f8")
    return np.stack([earned, held], axis=1)


def _drift(weights: Any, returns: Any, rates: Any) -> Any:
    return _finite(weights * (1.0 + returns + rates) / (1.0 + weights * returns + rates))


def _finite(values: Any) -> Any:
    """The bits of what is not a number differ between processors."""
    import numpy as np

    return np.where(np.isfinite(values), values, 0.0)


def _middle(values: Any) -> Any:
    """The median of the finite values of each day, 0 without any."""
    import numpy as np

    known = np.isfinite(values)
    count = known.sum(axis=0)
    ordered = np.sort(np.where(known, values, np.inf), axis=0)
    places = np.minimum(count // 2, len(values) - 1)
    return np.where(count > 0, ordered[places, np.arange(values.shape[1])], 0.0)


def _difference(values: Any, predicted: Any) -> Any:
    """The differences of the bits, with small numbers for small differences of either sign."""
    import numpy as np

    steps = (np.ascontiguousarray(values).view("u8") - predicted.view("u8")).view("i8")
    return ((steps << 1) ^ (steps >> 63)).view("u8")


def _signed(differences: Any) -> Any:
    import numpy as np

    return (differences >> np.uint64(1)) ^ (np.uint64(0) - (differences & np.uint64(1)))
