import pytest

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


def test_memory_does_not_grow_with_paths_or_trials(make_request) -> None:
    few, many = estimate(make_request()), estimate(resize(make_request(), paths=100_000), 5_000)
    assert few.memory_mb == many.memory_mb
    assert few.memory_mb < estimate(resize(make_request(), years=30)).memory_mb


def test_a_local_search_costs_nothing(make_request) -> None:
    assert (estimate(make_request()).dollars, estimate(make_request()).instances) == (0.0, 0)


def test_the_smallest_search_takes_what_any_search_takes(make_request) -> None:
    assert estimate(make_request(), 1).seconds == pytest.approx(START_SECONDS, abs=0.6)
