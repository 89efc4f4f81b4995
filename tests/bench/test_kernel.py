"""The allocation kernel against numpy on the same paths, equal answers first; numpy is not charged for the paths."""

import math
import time

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from quant.paths import path_model, sample_paths
from quant.rules import lay_out, simulated_trading_days
from quant.scenario import BUILT_IN
from quant.simulation import simulate, threads
from quant.strategy import Mandate, StrategyConfig

DAYS, WARM_UP, LAG = 1260, 254, 2
LOOKBACKS = (21, 42, 63, 126, 252)
MANDATE = Mandate()

pytestmark = pytest.mark.bench


def configs(count: int) -> list[StrategyConfig]:
    """Five weight functions over five lookbacks and three frequencies, all different."""
    found = []
    for k in range(count):
        shape = (
            {"weight_function": "inverse_vol"},
            {"weight_function": "inverse_vol_squared", "variance_constant": "target"},
            {"weight_function": "linear_decay", "slope": 2.0 + 0.01 * k},
            {"weight_function": "sigmoid", "midpoint": 0.10 + 0.0004 * k, "scale": 0.04},
            {"weight_function": "merton"},
        )[k % 5]
        found.append(
            StrategyConfig.model_validate(
                {
                    **shape,
                    "lookback_days": LOOKBACKS[(k // 5) % 5],
                    "rebalancing": ("weekly", "monthly", "quarterly")[(k // 25) % 3],
                    "no_trade_band": 0.0001 * (k // 75),
                }
            )
        )
    return found


def numpy_utilities(rules: list[StrategyConfig], returns: np.ndarray, cash: float) -> np.ndarray:
    """Utility of every config on every path, vectorised over configs and a chunk of paths."""
    total, lanes = returns.shape
    trades = simulated_trading_days(total, WARM_UP)
    frequency = np.array([("daily", "weekly", "monthly", "quarterly").index(c.rebalancing) for c in rules])
    logs = np.log1p(returns)
    level = np.array([LOOKBACKS.index(c.lookback_days or 0) for c in rules])
    sigma = np.empty((len(LOOKBACKS), total, lanes))
    for row, n in enumerate(LOOKBACKS):
        first = np.cumsum(logs, axis=0)
        second = np.cumsum(logs * logs, axis=0)
        first[n:] -= first[:-n].copy()
        second[n:] -= second[:-n].copy()
        sigma[row] = np.sqrt(252 * np.maximum(second - first * first / n, 0.0) / (n - 1))
    target, gamma = MANDATE.target_volatility, MANDATE.risk_aversion
    kinds = np.array([c.weight_function for c in rules])
    slope = np.array([c.slope or 0.0 for c in rules])[:, None]
    midpoint = np.array([c.midpoint or 0.0 for c in rules])[:, None]
    scale = np.array([c.scale or 1.0 for c in rules])[:, None]
    band = np.array([c.no_trade_band for c in rules])[:, None]
    weight = np.zeros((len(rules), lanes))
    total_x, total_x2, paid = np.zeros_like(weight), np.zeros_like(weight), np.zeros_like(weight)
    for t in range(WARM_UP - 1, total):
        step = 1.0
        if t >= WARM_UP:
            step = 1.0 + weight * returns[t] + (1.0 - weight) * cash
            weight = weight * (1.0 + returns[t]) / step
        due = np.flatnonzero(trades[frequency, t]) if t >= WARM_UP else np.arange(len(rules))
        if due.size:
            s = sigma[level[due], t - LAG]
            wanted = np.select(
                [
                    (kinds[due] == "inverse_vol")[:, None],
                    (kinds[due] == "inverse_vol_squared")[:, None],
                    (kinds[due] == "linear_decay")[:, None],
                    (kinds[due] == "sigmoid")[:, None],
                ],
                [
                    target / s,
                    target * target / (s * s),
                    1.0 - slope[due] * (s - target),
                    1.0 / (1.0 + np.exp((s - midpoint[due]) / scale[due])),
                ],
                MANDATE.expected_premium / gamma / (s * s),
            )
            move = np.clip(wanted, MANDATE.min_weight, MANDATE.max_weight) - weight[due]
            move = np.where(np.abs(move) > band[due], move, 0.0)
            weight[due] += move
            paid[due] += MANDATE.transaction_cost_bps / 1e4 * np.abs(move)
        if t >= WARM_UP:
            x = step * (1.0 - paid) - 1.0 - cash
            paid[:] = 0.0
            total_x += x
            total_x2 += x * x
    mean = total_x / DAYS
    variance = (total_x2 - total_x * mean) / (DAYS - 1)
    return 252 * mean - gamma / 2 * 252 * variance


def test_kernel_against_numpy_in_chunks() -> None:
    scenario = BUILT_IN[0]
    model = path_model(scenario, seed=1)
    table = Table(
        "configs", "paths", "engine", "numpy, M/s", "kernel, M/s", "ratio", title="strategy-path-days a second"
    )
    for count, paths in ((100, 1024), (500, 2048)):
        rules = configs(count)
        laid = lay_out(rules, MANDATE)

        def kernel(p: int, laid: object = laid) -> tuple[float, np.ndarray]:
            begun = time.perf_counter()
            found = simulate(
                laid,  # pyright: ignore[reportArgumentType]
                model,
                paths=p,
                days=DAYS,
                warm_up=WARM_UP,
                lag=LAG,
                risk_aversion=MANDATE.risk_aversion,
                keep_paths=p == 64,
            )
            return time.perf_counter() - begun, found.utilities

        returns = sample_paths(model, days=WARM_UP + DAYS, blocks=1)
        _, ours = kernel(64)
        begun = time.perf_counter()
        theirs = numpy_utilities(rules, returns, model.cash)
        numpy_seconds = time.perf_counter() - begun
        np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1e-9)

        seconds = min(kernel(paths)[0] for _ in range(3))
        speed, reference = count * paths * DAYS / seconds, count * 64 * DAYS / numpy_seconds
        table.add_row(
            str(count),
            str(paths),
            scenario.engine,
            f"{reference / 1e6:.1f}",
            f"{speed / 1e6:.0f}",
            f"{speed / reference:.1f}x",
        )
        assert math.isfinite(speed)
    Console(width=120).print(table, f"{threads()} threads; path generation is in the kernel's time only")
