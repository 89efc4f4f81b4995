"""Diagnostics pass for every engine and fail for paths of another scenario."""

import math
from functools import cache
from typing import get_args

import numpy as np
import pytest

from quant.numeric.errors import DataError
from quant.worlds.diagnostics import LAGS, Check, Diagnostics, diagnose
from quant.worlds.paths import path_model, sample_paths
from quant.worlds.scenario import BUILT_IN, CYCLE, Engine, Scenario
from tests.soak_variants import sizes

A = 252
ENGINES = get_args(Engine)
HISTORY = (
    0.01
    * np.random.default_rng(11).standard_t(5, size=1_500)
    * np.repeat(np.random.default_rng(1).uniform(0.5, 1.5, 50), 30)
)
"""Returns with volatility clusters, so that absolute returns are autocorrelated."""
CALM = np.repeat(np.random.default_rng(2).uniform(size=50) < 0.5, 30)


def world(scenario: Scenario, engine: Engine, **changes: object) -> Scenario:
    return Scenario.model_validate(scenario.model_dump() | {"engine": engine, "label": "low_volatility"} | changes)


def diagnosed(scenario: Scenario, *, of: Scenario | None = None, paths: int = 6_400, days: int = A) -> Diagnostics:
    model = path_model(of or scenario, seed=3, history=HISTORY, labelled=CALM)
    return diagnose(scenario, model, paths=paths, days=days)


def off(check: Check) -> float:
    assert check.implied is not None
    return abs(check.simulated - check.implied)


EVERY = [world(s, e) for s in BUILT_IN for e in ENGINES] + [CYCLE]


@pytest.mark.parametrize("paths", sizes(1_280, 6_400))
def test_every_engine_has_the_moments_of_its_scenario(paths: int) -> None:
    """Of about 250 checks at three errors less than one fails by chance, and none at five errors."""
    checks = [(s.name, s.engine, c) for s in EVERY for c in diagnosed(s, paths=paths).checks if c.implied is not None]
    assert len(checks) > 200
    beyond = [(n, e, c) for n, e, c in checks if not c.passed]
    assert len(beyond) <= 3, beyond
    assert all(off(c) <= 5.0 * c.error for _, _, c in beyond), beyond
    # errors that were too wide would hide what is wrong: one in three lies beyond one of them
    scores = [off(c) / c.error for _, e, c in checks if e != "replay"]
    assert 0.2 < np.mean([z > 1.0 for z in scores]) < 0.45


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("field", "value", "failing"), [("mu", 0.5, "mean"), ("sigma", 0.20, "volatility")], ids=["mean", "volatility"]
)
def test_paths_of_another_scenario_are_stopped(engine: Engine, field: str, value: float, failing: str) -> None:
    scenario = world(BUILT_IN[0], engine)
    diagnostics = diagnosed(scenario, of=scenario.model_copy(update={field: value}))
    assert not diagnostics.passed
    assert failing in [c.name for c in diagnostics.checks if c.passed is False]


@pytest.mark.parametrize(
    ("expected_engine", "actual_engine", "failing"),
    [
        ("merton", "gbm", {"skewness", "kurtosis"}),
        ("heston", "merton", {"memory_1", "memory_5", "memory_21"}),
        ("bates", "merton", {"memory_1", "memory_5", "memory_21"}),
        ("garch", "gbm", {"memory_1", "memory_5", "memory_21"}),
        ("gbm", "heston", {"kurtosis", "memory_1", "memory_5", "memory_21"}),
        ("regime_switching", "gbm", {"kurtosis", "memory_1", "memory_5", "memory_21"}),
    ],
)
def test_the_shape_of_another_engine_is_stopped(
    expected_engine: Engine, actual_engine: Engine, failing: set[str]
) -> None:
    """Mean and volatility agree here, so that only the shape differs between the engines."""
    base = BUILT_IN[0].model_copy(update={"premium_power": 0})
    scenario, other = world(base, expected_engine), world(base, actual_engine)
    model = path_model(other, seed=3)
    days = sample_paths(model, days=600, blocks=20)
    np.testing.assert_allclose(days.std() * math.sqrt(A), scenario.sigma, rtol=0.05)
    diagnostics = diagnose(scenario, model, paths=6_400, days=A)
    assert failing <= {c.name for c in diagnostics.checks if c.passed is False}


