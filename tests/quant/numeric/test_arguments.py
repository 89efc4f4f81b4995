# Every call here is one that the types forbid.
# pyright: reportArgumentType=false, reportCallIssue=false
import math

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

from quant.allocate import (
    Group,
    equal_weights,
    hierarchical_risk_parity,
    inverse_volatility,
    minimum_variance,
    resampled_frontier,
    weight_intervals,
)
from quant.covariance.estimators import correlation, exponential, pairwise, sample
from quant.covariance.shrinkage import ledoit_wolf
from quant.luck import combinatorial_purged_splits, deflated_sharpe, sharpe_error, walk_forward
from quant.numeric.arguments import checked_arguments, floats
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.performance.drawdown_periods import drawdown_table
from quant.performance.summary import tearsheet
from quant.risk.correlation_stress import reverse_stress, stressed_covariance
from quant.risk.tails import tail_risk, value_at_risk
from quant.volatility.garch import Garch, next_variance
from quant.wealth.montecarlo import paths_for_error, simulate_wealth
from quant.wealth.terms import AccountTerms
from quant.worlds.bond import Bond
from quant.worlds.bond_proxy import bond_history
from quant.worlds.calibration import implied_statistics
from quant.worlds.joint import JointModel, joint_model, sample_joint
from quant.worlds.regimes import market_state
from quant.worlds.scenario import Scenario

COV = np.array([[0.04, 0.01], [0.01, 0.09]])
DAYS = 0.01 * np.random.default_rng(2).standard_normal((300, 2))
DAY = DAYS[:, 0]
WORLD = Scenario(name="base", engine="bootstrap", mu=0.06, sigma=0.16, cash_rate=0.02)

REFUSALS = {
    "text among numbers": (lambda: ledoit_wolf([[0.01, "n/a"], [0.0, 0.0]]), "`returns` must be numbers; row 0, colum"),
    "text for numbers": (lambda: value_at_risk("abc"), "`returns` must be numbers; got 'abc'"),
    "complex": (lambda: minimum_variance(COV + 1j), r"`cov` must be numbers; row 0, column 0 is \(0.04"),
    "dates for numbers": (lambda: market_state(np.array(["2020-01-01"], "datetime64[D]")), "`returns` must be numbers"),
    "objects": (lambda: correlation([[object()]]), "`cov` must be numbers; row 0, column 0 is <object"),
    "rows of other lengths": (
        lambda: tearsheet([[0.1, 0.2], [0.1]]),
        "numbers in rows of one length",
    ),
    "a fraction for a count": (lambda: equal_weights(2.5), "`assets` must be a whole number; got 2.5"),
    "True for a count": (lambda: equal_weights(True), "`assets` must be a whole number; got True"),
    "more than 64 bits": (lambda: equal_weights(10**30), "`assets` must be a whole number of 64 bits"),
    "no seed": (lambda: resampled_frontier(DAYS, seed=None), "`seed` must be a whole number; got None"),
    "text for a level": (lambda: value_at_risk(DAY, level="95%"), "`level` must be a number; got '95%'"),
    "an array for a level": (lambda: value_at_risk(DAY, level=np.array([0.9])), "`level` must be a number"),
    "a number for levels": (lambda: tail_risk(DAY, levels=0.95), "`levels` must be a sequence; got 0.95"),
    "a word for words": (lambda: tail_risk(DAY, methods="historical"), "`methods` must be a sequence"),
    "text in levels": (lambda: tail_risk(DAY, levels=(0.9, "x")), r"`levels\[1\]` must be a number; got 'x'"),
    "no word": (lambda: hierarchical_risk_parity(COV, variant=None), "`variant` must be text; got None"),
    "no rule": (lambda: walk_forward(DAYS, None), "`rule` must be a function; got None"),
    "no model": (lambda: sample_joint(None, days=5), "`model` must be of type JointModel; got None"),
    "a number for groups": (lambda: minimum_variance(COV, groups=3), "`groups` must be a sequence; got 3"),
    "no group": (lambda: minimum_variance(COV, groups=[1]), r"`groups\[0\]` must be of type Group; got 1"),
    "text for members": (lambda: Group("tech", "ab"), "`members` must be a sequence; got 'ab'"),
    "text for a limit": (lambda: Group("tech", (0,), "x"), "`lower` must be a number; got 'x'"),
    "text for a duration": (lambda: Bond("7", 60.0, 0.03), "`duration` must be a number; got '7'"),
    "no drift": (lambda: Garch(None, 1e-6, 0.05, 0.0, 0.9), "`mu` must be a number; got None"),
    "beyond a float": (
        lambda: deflated_sharpe(10**400, observations=9, variance=0.1, trials=2),
        "`sharpe` must be",
    ),
    "numbers for dates": (
        lambda: drawdown_table(DAY, np.arange(300)),
        "`dates` must be days, as",
    ),
    "text for dates": (
        lambda: bond_history(["x", "y"], [0.03, 0.03], duration=7.0, convexity=60.0),
        "`dates` must be days",
    ),
    "numbers for flags": (
        lambda: implied_statistics(WORLD, history=DAY, labelled=np.ones(300)),
        "`labelled` must be True or",
    ),
}


