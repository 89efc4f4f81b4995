"""Metrics as lines that CloudWatch's specification of the embedded format allows, and what they count."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.operations import metrics as module
from api.operations.metrics import MAX_RUN_LINES, MAX_RUNS, Metrics, RequestMetrics, periodic_metrics, record_gauges
from api.operations.process import process
from api.settings import Settings
from desk.governance.estimates import Estimate
from desk.governance.usage import Usage
from desk.runs.events.base import Measure
from desk.runs.events.conversation import TurnFinished, TurnStarted
from desk.runs.events.models import ModelAnswered, ModelRetried
from desk.runs.events.run import NodeStarted, RunFailed, RunFinished, RunStarted
from desk.runs.events.search import EstimateMade, TrialFinished, TrialsFinished
from desk.runs.events.table import EVENTS
from tests.desk.runs.example_events import example
from tests.graphs.jobs.queued_runs import queued_dependencies

pytestmark = pytest.mark.anyio

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
UNITS = set(
    "Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits Megabits Gigabits "
    "Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second Gigabytes/Second Terabytes/Second "
    "Bits/Second Kilobits/Second Megabits/Second Gigabits/Second Terabits/Second Count/Second None".split()
)


def check(line: dict[str, Any]) -> None:
    """The rules of the specification, in the words of its section on the structure of a document."""
    about = line["_aws"]
    assert set(about) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(about["Timestamp"], int)
    assert about["Timestamp"] > 1_500_000_000_000, "milliseconds"
    for directive in about["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 1024
        assert 1 <= len(directive["Metrics"]) <= 100
        for dimensions in directive["Dimensions"]:
            assert len(dimensions) <= 30
            assert all(isinstance(line[name], str) and 1 <= len(line[name]) <= 1024 for name in dimensions)
        for metric in directive["Metrics"]:
            assert set(metric) <= {"Name", "Unit", "StorageResolution"}
            assert 1 <= len(metric["Name"]) <= 1024
            assert metric["Unit"] in UNITS
            values = line[metric["Name"]]
            values = values if isinstance(values, list) else [values]
            assert 1 <= len(values) <= 100
            assert all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    assert len(json.dumps(line)) < 256_000


class MetricsRecorder:
    """Metrics whose lines stay in memory."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self.metrics = Metrics("work", self._out, clock=BEGIN.timestamp)  # type: ignore[arg-type]

    def lines(self) -> dict[str | None, dict[str, Any]]:
        """By run."""
        self.metrics.flush()
        text = self._out.getvalue().decode()
        self._out.truncate(0)
        self._out.seek(0)
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            check(line)
        return {line.get("run"): line for line in lines}


def make_event(kind: Any, second: float, node: str = "search", /, run: str = "r", **fields: Any) -> Any:
    return kind(id=f"{second}-{kind}", run=run, node=node, at=BEGIN + timedelta(seconds=second), **fields)


def job(run: str = "r", end: Any = None) -> list[Any]:
    answered = {"attempts": 2, "input_tokens": 10, "cached_tokens": 90, "written_tokens": 5, "output_tokens": 20}
    trials = [
        make_event(
            TrialFinished,
            2 + n,
            run=run,
            trial=n,
            digest=str(n),
            screened=n == 1,
            objective=None if n == 1 else n,
        )
        for n in range(4)
    ]
    return [
        make_event(RunStarted, 0, "run", run=run, request_digest="", data_digest="", model="m"),
        make_event(ModelRetried, 1, run=run, agent="explainer", model="m", reason="throttled", attempt=1),
        make_event(
            ModelAnswered,
            1,
            run=run,
            agent="explainer",
            model="m",
            stop="answered",
            seconds=1.5,
            dollars=0.25,
            **answered,
        ),
        make_event(NodeStarted, 2, run=run),
        *trials,
        make_event(TrialsFinished, 10, run=run, plan=0, trials=4, stopped="budget"),
        end or make_event(RunFinished, 20, "run", run=run, result_digest=""),
    ]


def observed(*events: Any) -> MetricsRecorder:
    recorder = MetricsRecorder()
    for event in events:
        recorder.metrics.observe(event)
    return recorder


def test_a_job_is_counted_and_timed_under_its_run_and_no_dimension_names_it():
    lines = observed(*job()).lines()
    assert lines[None]["Trials"] == 4
    line = lines["r"]
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Service", "Process"]]
    told_of = {name: value for name, value in line.items() if name not in ("_aws", "Service", "Process", "run")}
    assert told_of == {
        "JobsCompleted": 1,
        "ModelAnswers": 1,
        "ModelRetries": 1,
        "InputTokens": 15,
        "CachedTokens": 90,
        "OutputTokens": 20,
        "Dollars": 0.25,
        "ModelSeconds": [1.5],
        "TrialsPerSecond": [0.5],
        "BestObjective": [3.0],
        "JobSeconds": [20.0],
    }


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("fault", {"JobsFailed": 1, "Errors": 1}),
        ("model_failed", {"JobsFailed": 1, "Errors": 1}),
        ("unusable_input", {"JobsFailed": 1}),
        ("cancelled", {"JobsCancelled": 1}),
        ("rejected", {"JobsCancelled": 1}),
    ],
)
def test_how_a_job_ended(code, expected):
    lines = observed(*job(end=make_event(RunFailed, 20, "run", code=code, kind="k"))).lines()
    counts = {name: n for line in lines.values() for name, n in line.items() if name.startswith(("Jobs", "Errors"))}
    assert counts == expected


