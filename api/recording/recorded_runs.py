"""Records the Bedrock calls of runs into a cassette, and replays the runs from it without a network."""

import asyncio
import difflib
import hashlib
import json
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic import ValidationError

from agents.models.factory import Models, make_models
from agents.models.failures import ModelFailure
from agents.models.options import BEDROCK, ModelOptions
from agents.recording.cassette import Cassette
from agents.recording.player import CassetteMiss, Player
from agents.recording.recorder import Recorder
from agents.recording.scrubbing import scrub
from api.app import create_dependencies
from api.recording.isolation import sockets_blocked
from api.secret_references import referenced_secret
from api.settings import Settings
from desk.base.code_version import code_version
from desk.base.errors import InvalidInput
from desk.optimization.request import OptimizationRequest
from desk.runs.events.table import TraceEvent
from graphs.conversations.turn_execution import ask, begin_conversation, turn_of
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.numeric.frozen import Frozen

OWNER = "local"
"""The owner of all recorded runs, which use a temporary home folder."""
CLOCK = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of every recording and replay, because tool results contain creation times of runs."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
MAX_DIFFERENCE_LINES = 40

Show = Callable[[TraceEvent], None]
Script: TypeAlias = OptimizationRequest | tuple[str, ...]
"""A request, or the messages of a conversation."""


class RecordedRun(Frozen):
    """A run of a request, or a conversation with its messages."""

    run: str
    """The id of the run, or of the conversation."""
    request: OptimizationRequest | None = None
    messages: tuple[str, ...] = ()
    trace: tuple[dict[str, Any], ...]
    """The events, without fields that differ between two executions."""


class Label(Frozen):
    """The metadata of a cassette: all that a replay of its runs needs."""

    made_by: str
    endpoint: str
    scripted: bool
    """Whether the model was a scripted double with injected faults, which other endpoints cannot repeat."""
    code_version: str
    models: ModelOptions
    runs: tuple[RecordedRun, ...]


class ReplayReport(NamedTuple):
    runs: int
    events: int
    calls: int
    differences: tuple[str, ...]
    """Calls that the cassette lacks; if there are none, traces that differ and recorded calls that were not made."""
    same_code: bool
    attempts: int
    """Blocked attempts to reach the network."""


def label_of(cassette: Cassette, path: Path) -> Label:
    try:
        label = Label.model_validate(cassette.metadata)
    except ValidationError as error:
        reason = f"{str(path)!r} contains calls but not the runs that made them"
        allowed = "a cassette that `python -m api record` made"
        raise InvalidInput("cassette", str(path), reason=reason, allowed=allowed) from error
    if cassette.damaged:
        numbers = ", ".join(map(str, cassette.damaged))
        reason = f"{str(path)!r} is damaged: the response of call {numbers} is not whole"
        raise InvalidInput("cassette", str(path), reason=reason, allowed="a cassette as it was recorded")
    for file in (run.request.prices_file for run in label.runs if run.request):
        if file is not None and not Path(file).is_file():
            reason = f"{str(path)!r} was recorded with the prices of {file!r}, which does not exist"
            raise InvalidInput("cassette", str(path), reason=reason, allowed="the same prices in the same file")
    return label


async def record(
    scripts: Sequence[Script],
    options: ModelOptions,
    *,
    made_by: str,
    settings: Settings,
    scripted: bool = False,
    show: Show = lambda _: None,
) -> Cassette:
    """Execute the scripts concurrently in an empty home folder; the failure of a model ends its run and is recorded."""
    if not any(name.startswith(BEDROCK) for name in (options.model, *options.agents.values(), *options.fallbacks)):
        allowed = f"{BEDROCK}<model id or inference-profile ARN>"
        raise InvalidInput("MODEL", options.model, reason="no model on Bedrock is configured", allowed=allowed)
    recorder = Recorder({})
    endpoints: list[str] = []

    def attach(client: Any) -> None:
        recorder.attach(client)
        endpoints.append(client.meta.endpoint_url)

    options = _without_rest(options)
    models = make_models(options, attach, token=referenced_secret("AWS_BEARER_TOKEN_BEDROCK"))
    runs = [(_run_id(script), script) for script in scripts]
    traces = await _execute(runs, models, settings, show)
    cassette = recorder.cassette()
    label = Label(
        made_by=made_by,
        endpoint=_host(endpoints[0]),
        scripted=scripted,
        code_version=code_version(),
        models=options,
        runs=tuple(
            RecordedRun(run=run, request=script, trace=trace)
            if isinstance(script, OptimizationRequest)
            else RecordedRun(run=run, messages=script, trace=trace)
            for (run, script), trace in zip(runs, traces, strict=True)
        ),
    )
    return Cassette(cassette.interactions, label.model_dump(mode="json"))


