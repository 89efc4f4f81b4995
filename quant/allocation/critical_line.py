r"""Markowitz's critical line, compiled: every efficient portfolio between bounds, from corner to corner.

For a multiplier lambda that falls to zero, the portfolio that minimises

.. math:: \tfrac12 w^\top \Sigma w - \lambda \mu^\top w, \quad 1^\top w = 1, \quad l \le w \le u

moves along straight segments. On each, some assets are free and the others lie at a bound; a segment ends where a free
asset meets a bound or the gradient of a bound one changes its sign (Markowitz 1956; Niedermayer and Niedermayer 2006;
Bailey and Lopez de Prado 2013). The inverse of the bordered matrix of the free assets is updated by rank-one changes.

Degenerate problems: where the greatest return belongs to many portfolios, the line starts at the one of least variance,
which a first line along invented means finds; an asset that would make the bordered matrix singular stays at its bound
(its gradient is that of a combination of free assets, hence zero at no cost); the asset that moved last cannot move
straight back; of assets whose turn comes at once the first moves, which cannot cycle where the matrix of the free
assets is definite (Murty 1974). Loops run in index order without BLAS: a line has the same bits on every machine.
"""

import numpy as np

from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled

_LOWER, _UPPER, _FREE, _FIXED = range(4)
_SINGULAR = 1e-13
"""A Schur complement below this share of its terms is rounding."""
_SLACK = 1e-12
"""A weight closer than this to a bound lies on it."""
_FLAT = 1e-13
_DRIFT = 1e-10
"""Error of the updated inverse above which it is recomputed."""


@compiled
def _schur(cov: Floats, inverse: Floats, free: Ints, k: int, asset: int, image: Floats) -> float:
    """Schur complement of `asset` in the bordered matrix, zero if it is rounding; `image`: inverse times its column."""
    for b in range(k + 1):
        image[b] = inverse[0, b]
    row = cov[asset]
    for a in range(k):
        entry = row[free[a]]
        line = inverse[a + 1]
        for b in range(k + 1):
            image[b] += entry * line[b]
    value = row[asset] - image[0]
    size = row[asset] + abs(image[0])
    for a in range(k):
        term = row[free[a]] * image[a + 1]
        value -= term
        size += abs(term)
    return value if value > _SINGULAR * size else 0.0


@compiled
def _enter(inverse: Floats, free: Ints, k: int, asset: int, image: Floats, schur: float) -> int:
    """Border the inverse; the new number of free assets."""
    for a in range(k + 1):
        share = image[a] / schur
        line = inverse[a]
        for b in range(k + 1):
            line[b] += share * image[b]
        line[k + 1] = -share
        inverse[k + 1, a] = -share
    inverse[k + 1, k + 1] = 1.0 / schur
    free[k] = asset
    return k + 1


@compiled
def _leave(inverse: Floats, free: Ints, k: int, position: int) -> int:
    """Take the free asset at `position` out of the inverse; the new number of free assets."""
    p = position + 1
    pivot = inverse[p, p]
    for a in range(k + 1):
        if a == p:
            continue
        share = inverse[a, p] / pivot
        for b in range(k + 1):
            inverse[a, b] -= share * inverse[p, b]
    for b in range(k + 1):
        inverse[p, b] = inverse[k, b]
    for a in range(k + 1):
        inverse[a, p] = inverse[a, k]
    free[position] = free[k - 1]
    return k - 1


@compiled
def _invert(cov: Floats, inverse: Floats, free: Ints, k: int, image: Floats) -> int:
    """Compute the inverse anew from the first `k` of `free`; the number of assets that it holds."""
    inverse[0, 0] = -cov[free[0], free[0]]
    inverse[0, 1] = 1.0
    inverse[1, 0] = 1.0
    inverse[1, 1] = 0.0
    size = 1
    for a in range(1, k):
        schur = _schur(cov, inverse, free, size, free[a], image)
        if schur == 0.0:
            return size
        size = _enter(inverse, free, size, free[a], image, schur)
    return size


