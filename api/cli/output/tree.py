"""The trace of a run as a tree, with times and costs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from api.cli.output.progress import describe, describe_agent_decision, describe_estimate, describe_stop
from api.cli.terminal import plain
from desk.base.text import number, plural, title
from desk.governance.usage import Usage
from desk.runs import events as trace
from desk.runs.nodes import node_title
from graphs.runs.usage import usage_of
from quant.strategies.goal import Goal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

Logs = Mapping[str, Sequence[trace.TraceEvent]]
"""The events of a run and of those that it launched, by the ids of the runs."""

_OF_AGENTS = (
    trace.AgentStarted,
    trace.AgentFinished,
    trace.ModelAnswered,
    trace.ModelRetried,
    trace.ModelReplaced,
    trace.ToolCalled,
    trace.ToolReturned,
    trace.FiguresChecked,
    trace.DraftRejected,
)
_CLOSING = (trace.DecisionMade, trace.AgentFinished, trace.ModelAnswered)
"""After these events an agent waits for no tool."""


ALONE: tuple[Goal, ...] = ("sharpe", "worst_case", "cvar_utility")
"""Goals under which a trial's objective does not depend on other trials."""


@dataclass
class Branch:
    """An event or a span, with the events inside it."""

    text: str
    start: datetime
    end: datetime | None = None
    usage: Usage | None = None
    children: list["Branch"] = field(default_factory=list)

    def add(self, text: str, start: datetime, end: datetime | None = None) -> "Branch":
        self.children.append(Branch(text, start, end))
        return self.children[-1]


def tree(logs: Logs, run: str, *, goals: Mapping[str, Goal] | None = None, whole: bool = False) -> Branch:
    """The tree of `run`, with the trees of the launched runs that `logs` holds.

    Trials and claims are counted; the `whole` tree lists each of them.
    """
    return _TreeBuilder(logs, run, goals or {}, whole=whole).tree()


def totals(logs: Logs) -> str:
    """Time, tokens and cost of all events."""
    events = [event for log in logs.values() for event in log]
    seconds = (max(e.at for e in events) - min(e.at for e in events)).total_seconds()
    usage = usage_of(events)
    trials = sum(isinstance(event, trace.TrialFinished) for event in events)
    answers = f"{plural(usage.answers, 'answer')} of models"
    retries = f" ({plural(usage.retries, 'failed call')})" if usage.retries else ""
    cost = f", {_cost(usage)}" if usage.tokens else ""
    return f"Total: {number(seconds, 1)} s, {answers}{retries}{cost}, {plural(trials, 'trial')}, {len(events)} events"


def draw(console: "Console", root: Branch) -> None:
    """A tree on a terminal; elsewhere plain text, indented."""
    if console.is_terminal:
        from rich.tree import Tree

        console.print(_rich_tree(root, Tree(_label(root, root), guide_style="dim"), root))
        return
    for depth, branch in _walk(root, 0):
        print("  " * depth + " ".join(filter(None, (plain(branch.text), _times(branch, root)))))


def _rich_tree(branch: Branch, into: "Tree", root: Branch) -> "Tree":
    for child in branch.children:
        _rich_tree(child, into.add(_label(child, root)), root)
    return into


def _label(branch: Branch, root: Branch):
    from rich.text import Text

    return Text.assemble(plain(branch.text), " ", (_times(branch, root), "dim"))


def _walk(branch: Branch, depth: int) -> Iterator[tuple[int, Branch]]:
    yield depth, branch
    for child in branch.children:
        yield from _walk(child, depth + 1)


def _times(branch: Branch, root: Branch) -> str:
    parts = [f"+{number((branch.start - root.start).total_seconds(), 1)} s"]
    if branch.end is not None:
        parts.append(f"took {number((branch.end - branch.start).total_seconds(), 1)} s")
    if branch.usage is not None and branch.usage.tokens:
        parts.append(_cost(branch.usage))
    return f"[{', '.join(parts)}]"


def _cost(usage: Usage) -> str:
    price = "price unknown" if usage.dollars is None else f"${usage.dollars:.4f}"
    cached = f" ({number(usage.cached_tokens)} from the cache)" if usage.cached_tokens else ""
    return f"{number(usage.tokens)} tokens{cached}, {price}"


