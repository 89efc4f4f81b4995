"""OpenTelemetry spans and metrics, derived from trace events; they contain no text of prompts or answers."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import structlog

from desk.runs.events.agents import AgentFinished, AgentStarted, ToolEvent
from desk.runs.events.base import AgentEvent, BaseEvent, Span
from desk.runs.events.conversation import RunLaunched, TurnStarted
from desk.runs.events.models import ModelAnswered, ModelEvent
from desk.runs.events.table import TraceEvent
from desk.runs.nodes import TURN_NODES

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
    from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import TracerProvider

Destination: TypeAlias = Literal["off", "console", "otlp"]
Value: TypeAlias = str | int | float | tuple[str, ...]

CONVENTIONS = "1.41.0"
"""The version of the semantic conventions that the names here follow; those for generative AI are not stable yet."""
SERVICE = "stratigos"
OPTIMIZATION, ASSISTANT = "optimization", "assistant"
"""Names of the workflows: one per graph."""

TOKENS = tuple(4**k for k in range(14))
SECONDS = tuple(0.01 * 2**k for k in range(14))
"""Bounds of the histograms, as the conventions advise."""

FLUSH_MILLISECONDS = 2_000
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

_Key: TypeAlias = tuple[str, ...]


class Telemetry:
    """Turns the events of any number of runs into spans with the times of the events, and into metrics."""

    def __init__(
        self, tracers: "TracerProvider", meters: "MeterProvider", flush: Callable[[], None] = lambda: None
    ) -> None:
        self.flush = flush
        """Send the finished spans and the metrics now."""
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
        self._spans: dict[_Key, OtelSpan] = {}
        """Open spans by (run), (run, node), (run, node, agent) or (run, node, agent, call)."""
        self._calls: dict[_Key, list[tuple[str, _Key]]] = {}
        """The unreturned tool calls of each agent: tool and span key."""
        self._last_events: dict[_Key, datetime] = {}
        """The time of each agent's last event."""
        self._conversations: dict[str, str] = {}
        self._waiting: set[str] = set()
        """Runs that wait for a decision."""
        self._last = datetime.now(UTC)
        self._open: Mapping[Span, Callable[[Any], object]] = {
            "run": self._run,
            "turn": self._open_turn,
            "node": self._node,
            "agent": self._agent,
            "tool": self._open_tool,
            "model": self._add_model,
            "approval": lambda event: self._waiting.add(event.run),
        }
        self._close: Mapping[Span, Callable[[Any], object]] = {
            "run": self._close_run,
            "turn": self._close_run,
            "node": lambda event: self._end((event.run, event.node), event.at),
            "agent": self._close_agent,
            "tool": self._close_tool,
            "approval": lambda event: self._waiting.discard(event.run),
        }

    def observe(self, event: TraceEvent) -> None:
        self._last = event.at
        row = event.row
        if row.closes in ("agent", "model"):
            self._refuse_calls(event)
        if row.opens is not None:
            self._open[row.opens](event)
        elif row.closes is not None:
            self._close[row.closes](event)
        elif isinstance(event, RunLaunched) and event.run in self._conversations:
            self._conversations[event.launched] = self._conversations[event.run]

    def close(self) -> None:
        """End all open spans, such as those of an interrupted run."""
        for key in sorted(self._spans, key=len, reverse=True):
            self._end(key, self._last, error=None if key[0] in self._waiting else "interrupted")

    def _close_run(self, event: BaseEvent) -> None:
        self._run(event)
        for key in [key for key in sorted(self._spans, key=len, reverse=True) if key[0] == event.run]:
            self._end(key, event.at, error=event.error)
        self._conversations.pop(event.run, None)

    def _open_turn(self, event: TurnStarted) -> None:
        self._conversations[event.run] = event.conversation
        self._node(event)

    def _close_agent(self, event: AgentFinished) -> None:
        usage, place = event.usage, _place(event)
        tokens = _input_tokens(usage.input_tokens, usage.cached_tokens, usage.written_tokens)
        self._agent(event)
        self._end(place, event.at, {**tokens, "gen_ai.usage.output_tokens": usage.output_tokens}, error=event.error)
        self._last_events.pop(place, None)

    def _add_model(self, event: ModelEvent) -> None:
        """Record one span for all attempts of a model, whether it answered or was replaced."""
        parent, place = self._agent(event), _place(event)
        start = self._last_events.get(place, event.at)
        model: dict[str, Value] = _model_attributes("chat", event.model)
        measured: dict[str, Value] = {}
        seconds = (event.at - start).total_seconds()
        if isinstance(event, ModelAnswered):
            start, seconds = max(start, event.at - timedelta(seconds=event.seconds)), event.seconds
            tokens = _input_tokens(event.input_tokens, event.cached_tokens, event.written_tokens)
            measured = {
                **tokens,
                "gen_ai.usage.output_tokens": event.output_tokens,
                "gen_ai.response.finish_reasons": (event.stop,),
                "stratigos.attempts": event.attempts,
            }
            self._tokens.record(tokens["gen_ai.usage.input_tokens"], {**model, "gen_ai.token.type": "input"})
            self._tokens.record(event.output_tokens, {**model, "gen_ai.token.type": "output"})
        key, name = (*place, "chat"), f"chat {model['gen_ai.request.model']}"
        self._begin(key, name, start, parent, {**model, **self._shared(event), "gen_ai.agent.name": event.agent})
        self._end(key, event.at, measured, error=event.error)
        self._seconds.record(seconds, model if event.error is None else {**model, "error.type": event.error})
        self._last_events[place] = event.at

    def _open_tool(self, event: ToolEvent) -> None:
        parent, place = self._agent(event), _place(event)
        key = (*place, event.id)
        own: dict[str, Value] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.tool,
            "gen_ai.tool.type": "function",
            "gen_ai.agent.name": event.agent,
        }
        self._begin(key, f"execute_tool {event.tool}", event.at, parent, {**own, **self._shared(event)})
        self._calls.setdefault(place, []).append((event.tool, key))
        self._last_events[place] = event.at

    def _close_tool(self, event: ToolEvent) -> None:
        self._agent(event)
        place = _place(event)
        pending_calls = self._calls.get(place, [])
        match = next((call for call in pending_calls if call[0] == event.tool), None)
        if match is not None:
            pending_calls.remove(match)
            self._end(match[1], event.at)
        self._last_events[place] = event.at

    def _refuse_calls(self, event: BaseEvent) -> None:
        """End the spans of the agent's tool calls that did not return: the tool refused them."""
        for _, key in self._calls.pop((event.run, event.node, event.acting_agent or ""), ()):
            self._end(key, event.at, error="refused")

    def _run(self, event: BaseEvent) -> "OtelSpan":
        name = ASSISTANT if event.node in TURN_NODES else OPTIMIZATION
        own: dict[str, Value] = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name}
        return self._begin((event.run,), f"invoke_workflow {name}", event.at, None, {**own, **self._shared(event)})

    def _node(self, event: BaseEvent) -> "OtelSpan":
        own: dict[str, Value] = {"stratigos.node": event.node}
        key = (event.run, event.node)
        return self._begin(key, event.node, event.at, self._run(event), {**own, **self._shared(event)})

    def _agent(self, event: AgentEvent) -> "OtelSpan":
        own: dict[str, Value] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": event.agent}
        model = _model_attributes("invoke_agent", event.model) if isinstance(event, AgentStarted) else {}
        attributes = {**own, **model, **self._shared(event)}
        place = _place(event)
        span = self._begin(place, f"invoke_agent {event.agent}", event.at, self._node(event), attributes)
        self._last_events.setdefault(place, event.at)
        return span

    def _shared(self, event: BaseEvent) -> dict[str, Value]:
        conversation = self._conversations.get(event.run)
        attributes: dict[str, Value] = {"stratigos.run": event.run}
        return attributes if conversation is None else {**attributes, "gen_ai.conversation.id": conversation}

    def _begin(
        self, key: _Key, name: str, at: datetime, parent: "OtelSpan | None", attributes: Mapping[str, Value]
    ) -> "OtelSpan":
        """The open span of the key, or a new one: a resumed run may have started in another process."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, set_span_in_context

        if key not in self._spans:
            context = Context() if parent is None else set_span_in_context(parent, Context())
            kind = SpanKind.CLIENT if name.startswith("chat ") else SpanKind.INTERNAL
            options = {"start_time": _nanoseconds(at), "attributes": attributes, "kind": kind, "context": context}
            self._spans[key] = self._tracer.start_span(name, **options)
        return self._spans[key]

    def _end(
        self, key: _Key, at: datetime, attributes: Mapping[str, Value] | None = None, *, error: str | None = None
    ) -> None:
        from opentelemetry.trace import StatusCode

        span = self._spans.pop(key, None)
        if span is None:
            return
        span.set_attributes(attributes or {})
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(StatusCode.ERROR)
        span.end(_nanoseconds(at))


@contextmanager
def telemetry_export(destination: Destination) -> "Generator[Telemetry | None]":
    """Export to stderr, or by OTLP as the environment variables of OpenTelemetry configure it; None when off."""
    if destination == "off":
        yield None
        return
    tracers, meters = _providers(destination)

    def flush() -> None:
        for provider in (tracers, meters):
            provider.force_flush(FLUSH_MILLISECONDS)

    telemetry, error_handler = Telemetry(tracers, meters, flush), _ExportErrorHandler(logging.WARNING)
    logging.getLogger("opentelemetry").addHandler(error_handler)
    try:
        yield telemetry
    finally:
        telemetry.close()
        threads = [threading.Thread(target=provider.shutdown, daemon=True) for provider in (tracers, meters)]
        end = time.monotonic() + SHUTDOWN_TIMEOUT
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0.0))
        logging.getLogger("opentelemetry").removeHandler(error_handler)


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


def _model_attributes(operation: str, name: str) -> dict[str, Value]:
    """Attributes of the provider and model in a name such as `bedrock_converse:us.model`."""
    provider, separator, model = name.partition(":")
    if not separator:
        provider, model = SERVICE, name
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.request.model": model,
    }


def _input_tokens(fresh: int, cached: int, cache_writes: int) -> dict[str, int]:
    """Input tokens of the conventions, which include cached ones."""
    return {
        "gen_ai.usage.input_tokens": fresh + cached + cache_writes,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.cache_creation.input_tokens": cache_writes,
    }


def _place(event: AgentEvent) -> _Key:
    return (event.run, event.node, event.agent)


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1e6) * 1000
