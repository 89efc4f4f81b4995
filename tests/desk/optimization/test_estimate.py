import pytest

from desk.governance.estimates import Machines
from desk.optimization.estimate import START_SECONDS, estimate


def resize(request, **changes):
    return request.model_copy(update={"scenarios": tuple(s.model_copy(update=changes) for s in request.scenarios)})


def test_path_days_are_trials_times_scenarios_times_paths_times_days(make_request) -> None:
    actual = estimate(make_request())
    assert (actual.trials, actual.evaluations, actual.path_days) == (12, 24, 24 * 100 * 252)
    assert estimate(make_request(), 5).path_days * 12 == actual.path_days * 5


@pytest.mark.parametrize("changes", [{"paths": 10_000}, {"years": 20}])
def test_more_work_takes_longer(make_request, changes) -> None:
    assert estimate(resize(make_request(), **changes)).seconds > estimate(make_request()).seconds


def test_memory_grows_with_the_paths_that_are_kept_and_not_with_trials(make_request) -> None:
    few, many = (estimate(resize(make_request(), paths=paths)).memory_mb for paths in (100, 1_000))
    assert few < many
    assert estimate(resize(make_request(), paths=1_000), 5_000).memory_mb == many
    largest = [estimate(resize(make_request(), paths=100_000, years=years)).memory_mb for years in (10, 30)]
    assert largest[0] == largest[1] < 1_000.0


def test_a_local_search_costs_nothing(make_request) -> None:
    assert (estimate(make_request()).dollars, estimate(make_request()).instances) == (0.0, 0)


def test_the_smallest_search_takes_what_any_search_takes(make_request) -> None:
    assert estimate(make_request(), 1).seconds == pytest.approx(START_SECONDS, abs=0.6)


def test_a_budget_is_named_and_caps_the_price(make_request) -> None:
    paid = Machines(
        kind="sagemaker", instances=20, instance_type="ml.c7i", dollars_per_hour=3.6, starting_seconds=120.0
    )
    assert estimate(make_request(), machines=paid).limit is None
    capped = estimate(make_request(max_minutes=2.0, max_dollars=0.01), machines=paid)
    assert capped.dollars == 0.01 < estimate(make_request(), machines=paid).dollars
    assert "at most 2 minutes and 0.01 dollars" in capped.describe()
