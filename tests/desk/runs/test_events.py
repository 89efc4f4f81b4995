import subprocess
import sys
from datetime import UTC, datetime

from desk.runs.events.base import event_id
from desk.runs.events.run import NodeStarted
from desk.runs.events.search import JobProgressed
from desk.runs.events.table import TRACE_EVENT

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
