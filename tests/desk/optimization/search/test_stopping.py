"""Budgets of time and money, the trials of a reproduction, and configurations that fail."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from desk.base.errors import InvalidInput
from desk.governance.estimates import Machines
from desk.optimization.evaluation import World
from desk.optimization.request import OptimizationRequest
from desk.optimization.search.search import LocalSimulator, run_search
from desk.optimization.stopping import (
    SearchLimit,
    SearchStop,
    TooManyFailed,
    failed_sentence,
    remaining_limit,
    require_few_failed,
    spent_budget,
    stop_sentence,
)
from quant.numeric.errors import DataError
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.trial import Trial

PAID = Machines(kind="sagemaker", instances=2, instance_type="ml.c7i", dollars_per_hour=1.8, starting_seconds=100.0)


@dataclass
class Search:
    """A search whose clock moves by a minute with each chunk that is saved."""

    trials: list[Trial] = field(default_factory=list[Trial])
    now: float = 1_000.0
    failures: tuple[str, ...] = ()
    stopped: str = ""

    def run(self, world: World, job, simulator=None) -> "Search":
        def save(chunk) -> None:
            self.trials += [trial for trial, _ in chunk]
            self.now += 60.0

        def report(status) -> None:
            self.failures = tuple(failure.reason for failure in status.failures)

        self.stopped = run_search(world, job, {}, save, report, simulator, clock=lambda: self.now)
        return self


class Unsteady(LocalSimulator):
    """Cannot simulate some configs, like a core that meets data it does not accept."""

    chunk = 7

    def __init__(self, world: World, broken: Sequence[StrategyConfig]) -> None:
        super().__init__(world)
        self._broken = broken

    def evaluations(self, chunks, paths) -> Iterator[list[tuple[Evaluation, ...]]]:
        for configs in chunks:
            for config in configs:
                if config in self._broken:
                    raise DataError(f"no figures for {config.weight_function}")
            yield from super().evaluations([configs], paths)


@pytest.fixture(scope="module")
def whole(world, job) -> Search:
    return Search().run(world, job(world.request, budget=24))  # nine of the Sobol start and fifteen of the sampler


def test_a_spent_budget_ends_a_search_after_the_chunk_that_is_being_evaluated(world, job, whole) -> None:
    limit = SearchLimit(reason="time", seconds=59.0)
    short = Search().run(world, job(world.request, budget=24, limit=limit))
    start = sum(trial.origin == "sobol" for trial in whole.trials)
    assert (short.stopped, short.trials) == ("time", whole.trials[:start])
    long = Search().run(world, job(world.request, budget=24, limit=limit.model_copy(update={"seconds": 120.0})))
    assert (long.stopped, long.trials) == ("budget", whole.trials), "its trials are done when the budget is spent"


@pytest.mark.parametrize("most", [4, 17])
def test_a_reproduction_repeats_exactly_the_trials_that_ran(world, job, whole, most) -> None:
    stop = SearchStop(reason="dollars", trials=most)
    again = Search().run(world, job(world.request, budget=24, limit=stop), Unsteady(world, ()))
    assert (again.stopped, again.trials) == ("dollars", whole.trials[:most])


def test_configs_that_fail_are_left_out_and_the_others_stay(world, job, whole) -> None:
    broken = [trial.config for trial in whole.trials[2:4]]
    start = sum(trial.origin == "sobol" for trial in whole.trials)
    some = Search().run(world, job(world.request, budget=24), Unsteady(world, broken))
    good = [trial for trial in whole.trials[:start] if trial.config not in broken]
    assert [(t.config, t.evaluations) for t in some.trials[: start - 2]] == [(t.config, t.evaluations) for t in good]
    assert [trial.number for trial in some.trials] == list(range(22)), "of 24 that were tried two failed"
    assert some.failures == tuple(f"no figures for {config.weight_function}" for config in broken)


def test_a_run_fails_when_more_than_a_fifth_of_its_trials_do(world, job, whole) -> None:
    broken = [trial.config for trial in whole.trials[:3]]  # of twelve
    with pytest.raises(TooManyFailed, match=r"trials: 3 of \d+ failed: no figures for .*at most 20%"):
        Search().run(world, job(world.request, budget=24), Unsteady(world, broken))
    require_few_failed(["a", "b"], 10)
    with pytest.raises(TooManyFailed, match="3 of 10 failed: a; b; expected"):
        require_few_failed(["a", "b", "a"], 10)


def test_the_budget_that_is_met_first_counts() -> None:
    request = OptimizationRequest(max_minutes=10.0, max_dollars=0.5)
    assert remaining_limit(request, Machines()) == SearchLimit(reason="time", seconds=600.0)
    # half a dollar pays two instances for 500 seconds, 100 of which they start
    for seconds, plan, left in ((0.0, 0, 400.0), (90.0, 1, 210.0)):
        limit = remaining_limit(request, PAID, seconds=seconds, plan=plan)
        assert limit is not None
        assert (limit.reason, round(limit.seconds, 6)) == ("dollars", left)
    assert remaining_limit(OptimizationRequest(), PAID) is None
    with pytest.raises(InvalidInput, match=r"the price of ml\.c7i is not known"):
        remaining_limit(request, PAID.model_copy(update={"dollars_per_hour": None}))


def test_nothing_is_left_for_a_further_plan_once_a_budget_is_spent() -> None:
    assert spent_budget(SearchLimit(reason="dollars", seconds=-1.0), 40) == "dollars"
    assert spent_budget(SearchLimit(reason="time", seconds=1.0), 40) is None
    assert spent_budget(SearchStop(reason="time", trials=40), 40) == "time"
    assert spent_budget(SearchStop(reason="time", trials=41), 40) is None
    assert spent_budget(None, 40) is None


def test_a_result_says_which_budget_ended_its_search() -> None:
    request = OptimizationRequest(max_minutes=2.0, max_dollars=0.5)
    assert str(stop_sentence(request, "time", 60)).startswith(
        "The search stopped at the budget of 2 minutes after 60 of 100 trials"
    )
    assert "0.50 dollars after 7 of" in str(stop_sentence(request, "dollars", 7))
    assert stop_sentence(request, "converged", 60) is None
    assert failed_sentence(0, 10) is None
    assert "2 configurations of 10" in str(failed_sentence(2, 10))
    assert OptimizationRequest().content_digest() == OptimizationRequest(max_minutes=None).content_digest()
