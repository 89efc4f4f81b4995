"""Estimates time, memory and price of a search before it starts."""

import math
import os

from desk.governance.approvals import Thresholds
from desk.governance.estimates import Estimate, Machines
from desk.market.prices import PriceSource
from desk.optimization.durations import NO_DURATIONS, Durations
from desk.optimization.estimate_schemas import DefaultLimit, LaunchEstimate
from desk.optimization.request import MAX_PLANS, VOLATILITY_TOLERANCE, OptimizationRequest
from desk.optimization.stopping import describe_budgets
from quant.numeric.units import DAYS
from quant.worlds.path_limit import LIMIT as PATHS_KEPT

PATH_DAYS_PER_SECOND = 2.0e8
"""Strategy-path-days per core, path generation included; a cautious figure from `make bench`."""
START_SECONDS = 3.0
"""Fixed time of a search: loading, fitting, graph steps. Measured: 1.7 s in a warm process, 5 s in a fresh one; the
first compilation of the kernels on a machine takes half a minute more."""
TRIAL_SECONDS, LATE_TRIAL_SECONDS, LATE_TRIAL = 0.02, 0.1, 500
"""Time to propose and store a trial, before and after the 500th, when the sampler repeats many proposals."""
BASE_MEGABYTES = 650.0
"""Of a process that searches and draws its report, without paths; measured, as `max_rss` of `make demo`."""
JUDGEMENT_SHARE = 1.0
"""Work of the judgement (fresh paths, neighbours, sensitivities), relative to a search of 100 trials."""


def estimate(
    request: OptimizationRequest,
    budget: int | None = None,
    machines: Machines | None = None,
    durations: Durations = NO_DURATIONS,
) -> Estimate:
    """Estimate a search of `budget` trials (default: all) on `machines` (default: this one).

    `durations` are those of earlier runs on the same machines, which give the expected time and its error.
    """
    machines = machines or Machines(cores=os.cpu_count() or 1)
    trials = budget or request.trials
    scenario = request.scenarios[0]
    evaluations = trials * len(request.scenarios)
    path_days = evaluations * scenario.paths * scenario.years * DAYS
    judging = JUDGEMENT_SHARE * 100 * len(request.scenarios) * scenario.paths * scenario.years * DAYS
    here = os.cpu_count() or 1  # the judgement always runs on this machine
    computing = path_days / (PATH_DAYS_PER_SECOND * machines.cores)
    proposing = min(trials, LATE_TRIAL) * TRIAL_SECONDS + max(trials - LATE_TRIAL, 0) * LATE_TRIAL_SECONDS
    jobs = 1 if budget else MAX_PLANS  # each plan may start a new job
    searching = jobs * machines.starting_seconds + computing + proposing
    seconds = round(START_SECONDS + searching + judging / (PATH_DAYS_PER_SECOND * here), 1)
    kept = 8.0 * len(request.scenarios) * scenario.paths * scenario.years * DAYS * (1 if request.safe == "cash" else 2)
    memory = BASE_MEGABYTES + 1.0e-6 * (min(kept, PATHS_KEPT) + min(2.0 * kept, PATHS_KEPT))  # paths, and their moves
    return Estimate(
        trials=trials,
        evaluations=evaluations,
        path_days=path_days,
        seconds=seconds,
        expected_time=durations.expected_time(seconds),
        memory_mb=round(memory, 1),
        instances=machines.instances,
        dollars=min(round(machines.dollars(searching), 2), request.max_dollars or math.inf),
        limit=describe_budgets(request),
    )


async def estimate_launch(
    prices: PriceSource,
    request: OptimizationRequest,
    thresholds: Thresholds | None,
    machines: Machines | None = None,
    durations: Durations = NO_DURATIONS,
) -> LaunchEstimate:
    """Estimate a request whose prices are available, and whether its launch needs approval."""
    await prices.load(request.universe)
    request_estimate = estimate(request, machines=machines, durations=durations)
    exceeded = thresholds.exceeded(request_estimate) if thresholds else ()
    words = f"{VOLATILITY_TOLERANCE:.0%} of the target on the training days, unless set"
    return LaunchEstimate(
        estimate=request_estimate,
        needs_approval=bool(exceeded),
        exceeded=exceeded,
        thresholds=thresholds,
        default_limits=tuple(
            DefaultLimit(limit=name, bound=limit.bound, words=words) for name, limit in request.default_limits().items()
        ),
    )
