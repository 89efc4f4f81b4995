"""Configurations, models and runs of the simulation that several tests share."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.mandate import Mandate
from quant.strategies.rules import lay_out
from quant.strategies.search import sobol
from quant.strategies.simulation import Simulation, simulate
from quant.volatility.garch import fit_garch
from quant.worlds.hidden_markov import HiddenMarkov, fit_hidden_markov
from quant.worlds.paths import path_model, sample_paths
from quant.worlds.scenario import BUILT_IN, Scenario

BASE = BUILT_IN[0]
MANDATE = Mandate(max_weight=1.5)
SPACE = SearchSpace(lookback_days=(10, 21, 63), variance_constant=("target",))
WARM_UP = SPACE.longest_lookback() + MANDATE.decision_lag
SEVERAL = sobol(SPACE, 24, seed=1)
YEAR = 252


@cache
def training() -> np.ndarray:
    return sample_paths(path_model(BASE, seed=3), days=2_000)[:, 0]


@cache
def regimes() -> HiddenMarkov:
    return fit_hidden_markov(training())


def parameters_of(model: str) -> np.ndarray:
    return regimes().parameters if model == "regime" else fit_garch(np.log1p(training())).parameters


def simulate_configs(configs: Sequence[StrategyConfig], *, scenario: Scenario = BASE, **changes: Any) -> Simulation:
    mandate = changes.pop("mandate", MANDATE)
    arguments: dict[str, Any] = {"paths": 130, "days": YEAR, "warm_up": WARM_UP} | changes
    return simulate(
        lay_out(configs, mandate, model_parameters=parameters_of),
        path_model(scenario, seed=7),
        lag=mandate.decision_lag,
        risk_aversion=mandate.risk_aversion,
        **arguments,
    )


def assert_equal_results(a: Simulation, b: Simulation) -> None:
    for name in ("mean", "spread", "losses", "falls", "utilities", "drawdowns"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name
