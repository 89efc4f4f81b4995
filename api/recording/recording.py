"""Runs whose calls of Amazon Bedrock are recorded into a cassette, and played from it with the network shut off."""

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
from api.settings import Settings
from desk.base.code_version import code_version
from desk.base.errors import InvalidInput
from desk.optimization.request import OptimizationRequest
from desk.runs.events import TraceEvent
from graphs.conversations.turn_execution import ask, begin_conversation, turn_of
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.numeric.frozen import Frozen

OWNER = "local"
"""Recordings are nobody's: they are made in a home of their own, which is empty and thrown away."""
CLOCK = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of every recording and replay: a tool that lists runs tells when they were made."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SHOWN = 40
"""Lines of a difference."""

Show = Callable[[TraceEvent], None]
Script: TypeAlias = OptimizationRequest | tuple[str, ...]
"""A request, or the messages of a conversation."""


class RecordedRun(Frozen):
    """Of a request, or of a conversation's messages."""

    run: str
    """The id of the run, or of the conversation."""
    request: OptimizationRequest | None = None
    messages: tuple[str, ...] = ()
    trace: tuple[dict[str, Any], ...]
    """Its events, without what may differ between two executions."""


class Label(Frozen):
    """What a cassette says of itself: all that is needed to execute its runs again."""

    made_by: str
    endpoint: str
    scripted: bool
    """Whether the model followed a script, with faults that no other endpoint would make."""
    code_version: str
    models: ModelOptions
    runs: tuple[RecordedRun, ...]


class Replayed(NamedTuple):
    runs: int
    events: int
    calls: int
    differences: tuple[str, ...]
    """Each call that was missed; without any, each trace that differs, and the calls that were not made."""
    same_code: bool
    attempts: int
    """Attempts to reach the network; each was refused."""


def label_of(cassette: Cassette, path: Path) -> Label:
    try:
        label = Label.model_validate(cassette.metadata)
    except ValidationError as error:
        reason = f"{str(path)!r} holds calls, but not the runs that made them"
        allowed = "a cassette that `python -m api record` made"
        raise InvalidInput("cassette", str(path), reason=reason, allowed=allowed) from error
    for file in (run.request.prices_file for run in label.runs if run.request):
        if file is not None and not Path(file).is_file():
            reason = f"{str(path)!r} was recorded with the prices of {file!r}, which is not there"
            raise InvalidInput("cassette", str(path), reason=reason, allowed="the same prices in the same place")
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
    """Execute the scripts side by side in an empty home; a model that fails ends its run and is recorded."""
    if not any(name.startswith(BEDROCK) for name in (options.model, *options.agents.values(), *options.fallbacks)):
        allowed = f"{BEDROCK}<model id or inference-profile ARN>"
        raise InvalidInput("MODEL", options.model, reason="no model on Bedrock is configured", allowed=allowed)
    recorder = Recorder({})
    endpoints: list[str] = []

    def attach(client: Any) -> None:
        recorder.attach(client)
        endpoints.append(client.meta.endpoint_url)

    models = make_models(options, attach)
    named = [(_named(script), script) for script in scripts]
    traces = await _execute(named, models, settings, show)
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
            for (run, script), trace in zip(named, traces, strict=True)
        ),
    )
    return Cassette(cassette.interactions, label.model_dump(mode="json"))


async def replay(player: Player, label: Label, *, settings: Settings, show: Show = lambda _: None) -> Replayed:
    """Execute the runs of the player's cassette again, without the network, and compare their traces."""
    models = played_models(label, player)
    settings = settings.without_budgets()  # nothing is paid for, and what was recorded had its own
    with sockets_blocked() as network:
        traces = await _execute([(run.run, run.request or run.messages) for run in label.runs], models, settings, show)
    same_code = label.code_version == code_version()
    differences = [str(miss) for miss in player.misses]
    if not differences:  # all else would follow from a miss
        differences = [
            _difference(recorded.trace, trace, digests=same_code)
            for recorded, trace in zip(label.runs, traces, strict=True)
        ]
        if left := player.unplayed:
            differences.append("\n".join(["These recorded calls were not made:", *left]))
    return Replayed(
        runs=len(traces),
        events=sum(map(len, traces)),
        calls=player.replayed_calls,
        differences=tuple(filter(None, differences)),
        same_code=same_code,
        attempts=network.attempts,
    )


