"""Counts of the work of a search."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Literal

from desk.optimization.request import OptimizationRequest
from desk.optimization.result import Counts
from desk.optimization.stopping import StopReason, failed_sentence, stop_sentence
from quant.strategies.trial import Trial


def search_sentences(request: OptimizationRequest, counts: Counts) -> tuple[str, ...]:
    """What a result says about a budget that ended its search, and about configurations that failed."""
    tried = counts.trials + counts.failed
    sentences = (stop_sentence(request, counts.stopped, tried), failed_sentence(counts.failed, tried))
    return tuple(sentence for sentence in sentences if sentence is not None)


def count_work(
    request: OptimizationRequest,
    trials: Sequence[Trial],
    *,
    stopped: StopReason | Literal["agent"],
    plans: int,
    failed: int = 0,
) -> Counts:
    whole = [e for t in trials if not t.screened for e in t.evaluations]
    scenarios = request.scenarios
    return Counts(
        trials=len(trials),
        screened=len([t for t in trials if t.screened]),
        scenarios=len(scenarios),
        paths=scenarios[0].paths,
        years=scenarios[0].years,
        evaluations=len(whole),
        path_days=reduce(add, (e.paths * e.days for e in whole), 0),
        stopped=stopped,
        failed=failed,
        plans=plans,
    )
