"""Figures of the evidence: each leads to the field that holds its value."""

import re
from functools import reduce
from typing import Any

from desk.figures.figures import Figure
from desk.optimization.judgement.result_figures import result_figures
from quant.numeric.measured import Measured
from tests.sample_result import sample_result


def figures_of(result: Any) -> dict[str, Figure]:
    return {figure.id: figure for figure in result_figures(result)}


def field_of(result: Any, source: str) -> Any:
    """The value at a path such as `result.out_of_sample.walk_forward.choices`."""
    steps = re.findall(r"\.(\w+)|\[(\d+)\]", source)
    return reduce(lambda value, step: getattr(value, step[0]) if step[0] else value[int(step[1])], steps, result)


def test_every_figure_of_unused_days_is_the_field_that_it_names() -> None:
    result = sample_result()
    figures = [f for f in result_figures(result) if f.id.startswith(("cross_validation_", "walk_forward_"))]
    assert len(figures) == 12
    for figure in figures:
        value = field_of(result, figure.source)
        if isinstance(value, Measured):
            assert (figure.value, figure.error) == (value.value, value.error)
        else:
            assert figure.value == (len(value) if isinstance(value, tuple) else value)


def test_results_of_earlier_versions_have_no_figures_of_the_new_evidence() -> None:
    older = figures_of(sample_result(out_of_sample=None, parameter_effects=None))
    assert not [i for i in older if i.startswith(("cross_", "walk_", "interaction_"))]
    assert not [i for i in older if i.endswith(("_best", "_range"))]


def test_a_track_record_that_is_never_long_enough_is_not_reached() -> None:
    luck = sample_result().luck
    assert luck is not None
    never = luck.model_copy(update={"minimum_track_record_years": None})
    assert figures_of(sample_result(luck=never))["minimum_track_record_years"].value == "not reached"
    earlier = never.model_copy(update={"probabilistic_sharpe": None})
    assert "minimum_track_record_years" not in figures_of(sample_result(luck=earlier))


def test_worlds_of_long_names_have_figures_of_their_own() -> None:
    world = sample_result().worlds[0]
    names = ["a" * 63 + end for end in "xyz"] + ["a" * 47 + "_2", "base_case"]
    worlds = tuple(world.model_copy(update={"scenario": name}) for name in names)
    figures = [f for f in result_figures(sample_result(worlds=worlds)) if f.id.startswith("world_")]
    assert len(figures) == 5 * len(names)
    assert len({figure.id for figure in figures}) == len(figures)
    assert max(len(figure.id) for figure in figures) <= 68
    assert {figure.id.rpartition("_")[2] for figure in figures} == {"mean", "volatility", "sharpe", "day", "month"}
    assert "world_base_case_worst_month" in [figure.id for figure in figures]


def test_best_values_and_ranges_are_those_of_the_curves() -> None:
    result = sample_result()
    figures = figures_of(result)
    assert [figures[f"driver_{n}_best"].value for n in (1, 2, 3)] == ["weekly", "ewma max", "inverse volatility"]
    assert figures["driver_1_range"].value == 10_000 * (0.0293 - 0.0257)
    assert figures["driver_1_range"].unit == "bps"
    request = result.manifest.request.model_copy(update={"goal": "sharpe"})
    by_ratio = sample_result(manifest=result.manifest.model_copy(update={"request": request}))
    assert figures_of(by_ratio)["driver_1_range"].unit == "ratio"
    pair = figures["interaction_pair"], figures["interaction_share"]
    assert [f.value for f in pair] == ["the rebalancing frequency with the volatility estimator", 0.083]
