"""What a search will take, before it starts."""

import os

from tools.approval import Thresholds
from tools.estimate_words import Foreseen
from tools.optimization import Estimate, OptimizationRequest
from tools.prices import PriceSource

DAYS = 252
PATH_DAYS_PER_SECOND = 2.0e8
"""Strategy-path-days of one core, path generation included: a cautious figure from `make bench`."""
STARTING_SECONDS = 3.0
"""Of any search, on one core: loading, fitting, the steps of the graph. Measured: 1.7 in a process that has searched
before and 5 in a fresh one; a machine that has never compiled the kernels takes half a minute more, once."""
SEARCH_SECONDS = 0.02
"""Proposing and storing one trial."""
JUDGING = 1.0
"""Work of judging (fresh paths, neighbours, sensitivities), as a share of a search of 100 trials."""


def estimate(request: OptimizationRequest, budget: int | None = None) -> Estimate:
    """Of `budget` trials, by default all of the request's."""
    trials = budget or request.trials
    scenario = request.scenarios[0]
    evaluations = trials * len(request.scenarios)
    path_days = evaluations * scenario.paths * scenario.years * DAYS
    judging = JUDGING * 100 * len(request.scenarios) * scenario.paths * scenario.years * DAYS
    simulating = (path_days + judging) / (PATH_DAYS_PER_SECOND * (os.cpu_count() or 1))
    seconds = STARTING_SECONDS + simulating + trials * SEARCH_SECONDS
    memory = 350.0 + 8.0e-6 * scenario.years * DAYS * 64 * 8
    return Estimate(
        trials=trials,
        evaluations=evaluations,
        path_days=path_days,
        seconds=round(seconds, 1),
        memory_mb=round(memory, 1),
    )


async def foresee(prices: PriceSource, request: OptimizationRequest, thresholds: Thresholds | None) -> Foreseen:
    """Of a request whose prices are there, and whether a person is asked before it starts."""
    await prices.load(request.universe)
    found = estimate(request)
    exceeded = thresholds.exceeded(found) if thresholds else ()
    return Foreseen(estimate=found, needs_approval=bool(exceeded), exceeded=exceeded, thresholds=thresholds)