@compiled
def _add_rows(cov: Floats, free: Ints, k: int, x: Floats, w: Floats, of_x: Floats, of_w: Floats) -> None:
    """Add the rows of the free assets, times `x` by position and times `w` by asset."""
    n = of_x.size
    a = 0
    while a + 1 < k:
        first = cov[free[a]]
        second = cov[free[a + 1]]
        x0, x1, w0, w1 = x[a + 1], x[a + 2], w[free[a]], w[free[a + 1]]
        for j in range(n):
            of_x[j] += x0 * first[j] + x1 * second[j]
            of_w[j] += w0 * first[j] + w1 * second[j]
        a += 2
    if a < k:
        first = cov[free[a]]
        x0, w0 = x[a + 1], w[free[a]]
        for j in range(n):
            of_x[j] += x0 * first[j]
            of_w[j] += w0 * first[j]


@compiled
def _direction(mean: Floats, inverse: Floats, free: Ints, k: int, x: Floats) -> None:
    """Change of the free weights, from position 1, as the multiplier falls by one is minus `x`."""
    x[: k + 1] = 0.0
    for a in range(k):
        value = mean[free[a]]
        line = inverse[a + 1]
        for b in range(k + 1):
            x[b] += value * line[b]
    level = True
    total = 0.0
    for a in range(k):
        level &= mean[free[a]] == mean[free[0]]
        total += x[a + 1]
    for a in range(k):
        x[a + 1] -= total / k
    if level:
        x[: k + 1] = 0.0
        x[0] = mean[free[0]]


@compiled
def _start(cov: Floats, mean: Floats, weights: Floats, place: Ints, free: Ints, k: int, gradient: Floats) -> float:
    """Least multiplier at which a portfolio of the greatest return is efficient; the free assets have one mean."""
    gradient[:] = 0.0
    for i in range(mean.size):
        if weights[i] != 0.0:
            row = cov[i]
            for j in range(mean.size):
                gradient[j] += weights[i] * row[j]
    level = 0.0
    for a in range(k):
        level += gradient[free[a]] / k
    top = mean[free[0]]
    start = 0.0
    for j in range(mean.size):
        if place[j] <= _UPPER and mean[j] != top:
            start = max(start, (level - gradient[j]) / (top - mean[j]))
    return start


@compiled
def _next_event(
    mean: Floats,
    lower: Floats,
    upper: Floats,
    weights: Floats,
    place: Ints,
    barred: Ints,
    stamp: int,
    free: Ints,
    k: int,
    x: Floats,
    slope: Floats,
    gradient: Floats,
    multiplier: float,
    level: float,
    noise: float,
    last: int,
) -> tuple[float, int, int]:
    """Fall of the multiplier until the next event, the asset (-1: none before zero), its position if it is free."""
    fall = multiplier
    asset = -1
    position = -1
    longest = 0.0
    for a in range(k):
        longest = max(longest, abs(x[a + 1]))
    for a in range(k):
        j = free[a]
        step = x[a + 1]
        if abs(step) <= _FLAT * longest or longest == 0.0:
            continue
        slack = weights[j] - lower[j] if step > 0.0 else upper[j] - weights[j]
        if j == last and slack <= _SLACK:
            continue
        t = slack / abs(step) if slack > _SLACK else 0.0
        if t < fall or (t == fall and j < asset):
            fall, asset, position = t, j, a
    nothing = _FLAT * (1.0 + multiplier)
    flat = _FLAT * (1.0 + abs(x[0])) + 8.0 * noise
    for j in range(mean.size):
        if place[j] > _UPPER or j == last or barred[j] == stamp:
            continue
        sign = 1.0 if place[j] == _LOWER else -1.0
        closing = sign * (slope[j] - mean[j] + x[0])
        if closing <= flat:
            continue
        distance = sign * (gradient[j] - multiplier * mean[j] - level)
        t = distance / closing if distance > nothing else 0.0
        if t < fall or (t == fall and j < asset):
            fall, asset, position = t, j, -1
    return fall, asset, position


