"""OpenTelemetry spans and metrics, derived from trace events; they contain no text of prompts or answers."""

import logging
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import structlog

from desk.runs import events as trace

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
    from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
    from opentelemetry.trace import Span, TracerProvider

Destination: TypeAlias = Literal["off", "console", "otlp"]
Value: TypeAlias = str | int | float | tuple[str, ...]

CONVENTIONS = "1.41.0"
"""The version of the semantic conventions that the names here follow; those for generative AI are not stable yet."""
SERVICE = "stratigos"
OPTIMIZATION, ASSISTANT = "optimization", "assistant"
"""The graphs, which are the workflows."""
OF_A_TURN = ("turn", "assistant", "release")
"""Nodes of the second."""

TOKENS = tuple(4**k for k in range(14))
SECONDS = tuple(0.01 * 2**k for k in range(14))
"""Bounds of the histograms, as the conventions advise."""

SHUTDOWN_TIMEOUT = 5.0
"""Seconds for which the shutdown waits for pending exports."""

_PROVIDERS = {
    "azure_ai": "azure.ai.inference",
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "ibm": "ibm.watsonx.ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
}
"""Provider names of the conventions that differ from the prefixes of model names."""

_Ended: TypeAlias = trace.AgentFinished | trace.ModelAnswered
_Key: TypeAlias = tuple[str, ...]


