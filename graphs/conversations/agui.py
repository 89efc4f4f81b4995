"""Translates the stored events of a turn to AG-UI 1.0; the same stored events always give the same AG-UI events.

An AG-UI run is a part of a turn between two approvals; the first part is number 0.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from ag_ui.core import (
    BaseEvent,
    CustomEvent,
    Interrupt,
    Message,
    MessagesSnapshotEvent,
    RunErrorEvent,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    StateDeltaEvent,
    StateSnapshotEvent,
    StepFinishedEvent,
    StepStartedEvent,
    SubagentFinishedEvent,
    SubagentStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)

from desk.conversation.schemas import Turn
from desk.governance.approvals import ApprovalRequest, Ruling
from desk.runs.events.agents import AgentFinished, AgentStarted, ToolCalled, ToolReturned
from desk.runs.events.base import AguiType
from desk.runs.events.conversation import RunLaunched
from desk.runs.events.judgement import ClaimReleased, VerdictReached
from desk.runs.events.live import LiveEvent
from desk.runs.events.run import NodeFinished, NodeStarted, RunFailed
from desk.runs.events.table import TraceEvent

VERSION = "1.0"


class AguiTranslation:
    """Takes the events of a turn and its runs in order, from the first, and emits those of one part."""

    def __init__(self, *, thread: str, run: str, turn: str, part: int, messages: Sequence[Message]) -> None:
        self._thread = thread
        self._run = run
        self._turn = turn
        self._part = part
        self._messages = messages
        self._at = 0
        self._state: dict[str, Any] = {
            "progress": None,
            "runs": {},
            "waiting": None,
            "outcome": None,
            "figures": [],
            "exhibits": [],
            "offers": [],
        }
        self._steps: dict[str, str] = {}
        """Open steps, with the log that opened each."""
        self._calls: dict[str, tuple[str, str, str]] = {}
        """Tool calls without a result: log, agent and tool of each."""
        self._agents: dict[tuple[str, str], str] = {}
        """Agents at work in runs, by log and name."""
        self._answering = False
        self._translations: Mapping[AguiType, Callable[[Any], list[BaseEvent]]] = {
            "step_started": self._start_step,
            "step_finished": self._finish_step,
            "subagent_started": self._start_agent,
            "subagent_finished": self._finish_agent,
            "tool_call": self._call_events,
            "tool_result": self._result_events,
            "text_message": self._claim_text,
            "launched_run_state": self._add_run,
            "verdict_state": self._set_verdict,
            "run_end": self._end_run,
            "custom": self._custom_event,
        }
        self.over = False
        """The requested part is complete."""

    def begin(self) -> list[BaseEvent]:
        """The opening events of the part: run, messages and state."""
        if self._at != self._part:
            return []
        minted = f"{self._turn}.{self._part}."
        before = [message for message in self._messages if not message.id.startswith(minted)]
        return [
            RunStartedEvent(thread_id=self._thread, run_id=self._run, protocol_version=VERSION),
            MessagesSnapshotEvent(messages=before),
            StateSnapshotEvent(snapshot=deepcopy(self._state)),
        ]

    def of(self, live: LiveEvent) -> list[BaseEvent]:
        agui = live.event.row.agui
        events = [] if agui is None else self._translations[agui](live.event)
        translated_events = [*events, *self._progress_events(live)]
        if isinstance(live.event, RunFailed) and live.event.run == self._turn:
            translated_events += self.fail(live.event.code, live.event.kind)
        return self._in_part(translated_events)

    def pause(self, run: str, request: ApprovalRequest, *, second_person: bool = False) -> list[BaseEvent]:
        """End the part with an interrupt for a person's decision; the next part continues after it."""
        interrupt_state = {
            "run": run,
            "subject": request.subject,
            "asked": request.model_dump(mode="json", exclude={"at"}),
        }
        subject = "launch it" if request.subject == "launch" else "open its locked holdout"
        waits = " It waits for a second person." if second_person else ""
        interrupt = Interrupt(
            id=f"{run}.{request.subject}",
            reason="approval",
            message=f"Optimization {run}: may the desk {subject}?{waits}",
            tool_call_id=next(reversed([call for call, (log, *_) in self._calls.items() if log == self._turn]), None),
            response_schema=Ruling.model_json_schema(),
            metadata=interrupt_state,
        )
        pause_events = [
            self._set("waiting", interrupt_state),
            *self._close_open(suspended=True),
            RunFinishedEvent(
                thread_id=self._thread,
                run_id=self._run,
                outcome=RunFinishedInterruptOutcome(interrupts=[interrupt]),
            ),
        ]
        part_events = self._in_part(pause_events)
        self.over = self._at == self._part
        self._at += 1
        self._state["waiting"] = None
        return [*part_events, *self.begin()]

    def finish(self, turn: Turn) -> list[BaseEvent]:
        """End the part with the answer of `turn`."""
        document = turn.model_dump(mode="json")
        self.over = True
        return self._in_part(
            [
                *self._close_open(),
                *[self._set(name, document[name]) for name in ("outcome", "figures", "exhibits", "offers")],
                RunFinishedEvent(
                    thread_id=self._thread,
                    run_id=self._run,
                    result={"turn": turn.number, "outcome": turn.outcome},
                    outcome=RunFinishedSuccessOutcome(),
                ),
            ]
        )

    def fail(self, code: str, kind: str) -> list[BaseEvent]:
        self.over = True
        return [*self._close_open(), RunErrorEvent(message=f"the answer failed: {code} ({kind})", code=code)]

    def _in_part(self, events: list[BaseEvent]) -> list[BaseEvent]:
        return events if self._at == self._part else []

    def _add_run(self, event: RunLaunched) -> list[BaseEvent]:
        return [self._set(f"runs/{event.launched}", {"name": event.name, "progress": None, "verdict": None})]

    def _set_verdict(self, event: VerdictReached) -> list[BaseEvent]:
        if event.run not in self._state["runs"]:
            return []
        return [self._set(f"runs/{event.run}/verdict", {"colour": event.colour, "headline": event.headline})]

    def _custom_event(self, event: TraceEvent) -> list[BaseEvent]:
        return [CustomEvent(name=event.event, value={"run": event.run, "line": event.line()})]

    def _end_run(self, event: TraceEvent) -> list[BaseEvent]:
        return [] if event.run == self._turn else self._close_open(event.run)

    def _start_step(self, event: NodeStarted) -> list[BaseEvent]:
        name = self._step(event)
        if name in self._steps:
            return []
        self._steps[name] = event.run
        return [StepStartedEvent(step_name=name)]

    def _finish_step(self, event: NodeFinished) -> list[BaseEvent]:
        text_end = self._end_text() if event.node == "release" and event.run == self._turn else []
        name = self._step(event)
        if self._steps.pop(name, None) is None:  # it was closed when the turn started to wait
            return text_end
        return [*text_end, StepFinishedEvent(step_name=name)]

    def _call_events(self, event: ToolCalled) -> list[BaseEvent]:
        id_, by = self._id_in_part(event.id), self._agents.get((event.run, event.agent))
        self._calls[id_] = (event.run, event.agent, event.tool)
        arguments = json.dumps(event.arguments, ensure_ascii=False, sort_keys=True)
        return [
            ToolCallStartEvent(tool_call_id=id_, tool_call_name=event.tool, subagent_run_id=by),
            ToolCallArgsEvent(tool_call_id=id_, delta=arguments, subagent_run_id=by),
            ToolCallEndEvent(tool_call_id=id_, subagent_run_id=by),
        ]

    def _result_events(self, event: ToolReturned) -> list[BaseEvent]:
        """Tool results, in the order of the calls."""
        by = (event.run, event.agent, event.tool)
        call = next((call for call, caller in self._calls.items() if caller == by), None)
        if call is None:
            return []
        del self._calls[call]
        content = {"figures": list(event.figures), "digest": event.result_digest}
        return [self._result(call, self._id_in_part(event.id), content, self._agents.get((event.run, event.agent)))]

    def _result(self, call: str, message: str, content: dict[str, Any], by: str | None = None) -> BaseEvent:
        text = json.dumps(content, ensure_ascii=False)
        return ToolCallResultEvent(message_id=message, tool_call_id=call, content=text, subagent_run_id=by)

    def _start_agent(self, event: AgentStarted) -> list[BaseEvent]:
        if event.run == self._turn:  # the assistant itself
            return []
        id_ = self._agents[event.run, event.agent] = self._id_in_part(event.id)
        return [SubagentStartedEvent(subagent_run_id=id_, name=event.agent)]

    def _finish_agent(self, event: AgentFinished) -> list[BaseEvent]:
        if event.run == self._turn:
            return []
        place = (event.run, event.agent)
        refusals, id_ = self._refused_calls(*place), self._agents.pop(place, None)
        return refusals if id_ is None else [*refusals, SubagentFinishedEvent(subagent_run_id=id_)]

    def _refused_calls(self, log: str, agent: str | None = None) -> list[BaseEvent]:
        """Results for calls of `log` that never returned, because they were rejected."""
        open_calls = [call for call, caller in self._calls.items() if caller[0] == log and agent in (None, caller[1])]
        for call in open_calls:
            del self._calls[call]
        return [self._result(call, f"{call}.refused", {"refused": True}) for call in open_calls]

    def _claim_text(self, event: ClaimReleased) -> list[BaseEvent]:
        if event.run != self._turn or event.node != "release":
            return []
        id_, text = self._id_in_part("answer"), event.claim.text
        start = [] if self._answering else [TextMessageStartEvent(message_id=id_, role="assistant")]
        delta = f"\n\n{text}" if self._answering else text
        self._answering = True
        return [*start, TextMessageContentEvent(message_id=id_, delta=delta)]

    def _end_text(self) -> list[BaseEvent]:
        if not self._answering:
            return []
        self._answering = False
        return [TextMessageEndEvent(message_id=self._id_in_part("answer"))]

    def _progress_events(self, live: LiveEvent) -> list[BaseEvent]:
        event = live.event
        if not event.row.sends_progress:
            return []
        progress = live.progress.model_dump(mode="json")
        place = self._state if event.run == self._turn else self._state["runs"].get(event.run)
        if place is None or place["progress"] == progress:
            return []
        return [self._set("progress" if place is self._state else f"runs/{event.run}/progress", progress)]

    def _close_open(self, log: str | None = None, *, suspended: bool = False) -> list[BaseEvent]:
        """End everything that `log`, or any log, left open; suspended tool calls stay open and may still return."""
        closing_events: list[BaseEvent] = [] if log else self._end_text()
        agents = [place for place in self._agents if log in (None, place[0])]
        if not suspended:
            for calling_log in dict.fromkeys(caller[0] for caller in self._calls.values() if log in (None, caller[0])):
                closing_events += self._refused_calls(calling_log)
        for place in agents:
            outcome = {"outcome": {"type": "suspended"}} if suspended else {}
            closing_events.append(
                SubagentFinishedEvent.model_validate({"subagent_run_id": self._agents.pop(place), **outcome})
            )
        for name in [name for name, opening_log in self._steps.items() if log in (None, opening_log)]:
            del self._steps[name]
            closing_events.append(StepFinishedEvent(step_name=name))
        return closing_events

    def _set(self, path: str, value: Any) -> BaseEvent:
        """Change the state and return the delta."""
        *parents, last = path.split("/")
        place = self._state
        for name in parents:
            place = place[name]
        place[last] = deepcopy(value)  # later changes must not alter an emitted event
        return StateDeltaEvent.model_validate({"delta": [{"op": "add", "path": f"/{path}", "value": value}]})

    def _step(self, event: NodeStarted | NodeFinished) -> str:
        """Prefixed with the run, since runs have nodes of the same names."""
        return event.node if event.run == self._turn else f"{event.run[:12]}/{event.node}"

    def _id_in_part(self, name: str) -> str:
        """An id that contains the part, so that a repeated part replaces its earlier events."""
        return f"{self._turn}.{self._at}.{name}"


def as_json(event: BaseEvent) -> str:
    return event.model_dump_json(by_alias=True)