@compiled
def _trace(  # noqa: C901, PLR0915  (one segment of the line, read top-down)
    cov: Floats,
    mean: Floats,
    lower: Floats,
    upper: Floats,
    weights: Floats,
    place: Ints,
    free: Ints,
    k: int,
    inverse: Floats,
    record: int,
) -> tuple[int, int, Floats, Floats]:
    """Follow the line from `weights` down to a multiplier of zero.

    `weights`, `place`, `free` and `inverse` end as they are there. Gives the number of free assets, that of corners (-1
    for a line that does not end), and as many multipliers and corners; only the last corner unless `record`.
    """
    n = mean.size
    capacity = 64 if record else 1
    multipliers = np.empty(capacity)
    corners = np.empty((capacity, n))
    image = np.empty(n + 1)
    x = np.empty(n + 1)
    slope = np.empty(n)
    gradient = np.empty(n)
    at_bounds = np.zeros(n)
    barred = np.full(n, -1)
    for i in range(n):
        if weights[i] != 0.0 and place[i] != _FREE:
            for j in range(n):
                at_bounds[j] += weights[i] * cov[i, j]
    multiplier = _start(cov, mean, weights, place, free, k, gradient)
    multipliers[0] = multiplier
    for j in range(n):
        corners[0, j] = weights[j]
    count = 1
    last = -1
    longest_step = 0.0
    for stamp in range(50 * n + 1000):
        if multiplier <= 0.0:
            return k, count, multipliers, corners
        level = 0.0
        noise = 0.0
        for attempt in range(2):
            _direction(mean, inverse, free, k, x)
            slope[:] = 0.0
            for j in range(n):
                gradient[j] = at_bounds[j]
            _add_rows(cov, free, k, x, weights, slope, gradient)
            noise = 0.0
            level = 0.0
            for a in range(k):
                noise = max(noise, float(abs(slope[free[a]] - mean[free[a]] + x[0])))
                level += float(gradient[free[a]] - multiplier * mean[free[a]]) / k
            if noise <= _DRIFT or attempt == 1 or _invert(cov, inverse, free, k, image) < k:
                break
        schur = 0.0
        while True:
            fall, asset, position = _next_event(
                mean, lower, upper, weights, place, barred, stamp, free, k,
                x, slope, gradient, multiplier, level, noise, last,
            )  # fmt: skip
            if asset < 0 or position >= 0:
                break
            schur = _schur(cov, inverse, free, k, asset, image)
            if schur > 0.0:
                break
            barred[asset] = stamp
        for a in range(k):
            step = fall * x[a + 1]
            weights[free[a]] -= step
            longest_step = max(longest_step, abs(step))
        multiplier = multiplier - fall if asset >= 0 else 0.0
        if asset < 0:
            pass
        elif position >= 0:
            k = _leave(inverse, free, k, position)
            place[asset] = _LOWER if x[position + 1] > 0.0 else _UPPER
            weights[asset] = lower[asset] if place[asset] == _LOWER else upper[asset]
            if weights[asset] != 0.0:
                for j in range(n):
                    at_bounds[j] += weights[asset] * cov[asset, j]
        else:
            if weights[asset] != 0.0:
                for j in range(n):
                    at_bounds[j] -= weights[asset] * cov[asset, j]
            k = _enter(inverse, free, k, asset, image, schur)
            place[asset] = _FREE
        last = asset
        if longest_step > _SLACK and record:
            if count == capacity:
                capacity *= 2
                longer = np.empty(capacity)
                more = np.empty((capacity, n))
                for c in range(count):
                    longer[c] = multipliers[c]
                    for j in range(n):
                        more[c, j] = corners[c, j]
                multipliers = longer
                corners = more
            count += 1
            longest_step = 0.0
        multipliers[count - 1] = multiplier
        for j in range(n):
            corners[count - 1, j] = min(max(weights[j], lower[j]), upper[j])
    return k, -1, multipliers, corners