@pytest.mark.parametrize("engine", ["bootstrap", "conditional_bootstrap", "replay"])
def test_without_days_of_history_there_is_nothing_to_compare_with(engine: Engine) -> None:
    scenario, other = world(BUILT_IN[0], engine), world(BUILT_IN[0], "gbm")
    with pytest.raises(DataError, match=f"`model` is of the engine 'gbm'; expected '{engine}'"):
        diagnose(scenario, path_model(other, seed=1), paths=100, days=30)


def test_statistics_are_those_of_the_paths_themselves() -> None:
    """Against numpy on the sampled paths; the last block is cut to the requested number of paths."""
    scenario = world(BUILT_IN[0], "bates")
    model = path_model(scenario, seed=3)
    x = sample_paths(model, days=300, blocks=4)[:, :200]
    diagnostics = diagnose(scenario, model, paths=200, days=300)
    checks = {c.name: c for c in diagnostics.checks}
    centred = x - x.mean()
    assert checks["mean"].simulated == pytest.approx(A * x.mean(), rel=1e-10)
    assert checks["mean"].error == pytest.approx(A * x.mean(axis=0).std(ddof=1) / math.sqrt(200), rel=1e-10)
    assert checks["volatility"].simulated == pytest.approx(x.std() * math.sqrt(A), rel=1e-10)
    assert checks["skewness"].simulated == pytest.approx((centred**3).mean() / x.std() ** 3, rel=1e-9)
    assert checks["kurtosis"].simulated == pytest.approx((centred**4).mean() / x.var() ** 2, rel=1e-9)
    size = np.abs(x)
    for lag in LAGS:
        product = (size[:-lag] * size[lag:]).mean() - size.mean() ** 2
        assert checks[f"memory_{lag}"].simulated == pytest.approx(product / size.var(), rel=1e-9)
    wealth = np.vstack([np.ones(200), np.cumprod(1.0 + x, axis=0)])
    falls = (1.0 - wealth / np.maximum.accumulate(wealth)).max(axis=0)
    for share, fall in diagnostics.drawdowns.items():
        assert fall == pytest.approx(np.quantile(falls, share), abs=0.02)
    assert list(diagnostics.drawdowns.values()) == sorted(diagnostics.drawdowns.values())


@cache
def repeated_samples() -> list[dict[str, Check]]:
    """The checks of sixty samples by name."""
    scenario = world(BUILT_IN[0], "heston")
    samples = (diagnose(scenario, path_model(scenario, seed=seed), paths=640, days=126) for seed in range(60))
    return [{check.name: check for check in sample.checks} for sample in samples]


@pytest.mark.parametrize("name", ["volatility", "skewness", "kurtosis", "memory_5"])
def test_errors_are_those_of_repeated_samples(name: str) -> None:
    each = [checks[name] for checks in repeated_samples()]
    assert np.std([c.simulated for c in each], ddof=1) == pytest.approx(np.mean([c.error for c in each]), rel=0.35)


@pytest.mark.parametrize("paths", sizes(1_280, 6_400))
@pytest.mark.parametrize("engine", ["gbm", "heston", "merton", "bates", "garch", "regime_switching"])
def test_wealth_grows_at_the_stated_rate_where_the_mean_is_constant(engine: Engine, paths: int) -> None:
    scenario = world(BUILT_IN[0], engine, premium_power=0)
    wealth = next(c for c in diagnosed(scenario, paths=paths, days=5 * A).checks if c.name == "wealth")
    assert wealth.passed
    assert wealth.implied == pytest.approx((1.0 + 0.08 / A) ** (5 * A), rel=1e-12)
    linked = world(BUILT_IN[0], engine, premium_power=1)
    has_wealth = "wealth" in [c.name for c in diagnosed(linked, paths=100, days=30).checks]
    assert has_wealth == (engine in {"gbm", "merton"})


def test_the_same_arguments_give_the_same_bits_and_defaults_are_the_scenarios() -> None:
    scenario = world(BUILT_IN[0], "gbm", paths=150, years=1)
    model = path_model(scenario, seed=1)
    once = diagnose(scenario, model)
    assert once == diagnose(scenario, model, paths=150, days=A)
    assert (once.paths, once.days, once.engine, once.scenario) == (150, A, "gbm", "base_case")


@pytest.mark.parametrize(("paths", "days"), [(99, 100), (100, 21)])
def test_too_few_paths_or_days_are_refused(paths: int, days: int) -> None:
    scenario = world(BUILT_IN[0], "gbm")
    with pytest.raises(DataError, match=r"`paths` .* `days` .* expected at least 100 paths and 22 days"):
        diagnose(scenario, path_model(scenario, seed=1), paths=paths, days=days)
