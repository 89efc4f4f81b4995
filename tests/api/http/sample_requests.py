"""Small request bodies and files that several tests post."""

from typing import Any

import numpy as np

from quant.worlds.scenario import BUILT_IN
from tests.graphs.dependencies import FIRST_DAY

SESSIONS = [
    *("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-10"),
    *("2024-01-11", "2024-01-12", "2024-01-16", "2024-01-17", "2024-01-18", "2024-01-19", "2024-01-22"),
]
PRICES_A = [100.0, 101.0, 99.5, 102.0, 103.0, 102.5, 104.0, 103.0, 105.0, 106.0, 104.5, 105.5, 107.0, 108.0]
PRICES_B = [50.0, 50.5, 51.0, 50.2, 50.9, 51.3, 51.1, 51.9, 52.4, 52.0, 52.6, 53.1, 52.8, 53.4]


def price_file(a: list[float] = PRICES_A, b: list[float] = PRICES_B) -> str:
    return "date,A,B\n" + "".join(f"{d},{x},{y}\n" for d, x, y in zip(SESSIONS, a, b, strict=False))


RANDOM_RETURNS = np.random.default_rng(5).normal(0.0004, 0.01, (600, 2))
TWO_ASSET_SIMULATION: dict[str, Any] = {
    "weights": {"A": 0.6, "B": 0.4},
    "returns": {"A": RANDOM_RETURNS[:, 0].tolist(), "B": RANDOM_RETURNS[:, 1].tolist()},
    "numSimulations": 400,
    "numPeriods": 50,
}
TECH_PORTFOLIO = {
    "name": "Tech Concentrated",
    "description": "Technology-focused portfolio with high concentration",
    "assets": {"AAPL": 0.25, "MSFT": 0.25, "GOOGL": 0.20, "AMZN": 0.20, "META": 0.10},
}
SMALL_SCENARIOS = [one.model_copy(update={"paths": 100, "years": 1}).model_dump(mode="json") for one in BUILT_IN[:1]]
SMALL_JOB = {"name": "Small", "trials": 10, "seed": 3, "scenarios": SMALL_SCENARIOS, "first_day": str(FIRST_DAY)}
