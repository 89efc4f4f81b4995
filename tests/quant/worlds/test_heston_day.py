"""A day under Heston and Bates against exact transitions of the variance, 24 of them a day."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from quant.worlds.joint import joint_model, sample_joint
from quant.worlds.paths import path_model, sample_paths
from quant.worlds.scenario import Scenario
from tests.soak_variants import sizes

A = 252
KAPPA, XI, RHO, SIGMA = 3.0, 3.33, -0.7, 0.18
WORLD = Scenario(name="world", mu=0.0, sigma=SIGMA, cash_rate=0.0, premium_power=0)
BATCHES = 12
"""Independent samples of days, whose spread gives the errors."""
BLOCKS = sizes(400, 1_600)
"""Of 64 days, in a sample."""


def exact_days(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Growth and mean variance of days whose variance moves by its non-central chi-square law, 24 times a day.

    Broadie and Kaya (2006), Operations Research 54(2), with the integral of the variance by trapezoids.
    """
    h, shape, theta = 1.0 / (24 * A), 2.0 * KAPPA / XI**2, SIGMA**2
    scale, fade = XI**2 * (1.0 - math.exp(-KAPPA * h)) / (4.0 * KAPPA), math.exp(-KAPPA * h)
    y = start = rng.gamma(shape, 1.0 / shape, count)
    integral = np.zeros(count)
    for _ in range(24):
        following = scale * rng.noncentral_chisquare(2.0 * shape, y * fade / scale)
        integral += 0.5 * h * (y + following)
        y = following
    moved = (y - start - KAPPA * (1.0 / A - integral)) / XI  # the integral of sqrt(y) dW
    price = RHO * moved + np.sqrt((1.0 - RHO**2) * integral) * rng.standard_normal(count)
    return np.exp(math.sqrt(theta) * price - 0.5 * theta * integral) - 1.0, integral * A


def single_days(batch: int, blocks: int) -> np.ndarray:
    return sample_paths(path_model(WORLD, seed=batch), days=1, blocks=blocks)[0]


def joint_days(batch: int, blocks: int) -> np.ndarray:
    model = joint_model("heston", mu=[0.0], sigma=[SIGMA], cash_rate=0.0, premium_power=0, seed=batch)
    return sample_joint(model, days=1, blocks=blocks)[0, 0]


def own_variance_days(batch: int, blocks: int) -> np.ndarray:
    model = joint_model(
        "heston", mu=[0.0], sigma=[SIGMA], cash_rate=0.0, premium_power=0, common_variance=False, seed=batch
    )
    return sample_joint(model, days=1, blocks=blocks)[0, 0]


def statistics(days: np.ndarray) -> np.ndarray:
    """Skewness, value at risk at 95, 99 and 99.9%, and the share of days that hardly move."""
    skewness = ((days - days.mean()) ** 3).mean() / days.std() ** 3
    still = (np.abs(days) < 0.02 * SIGMA / math.sqrt(A)).mean()
    return np.array([skewness, *-np.quantile(days, [0.05, 0.01, 0.001]), still])


@cache
def reference(blocks: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    samples = np.array([statistics(exact_days(rng, 64 * blocks)[0]) for _ in range(BATCHES)])
    return samples.mean(axis=0), samples.std(axis=0, ddof=1) / math.sqrt(BATCHES)


@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize("days_of", [single_days, joint_days, own_variance_days])
def test_a_day_has_the_skewness_and_tail_of_24_steps(days_of: Callable[[int, int], np.ndarray], blocks: int) -> None:
    expected, reference_error = reference(blocks)
    samples = np.array([statistics(days_of(batch, blocks)) for batch in range(BATCHES)])
    error = np.hypot(reference_error, samples.std(axis=0, ddof=1) / math.sqrt(BATCHES))
    assert (np.abs(samples.mean(axis=0) - expected) < 4.0 * error).all(), (samples.mean(axis=0), expected, error)
    assert expected[0] == pytest.approx(-0.12, abs=0.02)


@pytest.mark.parametrize("blocks", BLOCKS)
def test_days_without_variance_are_as_rare_as_with_24_steps(blocks: int) -> None:
    """Without variance the return is one number, which then repeats; at one step a day that is 1 day in 60."""
    _, variance = exact_days(np.random.default_rng(2), 64 * blocks)
    expected = (variance < 1e-12).sum()
    for days in (single_days(1, blocks), joint_days(1, blocks)):
        _, counts = np.unique(days, return_counts=True)
        assert counts[counts > 1].sum() <= expected + 4.0 * math.sqrt(expected + 1.0)