HUGE = np.where(np.arange(600).reshape(300, 2) == 7, 1e160, DAYS)
MODEL = Garch(0.0003, 1e-6, 0.02, 0.1, 0.9)


def legs() -> JointModel:
    return joint_model("gbm", cash_rate=0.02, seed=1, mu=[0.06], sigma=[0.16])


OVERFLOWS = {
    "sample": (lambda: sample(HUGE), "`returns` must be below 1e\\+140 in size; row 3, column 1 is 1e\\+160"),
    "pairwise": (lambda: pairwise(HUGE), "`returns` must be below"),
    "resampled": (lambda: resampled_frontier(HUGE, draws=2, seed=1), "`returns` must be below"),
    "garch": (lambda: next_variance(MODEL, HUGE[:, 1]), "`returns` must be below"),
    "history": (lambda: implied_statistics(WORLD, history=HUGE[:, 1]), "`history` must be below"),
    "one session": (lambda: exponential(DAYS, decay=1e-300), "`decay` 1e-300 leaves one session"),
    "stress": (lambda: stressed_covariance(COV, 0.5, volatility_factor=1e300), "`volatility_factor` must be below"),
    "weights": (lambda: reverse_stress([1e160, 0.0], COV, 0.1), "`weights` must be below"),
    "kurtosis": (
        lambda: sharpe_error(0.1, observations=9, skewness=0.0, kurtosis=math.inf),
        "`kurtosis` of a sample",
    ),
    "wealth": (lambda: AccountTerms(initial=1e300, years=1), "`initial` must be at most"),
    "flows": (
        lambda: simulate_wealth(legs(), [1.0], AccountTerms(initial=1.0, years=1, contributions=1e300), paths=64),
        "`contributions` must be at most 1e\\+100; month 0",
    ),
    "paths": (
        lambda: paths_for_error(Measured(value=1.0, error=0.1), paths=64, target=1e-300),
        "`target` asks for more than",
    ),
}


@pytest.mark.parametrize("case", OVERFLOWS)
def test_numbers_that_would_overflow_are_refused_by_name(case):
    call, message = OVERFLOWS[case]
    with pytest.raises(DataError, match=message):
        call()


@pytest.mark.parametrize("power", [-600, 400])
def test_hierarchical_weights_do_not_depend_on_the_scale(power):
    expected = hierarchical_risk_parity(COV).weights
    assert np.array_equal(hierarchical_risk_parity(np.ldexp(COV, power)).weights, expected)


def test_a_whole_number_beside_arrays_stays_whole():
    assert len(combinatorial_purged_splits(60, purge=2).splits) == 15


def test_flags_stay_flags():
    rows = joint_model("conditional_bootstrap", cash_rate=0.02, seed=1, history=DAYS, labels=np.arange(300) < 250)
    assert len(rows.mu) == 2


@pytest.mark.parametrize("case", REFUSALS)
def test_arguments_of_another_type_are_refused_by_name(case):
    call, message = REFUSALS[case]
    with pytest.raises(DataError, match=message):
        call()


def test_numbers_in_any_container_give_the_same_answer():
    wide = np.zeros((4, 4))
    wide[::2, ::2] = COV
    fixed = COV.copy()
    fixed.setflags(write=False)
    expected = inverse_volatility(COV)
    for same in (COV.tolist(), pd.DataFrame(COV), wide[::2, ::2], fixed, np.asfortranarray(COV), COV.astype(object)):
        assert np.array_equal(inverse_volatility(same), expected)
    assert np.array_equal(inverse_volatility(COV.astype(">f8")), expected)
    assert inverse_volatility(COV.astype(np.float32)) == pytest.approx(expected, rel=1e-6)


def test_numbers_of_numpy_are_numbers():
    assert equal_weights(np.int64(2)).tolist() == [0.5, 0.5]
    assert value_at_risk(DAY, level=np.float64(0.9)) == value_at_risk(DAY, level=0.9)


def test_an_array_of_floats_is_not_copied_and_positions_equal_keywords():
    assert floats(COV, "cov") is COV

    @checked_arguments
    def power_sum(values: ArrayLike, count: int = 1, *, scale: float = 1.0) -> float:
        return scale * math.fsum(np.asarray(values).tolist()) * count

    assert power_sum([1, 2], 2, scale=0.5) == power_sum(values=[1, 2], count=2, scale=0.5) == 3.0
    with pytest.raises(TypeError):
        power_sum()  # pyright: ignore[reportCallIssue]


def test_a_rule_that_returns_text_is_refused():
    with pytest.raises(DataError, match="`rule`"):
        weight_intervals(DAYS, lambda _: "x", draws=20, seed=1)