def played_models(label: Label, player: Player) -> Models:
    """The models of a recording, answered by `player`; nothing is waited for."""
    patience = label.models.patience.model_copy(update={"first_delay": 0.0})
    return make_models(label.models.model_copy(update={"patience": patience}), player.attach, offline=True)


def _named(script: Script) -> str:
    if isinstance(script, OptimizationRequest):
        return script.content_digest()[:32]
    return hashlib.sha256(json.dumps(script).encode()).hexdigest()[:12]


async def _execute(
    scripts: Sequence[tuple[str, Script]], models: Models, settings: Settings, show: Show
) -> list[tuple[dict[str, Any], ...]]:
    async with _empty_dependencies(settings, models) as dependencies:
        for run, script in scripts:  # all before the first is executed, so that none knows what another tried
            if isinstance(script, OptimizationRequest):
                await create_run(dependencies, OWNER, script, run_id=run)
            else:
                await begin_conversation(dependencies, OWNER, conversation_id=run)
        return await asyncio.gather(*(_traced(_followed(dependencies, run, script), show) for run, script in scripts))


async def _followed(dependencies: Dependencies, run: str, script: Script) -> AsyncGenerator[TraceEvent]:
    """A conversation ends where a message waits for a person."""
    if isinstance(script, OptimizationRequest):
        async for event in execute(dependencies, OWNER, run):
            yield event
        return
    for number, text in enumerate(script, 1):
        async for event in ask(dependencies, OWNER, run, text):
            yield event
        if (await turn_of(dependencies.store, OWNER, run, number)).state == "waiting":
            return


async def _traced(following: AsyncGenerator[TraceEvent], show: Show) -> tuple[dict[str, Any], ...]:
    events: list[TraceEvent] = []
    try:
        async for event in following:
            show(event)
            events.append(event)
    except (ModelFailure, CassetteMiss):  # the trace ends with it
        pass
    return tuple(scrub(event.comparable()) for event in events)


@asynccontextmanager
async def _empty_dependencies(settings: Settings, models: Models) -> AsyncGenerator[Dependencies]:
    with tempfile.TemporaryDirectory() as home:
        empty = settings.model_copy(update={"home": Path(home), "owner": OWNER})
        async with create_dependencies(empty, models) as dependencies:
            yield replace(
                dependencies, thresholds=None, now=lambda: CLOCK
            )  # who records or replays a run has decided to


def _host(endpoint: str) -> str:
    """Where a client called, without a password or a path."""
    host = urlsplit(endpoint).hostname or ""
    return "loopback" if host in LOOPBACK else host


def _difference(recorded: Sequence[dict[str, Any]], now: Sequence[dict[str, Any]], *, digests: bool) -> str:
    lines = difflib.unified_diff(
        _lines(recorded, digests=digests), _lines(now, digests=digests), "recorded", "now", lineterm="", n=1
    )
    found = [line if len(line) <= 160 else line[:157] + "..." for line in lines]
    return "\n".join(found[:SHOWN] + (["..."] if len(found) > SHOWN else []))


def _lines(trace: Sequence[dict[str, Any]], *, digests: bool) -> list[str]:
    """The result digest holds the version of the code, and says nothing where that differs."""
    dropped = {"id", "run"} | (set() if digests else {"result_digest"})
    return [json.dumps({k: v for k, v in event.items() if k not in dropped}, sort_keys=True) for event in trace]
