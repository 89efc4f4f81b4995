"""Fixtures of made-up results; `tests.sample_result` builds them."""

import datetime as dt
import math

import numpy as np
import pytest

from desk.optimization.result import (
    OptimizationResult,
    Verdict,
)
from tests.sample_result import limit_checks, sample_result


@pytest.fixture(scope="session")
def result() -> OptimizationResult:
    """A made-up result with an amber verdict."""
    return sample_result()


@pytest.fixture
def infeasible() -> OptimizationResult:
    """No trial met the drawdown limit."""
    verdict = Verdict(
        colour="infeasible",
        headline="No strategy meets the limits",
        reason="The limit max_drawdown binds: every one of the 100 trials breaks it.",
        binding_limit="max_drawdown",
    )
    nothing = dict.fromkeys(
        (
            "premium",
            "parameter_error",
            "probabilities",
            "costs",
            "facts",
            "years",
            "crises",
            "scenarios",
            "figures",
        ),
        (),
    )
    return sample_result(
        verdict=verdict,
        benefit=None,
        winner=None,
        depends_on_premium=None,
        next_step=None,
        luck=None,
        history_series=None,
        explanation=None,
        out_of_sample=None,
        importance={},
        parameter_effects=None,
        limits=limit_checks(passed=False),
        **nothing,
    )


@pytest.fixture(scope="session")
def history() -> np.ndarray:
    """Rows as `OptimizationResult.history_series` names them, 1990 to 2016."""
    chance = np.random.default_rng(5)
    days = np.array([(dt.date(1990, 1, 2) - dt.date(1970, 1, 1)).days + k * 7 / 5 for k in range(6649)])
    volatility = 0.16 * np.exp(0.5 * np.sin(np.arange(days.size) / 300))
    asset = chance.standard_normal(days.size) * volatility / math.sqrt(252) + 0.0002
    weight = np.clip(0.10 / volatility, 0, 1)
    rows = np.stack(
        [
            weight * asset,
            0.58 * asset,
            asset,
            weight,
            np.full(days.size, 0.58),
            np.full(days.size, 1e-4),
            days,
        ]
    )
    rows.setflags(write=False)  # all tests share it
    return rows
