"""The allocation kernel against numpy over chunks of 64 paths: equal shares of all weight functions, the same work.

Both make their own Heston paths, share each signal among all configs of a path, and account for costs, turnover and
drawdown. Equality is checked first, on the kernel's own paths.
"""

import math
import time
from functools import cache

import numpy as np
import pytest

from quant.numeric.thread_count import thread_count
from quant.strategies.config import StrategyConfig
from quant.strategies.family import FAMILY, WeightFunction
from quant.strategies.mandate import Mandate
from quant.strategies.rules import Rules, lay_out, simulated_trading_days
from quant.strategies.simulation import simulate
from quant.worlds.hidden_markov import HiddenMarkov, filtered_probabilities, fit_hidden_markov
from quant.worlds.paths import path_model, sample_paths
from quant.worlds.scenario import BUILT_IN
from quant.worlds.square_root import STEPS
from tests.bench.comparison import Comparison, Row
from tests.quant.strategies.accounts import trend

DAYS, WARM_UP, LAG, CHUNK, A = 1260, 254, 2, 64, 252
LOOKBACKS = (21, 42, 63, 126, 252)
FREQUENCIES = ("weekly", "monthly", "quarterly")
MANDATE = Mandate()
FUNCTIONS: tuple[WeightFunction, ...] = tuple(name for name in FAMILY if name != "constant")
SCENARIO = BUILT_IN[0]

pytestmark = pytest.mark.bench