class Telemetry:
    """Turns the events of any number of runs into spans with the times of the events, and into metrics."""

    def __init__(self, tracers: "TracerProvider", meters: "MeterProvider") -> None:
        schema = f"https://opentelemetry.io/schemas/{CONVENTIONS}"
        self._tracer = tracers.get_tracer(SERVICE, schema_url=schema)
        meter = meters.get_meter(SERVICE, schema_url=schema)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens read and written by an answer of a model.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        self._seconds = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Time that an answer of a model took.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._open: dict[_Key, Span] = {}
        """By run, then node, then agent; a call of a tool by its number as well."""
        self._calls: dict[_Key, list[tuple[str, _Key]]] = {}
        """Of each agent, the calls of tools that have not returned."""
        self._heard: dict[_Key, datetime] = {}
        """When something was last heard of an agent."""
        self._conversations: dict[str, str] = {}
        self._waiting: set[str] = set()
        """Runs that go on when a person has decided."""
        self._last = datetime.now(UTC)

    def observe(self, event: trace.TraceEvent) -> None:
        self._last = event.at
        match event:
            case trace.RunStarted() | trace.RunFinished() | trace.RunFailed() | trace.TurnFinished():
                self._of_run(event)
            case trace.TurnStarted() | trace.NodeStarted() | trace.NodeFinished():
                self._of_node(event)
            case trace.ApprovalRequested():
                self._waiting.add(event.run)
            case trace.ApprovalDecided():
                self._waiting.discard(event.run)
            case trace.RunLaunched():
                if event.run in self._conversations:
                    self._conversations[event.launched] = self._conversations[event.run]
            case trace.AgentStarted() | trace.AgentFinished():
                self._of_agent(event)
            case trace.ModelAnswered() | trace.ModelReplaced():
                self._of_model(event)
            case trace.ToolCalled() | trace.ToolReturned():
                self._of_tool(event)
            case _:
                return

    def close(self) -> None:
        """End all open spans, such as those of an interrupted run."""
        for key in sorted(self._open, key=len, reverse=True):
            self._end(key, self._last, error=None if key[0] in self._waiting else "interrupted")

    def _of_run(self, event: trace.RunStarted | trace.RunFinished | trace.RunFailed | trace.TurnFinished) -> None:
        self._run(event)
        if isinstance(event, trace.RunStarted):
            return
        error = event.kind if isinstance(event, trace.RunFailed) else None
        for key in [key for key in sorted(self._open, key=len, reverse=True) if key[0] == event.run]:
            self._end(key, event.at, error=error)
        self._conversations.pop(event.run, None)

    def _of_node(self, event: trace.TurnStarted | trace.NodeStarted | trace.NodeFinished) -> None:
        if isinstance(event, trace.TurnStarted):
            self._conversations[event.run] = event.conversation
        if isinstance(event, trace.TurnStarted | trace.NodeStarted):
            self._node(event)
        else:
            self._end((event.run, event.node), event.at)

    def _of_agent(self, event: trace.AgentStarted | trace.AgentFinished) -> None:
        if isinstance(event, trace.AgentStarted):
            self._agent(event)
            return
        self._refuse(event, event.agent)
        usage = event.usage
        error = "abstained" if event.outcome == "abstained" else None
        read = _read(usage.input_tokens, usage.cached_tokens, usage.written_tokens)
        self._agent(event)
        self._end(_place(event), event.at, {**read, "gen_ai.usage.output_tokens": usage.output_tokens}, error=error)
        self._heard.pop(_place(event), None)

    def _of_model(self, event: trace.ModelAnswered | trace.ModelReplaced) -> None:
        """One span for all attempts of a model to give an answer, whether it gave one or was replaced."""
        self._refuse(event, event.agent)
        parent, place = self._agent(event), _place(event)
        begun = self._heard.get(place, event.at)
        asked = {**_asked("chat", event.model), **self._shared(event), "gen_ai.agent.name": event.agent}
        measured: dict[str, Value] = _asked("chat", event.model)
        key, name = (*place, "chat"), f"chat {asked['gen_ai.request.model']}"
        if isinstance(event, trace.ModelAnswered):
            begun = max(begun, event.at - timedelta(seconds=event.seconds))
            self._begin(key, name, begun, parent, asked)
            read = _read(event.input_tokens, event.cached_tokens, event.written_tokens)
            written = {"gen_ai.usage.output_tokens": event.output_tokens}
            error = None if event.stop == "answered" else event.stop
            ends: dict[str, Value] = {"gen_ai.response.finish_reasons": (event.stop,)}
            attempts: dict[str, Value] = {"stratigos.attempts": event.attempts}
            self._end(key, event.at, {**read, **written, **ends, **attempts}, error=error)
            for kind, count in (("input", read["gen_ai.usage.input_tokens"]), ("output", event.output_tokens)):
                self._tokens.record(count, {**measured, "gen_ai.token.type": kind})
            seconds = event.seconds
        else:
            error, seconds = event.reason, (event.at - begun).total_seconds()
            self._begin(key, name, begun, parent, asked)
            self._end(key, event.at, error=error)
        self._seconds.record(seconds, measured if error is None else {**measured, "error.type": error})
        self._heard[place] = event.at

    def _of_tool(self, event: trace.ToolCalled | trace.ToolReturned) -> None:
        parent, place = self._agent(event), _place(event)
        waiting = self._calls.setdefault(place, [])
        self._heard[place] = event.at
        if isinstance(event, trace.ToolCalled):
            key = (*place, event.id)
            own: dict[str, Value] = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": event.tool,
                "gen_ai.tool.type": "function",
                "gen_ai.agent.name": event.agent,
            }
            self._begin(key, f"execute_tool {event.tool}", event.at, parent, {**own, **self._shared(event)})
            waiting.append((event.tool, key))
            return
        match = next((call for call in waiting if call[0] == event.tool), None)
        if match is not None:
            waiting.remove(match)
            self._end(match[1], event.at)

    def _refuse(self, event: _Ended | trace.ModelReplaced, agent: str) -> None:
        """End the spans of tool calls that did not return: the tool refused them."""
        for _, key in self._calls.pop((event.run, event.node, agent), ()):
            self._end(key, event.at, error="refused")

    def _run(self, event: trace.TraceEvent) -> "Span":
        name = ASSISTANT if event.node in OF_A_TURN else OPTIMIZATION
        own: dict[str, Value] = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name}
        return self._begin((event.run,), f"invoke_workflow {name}", event.at, None, {**own, **self._shared(event)})

    def _node(self, event: trace.TraceEvent) -> "Span":
        own: dict[str, Value] = {"stratigos.node": event.node}
        key = (event.run, event.node)
        return self._begin(key, event.node, event.at, self._run(event), {**own, **self._shared(event)})

    def _agent(self, event: "_OfAgent") -> "Span":
        own: dict[str, Value] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": event.agent}
        asked = _asked("invoke_agent", event.model) if isinstance(event, trace.AgentStarted) else {}
        attributes = {**own, **asked, **self._shared(event)}
        place = _place(event)
        span = self._begin(place, f"invoke_agent {event.agent}", event.at, self._node(event), attributes)
        self._heard.setdefault(place, event.at)
        return span

    def _shared(self, event: trace.TraceEvent) -> dict[str, Value]:
        conversation = self._conversations.get(event.run)
        attributes: dict[str, Value] = {"stratigos.run": event.run}
        return attributes if conversation is None else {**attributes, "gen_ai.conversation.id": conversation}

    def _begin(
        self, key: _Key, name: str, at: datetime, parent: "Span | None", attributes: Mapping[str, Value]
    ) -> "Span":
        """The open span of the key, or a new one: a resumed run may have started in another process."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, set_span_in_context

        if key not in self._open:
            context = Context() if parent is None else set_span_in_context(parent, Context())
            kind = SpanKind.CLIENT if name.startswith("chat ") else SpanKind.INTERNAL
            began = {"start_time": _nanoseconds(at), "attributes": attributes, "kind": kind, "context": context}
            self._open[key] = self._tracer.start_span(name, **began)
        return self._open[key]

    def _end(
        self, key: _Key, at: datetime, attributes: Mapping[str, Value] | None = None, *, error: str | None = None
    ) -> None:
        from opentelemetry.trace import StatusCode

        span = self._open.pop(key, None)
        if span is None:
            return
        span.set_attributes(attributes or {})
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(StatusCode.ERROR)
        span.end(_nanoseconds(at))


_OfAgent: TypeAlias = (
    trace.AgentStarted
    | trace.AgentFinished
    | trace.ModelAnswered
    | trace.ModelReplaced
    | trace.ToolCalled
    | trace.ToolReturned
)


@contextmanager
def exported(destination: Destination) -> "Generator[Telemetry | None]":
    """Export to stderr, or by OTLP as configured by the environment variables of OpenTelemetry."""
    if destination == "off":
        yield None
        return
    tracers, meters = _providers(destination)
    telemetry, complaints = Telemetry(tracers, meters), _ExportErrorHandler(logging.WARNING)
    logging.getLogger("opentelemetry").addHandler(complaints)
    try:
        yield telemetry
    finally:
        telemetry.close()
        sending = [threading.Thread(target=provider.shutdown, daemon=True) for provider in (tracers, meters)]
        end = time.monotonic() + SHUTDOWN_TIMEOUT
        for thread in sending:
            thread.start()
        for thread in sending:
            thread.join(max(end - time.monotonic(), 0.0))
        logging.getLogger("opentelemetry").removeHandler(complaints)


class _ExportErrorHandler(logging.Handler):
    """Logs export errors, which do not affect the run."""

    def emit(self, record: logging.LogRecord) -> None:
        logger: Any = structlog.get_logger()
        logger.warning("telemetry", told=record.getMessage())


def _providers(destination: Destination) -> "tuple[SdkTracerProvider, SdkMeterProvider]":
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    if destination == "console":
        spans, metrics = ConsoleSpanExporter(out=sys.stderr), ConsoleMetricExporter(out=sys.stderr)
    else:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        spans, metrics = OTLPSpanExporter(), OTLPMetricExporter()
    resource = Resource.create({"service.name": SERVICE}).merge(OTELResourceDetector().detect())
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(spans))
    reader = PeriodicExportingMetricReader(metrics)
    return tracers, MeterProvider([reader], resource=resource, shutdown_on_exit=False)


def _asked(operation: str, name: str) -> dict[str, Value]:
    """Attributes of the provider and model in a name such as `bedrock_converse:us.model`."""
    provider, separator, model = name.partition(":")
    if not separator:
        provider, model = SERVICE, name
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.request.model": model,
    }


def _read(fresh: int, cached: int, written: int) -> dict[str, int]:
    """Input tokens of the conventions, which include cached ones."""
    return {
        "gen_ai.usage.input_tokens": fresh + cached + written,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.cache_creation.input_tokens": written,
    }


def _place(event: _OfAgent) -> _Key:
    return (event.run, event.node, event.agent)


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1e6) * 1000