class _TreeBuilder:
    """Builds the tree of one log, event by event."""

    def __init__(self, logs: Logs, run: str, goals: Mapping[str, Goal], *, whole: bool) -> None:
        self._logs, self._run, self._goals, self._whole = logs, run, goals, whole
        self._root = Branch(f"Run {run}", logs[run][0].at)
        self._nodes: dict[str, Branch] = {}
        self._agents: dict[str, Branch] = {}
        self._tools: dict[str, list[tuple[str, Branch]]] = {}
        """Calls that have not returned, with the name of the tool, by agent."""
        self._trials: list[trace.TrialFinished] = []
        self._question: Branch | None = None

    def tree(self) -> Branch:
        for _, group in groupby(self._logs[self._run], lambda event: (event.event, event.node)):
            events = list(group)
            if isinstance(events[0], trace.ClaimReleased):
                self._add_claims(events)
                continue
            for event in events:
                self._close(event)
                self._add(event)
        for name in self._tools:
            self._end_calls(name, "did not return")
        self._add_trials(self._logs[self._run][-1])
        for branch in (*self._nodes.values(), *self._agents.values()):
            branch.text += ": not finished"
        return self._root

    def _add(self, event: trace.TraceEvent) -> None:
        match event:
            case trace.RunStarted() | trace.RunFinished() | trace.RunFailed():
                self._add_run(event)
            case trace.TurnStarted() | trace.TurnFinished():
                self._add_run(event)
            case trace.NodeStarted() | trace.NodeFinished():
                self._add_node(event)
            case trace.AgentStarted() | trace.AgentFinished() | trace.DecisionMade() | trace.ModelAnswered():
                self._add_agent(event)
            case trace.ToolCalled() | trace.ToolReturned():
                self._add_tool(event)
            case trace.TrialFinished() | trace.TrialsFinished() | trace.EstimateMade() | trace.JobProgressed():
                self._add_search(event)
            case trace.RunLaunched():
                self._add_launched_run(event)
            case trace.ApprovalRequested():
                self._question = self._within(event).add(describe(event).strip(), event.at)
            case trace.ApprovalDecided():
                self._add_decision(event)
            case _:
                self._within(event).add(describe(event).strip() or event.event.replace("_", " "), event.at)

    def _add_claims(self, events: Sequence[trace.TraceEvent]) -> None:
        branch = self._within(events[0]).add(f"{plural(len(events), 'claim')} released", events[0].at)
        for event in events:
            if self._whole and isinstance(event, trace.ClaimReleased):
                branch.add(f"{event.claim.section}: {event.claim.text}", event.at)

    def _within(self, event: trace.TraceEvent) -> Branch:
        """The branch of the active agent, else that of the node, else that of the run."""
        agent = self._agents.get(event.agent) if isinstance(event, _OF_AGENTS) else None
        return agent or self._nodes.get(event.node) or self._root

    def _add_run(
        self,
        event: trace.RunStarted | trace.RunFinished | trace.RunFailed | trace.TurnStarted | trace.TurnFinished,
    ) -> None:
        match event:
            case trace.RunStarted():
                self._root.text = describe(event)
                return
            case trace.TurnStarted():
                self._root.text = f"Turn {event.turn} of conversation {event.conversation}, driven by {event.model}"
                return
            case trace.TurnFinished():
                self._root.usage = event.usage
                text = f"Finished: {event.outcome.replace('_', ' ')}"
            case trace.RunFinished():
                text = f"Finished, result digest {event.result_digest[:12]}"
            case trace.RunFailed():
                text = describe(event).strip()
        self._root.end = event.at
        self._root.add(text, event.at)

    def _add_node(self, event: trace.NodeStarted | trace.NodeFinished) -> None:
        if isinstance(event, trace.NodeStarted):
            again = f" (again, {event.step + 1})" if event.step else ""
            text = node_title(event.node) + again
            self._nodes[event.node] = self._root.add(text, event.at)
        elif event.node in self._nodes:
            self._nodes.pop(event.node).end = event.at

    def _add_agent(
        self, event: trace.AgentStarted | trace.AgentFinished | trace.DecisionMade | trace.ModelAnswered
    ) -> None:
        match event:
            case trace.AgentStarted():
                text = f"{title(event.agent)}, {event.model}"
                self._agents[event.agent] = self._within(event).add(text, event.at)
            case trace.AgentFinished():
                branch = self._agents.pop(event.agent, None)
                if branch is not None:
                    branch.end, branch.usage = event.at, event.usage
                    branch.text += f": {event.outcome}"
            case trace.DecisionMade():
                refusals = f"; {plural(event.refused_calls, 'call')} of tools refused" if event.refused_calls else ""
                within = self._agents.get(event.decision.agent) or self._within(event)
                within.add(describe_agent_decision(event.decision) + refusals, event.at)
            case trace.ModelAnswered():
                again = f", {event.attempts} attempts" if event.attempts > 1 else ""
                start = event.at - timedelta(seconds=event.seconds)
                call = self._within(event).add(f"{event.model} {describe_stop(event)}{again}", start, event.at)
                call.usage = usage_of([event])

    def _add_tool(self, event: trace.ToolCalled | trace.ToolReturned) -> None:
        open_ = self._tools.setdefault(event.agent, [])
        if isinstance(event, trace.ToolCalled):
            arguments = ", ".join(f"{name}={json.dumps(value)}" for name, value in event.arguments.items())
            open_.append((event.tool, self._within(event).add(f"{event.tool}({arguments})", event.at)))
            return
        place = next((k for k, (tool, _) in enumerate(open_) if tool == event.tool), None)
        if place is not None:
            _, branch = open_.pop(place)
            branch.end = event.at
            branch.text += f": {plural(len(event.figures), 'figure')}"

    def _close(self, event: trace.TraceEvent) -> None:
        """A tool has refused a call if the agent continues before the tool returns."""
        if isinstance(event, _CLOSING):
            agent = event.decision.agent if isinstance(event, trace.DecisionMade) else event.agent
            self._end_calls(agent, "refused")

    def _end_calls(self, agent: str, reason: str) -> None:
        for _, branch in self._tools.get(agent, ()):
            branch.text += f": {reason}"
        self._tools[agent] = []

    def _add_search(
        self, event: trace.TrialFinished | trace.TrialsFinished | trace.EstimateMade | trace.JobProgressed
    ) -> None:
        match event:
            case trace.TrialFinished():
                self._trials.append(event)
            case trace.EstimateMade():
                self._within(event).add(f"Estimate: {describe_estimate(event.estimate)}", event.at)
            case trace.TrialsFinished():
                if self._trials:
                    self._add_trials(event, f", ended: {event.stopped}")
                else:
                    self._within(event).add(describe(event).strip(), event.at)
            case trace.JobProgressed():
                return

    def _add_trials(self, event: trace.TraceEvent, why: str = "") -> None:
        if not self._trials:
            return
        trials, self._trials = self._trials, []
        within = self._within(trials[0])
        screened = sum(trial.screened for trial in trials)
        few = f", {number(screened)} dropped after few paths" if screened else ""
        best = max((t for t in trials if t.objective is not None), key=lambda t: t.objective or 0.0, default=None)
        regret = "" if self._goals.get(self._run) in ALONE else ", regret apart"
        leading = f", highest in sample{regret}: {self._describe_trial(best)}" if best else ""
        start = within.children[-1].start if within.children else within.start
        branch = within.add(f"{plural(len(trials), 'trial')}{few}{leading}{why}", start, event.at)
        for trial in trials if self._whole else ():
            branch.add("dropped after few paths: " * trial.screened + self._describe_trial(trial), trial.at)

    def _describe_trial(self, trial: trace.TrialFinished) -> str:
        name = f"trial {trial.trial} ({trial.digest[:12]})"
        if trial.objective is None:
            return name
        sharpe = self._goals.get(self._run) == "sharpe"
        value = f"Sharpe ratio {number(trial.objective, 2)}" if sharpe else f"{number(trial.objective * 1e4, 1)} bps"
        return f"{name}, {value}"

    def _add_launched_run(self, event: trace.RunLaunched) -> None:
        calling = [branch for calls in self._tools.values() for _, branch in calls]
        within = calling[-1] if calling else self._within(event)
        branch = within.add(f"Launched {event.launched}: {event.name}", event.at)
        if event.launched in self._logs:
            subtree = _TreeBuilder(self._logs, event.launched, self._goals, whole=self._whole).tree()
            branch.children.append(subtree)

    def _add_decision(self, event: trace.ApprovalDecided) -> None:
        text = describe(event).strip()
        if self._question is None:
            self._within(event).add(text, event.at)
        else:
            self._question.add(text, event.at)
            self._question.end, self._question = event.at, None