async def replay(player: Player, label: Label, *, show: Show = lambda _: None) -> ReplayReport:
    """Execute the runs of the player's cassette again, without the network, and compare their traces."""
    models = played_models(label, player)
    # the defaults, whatever the environment says: a replay uses no other store, machine or exporter, and a budget had
    # its effect when the run was recorded
    settings = Settings.model_construct()
    with sockets_blocked() as network:
        traces = await _execute([(run.run, run.request or run.messages) for run in label.runs], models, settings, show)
    same_code = label.code_version == code_version()
    differences = _merged(player.misses)
    if not differences:  # a missing call causes all other differences
        differences = trace_differences(label.runs, traces, digests=same_code)
        if unplayed := player.unplayed:
            differences.append("\n".join(["These recorded calls were not made:", *unplayed]))
    return ReplayReport(
        runs=len(traces),
        events=sum(map(len, traces)),
        calls=player.replayed_calls,
        differences=tuple(filter(None, differences)),
        same_code=same_code,
        attempts=network.attempts,
    )


def played_models(label: Label, player: Player) -> Models:
    """The models of a recording, whose answers come from `player`, with retries that do not wait."""
    policy = label.models.patience.model_copy(update={"first_delay": 0.0})
    models = label.models.model_copy(update={"patience": policy})
    return make_models(_without_rest(models), player.attach, offline=True)


def _without_rest(options: ModelOptions) -> ModelOptions:
    """Without rests of models that failed: which of two agents side by side meets one depends on their speed."""
    return options.model_copy(update={"patience": options.patience.model_copy(update={"rest": 0.0})})


def _run_id(script: Script) -> str:
    if isinstance(script, OptimizationRequest):
        return script.content_digest()[:32]
    return hashlib.sha256(json.dumps(script).encode()).hexdigest()[:12]


async def _execute(
    scripts: Sequence[tuple[str, Script]], models: Models, settings: Settings, show: Show
) -> list[tuple[dict[str, Any], ...]]:
    async with _empty_dependencies(settings, models) as dependencies:
        for run, script in scripts:  # all before the first is executed, so that no run sees the trials of another
            if isinstance(script, OptimizationRequest):
                await create_run(dependencies, OWNER, script, run_id=run)
            else:
                await begin_conversation(dependencies, OWNER, conversation_id=run)
        return await asyncio.gather(
            *(_comparable_trace(_script_events(dependencies, run, script), show) for run, script in scripts)
        )


async def _script_events(dependencies: Dependencies, run: str, script: Script) -> AsyncGenerator[TraceEvent]:
    """The events of a run, or of a conversation until a message waits for a decision."""
    if isinstance(script, OptimizationRequest):
        async for event in execute(dependencies, OWNER, run):
            yield event
        return
    for number, text in enumerate(script, 1):
        async for event in ask(dependencies, OWNER, run, text):
            yield event
        if (await turn_of(dependencies.store, OWNER, run, number)).state == "waiting":
            return


async def _comparable_trace(events: AsyncGenerator[TraceEvent], show: Show) -> tuple[dict[str, Any], ...]:
    trace: list[TraceEvent] = []
    try:
        async for event in events:
            show(event)
            trace.append(event)
    except (ModelFailure, CassetteMiss):  # the last event of the trace reports it
        pass
    return tuple(scrub(event.comparable()) for event in trace)


@asynccontextmanager
async def _empty_dependencies(settings: Settings, models: Models) -> AsyncGenerator[Dependencies]:
    with tempfile.TemporaryDirectory() as home:
        empty = settings.model_copy(update={"home": Path(home), "owner": OWNER})
        async with create_dependencies(empty, models) as dependencies:
            # no approvals: recording or replaying a run implies the decision
            yield replace(dependencies, thresholds=None, now=lambda: CLOCK)


def _host(endpoint: str) -> str:
    """The host of an endpoint, without credentials and path."""
    host = urlsplit(endpoint).hostname or ""
    return "loopback" if host in LOOPBACK else host


def _merged(misses: Sequence[CassetteMiss]) -> list[str]:
    """The misses as texts; prompts that have changed alike, as their common rules do, are one."""
    headings: dict[str, list[str]] = {}
    for miss in misses:
        heading, _, lines = str(miss).partition("\n")
        headings.setdefault(lines or heading, []).append(heading)
    return ["\n".join(dict.fromkeys((*each, lines))) for lines, each in headings.items()]


def trace_differences(
    recorded: Sequence[RecordedRun], traces: Sequence[Sequence[dict[str, Any]]], *, digests: bool
) -> list[str]:
    """One text per run whose trace differs from the recorded one; `digests` says whether results must be equal."""
    differences = (_difference(run.trace, now, digests=digests) for run, now in zip(recorded, traces, strict=True))
    return [difference for difference in differences if difference]


def _difference(before: Sequence[dict[str, Any]], now: Sequence[dict[str, Any]], *, digests: bool) -> str:
    lines = difflib.unified_diff(
        _lines(before, digests=digests), _lines(now, digests=digests), "recorded", "now", lineterm="", n=1
    )
    shortened = [line if len(line) <= 160 else line[:157] + "..." for line in lines]
    return "\n".join(shortened[:MAX_DIFFERENCE_LINES] + (["..."] if len(shortened) > MAX_DIFFERENCE_LINES else []))


def _lines(trace: Sequence[dict[str, Any]], *, digests: bool) -> list[str]:
    """The events as JSON; result digests contain the code version, so they are comparable for the same version only."""
    ignored = {"id", "run"} | (set() if digests else {"result_digest"})
    return [json.dumps({k: v for k, v in event.items() if k not in ignored}, sort_keys=True) for event in trace]
