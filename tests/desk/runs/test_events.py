"""Trace events: every kind has a row and a line, is stored as it is, and is compared without live readings."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Literal, get_args

import pytest

from desk.runs.events.base import BaseEvent, Row, Stage, event_id
from desk.runs.events.run import NodeStarted
from desk.runs.events.search import JobProgressed
from desk.runs.events.table import EVENTS, TRACE_EVENT
from tests.desk.runs.example_events import EXAMPLES, example

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_an_event_is_equal_after_a_round_trip() -> None:
    event = JobProgressed(id="1", run="r", node="search", at=NOW, job="r-plan-0", done=4, total=40, best=0.01)
    assert TRACE_EVENT.validate_json(event.model_dump_json()) == event


def test_times_and_live_readings_are_no_part_of_a_comparison() -> None:
    one = JobProgressed(id="1", run="r", node="search", at=NOW, job="j", done=4, total=40, best=0.01)
    two = one.model_copy(update={"at": datetime(2027, 1, 2, tzinfo=UTC), "best": 0.02})
    assert one.comparable() == two.comparable() != NodeStarted(id="1", run="r", node="search", at=NOW).comparable()


def test_an_id_names_a_place_in_a_run() -> None:
    places = [("r", "n", 0, 0), ("r", "n", 0, 1), ("r", "n", 1, 0), ("r", "m", 0, 0), ("q", "n", 0, 0)]
    assert len({event_id(*place) for place in places}) == len(places)
    assert event_id("r", "n", 0, 0) == event_id("r", "n", 0, 0)


def test_event_types_are_light_to_import() -> None:
    heavy = "{'numpy', 'numba', 'scipy', 'pandas', 'langgraph', 'langchain'}"
    light = "desk.runs.events.live, desk.figures.guard.claims, desk.optimization.judgement.result_figures"
    code = f"import sys, {light}; print({heavy} & set(sys.modules))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"


def declared_kinds(base: type[BaseEvent] = BaseEvent) -> set[type[BaseEvent]]:
    below = {kind for subclass in base.__subclasses__() for kind in declared_kinds(subclass)}
    return below | ({base} if "event" in base.model_fields and base.__module__.startswith("desk.") else set())


def test_the_table_has_every_kind_under_its_own_name():
    assert set(EVENTS.values()) == declared_kinds()
    assert all(example(name).event == name for name in EVENTS)


def test_every_kind_has_an_example():
    assert EXAMPLES.keys() == EVENTS.keys()


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_has_a_stage_and_a_line_without_markup(kind):
    event = example(kind)
    assert event.row.stage in get_args(Stage)
    assert event.line().strip()
    assert all(text == text.strip() and text.isprintable() for text in (event.line(), event.label()))


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_is_equal_after_a_round_trip_and_compared_without_its_time(kind):
    event = example(kind)
    assert TRACE_EVENT.validate_json(event.model_dump_json()) == event
    assert event.comparable() == example(kind, second=60.0, id=event.id).comparable()


@pytest.mark.parametrize("kind", EVENTS)
def test_a_kind_that_opens_or_closes_the_span_of_an_agent_names_the_agent(kind):
    spans = {EVENTS[kind].row.opens, EVENTS[kind].row.closes}
    assert example(kind).acting_agent or not spans & {"agent", "tool", "model"}


def test_every_span_that_opens_can_close():
    rows = [kind.row for kind in EVENTS.values()]
    assert {row.opens for row in rows} == {row.closes for row in rows}


def test_a_kind_without_a_row_is_no_kind():
    with pytest.raises(TypeError, match="RowForgotten has no row"):

        class RowForgotten(BaseEvent):  # pyright: ignore[reportUnusedClass]
            event: Literal["row_forgotten"] = "row_forgotten"

            def line(self) -> str:
                return "never"


def test_a_kind_without_a_line_makes_no_event():
    class LineForgotten(BaseEvent):
        row = Row(stage="run")
        event: Literal["line_forgotten"] = "line_forgotten"

    with pytest.raises(TypeError, match="line"):
        LineForgotten(id="1", run="r", node="n", at=NOW)  # type: ignore[abstract]


@pytest.mark.parametrize(
    ("changes", "question"),
    [
        ({}, "the job would take 100 evaluations (above 20000)"),
        ({"estimate": None}, "the job exceeds the threshold of evaluations"),
        ({"subject": "holdout", "estimate": None, "exceeded": ()}, "whether the locked holdout may be opened"),
    ],
)
def test_a_request_for_approval_names_what_needs_it(changes, question):
    asked = EXAMPLES["approval_requested"]["asked"].model_copy(update=changes)
    assert example("approval_requested", asked=asked).line() == f"A person is asked: {question}"