@compiled
def _fill(order: Ints, lower: Floats, upper: Floats, weights: Floats, place: Ints) -> int:
    """Lower bounds, then one asset after the other of `order` up to its upper bound; the last that was raised."""
    rest = 1.0
    for i in range(lower.size):
        rest -= lower[i]
        weights[i] = lower[i]
        place[i] = _LOWER if upper[i] > lower[i] else _FIXED
    last = -1
    for i in order:
        room = upper[i] - lower[i]
        if place[i] == _FIXED or (last >= 0 and rest <= 1e-15):
            continue
        last = i
        if room <= rest:
            weights[i] = upper[i]
            place[i] = _UPPER
            rest -= room
        else:
            weights[i] = lower[i] + rest
            rest = 0.0
    place[last] = _FREE
    return last


@compiled
def critical_line(
    cov: Floats, mean: Floats, order: Ints, lower: Floats, upper: Floats, record: int
) -> tuple[int, Floats, Floats]:
    """Corners of the line from the greatest return to the least variance, for bounds that leave a choice.

    `cov` and `mean` are best of the order of 1; equal means are tied, others are not. `order` is of falling mean, and
    best of rising variance among equals. Gives the number of corners, -1 for a line that does not end within
    50 N + 1000 steps; multipliers; corners. Only the last corner unless `record`.
    """
    n = mean.size
    weights = np.empty(n)
    place = np.empty(n, np.int64)
    free = np.empty(n, np.int64)
    inverse = np.empty((n + 1, n + 1))
    image = np.empty(n + 1)
    last = _fill(order, lower, upper, weights, place)
    free[0] = last
    k = _invert(cov, inverse, free, 1, image)
    tied = 0
    invented = np.zeros(n)
    among = place.copy()
    for i in order:
        if mean[i] == mean[last] and place[i] != _FIXED:
            tied += 1
            invented[i] = -tied / n
        else:
            among[i] = _FIXED
    if tied > 1:
        k, status, _, _ = _trace(cov, invented, lower, upper, weights, among, free, k, inverse, 0)
        if status < 0:
            return -1, np.empty(0), np.empty((0, n))
        for i in range(n):
            if among[i] != _FIXED:
                place[i] = among[i]
    k, count, multipliers, corners = _trace(cov, mean, lower, upper, weights, place, free, k, inverse, record)
    return count, multipliers, corners


@compiled
def minimum_variance_weights(cov: Floats, lower: Floats, upper: Floats, out: Floats) -> int:
    """Fill `out` with the portfolio of least variance between the bounds, for other compiled kernels.

    `cov` is trusted to be positive semidefinite. Gives 0; 1, with `out` not to be used, if the bounds leave no
    portfolio; 2 if the line does not end.
    """
    least = 0.0
    most = 0.0
    for i in range(out.size):
        if not lower[i] <= upper[i]:
            return 1
        least += lower[i]
        most += upper[i]
    if not least <= 1.0 + 1e-12 or not most >= 1.0 - 1e-12:
        return 1
    if least >= 1.0 - 1e-12 or most <= 1.0 + 1e-12:
        for i in range(out.size):
            out[i] = lower[i] if least >= 1.0 - 1e-12 else upper[i]
        return 0
    n = out.size
    order = np.empty(n, np.int64)
    largest = 0.0
    for i in range(n):
        largest = max(largest, cov[i, i])
        a = i
        while a > 0 and cov[order[a - 1], order[a - 1]] > cov[i, i]:
            order[a] = order[a - 1]
            a -= 1
        order[a] = i
    count, _, corners = critical_line(cov / (largest if largest > 0.0 else 1.0), np.zeros(n), order, lower, upper, 0)
    if count < 0:
        return 2
    for i in range(n):
        out[i] = corners[count - 1, i]
    return 0
