"""Exponential, logarithm and the normal law with the same bits on every machine.

The C library, numpy and BLAS choose their code by processor, and their last bits differ with it. These functions use
only IEEE 754 additions, multiplications, divisions, square roots and exact bit operations.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba import types
from numba.extending import intrinsic

from quant.numeric.compilation import compiled, inlined

Word: TypeAlias = int | np.uint64
"""A 32-bit word; kernels hold it in 64 bits."""

_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10
_LOG2_E = 1.4426950408889634
_ROUND = 6755399441055744.0
"""1.5 * 2**52: adding it leaves the nearest integer in the low bits of the sum."""
_SQRT_2PI = 2.5066282746310002
_TWO_32 = 4294967296.0


@intrinsic
def _bit_pattern(typingctx: Any, x: Any) -> Any:  # noqa: ARG001
    """The bit pattern of a float64 as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _of_bit_pattern(typingctx: Any, n: Any) -> Any:  # noqa: ARG001
    """The float64 with the bit pattern of an int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


# the decorator hides the first parameter, which pyright cannot see
_bits: Callable[[float], int] = _bit_pattern  # pyright: ignore[reportAssignmentType]
_from_bits: Callable[[int], float] = _of_bit_pattern  # pyright: ignore[reportAssignmentType]


@inlined
def exp(x: float) -> float:
    """Exponential of `x`, relative error below 3e-16 for -700 <= x <= 700; the argument is clamped to that range.

    Cody and Waite's reduction, x = k ln 2 + r with abs(r) <= ln(2) / 2, and Taylor's series of exp(r).
    """
    x = min(max(x, -700.0), 700.0)
    shifted = x * _LOG2_E + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    series = 1.0 / 6227020800.0
    series = series * r + 1.0 / 479001600.0
    series = series * r + 1.0 / 39916800.0
    series = series * r + 1.0 / 3628800.0
    series = series * r + 1.0 / 362880.0
    series = series * r + 1.0 / 40320.0
    series = series * r + 1.0 / 5040.0
    series = series * r + 1.0 / 720.0
    series = series * r + 1.0 / 120.0
    series = series * r + 1.0 / 24.0
    series = series * r + 1.0 / 6.0
    series = series * r + 0.5
    series = series * r + 1.0
    series = series * r + 1.0
    return series * _from_bits((_bits(shifted) - _bits(_ROUND) + 1023) << 52)


@inlined
def log(x: float) -> float:
    """Natural logarithm of a positive, normal `x`; relative error below 1e-15.

    x = 2**k m with m in [0.707, 1.414), ln m = 2 artanh((m - 1) / (m + 1)) by its series.
    """
    bits = _bits(x) - 4604544271217802189  # the pattern of sqrt(1/2), so that k is the exponent
    k = bits >> 52
    m = _from_bits(_bits(x) - (k << 52))
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = 1.0 / 23.0
    series = series * z + 1.0 / 21.0
    series = series * z + 1.0 / 19.0
    series = series * z + 1.0 / 17.0
    series = series * z + 1.0 / 15.0
    series = series * z + 1.0 / 13.0
    series = series * z + 1.0 / 11.0
    series = series * z + 1.0 / 9.0
    series = series * z + 1.0 / 7.0
    series = series * z + 1.0 / 5.0
    series = series * z + 1.0 / 3.0
    tail = 2.0 * s * z * series
    return k * _LN2_HIGH + (2.0 * s + (tail + k * _LN2_LOW))


@inlined
def power(x: float, y: float) -> float:
    """`x` to the power `y` for a positive `x`; relative error about abs(y ln x) * 2e-16."""
    return exp(y * log(x))


@compiled
def normal_cdf(x: float) -> float:
    """Standard normal distribution function; absolute error below 1e-15, relative below 1e-12 for x > -37.

    Near zero the series 1/2 + phi(x) (x + x^3/3 + x^5/15 + ...), in the tails Laplace's continued fraction
    (Marsaglia 2004, "Evaluating the normal distribution", Journal of Statistical Software 11(4)).
    """
    if x < -37.5:
        return 0.0
    if x > 37.5:
        return 1.0
    density = exp(-0.5 * x * x) / _SQRT_2PI
    if abs(x) < 2.5:
        term = x
        total = x
        n = 3.0
        while abs(term) > 1e-18:
            term = term * (x * x / n)
            total += term
            n += 2.0
        return 0.5 + density * total
    y = abs(x)
    fraction = y
    for n in range(120, 0, -1):
        fraction = y + n / fraction
    tail = density / fraction
    return tail if x < 0.0 else 1.0 - tail


@compiled
def normal_quantile(p: float) -> float:
    """Inverse of `normal_cdf` for p in (0, 1): a rational start, then two steps of Halley's method."""
    q = min(p, 1.0 - p)
    x = -_quantile_rational(math.sqrt(-2.0 * log(q))) if q >= 1e-10 else -math.sqrt(-2.0 * log(q))
    for _ in range(2 if q >= 1e-10 else 8):
        step = (normal_cdf(x) - q) * _SQRT_2PI * exp(0.5 * x * x)
        x -= step / (1.0 + 0.5 * x * step)
    return x if p < 0.5 else -x


@inlined
def _quantile_rational(s: float) -> float:
    """Normal quantile of 1 - exp(-s*s/2) for 2**-33 <= exp(-s*s/2) <= 1/2; absolute error below 3e-13.

    A minimax rational function of degree 7 over 6, fitted to 40 digits (the test measures its error).
    """
    top = 0.021794720552745498359
    top = top * s + 0.61204113401478525066
    top = top * s + 5.7220001091712694439
    top = top * s + 22.197507354658218671
    top = top * s + 18.306305324851007067
    top = top * s - 33.652490597163224473
    top = top * s - 31.325300742329514206
    top = top * s - 3.6511653451630827194
    bottom = 0.021792034927507433804
    bottom = bottom * s + 0.61244290372727455042
    bottom = bottom * s + 5.8333806644875013566
    bottom = bottom * s + 24.406152095134202803
    bottom = bottom * s + 34.698105770697117281
    bottom = bottom * s + 13.969276736089309503
    bottom = bottom * s + 1.0
    return top / bottom


@inlined
def uniform(word: Word) -> float:
    """The 32-bit `word` as a number in (0, 1): (word + 1/2) / 2**32."""
    return (np.float64(word) + 0.5) / _TWO_32


@inlined
def normal(word: Word) -> float:
    """A standard normal number from a 32-bit `word`, without branches; antisymmetric in the word."""
    u = uniform(word)
    q = min(u, 1.0 - u)
    z = _quantile_rational(math.sqrt(-2.0 * log(q)))
    return z if u > 0.5 else -z


@compiled
def log_gamma(x: float) -> float:
    """Logarithm of the gamma function for x > 0, by Stirling's series.

    Absolute error below 3e-14 for x <= 12 and below 3e-13 for x <= 100.
    """
    shift = 0.0
    while x < 12.0:
        shift += log(x)
        x += 1.0
    z = 1.0 / (x * x)
    series = 691.0 / 360360.0
    series = 1.0 / 1188.0 - z * series
    series = 1.0 / 1680.0 - z * series
    series = 1.0 / 1260.0 - z * series
    series = 1.0 / 360.0 - z * series
    series = 1.0 / 12.0 - z * series
    return (x - 0.5) * log(x) - x + 0.5 * log(2.0 * math.pi) + series / x - shift
