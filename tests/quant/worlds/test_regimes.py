import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.performance.growth import drawdowns
from quant.worlds.hidden_markov import (
    HiddenMarkov,
    filtered_probabilities,
    fit_hidden_markov,
    regime_probabilities,
    regime_signal,
)
from quant.worlds.regimes import labels, market_state, trend_state, volatility_state

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=20, deadline=None)

TWO = (
    np.array([0.0007, -0.0012]),
    np.array([0.007, 0.021]),
    np.array([[0.99, 0.01], [0.04, 0.96]]),
)
THREE = (
    np.array([0.0009, 0.0002, -0.002]),
    np.array([0.005, 0.012, 0.03]),
    np.array([[0.98, 0.015, 0.005], [0.02, 0.96, 0.02], [0.01, 0.05, 0.94]]),
)


def simulated(law: tuple[np.ndarray, ...], days: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Simple returns and the hidden states behind them."""
    means, deviations, transition = law
    rng = np.random.default_rng(seed)
    uniforms, normals = rng.random(days), rng.normal(size=days)
    cumulated = transition.cumsum(axis=1)
    states = np.zeros(days, dtype=int)
    for t in range(1, days):
        states[t] = np.searchsorted(cumulated[states[t - 1]], uniforms[t])
    return np.expm1(means[states] + deviations[states] * normals), states


def wandering(seed: int, days: int = 900) -> np.ndarray:
    """Returns whose volatility drifts, with large falls and rises."""
    rng = np.random.default_rng(seed)
    deviation = 0.012 * np.exp(np.cumsum(rng.normal(0.0, 0.05, days)))
    return np.expm1(np.clip(rng.normal(0.0003, 1.0, days) * np.minimum(deviation, 0.06), -0.4, 0.4))


def logsumexp(x: np.ndarray, axis: int | None = None) -> Any:
    top = x.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis=axis) + np.log(np.exp(x - top).sum(axis=axis))


def forward(
    logs: np.ndarray, means: np.ndarray, deviations: np.ndarray, transition: np.ndarray, first: np.ndarray
) -> tuple[np.ndarray, float]:
    """The forward algorithm with logarithms: filtered probabilities and log-likelihood."""
    z = (logs[:, None] - means) / deviations
    density = -0.5 * z**2 - np.log(deviations) - 0.5 * math.log(2 * math.pi)
    with np.errstate(divide="ignore"):
        moves, alpha = np.log(transition), np.log(first) + density[0]
    rows = [alpha]
    for t in range(1, len(logs)):
        alpha = logsumexp(alpha[:, None] + moves, axis=0) + density[t]
        rows.append(alpha)
    joint = np.array(rows)
    return np.exp(joint - logsumexp(joint, axis=1)[:, None]), float(logsumexp(joint[-1]))


def long_run(transition: np.ndarray) -> np.ndarray:
    return np.linalg.matrix_power(transition, 100_000)[0]


def model_of(law: tuple[np.ndarray, ...]) -> HiddenMarkov:
    means, deviations, transition = law
    return HiddenMarkov(means, deviations, transition, long_run(transition), 0.0, 0, 0, True)


@pytest.mark.parametrize("law", [TWO, THREE])
@pytest.mark.parametrize("seed", range(3))
def test_filter_is_the_forward_algorithm(law: tuple[np.ndarray, ...], seed: int) -> None:
    x, _ = simulated(law, 1500, seed)
    x[700], x[900] = -0.25, 0.12  # 50 deviations of the calm state
    model = model_of(law)
    expected, _ = forward(np.log1p(x), law[0], law[1], law[2], long_run(law[2]))
    probabilities = filtered_probabilities(model, x)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-7, atol=1e-11)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize("law", [TWO, THREE])
def test_fit_finds_the_law_of_a_long_sample(law: tuple[np.ndarray, ...]) -> None:
    means, deviations, transition = law
    x, states = simulated(law, 30_000, 5)
    model = fit_hidden_markov(x, states=len(means))  # pyright: ignore[reportArgumentType]
    assert model.converged
    assert model.observations == 30_000
    days = np.bincount(states)
    assert (np.abs(model.means - means) < 5 * deviations / np.sqrt(days)).all()
    np.testing.assert_allclose(model.volatilities, deviations, rtol=0.05)
    # each row: the standard error of a share counted over the visits, doubled for what is hidden
    error = 2 * np.sqrt(transition * (1 - transition) / days[:, None])
    assert (np.abs(model.transition - transition) < 4 * error).all()
    expected, likelihood = forward(np.log1p(x), model.means, model.volatilities, model.transition, model.stationary)
    assert model.log_likelihood == pytest.approx(likelihood, rel=1e-12)
    np.testing.assert_allclose(filtered_probabilities(model, x), expected, rtol=1e-6, atol=1e-11)
    count = len(means) * (len(means) + 1)  # means, deviations, and K (K - 1) free probabilities
    assert model.bic == pytest.approx(count * math.log(30_000) - 2 * likelihood, rel=1e-12)


@pytest.mark.parametrize(("law", "seed"), [(TWO, 1), (THREE, 3)])
def test_fit_is_a_maximum_of_the_likelihood(law: tuple[np.ndarray, ...], seed: int) -> None:
    """No small step of any parameter raises the likelihood, whose first state is free."""
    x, _ = simulated(law, 2500, seed)
    logs = np.log1p(x)
    k = len(law[0])
    model = fit_hidden_markov(x, states=k, tolerance=1e-10, max_iterations=20_000)  # pyright: ignore[reportArgumentType]
    assert model.converged

    def likelihood(means: np.ndarray, deviations: np.ndarray, transition: np.ndarray) -> float:
        return max(forward(logs, means, deviations, transition, first)[1] for first in np.eye(k))

    top = likelihood(model.means, model.volatilities, model.transition)
    for i in range(k):
        for sign in (-1.0, 1.0):
            means, deviations = model.means.copy(), model.volatilities.copy()
            means[i] += sign * 0.02 * deviations[i]
            assert likelihood(means, model.volatilities, model.transition) < top
            deviations[i] *= 1.0 + sign * 0.01
            assert likelihood(model.means, deviations, model.transition) < top
            transition = model.transition.copy()
            transition[i, i] -= sign * 0.3 * (1.0 - transition[i, i])
            transition[i] /= transition[i].sum()
            assert likelihood(model.means, model.volatilities, transition) < top


def test_states_come_in_the_order_of_their_volatility_with_durations_and_shares() -> None:
    x, states = simulated(THREE, 30_000, 8)
    model = fit_hidden_markov(x, states=3)
    assert (np.diff(model.volatilities) > 0.0).all()
    np.testing.assert_allclose(model.stationary @ model.transition, model.stationary, rtol=1e-12)
    assert model.stationary.sum() == pytest.approx(1.0, rel=1e-14)
    changes = np.flatnonzero(np.diff(states)) + 1
    visits = [(states[run[0]], len(run)) for run in np.split(np.arange(states.size), changes)]
    for k in range(3):
        lengths = np.array([length for state, length in visits if state == k])
        assert model.expected_durations[k] == pytest.approx(lengths.mean(), rel=0.3)
        assert model.stationary[k] == pytest.approx((states == k).mean(), rel=0.15)


def test_filtered_states_are_mostly_the_true_ones() -> None:
    x, states = simulated(TWO, 20_000, 9)
    probabilities = filtered_probabilities(fit_hidden_markov(x), x).argmax(axis=1)
    assert (probabilities == states).mean() > 0.93


def test_a_fit_repeats_itself_and_starts_from_another() -> None:
    x, _ = simulated(TWO, 3000, 4)
    first, again = fit_hidden_markov(x), fit_hidden_markov(x)
    assert first.parameters.tobytes() == again.parameters.tobytes()
    warm = fit_hidden_markov(x, start=first)
    assert warm.iterations < first.iterations
    np.testing.assert_allclose(warm.parameters, first.parameters, rtol=1e-4)


def test_a_fit_cut_short_says_so() -> None:
    x, _ = simulated(THREE, 1000, 2)
    model = fit_hidden_markov(x, states=3, max_iterations=3)
    assert not model.converged
    assert model.iterations == 3


@few
@given(seeds, st.integers(1, 899))
def test_the_future_changes_nothing_of_the_past(seed: int, day: int) -> None:
    x = wandering(seed)
    other = x.copy()
    other[day:] = np.random.default_rng(seed).uniform(-0.3, 0.4, 900 - day)
    for one, two in zip(past(x, day), past(other, day), strict=True):
        assert one.tobytes() == two.tobytes()
    for one, two in zip(past(x, day), past(x[:day], day), strict=True):
        assert one.tobytes() == two.tobytes()


def past(x: np.ndarray, day: int) -> list[np.ndarray]:
    volatility, trend, market, day_labels = volatility_state(x), trend_state(x), market_state(x), labels(x)
    logs = np.log1p(x)[:, None]
    signal, probabilities = np.empty_like(logs), np.empty((len(x), 3, 1))
    regime_signal(model_of(THREE).parameters, np.array([1.0, 0.6, 0.2]), logs, signal)
    regime_probabilities(model_of(THREE).parameters, logs, probabilities)
    rows: list[np.ndarray] = [
        *vars(volatility).values(),
        *vars(trend).values(),
        *vars(market).values(),
        *vars(day_labels).values(),
        filtered_probabilities(model_of(TWO), x),
        signal,
        probabilities,
    ]
    return [row[:day] for row in rows]


@pytest.mark.parametrize(("law", "weights"), [(TWO, [1.0, 0.3]), (THREE, [1.0, 0.6, 0.2])])
def test_lanes_are_computed_as_if_alone(law: tuple[np.ndarray, ...], weights: list[float]) -> None:
    paths = np.column_stack([simulated(law, 400, seed)[0] for seed in range(64)])
    paths[200, 3] = -0.6
    model = model_of(law)
    logs = np.log1p(paths)
    together, signal = np.empty((400, len(weights), 64)), np.empty((400, 64))
    regime_probabilities(model.parameters, logs, together)
    regime_signal(model.parameters, np.array(weights), logs, signal)
    for j in (0, 3, 63):
        alone, own = np.empty((400, len(weights), 1)), np.empty((400, 1))
        regime_probabilities(model.parameters, logs[:, j : j + 1].copy(), alone)
        regime_signal(model.parameters, np.array(weights), logs[:, j : j + 1].copy(), own)
        assert alone[:, :, 0].tobytes() == together[:, :, j].tobytes()
        assert own.tobytes() == signal[:, j : j + 1].tobytes()
        np.testing.assert_allclose(filtered_probabilities(model, paths[:, j]), alone[:, :, 0], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(signal, np.einsum("tkj,k->tj", together, weights), rtol=1e-14)


@few
@given(seeds, st.integers(2, 60), st.sampled_from([(0.2, 0.8), (0.1, 0.5)]))
def test_volatility_state_is_numpys_quantile_of_a_plain_average(seed: int, span: int, bounds: Any) -> None:
    x = wandering(seed, 500)
    squares = np.log1p(x) ** 2
    decay = 1 - 2 / (span + 1)
    level = [squares[: t + 1].mean() for t in range(span)]
    for square in squares[span:]:
        level.append(decay * level[-1] + (1 - decay) * square)
    volatility = np.sqrt(252 * np.array(level))
    states = volatility_state(x, span=span, low=bounds[0], high=bounds[1], fewest=100)
    np.testing.assert_allclose(states.volatility, volatility, rtol=1e-10)
    for t in range(499, span, -37):
        past = states.volatility[span - 1 : t + 1]
        assert states.percentile[t] == pytest.approx((past <= past[-1]).mean(), rel=1e-14)
        low, high = np.quantile(past, bounds)
        assert states.state[t] == (0 if past.size < 100 else int(past[-1] > high) - int(past[-1] < low))


def test_a_volatility_that_equals_all_before_is_at_the_top_of_its_past_and_not_high() -> None:
    states = volatility_state(np.full(12, 0.01), span=12, fewest=1)
    assert states.percentile.tolist() == [1.0] * 12
    assert not states.state.any()


@few
@given(seeds, st.integers(2, 300))
def test_trend_state_is_the_distance_from_pandas_rolling_mean(seed: int, sessions: int) -> None:
    x = wandering(seed)
    price = pd.Series(np.cumprod(1.0 + x))
    distance = price / price.rolling(sessions, min_periods=1).mean() - 1.0
    states = trend_state(x, sessions=sessions, flat=0.05)
    np.testing.assert_allclose(states.distance, distance, atol=1e-10)
    np.testing.assert_array_equal(states.state, np.where(states.distance > 0.05, 1, 0) - (states.distance < -0.05))


def markets(price: np.ndarray, fall: float, rise: float) -> np.ndarray:
    """Segment by segment: from each change on, the first day that has fallen, or risen, enough since it."""
    states = np.zeros(price.size, dtype=int)
    start, state = 0, 0
    while True:
        since = price[start:]
        falls = since <= (1 - fall) * np.maximum.accumulate(since) if state >= 0 else np.zeros(since.size, bool)
        rises = since >= (1 + rise) * np.minimum.accumulate(since) if state <= 0 else np.zeros(since.size, bool)
        if not (falls | rises).any():
            return states
        start += int((falls | rises).argmax())
        state = -1 if falls[start - price.size + since.size] else 1
        states[start:] = state


@few
@given(seeds, st.floats(0.1, 0.4), st.floats(0.1, 0.4))
def test_market_state_follows_the_rule(seed: int, fall: float, rise: float) -> None:
    x = wandering(seed)
    states = market_state(x, fall=fall, rise=rise)
    price = np.cumprod(np.append(1.0, 1.0 + x))
    np.testing.assert_array_equal(states.state, markets(price, fall, rise)[1:])
    np.testing.assert_allclose(states.drawdown, drawdowns(x), atol=1e-13)


def test_bear_and_bull_markets_of_the_sp500_began_when_the_press_said_so() -> None:
    """Closes 20% below the peak on 2001-03-12 and 2008-07-09, and 20% above the trough of 2009 on 2009-03-23."""
    from arch.data import sp500

    close = sp500.load()["Adj Close"]
    returns = Returns.from_prices(close.index.to_numpy(), ["SPX"], close.to_numpy()[:, None])
    state = market_state(returns).state
    changes = {str(returns.dates[t]): int(state[t]) for t in range(1, len(state)) if state[t] != state[t - 1]}
    assert changes["2001-03-12"] == -1
    assert changes["2008-07-09"] == -1
    assert changes["2009-03-23"] == 1
    assert max(changes) == "2009-03-23"  # no close fell by 20% between then and the end of 2018
    volatility = volatility_state(returns)
    assert volatility.state[np.flatnonzero(returns.dates == np.datetime64("2008-10-15"))[0]] == 1
    model = fit_hidden_markov(returns)
    assert model.volatilities[1] > 1.8 * model.volatilities[0]
    probabilities = filtered_probabilities(model, returns)
    crisis = (returns.dates >= np.datetime64("2008-10-01")) & (returns.dates < np.datetime64("2008-12-01"))
    assert probabilities[crisis, 1].min() > 0.9


def test_labels_are_the_states_and_days_keeps_long_runs() -> None:
    x = wandering(3, 2000)
    day_labels = labels(x)
    assert day_labels.base.all()
    np.testing.assert_array_equal(day_labels.bull, market_state(x).state == 1)
    np.testing.assert_array_equal(day_labels.bear, market_state(x).state == -1)
    np.testing.assert_array_equal(day_labels.high_volatility, volatility_state(x).state == 1)
    np.testing.assert_array_equal(day_labels.low_volatility, volatility_state(x).state == -1)
    for name in ("base", "bull", "bear", "high_volatility", "low_volatility"):
        flags = getattr(day_labels, name)
        runs = np.split(np.arange(2000), np.flatnonzero(np.diff(flags)) + 1)
        expected = np.zeros(2000, dtype=bool)
        for run in runs:
            expected[run] = flags[run[0]] and len(run) >= 8
        np.testing.assert_array_equal(day_labels.days(name, fewest=0, shortest_run=8), expected)
    with pytest.raises(DataError, match=r"`label` 'bear' has .* days in runs of 5 or more; at least 1999 are needed"):
        day_labels.days("bear", fewest=1999)
    unknown: Any = "sideways"
    with pytest.raises(DataError, match="`label` must be base, bull"):
        day_labels.days(unknown)


def test_returns_of_one_asset_are_taken_as_their_series() -> None:
    x = wandering(1)
    dated = Returns(np.datetime64("2020-01-01") + np.arange(900), ("SPX",), x[:, None])
    np.testing.assert_array_equal(volatility_state(dated).state, volatility_state(x).state)
    np.testing.assert_array_equal(trend_state(dated).state, trend_state(x).state)
    assert fit_hidden_markov(dated).log_likelihood == fit_hidden_markov(x).log_likelihood


@pytest.mark.parametrize(
    "function",
    [
        volatility_state,
        trend_state,
        market_state,
        labels,
        fit_hidden_markov,
        lambda x: filtered_probabilities(model_of(TWO), x),
    ],
)
def test_what_is_no_series_of_returns_is_refused(function: Any) -> None:
    x = wandering(1, 300)
    for bad, text in ((math.nan, "nan"), (math.inf, "inf"), (-1.0, "-1.0")):
        invalid = x.copy()
        invalid[7] = bad
        with pytest.raises(DataError, match=f"`returns` must be finite and above -1, row 7 is {text}"):
            function(invalid)
    for wrong in (np.zeros((3, 2)), [], 1.0):
        with pytest.raises(DataError, match=r"`returns` must have shape \(T,\)"):
            function(wrong)
    with pytest.raises(DataError, match="`returns` must be numbers"):
        function(["a"])
    two = Returns(np.datetime64("2020-01-01") + np.arange(300), ("A", "B"), np.column_stack([x, x]))
    with pytest.raises(DataError, match="`returns` must be of one asset, has 2"):
        function(two)


STUCK = np.concatenate([wandering(1, 300), np.zeros(300)])
X = wandering(1)
BAD: Any = 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_hidden_markov(X[:249]), "at least 250 days, got 249"),
        (lambda: fit_hidden_markov(X, states=BAD), "`states` must be 2 or 3, got 4"),
        (lambda: fit_hidden_markov(np.full(300, 0.001)), "`returns` must vary; all are 0.001"),
        (lambda: fit_hidden_markov(STUCK), "collapse onto equal returns near .*; look for stale prices"),
        (lambda: fit_hidden_markov(X, tolerance=0.0), "`tolerance` and `max_iterations` must be positive"),
        (lambda: fit_hidden_markov(X, max_iterations=0), "`tolerance` and `max_iterations` must be positive"),
        (lambda: fit_hidden_markov(X, start=model_of(THREE)), "`start` must have 2 states, has 3"),
        (lambda: volatility_state(X, span=1), "`span` must be above 1"),
        (lambda: volatility_state(X, fewest=0), "`fewest` positive"),
        (lambda: volatility_state(X, low=0.8, high=0.2), "0 < `low` < `high` < 1"),
        (lambda: trend_state(X, sessions=1), "`sessions` must be above 1"),
        (lambda: trend_state(X, flat=-0.1), "`flat` at least 0"),
        (lambda: market_state(X, fall=1.0), r"`fall` must lie in \(0, 1\)"),
        (lambda: market_state(X, rise=0.0), "`rise` be positive"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()


def test_a_state_that_is_never_left_holds_all_days_in_the_long_run() -> None:
    """A calm half, then a wild half that does not end."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0.0, 0.002, 500), rng.normal(0.0, 0.05, 500)])
    model = fit_hidden_markov(x)
    assert model.expected_durations[0] == pytest.approx(500, rel=0.01)
    assert model.expected_durations[1] > 1e9
    np.testing.assert_allclose(model.stationary, [0.0, 1.0], atol=1e-6)
    assert np.isfinite(filtered_probabilities(model, x)).all()
