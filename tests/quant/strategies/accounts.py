"""A second definition of what a rule holds and earns: a money account, one path, one day after the other.

Written from the method and the specification for clarity; nothing here is shared with the kernel but the words of a
strategy. Positions are amounts of money in each asset and in cash, not weights.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.strategies.config import StrategyConfig
from quant.strategies.family import FAMILY, FormulaInputs, PathState, numbers_of
from quant.strategies.mandate import Mandate

A = 252
LOCKED_SESSIONS, LOCKED_WEIGHT = 63, 0.01
SEED_DAYS = 21  # squares that start an exponentially weighted average
SKIPPED, YEAR = 21, 252  # of 12-1 momentum
SMALLEST = 1e-6  # volatility of a window in which nothing moved
CASH_ONLY = ("constant", "cppi", "tipp", "regime_switch")  # rules that look at no volatility
INSURED = ("cppi", "tipp", "drawdown_control")  # rules that look at their own wealth, and start again after a lock
OWN_DECAY = 0.97  # of the average behind a strategy's own volatility


def windows(values: np.ndarray, length: int) -> np.ndarray:
    """Every full window; the result of the one that ends at day t stands at t - length + 1."""
    return np.lib.stride_tricks.sliding_window_view(values, length)


def volatility(config: StrategyConfig, returns: np.ndarray, cash: np.ndarray) -> np.ndarray:
    """Annual volatility by what each day knows, shape (T,); NaN before it is defined."""
    volatilities = np.full(returns.size, np.nan)
    logs = np.log1p(returns)
    if config.weight_function in CASH_ONLY:
        return volatilities
    if config.estimator == "rolling":
        n = config.lookback_days or 0
        volatilities[n - 1 :] = np.sqrt(A) * windows(logs, n).std(axis=1, ddof=1)
    elif config.estimator == "downside":
        n = config.lookback_days or 0
        losses = np.minimum(returns - cash, 0.0)
        volatilities[n - 1 :] = np.sqrt(A * 2.0 * np.mean(windows(losses, n) ** 2, axis=1))
    else:
        squares = np.append(np.mean(logs[:SEED_DAYS] ** 2), logs[SEED_DAYS:] ** 2)
        fast = config.decay or 0.0
        decays = [fast] if config.estimator == "ewma" else [fast, (1.0 + fast) / 2.0]
        averages = [pd.Series(squares).ewm(alpha=1.0 - d, adjust=False).mean().to_numpy() for d in decays]
        volatilities[SEED_DAYS - 1 :] = np.sqrt(A * np.max(averages, axis=0))
    return volatilities


def trend(hysteresis: float, returns: np.ndarray) -> np.ndarray:
    """Share of the three signals that are on at each day, shape (T,)."""
    price = pd.Series(np.cumprod(np.append(1.0, 1.0 + returns)))  # the price before the first session comes first
    past = price.shift(YEAR).fillna(1.0)
    recent = price.shift(SKIPPED).fillna(1.0)
    sessions = price.iloc[1:]
    share = np.zeros(returns.size)
    for level, reference in (
        (sessions, sessions.rolling(50, min_periods=1).mean()),
        (sessions, sessions.rolling(200, min_periods=1).mean()),
        (recent.iloc[1:], past.iloc[1:]),
    ):
        on = False
        for t, (a, b) in enumerate(zip(level, reference, strict=True)):
            if a > b * (1.0 + hysteresis):
                on = True
            elif a < b * (1.0 - hysteresis):
                on = False
            share[t] += on / 3.0
    return share


def by_volatility(config: StrategyConfig, mandate: Mandate, sigma: float, trained: float | None) -> float:
    """W1 to W5 of the specification, before bounds."""
    sigma = max(sigma, SMALLEST)
    target = config.target_volatility or mandate.target_volatility
    match config.weight_function:
        case "inverse_vol_squared":
            constant = target**2 if trained is None else target * trained
            return constant / sigma**2
        case "linear_decay":
            return max(0.0, 1.0 - (config.slope or 0.0) * (sigma - target))
        case "sigmoid":
            return 1.0 / (1.0 + math.exp((sigma - (config.midpoint or 0.0)) / (config.scale or 1.0)))
        case "merton":
            return mandate.expected_premium / (mandate.risk_aversion * sigma**2)
        case "inverse_vol" | "trend_overlay" | "drawdown_control" | "feedback":
            return target / sigma
        case name:  # a function of volatility alone with a definition in its own test: here its account is checked
            assert (FAMILY[name].memory, FAMILY[name].signal) == (None, None), f"{name} needs its account here"
            first, second = numbers_of(name, FormulaInputs(config, mandate, target, trained))
            start = (0.0, 1.0, first, 1.0, target, target / sigma, target, mandate.max_weight)
            return FAMILY[name].weigh(PathState(sigma, *start, first, second, math.exp))


@dataclass
class Account:
    """What happened on each scored day, shape (T,); NaN before."""

    excess: np.ndarray
    weights: np.ndarray
    turnover: np.ndarray
    cost: np.ndarray
    positions: np.ndarray
    """Share of wealth in each asset on each day, shape (T, N)."""
    traded: np.ndarray
    """Money traded in each asset at each close over the wealth there, shape (T, N), without the first position."""
    locked: bool = False
    restarts: int = 0

    def utility(self, gamma: float) -> float:
        x = self.excess[np.isfinite(self.excess)]
        return A * float(x.mean()) - gamma / 2.0 * A * float(x.var(ddof=1))


def simulate_account(  # noqa: C901, PLR0915  (a day of accounts, read top-down)
    config: StrategyConfig,
    mandate: Mandate,
    returns: np.ndarray,
    cash: np.ndarray,
    trades: np.ndarray,
    *,
    start: int,
    legs: np.ndarray | None = None,
    mix: np.ndarray | None = None,
    trained: float | None = None,
    turbulence: np.ndarray | None = None,
    bonds: np.ndarray | None = None,
) -> Account:
    """Account for `config` over the days `start` ... T - 1 of one path.

    returns (T,) feed the signals; legs (T, N) and mix (T, N) are the assets behind them, by default the one asset;
    turbulence (T,) is the probability that `regime_switch` looks at; bonds (T,) a safe leg that is not cash.
    """
    days, lag = returns.size, mandate.decision_lag
    legs = returns[:, None] if legs is None else legs
    mix = np.ones((days, 1)) if mix is None else mix
    sigmas = volatility(config, returns, cash)
    trends = trend(config.hysteresis, returns) if config.hysteresis is not None else np.ones(days)
    free = config.weight_function == "constant"
    low, high, change = (0.0, 2.0, 2.0) if free else (mandate.min_weight, mandate.max_weight, mandate.max_change)
    rate, spread = mandate.transaction_cost_bps / 1e4, mandate.borrow_spread_bps / 1e4 / A

    excess, weight, turnover, cost = np.full((4, days), np.nan)
    positions, changes = np.full((2, *legs.shape), np.nan)
    account = Account(excess, weight, turnover, cost, positions, changes)
    money, risky, safe = 1.0, np.zeros(legs.shape[1]), 1.0
    closes: dict[int, float] = {}  # wealth at the close of each scored day
    base_value, base_day, idle = 1.0, start - 1, 0
    due, first = 0.0, 0.0  # for the first position, paid for out of the first day
    aim = config.target_volatility or mandate.target_volatility
    own = [aim * aim]  # annual variance of the strategy itself before the first day and after each
    latest = np.nan  # weight that was wanted last

    for t in range(start - 1, days):
        last_day = t - lag
        before, charged, traded = money, 0.0, 0.0
        if t >= start:
            account.weights[t] = risky.sum() / money
            account.positions[t] = risky / money
            fee = spread * max(risky.sum() - money, 0.0)
            risky = risky * (1.0 + legs[t])
            lent = cash[t] if bonds is None or safe < 0.0 else bonds[t]
            safe = safe * (1.0 + lent) - fee
            money = risky.sum() + safe
            charged = fee / before
            account.traded[t] = 0.0
        if t < start or trades[t]:
            value = closes.get(last_day, 1.0)
            if idle >= LOCKED_SESSIONS and config.weight_function in INSURED:
                base_value, base_day, idle = value, max(last_day, start - 1), 0
                account.restarts += 1
            if config.weight_function == "constant":
                desired = config.constant_weight or 0.0
            elif config.weight_function == "cppi":
                grown = np.prod(1.0 + cash[base_day + 1 : last_day + 1])
                floor = (config.floor or 0.0) * base_value * grown
                desired = (config.multiplier or 0.0) * (value - floor) / value
            elif config.weight_function == "tipp":
                peak = max([base_value, *(closes[s] for s in range(base_day + 1, last_day + 1))])
                desired = (config.multiplier or 0.0) * (value - (config.floor or 0.0) * peak) / value
            elif config.weight_function == "regime_switch":
                assert turbulence is not None
                p = turbulence[last_day]
                desired = (1.0 - p) * (config.calm_weight or 0.0) + p * (config.turbulent_weight or 0.0)
            elif config.weight_function == "feedback":
                own_volatility = math.sqrt(own[max(last_day - start + 1, 0)])
                last = aim / max(sigmas[last_day], SMALLEST) if t < start else latest
                desired = last + (config.gain or 0.0) * (aim - own_volatility)
            else:
                desired = by_volatility(config, mandate, sigmas[last_day], trained)
            if config.weight_function == "trend_overlay":
                desired = trends[last_day] * min(desired, high)
            if config.weight_function == "drawdown_control":
                peak = max([base_value, *(closes[s] for s in range(base_day + 1, last_day + 1))])
                fall = 1.0 - value / peak
                desired = min(desired, high) * max(0.0, 1.0 - fall / (config.drawdown_cap or 1.0))
            desired = latest = min(max(desired, low), high)
            holdings = risky / money
            entering = t < start  # the first position is taken whole
            total = desired if entering else holdings.sum() + min(max(desired - holdings.sum(), -change), change)
            trade = np.abs(total * mix[last_day] - holdings).sum()
            if trade > (0.0 if entering else config.no_trade_band):
                traded = (trade + abs(total - holdings.sum())) / 2.0
                lent = 0.0 if bonds is None else abs(max(1.0 - total, 0.0) - max(1.0 - holdings.sum(), 0.0))
                due += rate * (trade + lent)
                account.traded[t] = total * mix[last_day] - holdings
                risky, safe = money * total * mix[last_day], money * (1.0 - total)
        if t < start:
            first = traded
            continue
        charge, due = due, 0.0
        risky, safe, money = risky * (1.0 - charge), safe * (1.0 - charge), money * (1.0 - charge)
        closes[t] = money
        account.excess[t] = money / before - 1.0 - cash[t]
        own.append(OWN_DECAY * own[-1] + (1.0 - OWN_DECAY) * A * account.excess[t] ** 2)
        account.turnover[t] = traded + (first if t == start else 0.0)
        account.cost[t] = charged + charge
        idle = idle + 1 if risky.sum() / money < LOCKED_WEIGHT else 0
        account.locked = account.locked or idle >= LOCKED_SESSIONS
    return account
