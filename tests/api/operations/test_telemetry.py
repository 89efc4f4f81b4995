"""Spans and metrics by the conventions, with the times of the trace and none of its words."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from api.operations.telemetry import CONVENTIONS, Telemetry, telemetry_export
from desk.governance.usage import Usage
from desk.runs.events.agents import AgentFinished, AgentStarted, ToolCalled, ToolReturned
from desk.runs.events.conversation import RunLaunched, TurnFinished, TurnStarted
from desk.runs.events.models import ModelAnswered, ModelReplaced
from desk.runs.events.run import NodeFinished, NodeStarted, RunFailed, RunFinished, RunStarted
from desk.runs.events.table import EVENTS
from tests.desk.runs.example_events import example

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
MODEL = "bedrock_converse:eu.amazon.nova-pro-v1:0"
SECRET = "xyzzy"


class TelemetryRecorder:
    """A telemetry whose spans and metrics stay in memory."""

    def __init__(self) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.telemetry = Telemetry(tracers, MeterProvider([self._reader], shutdown_on_exit=False))

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._spans.get_finished_spans()}

    @property
    def points(self) -> dict[tuple[Any, ...], Any]:
        """By metric, kind of token and error."""
        data = self._reader.get_metrics_data()
        assert data is not None
        metrics = [m for resource in data.resource_metrics for scope in resource.scope_metrics for m in scope.metrics]
        return {
            (metric.name, *map((point.attributes or {}).get, ("gen_ai.token.type", "error.type"))): point
            for metric in metrics
            for point in metric.data.data_points
        }


def make_event(kind: Any, second: float, node: str = "explainer", /, **fields: Any) -> Any:
    return kind(id=f"{second}-{kind}", run="r", node=node, at=BEGIN + timedelta(seconds=second), **fields)


def answered(second: float, **fields: Any) -> Any:
    took = {"attempts": 1, "input_tokens": 10, "cached_tokens": 90, "written_tokens": 5, "output_tokens": 20}
    values = {"agent": "explainer", "model": MODEL, "stop": "answered", "seconds": 1.5} | took | fields
    return make_event(ModelAnswered, second, **values)


def agent_events() -> list[Any]:
    tool = {"agent": "explainer", "tool": "list_figures"}
    usage = Usage(answers=1, input_tokens=10, cached_tokens=90, written_tokens=5, output_tokens=20)
    return [
        make_event(RunStarted, 0, "run", request_digest="", data_digest="", model=MODEL),
        make_event(NodeStarted, 1),
        make_event(AgentStarted, 2, agent="explainer", model=MODEL),
        answered(4),
        make_event(ToolCalled, 5, arguments={"which": SECRET}, **tool),
        make_event(ToolReturned, 6, result_digest="", figures=(), **tool),
        make_event(AgentFinished, 8, agent="explainer", outcome="answered", usage=usage),
        make_event(NodeFinished, 9),
        make_event(RunFinished, 10, "run", result_digest=""),
    ]


def observed(*events: Any) -> TelemetryRecorder:
    recorded = TelemetryRecorder()
    for event in events:
        recorded.telemetry.observe(event)
    return recorded


def seconds(span: ReadableSpan) -> tuple[float, float]:
    assert span.start_time is not None
    assert span.end_time is not None
    begin = BEGIN.timestamp()
    return span.start_time / 1e9 - begin, span.end_time / 1e9 - begin


def test_spans_stand_within_each_other_and_have_the_times_of_the_trace():
    spans = observed(*agent_events()).spans
    parents = {span.context.span_id: name for name, span in spans.items() if span.context}
    tree = {name: parents.get(span.parent.span_id) if span.parent else None for name, span in spans.items()}
    assert tree == {
        "invoke_workflow optimization": None,
        "explainer": "invoke_workflow optimization",
        "invoke_agent explainer": "explainer",
        f"chat {MODEL.partition(':')[2]}": "invoke_agent explainer",
        "execute_tool list_figures": "invoke_agent explainer",
    }
    times = {name.split()[0]: seconds(span) for name, span in spans.items()}
    expected = {
        "invoke_workflow": (0, 10),
        "explainer": (1, 9),
        "invoke_agent": (2, 8),
        "chat": (2.5, 4),
        "execute_tool": (5, 6),
    }
    assert {name: tuple(round(t, 3) for t in pair) for name, pair in times.items()} == expected
    assert all(span.status.status_code is StatusCode.UNSET for span in spans.values())


def test_a_chat_has_the_attributes_and_metrics_of_the_conventions():
    recorded = observed(*agent_events())
    chat = recorded.spans["chat eu.amazon.nova-pro-v1:0"]
    assert chat.attributes is not None
    assert chat.instrumentation_scope is not None
    assert CONVENTIONS in (chat.instrumentation_scope.schema_url or "")
    assert dict(chat.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "eu.amazon.nova-pro-v1:0",
        "gen_ai.agent.name": "explainer",
        "gen_ai.usage.input_tokens": 105,
        "gen_ai.usage.cache_read.input_tokens": 90,
        "gen_ai.usage.cache_creation.input_tokens": 5,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.response.finish_reasons": ("answered",),
        "stratigos.attempts": 1,
        "stratigos.run": "r",
    }
    points = recorded.points
    assert points["gen_ai.client.token.usage", "input", None].sum == 105
    assert points["gen_ai.client.token.usage", "output", None].sum == 20
    assert points["gen_ai.client.operation.duration", None, None].sum == 1.5


def test_what_failed_says_why():
    events = agent_events()[:5]
    replaced = make_event(ModelReplaced, 7, agent="explainer", model=MODEL, by="other", reason="throttled")
    recorded = observed(*events, replaced, make_event(RunFailed, 9, "run", code="model_failed", kind="throttled"))
    errors = {name.split()[0]: (span.attributes or {}).get("error.type") for name, span in recorded.spans.items()}
    assert errors == {
        "execute_tool": "refused",
        "chat": "throttled",
        "invoke_agent": "throttled",
        "explainer": "throttled",
        "invoke_workflow": "throttled",
    }
    assert recorded.points["gen_ai.client.operation.duration", None, "throttled"].sum == 2.0


@pytest.mark.parametrize(
    ("model", "provider", "model_name"),
    [
        ("bedrock_converse:us.x", "aws.bedrock", "us.x"),
        ("google_vertexai:gemini", "gcp.vertex_ai", "gemini"),
        ("openai:gpt", "openai", "gpt"),
        ("embedded planner (rule-based)", "stratigos", "embedded planner (rule-based)"),
    ],
)
def test_the_provider_stands_in_the_models_name(model, provider, model_name):
    chat = observed(answered(3, model=model)).spans[f"chat {model_name}"]
    assert chat.attributes is not None
    assert chat.attributes["gen_ai.provider.name"] == provider
    assert chat.attributes["gen_ai.request.model"] == model_name


def test_a_run_that_is_resumed_elsewhere_or_interrupted_leaves_whole_spans():
    recorded = observed(*agent_events()[3:5])
    recorded.telemetry.close()
    names = {name.split()[0]: (span.attributes or {}).get("error.type") for name, span in recorded.spans.items()}
    errors = dict.fromkeys(["invoke_workflow", "explainer", "invoke_agent", "execute_tool"], "interrupted")
    assert names == {"chat": None, **errors}


def test_a_conversation_is_named_in_its_own_spans_and_in_those_of_the_runs_it_launched():
    turn = make_event(TurnStarted, 0, "assistant", conversation="talk", turn=1, model=MODEL)
    launched = make_event(RunLaunched, 1, "assistant", launched="other", name="mine")
    began = make_event(RunStarted, 2, "run", request_digest="", data_digest="", model=MODEL)
    recorded = observed(turn, launched, began.model_copy(update={"run": "other"}))
    recorded.telemetry.close()
    conversations = [(s.attributes or {}).get("gen_ai.conversation.id") for s in recorded.spans.values()]
    assert conversations == ["talk"] * len(recorded.spans)
    assert "invoke_workflow optimization" in recorded.spans


def test_an_answered_message_leaves_a_workflow_of_its_own_that_ended_well():
    fields: dict[str, Any] = {"conversation": "talk", "turn": 1}
    recorded = observed(
        make_event(TurnStarted, 0, "turn", model=MODEL, **fields),
        make_event(NodeStarted, 1, "assistant"),
        make_event(NodeFinished, 2, "assistant"),
        make_event(TurnFinished, 3, "turn", outcome="answered", usage=Usage(), **fields),
    )
    errors = {name: (span.attributes or {}).get("error.type") for name, span in recorded.spans.items()}
    assert errors == {"invoke_workflow assistant": None, "turn": None, "assistant": None}


SPANS = {"run": "invoke_workflow", "turn": "invoke_workflow", "node": "explainer", "agent": "invoke_agent"} | {
    "tool": "execute_tool",
    "model": "chat",
}
"""The begin of each span's name."""