def configs(count: int) -> list[StrategyConfig]:
    """Equal shares of the weight functions over five lookbacks and three frequencies, all different."""
    values = {"variance_constant": "target", "slope": 5.0, "midpoint": 0.15, "scale": 0.04, "floor": 0.9}
    values |= {"multiplier": 3.0, "hysteresis": 0.01, "drawdown_cap": 0.2}
    values |= {"calm_weight": 1.0, "turbulent_weight": 0.2, "gain": 1.0}
    samples = []
    for k in range(count):
        function = FUNCTIONS[k % len(FUNCTIONS)]
        turn = k // len(FUNCTIONS)
        row = FAMILY[function]
        samples.append(
            StrategyConfig.model_validate(
                {name: values[name] for name in row.parameters}
                | {"weight_function": function, "rebalancing": FREQUENCIES[turn // len(LOOKBACKS) % 3]}
                | ({"lookback_days": LOOKBACKS[turn % len(LOOKBACKS)]} if row.volatility else {})
                | {"no_trade_band": 0.0001 * (turn // 15) if row.volatility else 0.0001 * turn}
            )
        )
    assert len(set(samples)) == count
    return samples


@cache
def regimes() -> HiddenMarkov:
    return fit_hidden_markov(sample_paths(path_model(SCENARIO, seed=3), days=2_000)[:, 0])


def heston_in_numpy(rng: np.random.Generator, days: int, lanes: int, cash: float) -> np.ndarray:
    """Daily returns by Andersen's scheme, premium in proportion to volatility: the law of the kernel's engine."""
    kappa, theta = SCENARIO.mean_reversion, SCENARIO.sigma**2
    xi, rho, h = SCENARIO.vol_of_vol, SCENARIO.leverage, 1.0 / (A * STEPS)
    shape = 2 * kappa / xi**2
    moment = math.exp(math.lgamma(shape + 0.5) - math.lgamma(shape)) / math.sqrt(shape)
    premium = (SCENARIO.mu / A - cash) / moment
    fade = math.exp(-kappa * h)
    slope, level = xi**2 * fade * (1 - fade) / kappa, xi**2 * (1 - fade) ** 2 / (2 * kappa)
    y = rng.gamma(shape, 1.0 / shape, lanes)
    price = rng.standard_normal((days, lanes))
    shocks, uniforms = rng.standard_normal((days, STEPS, lanes)), rng.random((days, STEPS, lanes))
    out = np.empty((days, lanes))
    for t in range(days):
        mean, start, integral = cash + premium * np.sqrt(y), y, np.zeros(lanes)
        for k in range(STEPS):
            centre = 1.0 + (y - 1.0) * fade
            psi = (slope * y + level) / centre**2
            b2 = 2 / np.minimum(psi, 1.5)
            b2 = b2 - 1 + np.sqrt(b2) * np.sqrt(b2 - 1)
            mass = (np.maximum(psi, 1.5) - 1) / (np.maximum(psi, 1.5) + 1)
            tail = np.log((1 - mass) / (1 - np.maximum(uniforms[t, k], mass))) * centre / (1 - mass)
            following = np.where(psi <= 1.5, centre / (1 + b2) * (np.sqrt(b2) + shocks[t, k]) ** 2, tail)
            integral += 0.5 * h * (y + following)
            y = following
        moved = (y - start - kappa * (1.0 / A - integral)) / xi
        own = np.sqrt((1 - rho**2) * theta * integral) * price[t]
        out[t] = mean + np.exp(rho * math.sqrt(theta) * moved + own - 0.5 * theta * integral) - 1.0
    return out


def signals_in_numpy(returns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Volatility for each lookback, share of trends that are on, probability of turbulence."""
    total, lanes = returns.shape
    logs = np.log1p(returns)
    sigma = np.empty((len(LOOKBACKS), total, lanes))
    sums, squares = np.cumsum(logs, axis=0), np.cumsum(logs * logs, axis=0)
    for row, n in enumerate(LOOKBACKS):
        first, second = sums.copy(), squares.copy()
        first[n:] -= sums[:-n]
        second[n:] -= squares[:-n]
        sigma[row] = np.sqrt(A * np.maximum(second - first * first / n, 0.0) / (n - 1))
    price = np.vstack([np.ones(lanes), np.exp(sums)])
    on, share = np.zeros((3, lanes)), np.empty((total, lanes))
    level = np.cumsum(price[1:], axis=0)
    for t in range(total):
        now = price[t + 1]
        few, many = min(t + 1, 50), min(t + 1, 200)
        averages = [(level[t] - (level[t - n] if t >= n else 0.0)) / min(t + 1, n) for n in (few, many)]
        past = price[max(t - 251, 0)], price[max(t - 20, 0)]
        for k, (a, b) in enumerate(((now, averages[0]), (now, averages[1]), (past[1], past[0]))):
            on[k] = np.where(a > b * 1.01, 1.0, np.where(a < b * 0.99, 0.0, on[k]))
        share[t] = on.sum(axis=0) / 3
    turbulent = np.empty((total, lanes))
    means, deviations, moves = regimes().means[:, None], regimes().volatilities[:, None], regimes().transition.T
    prior = np.repeat(regimes().stationary[:, None], lanes, axis=1)
    for t in range(total):
        joint = prior * np.exp(-0.5 * ((logs[t] - means) / deviations) ** 2) / deviations
        joint /= joint.sum(axis=0)
        turbulent[t] = joint[1]
        prior = moves @ joint
    return sigma, share, turbulent


def weights_in_numpy(  # noqa: C901  (one formula per function)
    function: WeightFunction, at: dict[str, np.ndarray], s: np.ndarray, share: np.ndarray, turbulent: np.ndarray
) -> np.ndarray:
    target = MANDATE.target_volatility
    match function:
        case "inverse_vol":
            return target / s
        case "inverse_vol_squared":
            return target * target / (s * s)
        case "linear_decay":
            return 1.0 - 5.0 * (s - target)
        case "sigmoid":
            return 1.0 / (1.0 + np.exp((s - 0.15) / 0.04))
        case "merton":
            return MANDATE.expected_premium / MANDATE.risk_aversion / (s * s)
        case "cppi":
            return 3.0 * (at["value"] - at["floor"]) / at["value"]
        case "tipp":
            return 3.0 * (at["value"] - 0.9 * at["peak"]) / at["value"]
        case "trend_overlay":
            return share * np.minimum(target / s, 1.0)
        case "drawdown_control":
            fall = 1.0 - at["value"] / at["peak"]
            return np.maximum(0.0, 1.0 - fall / 0.2) * np.minimum(target / s, 1.0)
        case "regime_switch":
            return 1.0 - 0.8 * turbulent
        case _:
            return at["before"] + (target - at["own"])


def numpy_accounts(rules: list[StrategyConfig], returns: np.ndarray, cash: float) -> np.ndarray:  # noqa: PLR0915
    """Utility, drawdown, turnover and cost of every config on every path, shape (4, K, lanes); rules by function."""
    total, lanes = returns.shape
    count = len(rules)
    sigma, share, turbulent = signals_in_numpy(returns)
    trades = simulated_trading_days(total, WARM_UP)
    frequency = np.array([("daily", *FREQUENCIES).index(c.rebalancing) for c in rules])
    level = np.array([LOOKBACKS.index(c.lookback_days or LOOKBACKS[0]) for c in rules])
    band = np.array([c.no_trade_band for c in rules])[:, None]
    kinds = np.array([FUNCTIONS.index(c.weight_function) for c in rules])
    memory = np.array([FAMILY[c.weight_function].memory == "wealth" for c in rules])
    shape = (count, lanes)
    weight, sum_x, sum_x2, fees, traded, costs, idle, targets = (np.zeros(shape) for _ in range(8))
    wealth, depth, deepest, peak, value = (np.ones(shape) for _ in range(5))
    floor, variance = np.full(shape, 0.9), np.full(shape, MANDATE.target_volatility**2)
    closes, variances = [wealth.copy()] * (LAG + 1), [variance.copy()] * (LAG + 1)  # known LAG sessions ago comes first
    for t in range(WARM_UP - 1, total):
        step = np.ones(shape)
        if t >= WARM_UP:
            step = 1.0 + cash + weight * (returns[t] - cash)
            weight *= (1.0 + returns[t]) / step
        if t - LAG >= WARM_UP:
            np.maximum(peak, closes[1], out=peak)
            floor *= 1.0 + cash
        due = np.flatnonzero(trades[frequency, t]) if t >= WARM_UP else np.arange(count)
        if due.size:
            value = closes[1]
            locked = (idle >= 63) & memory[:, None]
            locked[np.setdiff1d(np.arange(count), due)] = False
            floor = np.where(locked, 0.9 * value, floor)
            peak = np.where(locked, value, peak)
            idle[locked] = 0.0
            s = sigma[:, t - LAG]
            if t < WARM_UP:
                targets = MANDATE.target_volatility / s[level]
            for kind, function in enumerate(FUNCTIONS):
                mine = due[kinds[due] == kind]
                at = {"value": value[mine], "floor": floor[mine], "peak": peak[mine], "before": targets[mine]}
                at["own"] = np.sqrt(variances[1][mine])
                targets[mine] = weights_in_numpy(function, at, s[level[mine]], share[t - LAG], turbulent[t - LAG])
            targets[due] = np.clip(targets[due], MANDATE.min_weight, MANDATE.max_weight)
            move = targets[due] - weight[due]
            move = np.where(np.abs(move) > (band[due] if t >= WARM_UP else 0.0), move, 0.0)
            weight[due] += move
            traded[due] += np.abs(move)
            fees[due] += MANDATE.transaction_cost_bps / 1e4 * np.abs(move)
        if t < WARM_UP:
            continue
        costs += fees
        step *= 1.0 - fees
        fees[:] = 0.0
        x = step - 1.0 - cash
        sum_x += x
        sum_x2 += x * x
        wealth *= step
        depth = np.minimum(depth * step, 1.0)
        np.minimum(deepest, depth, out=deepest)
        variance = 0.97 * variance + 0.03 * A * x * x
        closes, variances = [*closes[1:], wealth.copy()], [*variances[1:], variance]
        idle = np.where(weight < 0.01, idle + 1.0, 0.0)
    mean = sum_x / DAYS
    spread = (sum_x2 - sum_x * mean) / (DAYS - 1)
    utility = A * mean - MANDATE.risk_aversion / 2 * A * spread
    return np.stack([utility, 1.0 - deepest, traded * A / DAYS, costs * A / DAYS])


def test_signals_of_the_peer_are_those_of_the_second_definition() -> None:
    returns = sample_paths(path_model(SCENARIO, seed=1), days=600)[:, :2]
    _, share, turbulent = signals_in_numpy(returns)
    np.testing.assert_allclose(share[:, 0], trend(0.01, returns[:, 0]), atol=1e-12)
    np.testing.assert_allclose(turbulent, filtered_probabilities_of(returns), atol=1e-9)


def filtered_probabilities_of(returns: np.ndarray) -> np.ndarray:
    return np.column_stack([filtered_probabilities(regimes(), lane)[:, 1] for lane in returns.T])


def simulated(
    rules: Rules, paths: int, days: int = DAYS, *, keep: bool = False
) -> tuple[float, np.ndarray, np.ndarray]:
    start = time.perf_counter()
    simulation = simulate(
        rules,
        path_model(SCENARIO, seed=1),
        paths=paths,
        days=days,
        warm_up=WARM_UP,
        lag=LAG,
        risk_aversion=MANDATE.risk_aversion,
        keep_paths=keep,
    )
    return time.perf_counter() - start, simulation.by_path, simulation.mean


@pytest.mark.parametrize(("count", "paths"), [(100, 2048), (500, 2048)])
def test_kernel_against_numpy_in_chunks(comparison: Comparison, count: int, paths: int) -> None:
    rules = sorted(configs(count), key=lambda c: FUNCTIONS.index(c.weight_function))
    laid = lay_out(rules, MANDATE, model_parameters=lambda _: regimes().parameters)
    model = path_model(SCENARIO, seed=1)

    _, by_path, means = simulated(laid, CHUNK, keep=True)
    theirs = numpy_accounts(rules, sample_paths(model, days=WARM_UP + DAYS), model.cash)
    np.testing.assert_allclose(by_path, theirs[:2], rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(means[:, [6, 7]], theirs[2:].mean(axis=2).T, rtol=0.0, atol=1e-8)

    def numpy_chunk() -> float:
        start = time.perf_counter()
        returns = heston_in_numpy(np.random.default_rng(1), WARM_UP + DAYS, CHUNK, model.cash)
        numpy_accounts(rules, returns, model.cash)
        return time.perf_counter() - start

    ours, numpy_seconds = math.inf, math.inf
    for _ in range(3):
        numpy_seconds = min(numpy_seconds, numpy_chunk())
        ours = min(ours, simulated(laid, paths)[0])
    speed = count * paths * DAYS / ours
    comparison.rows.append(
        Row(
            "dynamic allocation, Heston paths included",
            f"{count} configs x {paths} paths x {DAYS} days",
            ours,
            {"numpy, 64 paths at a time": numpy_seconds * paths / CHUNK},
            target=15.0,
            note=f"{speed / 1e9:.2f} G strategy-path-days/s on {thread_count()} threads (0.6 wanted)",
        )
    )


def test_a_search_costs_in_proportion_to_configs_paths_and_days(comparison: Comparison) -> None:
    """Time of twice the work over time of the work; generation of paths is shared, so configs may cost less."""
    few, many = (lay_out(configs(n), MANDATE, model_parameters=lambda _: regimes().parameters) for n in (200, 400))
    base, configs_, paths_, days_ = math.inf, math.inf, math.inf, math.inf
    for _ in range(3):
        base = min(base, simulated(few, 1024)[0])
        configs_ = min(configs_, simulated(many, 1024)[0])
        paths_ = min(paths_, simulated(few, 2048)[0])
        days_ = min(days_, simulated(few, 1024, 2 * DAYS)[0])
    for name, seconds in (("configs", configs_), ("paths", paths_), ("days", days_)):
        comparison.rows.append(
            Row(f"twice the {name}", f"200 x 1024 x {DAYS}", seconds, {}, note=f"{seconds / base:.2f} times the time")
        )
