import numpy as np
import pytest

from quant.numeric.errors import DataError
from quant.overfitting.stationary_bootstrap import resampled_means


def test_independent_rows_scatter_as_their_mean_does():
    rows = np.random.default_rng(3).normal(0.001, 0.01, (2_000, 2))
    means = resampled_means(rows, seed=1, replications=2_000, mean_block=5)
    assert means.mean(axis=0) == pytest.approx(rows.mean(axis=0), abs=4 * 0.01 / np.sqrt(2_000 * 2_000) + 1e-5)
    assert means.std(axis=0) == pytest.approx(rows.std(axis=0) / np.sqrt(2_000), rel=0.08)


def test_columns_stay_paired():
    rows = np.random.default_rng(4).normal(size=500)
    means = resampled_means(np.column_stack([rows, rows + 1.0]), seed=2, replications=50)
    assert means[:, 1] - means[:, 0] == pytest.approx(np.ones(50))


def test_blocks_keep_what_days_have_in_common():
    """A sum of 20 neighbours has nearly 20 times the variance of its mean when blocks are long."""
    steps = np.random.default_rng(5).normal(size=4_020)
    rows = np.convolve(steps, np.ones(20), mode="valid")
    short, long = (resampled_means(rows, seed=1, mean_block=block).std() for block in (1, 200))
    assert long > 3.0 * short


@pytest.mark.parametrize("wrong", [{"replications": 0}, {"mean_block": 0}, {"seed": -1}, {"mean_block": 30}])
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(DataError):
        resampled_means(np.zeros(100), **{"seed": 1} | wrong)