IN_SPANS = [name for name, kind in EVENTS.items() if {kind.row.opens, kind.row.closes} & SPANS.keys()]


@pytest.mark.parametrize("kind", [name for name in IN_SPANS if EVENTS[name].row.opens])
def test_the_span_that_a_kind_opens_lasts_until_the_kind_that_closes_it(kind):
    row = EVENTS[kind].row
    closing = [example(name, 9) for name, other in EVENTS.items() if other.row.closes == row.opens != row.closes]
    ends = []
    for events in ([example(kind, 1)], [example(kind, 1), *closing[:1]]):
        spans = observed(*events).spans
        ends.append([round(seconds(span)[1]) for name, span in spans.items() if name.startswith(SPANS[str(row.opens)])])
    assert ends == ([[], [9]] if closing else [[1], [1]])


@pytest.mark.parametrize("kind", sorted(EVENTS.keys() - IN_SPANS))
def test_a_kind_outside_of_spans_leaves_no_span(kind):
    recorded = observed(example(kind))
    recorded.telemetry.close()
    assert recorded.spans == {}


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """The address of an OTLP receiver on this machine, and what it received."""
    received: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_otlp_takes_spans_and_metrics_to_the_address_of_its_own_variable(collector, monkeypatch):
    address, received = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    with telemetry_export("otlp") as telemetry:
        assert telemetry is not None
        for event in agent_events():
            telemetry.observe(event)
    bodies = dict(received)
    assert bodies.keys() == {"/v1/traces", "/v1/metrics"}
    assert b"invoke_agent explainer" in bodies["/v1/traces"]
    assert b"gen_ai.client.token.usage" in bodies["/v1/metrics"]
    assert all(SECRET.encode() not in body for body in bodies.values())


def test_telemetry_that_is_off_is_none():
    with telemetry_export("off") as telemetry:
        assert telemetry is None
