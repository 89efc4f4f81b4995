"""Accuracy against 40-digit references, and the same bits on another processor."""

import contextlib
import hashlib
import importlib
import io
import itertools
import math
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from quant.numeric import elementary

ROOT = Path(__file__).parents[3]
RNG = np.random.default_rng(0)


def normal(word: int) -> float:
    return elementary.normal(cast("int", np.uint64(word)))  # kernels hold words in uint64


def relative_errors(
    function: Callable[[float], float], exact: Callable[[Decimal], Decimal], points: np.ndarray
) -> list[float]:
    with localcontext() as context:
        context.prec = 40
        references = [exact(Decimal(float(x))) for x in points]
        return [float(abs((Decimal(function(float(x))) - y) / y)) for x, y in zip(points, references, strict=True)]


@pytest.mark.parametrize(("low", "high"), [(-700, 700), (-1, 1), (-1e-3, 1e-3)])
def test_exp_is_within_its_bound(low: float, high: float) -> None:
    errors = relative_errors(elementary.exp, lambda x: x.exp(), RNG.uniform(low, high, 1000))
    assert max(errors) < 3e-16


@pytest.mark.parametrize(("low", "high"), [(1e-300, 1e300), (1e-3, 1e3), (0.5, 2.0), (0.99, 1.01)])
def test_log_is_within_its_bound(low: float, high: float) -> None:
    points = np.exp(RNG.uniform(np.log(low), np.log(high), 1000))
    assert max(relative_errors(elementary.log, lambda x: x.ln(), points)) < 1e-15


def test_exp_and_log_are_exact_where_the_answer_is() -> None:
    assert elementary.exp(0.0) == 1.0
    assert elementary.log(1.0) == 0.0
    assert elementary.exp(1000.0) == elementary.exp(700.0) < math.inf
    assert elementary.exp(-1000.0) == elementary.exp(-700.0) > 0.0


@given(st.floats(-690.0, 690.0))
@settings(deadline=None)
def test_log_undoes_exp(x: float) -> None:
    assert elementary.log(elementary.exp(x)) == pytest.approx(x, rel=1e-15, abs=4e-16)


@given(st.floats(1e-3, 1e3), st.floats(-20.0, 20.0))
@settings(deadline=None)
def test_power_is_within_its_bound(x: float, y: float) -> None:
    bound = 4e-16 * (1.0 + abs(y * math.log(x)))
    with localcontext() as context:
        context.prec = 40
        exact = (Decimal(y) * Decimal(x).ln()).exp()
        assert abs(Decimal(elementary.power(x, y)) / exact - 1) < bound


def test_normal_cdf_is_within_its_bounds() -> None:
    for low, high in ((-37.0, -20.0), (-20.0, -2.5), (-2.5, 0.0), (0.0, 9.0)):
        for x in RNG.uniform(low, high, 500):
            value, reference = elementary.normal_cdf(x), special.ndtr(x)
            assert abs(value - reference) < 1e-15
            assert abs(value / reference - 1.0) < 1e-12
    assert (elementary.normal_cdf(-40.0), elementary.normal_cdf(40.0)) == (0.0, 1.0)
    assert elementary.normal_cdf(0.0) == 0.5


def test_normal_cdf_agrees_with_simpsons_rule() -> None:
    """An integral of its own: 2,000 intervals of the density between two points."""
    z = np.linspace(-1.3, 2.1, 2001)
    weights = np.where(np.arange(2001) % 2, 4.0, 2.0)
    weights[[0, -1]] = 1.0
    area = float(weights @ np.exp(-0.5 * z * z)) * (z[1] - z[0]) / 3.0 / math.sqrt(2.0 * math.pi)
    between = elementary.normal_cdf(2.1) - elementary.normal_cdf(-1.3)
    assert between == pytest.approx(area, abs=1e-13)


@given(st.floats(-8.0, 8.0))
@settings(deadline=None)
def test_normal_cdf_is_symmetric(x: float) -> None:
    total = elementary.normal_cdf(x) + elementary.normal_cdf(-x)
    assert total == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(("low", "high"), [(1e-300, 1e-10), (1e-10, 1e-5), (1e-5, 0.5)])
