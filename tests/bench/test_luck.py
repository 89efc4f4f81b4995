"""Overfitting, purged splits, walk-forward and the predictive-ability test against their peers."""
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

import itertools
import math
from typing import Any

import numpy as np
import pytest

from quant.luck import (
    OverfittingProbability,
    backtest_overfitting,
    combinatorial_purged_splits,
    luck_of_winner,
    probability_of_overfitting,
    superior_predictive_ability,
    walk_forward,
)
from tests.bench.comparison import Comparison

pytestmark = pytest.mark.bench


def noise(seed: int, days: int, trials: int) -> np.ndarray:
    return 0.01 * np.random.default_rng(seed).standard_normal((days, trials)) + np.linspace(0, 0.0002, trials)


def numpy_logits(returns: np.ndarray, blocks: int) -> np.ndarray:
    """A loop over splits with numpy over trials, from sums and squares of blocks."""
    returns = returns[len(returns) % blocks :]
    parts = returns.reshape(blocks, -1, returns.shape[1])
    sums, squares = parts.sum(axis=1), (parts * parts).sum(axis=1)
    days, trials = returns.shape[0] / 2, returns.shape[1]

    def sharpe(subset: list[int]) -> np.ndarray:
        mean = sums[subset].sum(axis=0) / days
        return mean / np.sqrt((squares[subset].sum(axis=0) - days * mean * mean) / (days - 1))

    logits = []
    for half in itertools.combinations(range(blocks), blocks // 2):
        other = [b for b in range(blocks) if b not in half]
        best = int(np.argmax(sharpe(list(half))))
        outside = sharpe(other)
        rank = (outside < outside[best]).sum() + (outside == outside[best]).sum() / 2 + 0.5
        logits.append(math.log(rank / (trials + 1 - rank)))
    return np.array(logits)


def same_logits(ours: OverfittingProbability, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours.logits, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("trials", "blocks"), [(20, 8), (500, 16)])
def test_probability_of_overfitting_against_numpy(comparison: Comparison, trials: int, blocks: int) -> None:
    returns = noise(trials, 2520 if blocks == 16 else 504, trials)
    row = comparison.add(
        "PBO, Sharpe ratios",
        f"{trials} trials x {blocks} blocks",
        lambda: probability_of_overfitting(returns, blocks),
        {"numpy loop over splits": lambda: numpy_logits(returns, blocks)},
        equal=same_logits,
        note="equal logits; share of logits at or below 0",
    )
    assert row.ours < 0.5


def test_probability_of_overfitting_against_purgedcv(comparison: Comparison) -> None:
    """Its splits come in the reverse order (it chooses the out-of-sample half), and its share is of logits below 0."""
    purgedcv = pytest.importorskip("purgedcv", reason="the peer is not installed")
    returns = noise(3, 504, 20)

    def equal(ours: OverfittingProbability, theirs: Any) -> None:
        same_logits(ours, theirs.logits[::-1])
        assert np.mean(ours.logits < 0.0) == theirs.pbo

    comparison.add(
        "PBO, Sharpe ratios",
        "20 trials x 8 blocks",
        lambda: probability_of_overfitting(returns, 8),
        {"purgedcv": lambda: purgedcv.probability_of_backtest_overfitting(returns.T, n_splits=8)},
        equal=equal,
        note="equal logits; purgedcv counts logits below 0, ours those at 0 too",
    )


def test_overfitting_of_the_objective_is_rerun_in_half_a_second(comparison: Comparison) -> None:
    returns = noise(4, 2520, 500)
    simulated = 0.02 * np.random.default_rng(0).normal(size=(500, 5))
    weights = np.full(6, 1 / 6)
    row = comparison.add(
        "PBO, the objective rerun",
        "500 trials x 16 blocks",
        lambda: backtest_overfitting(returns, risk_aversion=2.0, simulated=simulated, weights=weights),
        {},
        equal=lambda *_: None,
    )
    assert row.ours < 0.5


@pytest.mark.parametrize(("groups", "test_groups"), [(6, 2), (10, 2)])
def test_purged_splits_against_skfolio(comparison: Comparison, groups: int, test_groups: int) -> None:
    from skfolio.model_selection import CombinatorialPurgedCV

    rows = 2520

    def skfolio() -> tuple[list[Any], Any]:
        cv = CombinatorialPurgedCV(n_folds=groups, n_test_folds=test_groups, purged_size=5, embargo_size=25)
        return list(cv.split(np.zeros((rows, 1)))), cv.get_path_ids()

    def equal(ours: Any, theirs: tuple[list[Any], Any]) -> None:
        for split, (train, test) in zip(ours.splits, theirs[0], strict=True):
            np.testing.assert_array_equal(split.train, train)
            np.testing.assert_array_equal(split.test, np.concatenate(test))
        for i, split in enumerate(ours.splits):
            paths = [int(np.flatnonzero(ours.paths[:, g] == i)[0]) for g in split.test_groups]
            np.testing.assert_array_equal(paths, theirs[1][i])

    comparison.add(
        "combinatorial purged splits",
        f"N {groups}, k {test_groups}, T {rows}",
        lambda: combinatorial_purged_splits(rows, groups, test_groups, purge=5, embargo=0.01),
        {"skfolio": skfolio},
        equal=equal,
        note="equal rows and equal paths",
    )


def test_walk_forward_windows_against_skfolio(comparison: Comparison) -> None:
    from skfolio.model_selection import WalkForward

    returns = noise(5, 7560, 100)

    def skfolio() -> tuple[list[Any], np.ndarray]:
        windows = list(WalkForward(test_size=252, train_size=1260, purged_size=2).split(returns))
        columns = []
        for train, test in windows:
            past = returns[train]
            columns.append(returns[test, np.argmax(past.mean(axis=0) / past.std(axis=0, ddof=1))])
        return windows, np.concatenate(columns)

    def equal(ours: Any, theirs: tuple[list[Any], np.ndarray]) -> None:
        for (first, last), (train, _) in zip(ours.train, theirs[0], strict=False):
            np.testing.assert_array_equal(np.arange(first, last), train)
        np.testing.assert_array_equal(ours.returns[: theirs[1].size], theirs[1])

    comparison.add(
        "walk-forward re-selection, 5 years / 1 year",
        "100 trials x 7,560 days",
        lambda: walk_forward(returns, train=1260, test=252, gap=2),
        {"skfolio windows + numpy": skfolio},
        equal=equal,
        note="equal windows and stitched returns; ours keeps the last part of a year",
    )


def test_superior_predictive_ability_against_arch(comparison: Comparison) -> None:
    from arch.bootstrap import SPA

    differences = noise(6, 2520, 100)
    ours = superior_predictive_ability(differences, seed=1)
    # the peer does not scale the statistic, so it is given the columns that ours scales to
    days, block = len(differences), ours.mean_block
    centred = differences - differences.mean(axis=0)
    lags = [(centred * np.roll(centred, -lag, axis=0)).mean(axis=0) for lag in range(min(days, 30 * block + 1))]
    keep = 1 - 1 / block
    variance = lags[0] + 2 * sum(
        (1 - lag / days) * keep**lag * covariance for lag, covariance in enumerate(lags) if lag > 0
    )
    scaled = differences / np.sqrt(variance)

    def arch() -> float:
        test = SPA(np.zeros(days), -scaled, block_size=block, reps=1000, studentize=False, seed=1)
        test.compute()
        return float(test.pvalues["consistent"])

    def equal(ours: Any, theirs: float) -> None:
        assert ours.p_value == pytest.approx(theirs, abs=0.0025)  # a tie at the last bit moves one draw of a thousand

    comparison.add(
        "superior predictive ability",
        "100 trials x 2,520 days, 1,000 draws",
        lambda: superior_predictive_ability(differences, seed=1),
        {"arch": arch},
        equal=equal,
        note="same draws; ours includes the long-run deviations",
        budget=1.0,
    )


def test_luck_of_the_winner_against_numpy(comparison: Comparison) -> None:
    asset = noise(5, 8000, 1)
    benchmarks = asset * np.linspace(0.4, 1.2, 100)
    excess = benchmarks + noise(6, 8000, 100) / 5.0
    winner, train = int(np.argmax(excess.mean(axis=0))), 6000

    def drawn_rows(generator: np.random.Generator, first: int, stop: int) -> np.ndarray:
        days = stop - first
        starts = generator.integers(days, size=days)
        begins = generator.random(days) < 1.0 / 21.0
        begins[0] = True
        blocks = np.maximum.accumulate(np.where(begins, np.arange(days), 0))
        return first + (starts[blocks] + np.arange(days) - blocks) % days

    def by_numpy(draws: int = 2000) -> float:
        generator = np.random.default_rng(1)
        x, b = (c - 1.5 * (c - c.mean(axis=0)) ** 2 for c in (excess, benchmarks))
        active = x - b
        means = np.empty((draws, 100))
        for i in range(draws):
            rows = np.concatenate([drawn_rows(generator, 0, train), drawn_rows(generator, train, 8000)])
            means[i] = np.bincount(rows, minlength=8000) @ active / 8000.0
        errors = means - active.mean(axis=0)
        scales = errors.std(axis=0, ddof=1)
        return float(np.mean((errors / scales).max(axis=1) >= active[:, winner].mean() / scales[winner]))

    comparison.add(
        "luck of the winner",
        "100 trials x 8,000 days x 2,000 draws",
        lambda: luck_of_winner(
            excess, benchmarks, winner=winner, train_days=train, risk_aversion=3.0, asset_volatility=0.16, seed=1,
            mean_block=21,
        ).single_step_p_value,
        {"numpy, counts of drawn rows": by_numpy},
        equal=lambda ours, theirs: np.testing.assert_allclose(ours, theirs, atol=0.05),
        note="the single-step p-value; ours also reruns the selection in every draw",
    )  # fmt: skip