def test_a_turn_is_no_job():
    answered = {"conversation": "c", "turn": 1}
    lines = observed(
        make_event(TurnStarted, 0, "turn", model="m", **answered),
        make_event(TurnFinished, 3, "turn", outcome="answered", usage=Usage(), **answered),
        make_event(RunFailed, 3, "assistant", run="other", code="fault", kind="k"),
    ).lines()
    assert (lines["r"]["TurnsAnswered"], lines["r"]["TurnSeconds"]) == (1, [3.0])
    assert lines["other"]["TurnsFailed"] == 1
    assert not any(name.startswith("Job") for line in lines.values() for name in line)


def test_events_that_say_nothing_of_metrics_write_nothing():
    estimate = Estimate(trials=1, evaluations=1, path_days=1, seconds=1.0, memory_mb=1.0)
    assert observed(make_event(EstimateMade, 0, plan=0, estimate=estimate)).lines() == {}


def test_memory_is_bounded_however_many_runs_and_requests_there_are():
    recorder = MetricsRecorder()
    for n in range(3 * MAX_RUNS):
        recorder.metrics.observe(make_event(RunStarted, 0, run=f"r{n}", request_digest="", data_digest="", model="m"))
        recorder.metrics.record_response(200, 0.001 * n)
        recorder.metrics.observe(
            make_event(ModelRetried, 1, run=f"r{n}", agent="explainer", model="m", reason="", attempt=1)
        )
    lines = recorder.lines()
    assert len(lines) <= MAX_RUN_LINES + 1
    assert sum(line.get("ModelRetries", 0) for line in lines.values()) == 3 * MAX_RUNS
    assert lines[None]["Requests2xx"] == 3 * MAX_RUNS
    sample = lines[None]["RequestMilliseconds"]
    assert len(sample) == 100
    assert 1_000 < sum(sample) / 100 < 2_000, "a fair sample of 0 to 3000"
    assert recorder.lines() == {}


@settings(max_examples=10)
@given(st.lists(st.tuples(st.integers(100, 599), st.floats(0, 1e4)), max_size=150), st.text(max_size=30))
def test_whatever_is_measured_fits_the_format(requests, run):
    recorder = MetricsRecorder()
    for status, seconds in requests:
        recorder.metrics.record_response(status, seconds)
    recorder.metrics.measure("JobSeconds", 1e300, run=run)
    recorder.metrics.level("QueueDepth", 7)
    lines = recorder.lines()
    counted = sum(n for name, n in lines[None].items() if name.startswith("Requests"))
    assert counted == len(requests)


async def test_requests_are_counted_by_class_and_timed_until_they_begin_to_be_answered():
    recorder = MetricsRecorder()

    async def app(scope, receive, send):
        status = int(scope["path"].strip("/"))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(RequestMetrics(app, recorder.metrics))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for status in (200, 204, 302, 404, 429, 503):
            await client.get(f"/{status}")
    line = recorder.lines()[None]
    counted = {name: n for name, n in line.items() if name.startswith(("Requests", "Errors"))}
    assert counted == {"Requests2xx": 2, "Requests3xx": 1, "Requests4xx": 2, "Requests5xx": 1, "Errors": 1}
    assert len(line["RequestMilliseconds"]) == 6


async def test_the_depth_of_the_queue_and_the_age_of_the_prices_are_looked_at(home):
    recorder = MetricsRecorder()
    async with queued_dependencies(home, now=lambda: datetime(2022, 12, 30, tzinfo=UTC)) as dependencies:
        assert dependencies.queue is not None
        await dependencies.queue.send({})
        await record_gauges(dependencies, recorder.metrics)
    line = recorder.lines()[None]
    assert (line["QueueDepth"], line["DataAgeDays"]) == (1, 2)


def test_what_is_left_is_written_at_the_end(capfd):
    with periodic_metrics("emf", "serve") as metrics:
        assert metrics is not None
        metrics.record_response(200, 0.1)
    (line,) = capfd.readouterr().out.splitlines()
    check(json.loads(line))
    assert (json.loads(line)["Process"], json.loads(line)["Requests2xx"]) == ("serve", 1)


def test_the_name_of_a_deployment_separates_its_metrics(capfd, home):
    values = {"STRATIGOS_HOME": home, "STRATIGOS_METRICS": "emf", "STRATIGOS_DEPLOYMENT": "stratigos-pr42"}
    with process(Settings.model_validate(values), "work") as metrics:
        assert metrics is not None
        metrics.level("QueueDepth", 1)
    (line,) = capfd.readouterr().out.splitlines()
    assert (json.loads(line)["Service"], json.loads(line)["Process"]) == ("stratigos-pr42", "work")


def test_nothing_is_measured_unless_asked_for(capfd):
    with periodic_metrics("off", "serve") as metrics:
        assert metrics is None
    assert capfd.readouterr().out == ""


def test_every_metric_has_a_unit_that_cloudwatch_knows():
    assert set(module.UNITS.values()) <= UNITS


def test_every_amount_that_an_event_measures_is_a_metric():
    assert set(get_args(Measure)) <= module.UNITS.keys()


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_raises_the_metrics_that_its_row_names(kind):
    event = example(kind)
    amounts = [item for line in observed(event).lines().values() for item in line.items()]
    assert {name: amount for name, amount in amounts if name in get_args(Measure)} == {
        name: [amount] if name in module.VALUES else amount for name, amount in event.measures().items()
    }
    ends = [name for name, _ in amounts if name.startswith(("Jobs", "Turns"))]
    assert len(ends) == (event.row.closes in ("run", "turn"))
