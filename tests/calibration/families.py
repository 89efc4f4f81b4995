"""Families of generated return histories, without an edge and with a planted one."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from desk.market.bundled import BundledPrices
from quant.numeric.arrays import Floats

Draw = Callable[[np.random.Generator, int], Floats]

DAILY = 0.16 / math.sqrt(252.0)
"""Daily volatility of every family: 16% a year."""


@dataclass(frozen=True)
class Family:
    name: str
    title: str
    draw: Draw
    """Daily total returns for a generator and a number of days."""
    histories: int
    edge: float | None = None
    """The t-ratio of the planted edge that the parameters aim at; None without an edge."""
    counted: bool = True
    """Whether the rates of the light have a bound; the others are shown as information."""


def independent(premium: float) -> Draw:
    """Independent normal returns with `premium` a year over 3% cash."""
    return lambda generator, days: (0.03 + premium) / 252.0 + DAILY * generator.standard_normal(days)


def garch(premium: float, *, proportional: bool) -> Draw:
    """GARCH(1, 1) returns whose premium is constant, or proportional to variance."""

    def draw(generator: np.random.Generator, days: int) -> Floats:
        reaction, persistence = 0.08, 0.90
        base = DAILY * DAILY
        variance = base
        shocks = generator.standard_normal(days)
        returns = np.empty(days)
        for t in range(days):
            shock = math.sqrt(variance) * float(shocks[t])
            scale = variance / base if proportional else 1.0
            returns[t] = (0.03 + premium * scale) / 252.0 + shock
            variance = base * (1.0 - reaction - persistence) + reaction * shock * shock + persistence * variance
        return returns

    return draw


def shuffled() -> Draw:
    """Returns of the S&P 500 in random order, with replacement where the series is too short."""
    closes = asyncio.run(BundledPrices().load("sp500")).closes[:, 0]
    returns = closes[1:] / closes[:-1] - 1.0 + 0.02 / 252.0  # the index leaves dividends out
    return lambda generator, days: generator.choice(returns, days)


def trend(strength: float) -> Draw:
    """Two states of opposite drift, `strength` a year, that change about once a year."""

    def draw(generator: np.random.Generator, days: int) -> Floats:
        switches = np.cumsum(generator.random(days) < 1.0 / 250.0)
        drift = np.where(switches % 2 == 0, strength, -strength)
        return (0.06 + drift) / 252.0 + DAILY * generator.standard_normal(days)

    return draw


def crash(strength: float) -> Draw:
    """States of twice the volatility and a drift of minus `strength` a year, in a sixth of all days, 60 at a time."""

    def draw(generator: np.random.Generator, days: int) -> Floats:
        uniforms = generator.random(days)
        state = np.empty(days, dtype=bool)
        inside = False
        for t in range(days):
            inside = uniforms[t] > 1.0 / 60.0 if inside else uniforms[t] < 1.0 / 300.0
            state[t] = inside
        drift = np.where(state, -strength, 0.06 + strength / 5.0)
        volatility = np.where(state, 2.0, 0.9) * DAILY
        return drift / 252.0 + volatility * generator.standard_normal(days)

    return draw


TREND = {2: 0.210, 3: 0.268, 4: 0.339, 6: 0.509}
"""Strengths by the t-ratio that they aim at; `calibrate --only edge` measures the t-ratio reached."""
CRASH = {2: 0.210, 3: 0.397, 4: 0.649, 6: 1.48}

FAMILIES = (
    Family("no_premium", "independent returns without a premium", independent(0.0), 200),
    Family("premium", "independent returns with a premium of 5% a year", independent(0.05), 200),
    Family("shuffled", "returns of the S&P 500 in random order", shuffled(), 200),
    Family("garch", "GARCH volatility without a premium", garch(0.0, proportional=True), 200),
    Family("garch_premium", "GARCH volatility, premium proportional to variance", garch(0.05, proportional=True), 200),
    *(
        Family(f"{name}_{t}", f"{title}, t = {t}", draw(strength), 200 if t >= 4 else 100, edge=t)
        for name, title, draw, strengths in (
            ("trend", "states of rising and falling prices", trend, TREND),
            ("crash", "rare states of crashes", crash, CRASH),
        )
        for t, strength in strengths.items()
    ),
    Family(
        "clustering",
        "GARCH volatility with a constant premium, a small true edge",
        garch(0.05, proportional=False),
        200,
        counted=False,
    ),
)
