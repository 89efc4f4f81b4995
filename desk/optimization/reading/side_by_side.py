"""Compares up to five results: requests, outcomes, and whether differences are luck."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from desk.optimization.reading.comparison import Comparison, compare
from desk.optimization.reading.explanation import Evidence, build_evidence
from desk.optimization.result import OptimizationResult, Verdict
from quant.numeric.frozen import Frozen
from quant.numeric.units import BASIS_POINTS, DAYS
from quant.strategies.config import StrategyConfig

if TYPE_CHECKING:
    from desk.optimization.reading.history import History

MOST = 5
REPLICATIONS = 2_000
MEAN_BLOCK = 21
"""Bootstrap block in sessions (a month), as in the tests for luck."""
SHORTEST = DAYS
SEED = 1


class Difference(Frozen):
    """Of the two winners' daily utilities on the days that both records hold, second minus first, a year.

    Days are drawn again in blocks, for both at once (stationary bootstrap), so that what moves both moves neither.
    """

    first_day: str
    last_day: str
    days: int
    """Days in common."""
    risk_aversion: float = Field(description="That of the first job, for both")
    utility_bps: float
    """Difference of the utilities, in basis points a year."""
    low: float = Field(description="`low` and `high` enclose 95% of the resamples")
    high: float
    p_value: float = Field(description="Two-sided: how often chance alone gives a difference of that size")


class Side(Frozen):
    job: str
    name: str
    ended_at: datetime
    """When it completed."""
    as_of: str
    """Last day of the prices."""
    data_version: str
    result_digest: str
    verdict: Verdict
    evidence: tuple[Evidence, ...] = Field(description="The tests of the verdict; none without a winner")
    winner: StrategyConfig | None


class Pair(Frozen):
    """Comparison of the first job with another one."""

    first: str
    """Id of the first job."""
    second: str
    """Id of the other job."""
    comparison: Comparison
    difference: Difference | None = Field(description="Null where one has no winner, or too few days are common")


class SideBySide(Frozen):
    jobs: tuple[Side, ...]
    """The results, in the order of the request."""
    pairs: tuple[Pair, ...] = Field(description="The first with each of the others")


class EndedJob(NamedTuple):
    job: str
    ended_at: datetime
    result: OptimizationResult
    record: "History | None"


def compare_side_by_side(jobs: Sequence[EndedJob]) -> SideBySide:
    first, *others = jobs
    return SideBySide(
        jobs=tuple(map(_side, jobs)),
        pairs=tuple(
            Pair(
                first=first.job,
                second=other.job,
                comparison=compare(first.result, other.result),
                difference=difference(first.record, other.record, first.result.manifest.request.mandate.risk_aversion),
            )
            for other in others
        ),
    )


def difference(first: "History | None", second: "History | None", risk_aversion: float) -> Difference | None:
    if first is None or second is None:
        return None
    import numpy as np  # imported here: the types of this module serve routes that need no numpy

    from quant.overfitting.predictive_ability import performance_differences
    from quant.overfitting.stationary_bootstrap import resampled_means

    common, ours, theirs = np.intersect1d(first.days, second.days, assume_unique=True, return_indices=True)
    if common.size < SHORTEST:
        return None
    daily = performance_differences(second.winner[theirs], first.winner[ours], risk_aversion)[:, 0]
    mean = float(daily.mean())
    means = resampled_means(daily, seed=SEED, replications=REPLICATIONS, mean_block=MEAN_BLOCK)[:, 0]
    low, high = np.quantile(means, [0.025, 0.975])
    exceeding = int(np.count_nonzero(np.abs(means - mean) >= abs(mean)))
    bps = DAYS * BASIS_POINTS
    days = common.astype(np.int64).astype("datetime64[D]")
    return Difference(
        first_day=str(days[0]),
        last_day=str(days[-1]),
        days=int(common.size),
        risk_aversion=risk_aversion,
        utility_bps=bps * mean,
        low=bps * float(low),
        high=bps * float(high),
        p_value=(exceeding + 1) / (REPLICATIONS + 1),
    )


def _side(ended: EndedJob) -> Side:
    result, manifest = ended.result, ended.result.manifest
    return Side(
        job=ended.job,
        name=manifest.request.name,
        ended_at=ended.ended_at,
        as_of=manifest.last_day,
        data_version=manifest.data_digest,
        result_digest=result.digest(),
        verdict=result.verdict,
        evidence=tuple(build_evidence(result)),
        winner=result.winner.config if result.winner else None,
    )