def test_normal_quantile_agrees_with_scipy(low: float, high: float) -> None:
    for p in np.exp(RNG.uniform(np.log(low), np.log(high), 300)):
        assert elementary.normal_quantile(p) == pytest.approx(special.ndtri(p), rel=1e-14, abs=2e-15)


@given(st.floats(1e-12, 1.0 - 1e-12))
@settings(deadline=None)
def test_normal_quantile_undoes_the_distribution_function(p: float) -> None:
    x = elementary.normal_quantile(p)
    assert elementary.normal_cdf(x) == pytest.approx(p, rel=1e-13)
    assert (x < 0.0) == (p < 0.5) or x == 0.0


def test_normal_is_within_3e_13_of_the_quantile_also_at_both_ends() -> None:
    words = [0, 1, 2, 7, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1]
    words += [int(w) for w in RNG.integers(0, 2**32, 2000)]
    for word in words:
        exact = special.ndtri((word + 0.5) / 2**32)
        if word > 2**31:  # the lower tail has the digits
            exact = -special.ndtri((2**32 - 1 - word + 0.5) / 2**32)
        assert abs(normal(word) - exact) < 3e-13


def test_normal_is_antisymmetric_to_the_last_bit() -> None:
    for word in (int(w) for w in RNG.integers(0, 2**32, 2000)):
        mirrored = normal(2**32 - 1 - word)
        assert normal(word) == -mirrored


@pytest.mark.parametrize("start", [0, 2**20, 2**29, 2**31 - 3000, 2**32 - 6000])
def test_normal_rises_with_its_word(start: int) -> None:
    values = [normal(w) for w in range(start, start + 6000)]
    assert all(a < b for a, b in itertools.pairwise(values))


def test_uniform_lies_inside_its_interval() -> None:
    assert elementary.uniform(cast("int", np.uint64(0))) == 0.5**33
    assert elementary.uniform(cast("int", np.uint64(2**32 - 1))) == 1.0 - 0.5**33


@pytest.mark.parametrize("x", [1.0, 2.0, 3.0, 5.0, 12.0, 20.0])
def test_log_gamma_is_the_logarithm_of_a_factorial(x: float) -> None:
    exact = math.log(math.factorial(int(x) - 1))
    assert elementary.log_gamma(x) == pytest.approx(exact, rel=4e-16, abs=3e-14)


def test_log_gamma_is_within_its_bounds() -> None:
    for x in RNG.uniform(1e-3, 12.0, 500):
        assert abs(elementary.log_gamma(x) - special.gammaln(x)) < 3e-14
    for x in RNG.uniform(12.0, 100.0, 500):
        assert abs(elementary.log_gamma(x) - special.gammaln(x)) < 3e-13


