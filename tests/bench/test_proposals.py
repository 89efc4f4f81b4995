"""Proposals of a search against Optuna's tree-structured Parzen estimator on the same grids and scores."""
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.search import choices, compose, propose, sobol, stream_seed
from tests.bench.comparison import Comparison
from tests.quant.strategies.sample_objective import merit

pytestmark = pytest.mark.bench
SPACE = SearchSpace()
UNORDERED = ("weight_function", "estimator", "variance_constant")
START, ROUNDS, ROUND, SEEDS = 40, 3, 20, 8


def optuna_proposals(scores: Mapping[StrategyConfig, float], seed: int) -> list[StrategyConfig]:
    import optuna

    def distribution(name: str) -> Any:
        size = len(getattr(SPACE, {"weight_function": "weight_functions", "estimator": "estimators"}.get(name, name)))
        if name in UNORDERED:
            return optuna.distributions.CategoricalDistribution(tuple(range(size)))
        return optuna.distributions.IntDistribution(0, size - 1)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for config, value in scores.items():
            places = choices(SPACE, config)
            assert places is not None
            distributions = {name: distribution(name) for name in places}
            study.add_trial(optuna.trial.create_trial(params=places, distributions=distributions, value=value))
        configs: dict[StrategyConfig, None] = {}
        while len(configs) < ROUND:
            trial = study.ask()

            def choose(name: str, values: tuple[Any, ...], trial: Any = trial) -> Any:
                if name in UNORDERED:
                    return values[trial.suggest_categorical(name, tuple(range(len(values))))]
                return values[trial.suggest_int(name, 0, len(values) - 1)]

            config = compose(SPACE, choose)
            if config in scores or config in configs:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                configs[config] = None
    return list(configs)


def test_proposals(comparison: Comparison) -> None:
    """Sixty proposals after a Sobol start of forty, for eight seeds; the best of them is as good as the peer's."""

    def search(proposals: Any) -> list[float]:
        best: list[float] = []
        for seed in range(SEEDS):
            scores = {config: merit(config) for config in sobol(SPACE, START, seed=seed)}
            for round_ in range(ROUNDS):
                new = proposals(scores, stream_seed(seed, round_))
                scores |= {config: merit(config) for config in new}
            best.append(max(scores.values()))
        return best

    def equal(ours: Any, theirs: Any) -> None:
        gaps = np.array(ours) - np.array(theirs)
        assert gaps.mean() > -2.0 * gaps.std() / math.sqrt(SEEDS)

    comparison.add(
        "Proposals of a search",
        f"{ROUNDS * ROUND} after {START}, {SEEDS} searches",
        lambda: search(lambda scores, seed: propose(SPACE, scores, ROUND, seed=seed, avoid=list(scores))),
        {"Optuna": lambda: search(optuna_proposals)},
        equal=equal,
        target=5.0,
        budget=20.0,
    )