# Prints one digest for each group of results; runs in this process and in one that has other
# processor features, another BLAS kernel, another C library path and generic compiled code.
BITS = """
import hashlib
import numpy as np
from quant import luck, tearsheet
from quant.numeric import elementary
from quant.numeric.random_numbers import philox
from quant.performance import regression
from quant.strategies import history_metrics, importance, interactions, objective


def show(name, values):
    data = np.array(values, dtype=np.float64).tobytes()
    print(name, hashlib.sha256(data).hexdigest())


generator = np.random.Generator(np.random.PCG64(0))
points = generator.random(400)
for name in ("exp", "normal_cdf"):
    show(name, [getattr(elementary, name)(80.0 * (p - 0.5)) for p in points])
for name in ("log", "normal_quantile", "log_gamma"):
    show(name, [getattr(elementary, name)(p) for p in points])
show("power", [elementary.power(0.1 + p, 9.0 * p - 4.0) for p in points])
words = [philox(*(np.uint64(c) for c in (i, 1, 2, 3)), np.uint64(2**40 + i)) for i in range(50)]
show("philox", words)
show("normal", [elementary.normal(w) for four in words for w in four])

normals = [elementary.normal(np.uint64(w)) for w in generator.integers(0, 2**32, 1203 * 9)]
x = 0.01 * np.array(normals).reshape(1203, 9) + 0.0004
first = x[:, 0]
weight = np.abs(x[:, 1])
result = history_metrics.series_metrics(
    first, first + 1e-4, weight, weight, weight, risk_aversion=2.0, drawdown_limit=0.2
)
show("metrics", [v for _, _, m in result.measured() for v in (m.value, m.error or 0.0)])
show("drawdowns", tearsheet.drawdowns(first))
fit = regression.alpha_beta(first, x[:, 1])
target = history_metrics.volatility_target_error(first, 0.1)
show("report", [fit.alpha.value, fit.alpha.error, fit.beta.value,
                fit.beta.error, regression.tracking_error(first, x[:, 1]), target.error,
                target.noise_floor, luck.minimum_track_record(0.05)])
weights = objective.scenario_weights([0.5, 0.15, 0.1, 0.1, 0.15])
simulated = 30.0 * x[:9, :5]
for goal in ("robust_utility", "sharpe", "worst_case", "cvar_utility", "benefit"):
    matrix = 30.0 * x[:40, :6]
    show(goal, objective.scores(matrix, weights, goal=goal, sharpes=matrix))
    result = luck.backtest_overfitting(
        x, risk_aversion=2.0, simulated=simulated, weights=weights, goal=goal, benchmarks=x[:, ::-1]
    )
    show("overfitting " + goal, [result.probability, result.low, result.high,
         result.sharpe_probability, result.degradation_slope, result.loss_probability,
         *result.logit_edges, *result.logit_counts])
differences = luck.performance_differences(x, x[:, 0], 2.0)
spa = luck.superior_predictive_ability(differences, seed=3)
show("superior", [spa.p_value, spa.best, spa.statistic])
show("luck", [luck.deflated_sharpe_of_series(first, variance=1e-3, trials=77),
              luck.sharpe_variance(x), luck.minimum_backtest_length(trials=77, target=1.0),
              luck.effective_trials(x), objective.paired_error(first, weight)])
classical = luck.probability_of_overfitting(x)
show("classical overfitting", [*classical.logits, *classical.out_of_sample, classical.degradation_slope])
sheet = tearsheet.tearsheet(first, benchmark=x[:, 1], rate=0.02, dates=np.datetime64("2000-01-03") + np.arange(1203))
show("tearsheet", [v for v in vars(sheet).values() if isinstance(v, (int, float))])
effects = importance.main_effects({"a": [i % 5 for i in range(1203)]}, first)
show("importance", list(effects.values()))
joint = interactions.parameter_effects(
    {"a": [i % 5 for i in range(1203)], "b": ["xyz"[i % 3] for i in range(1203)]}, first + 0.01 * (np.arange(1203) % 5),
    shown=("a", "b"),
)
show("interactions", [joint.explained, *(pair.share for pair in joint.interactions)])
show("dependence", [v for c in joint.dependence for p in c.points for v in (p.objective, p.low, p.high)])
rule = luck.objective_rule(risk_aversion=2.0, simulated=np.zeros((x.shape[1], 1)), weights=[0.5, 0.5])
walk = luck.walk_forward(x, rule, train=200, test=50)
show("walk-forward", [*walk.selected, *walk.returns])
"""


def other_processor() -> dict[str, str]:
    """Environment that disables the features of this processor that a generic one lacks."""
    core = importlib.import_module("numpy._core._multiarray_umath")
    present = [f for f in core.__cpu_dispatch__ if core.__cpu_features__.get(f)]
    return {
        "NPY_DISABLE_CPU_FEATURES": " ".join(present),
        "OPENBLAS_CORETYPE": "Prescott",
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4",
    }


@pytest.mark.slow
@pytest.mark.soak
def test_every_statistic_has_the_same_bits_on_another_processor() -> None:
    here = io.StringIO()
    with contextlib.redirect_stdout(here):
        exec(BITS, {"__name__": "bits"})
    environment = os.environ | other_processor()  # numba keeps the kernels of each processor apart
    there = subprocess.run([sys.executable, "-c", BITS], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert there.returncode == 0, there.stderr
    assert there.stdout == here.getvalue()
    assert there.stdout.count("\n") == 24
    assert hashlib.sha256(b"").hexdigest() not in there.stdout
