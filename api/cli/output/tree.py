"""The trace of a run as a tree, with times and costs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from api.cli.terminal import plain
from desk.base.text import number, plural, spaced
from desk.governance.usage import Usage
from desk.runs.events.agents import AgentFinished, ToolEvent
from desk.runs.events.base import AgentEvent, BaseEvent, Span
from desk.runs.events.conversation import RunLaunched, TurnFinished
from desk.runs.events.models import ModelEvent
from desk.runs.events.search import TrialFinished, TrialsFinished
from desk.runs.events.table import TraceEvent
from graphs.runs.usage import usage_of
from quant.numeric.units import BASIS_POINTS
from quant.strategies.goal import DEFAULT_GOAL, GOAL_METRIC, RATIO_GOALS, Goal
from quant.strategies.metrics import METRICS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

Logs = Mapping[str, Sequence[TraceEvent]]
"""The events of a run and of those that it launched, by the ids of the runs."""

ALONE: tuple[Goal, ...] = ("sharpe", "worst_case", "cvar_utility", "calmar", "volatility_error")
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
    trials = sum(isinstance(event, TrialFinished) for event in events)
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
    if branch.end is not None and branch.end > branch.start:
        parts.append(f"took {number((branch.end - branch.start).total_seconds(), 1)} s")
    if branch.usage is not None and branch.usage.tokens:
        parts.append(_cost(branch.usage))
    return f"[{', '.join(parts)}]"


def _cost(usage: Usage) -> str:
    price = "price unknown" if usage.dollars is None else f"${usage.dollars:.4f}"
    cached = f" ({number(usage.cached_tokens)} from the cache)" if usage.cached_tokens else ""
    return f"{number(usage.tokens)} tokens{cached}, {price}"


class _TreeBuilder:
    """Builds the tree of one log, event by event, from the rows of their kinds."""

    def __init__(self, logs: Logs, run: str, goals: Mapping[str, Goal], *, whole: bool) -> None:
        self._logs, self._run, self._goals, self._whole = logs, run, goals, whole
        self._root = Branch(f"Run {run}", logs[run][0].at)
        self._nodes: dict[str, Branch] = {}
        self._agents: dict[str, Branch] = {}
        self._tools: dict[str, list[tuple[str, Branch]]] = {}
        """Calls that have not returned, with the name of the tool, by agent."""
        self._trials: list[TrialFinished] = []
        self._question: Branch | None = None
        self._open: Mapping[Span, Callable[[Any], None]] = {
            "run": self._open_root,
            "turn": self._open_root,
            "node": self._open_node,
            "agent": self._open_agent,
            "tool": self._open_tool,
            "model": self._add_model,
            "approval": self._open_question,
        }
        self._close: Mapping[Span, Callable[[Any], None]] = {
            "run": self._close_root,
            "turn": self._close_root,
            "node": self._close_node,
            "agent": self._close_agent,
            "tool": self._close_tool,
            "approval": self._close_question,
        }

    def tree(self) -> Branch:
        for _, group in groupby(self._logs[self._run], lambda event: (event.event, event.node)):
            events = list(group)
            if events[0].row.trace == "counted":
                self._count(events)
            else:
                for event in events:
                    self._add(event)
        for name in self._tools:
            self._end_calls(name, "did not return")
        self._add_trials(self._logs[self._run][-1])
        for branch in (*self._nodes.values(), *self._agents.values()):
            branch.text += ": not finished"
        return self._root

    def _add(self, event: TraceEvent) -> None:
        row = event.row
        if row.closes in ("agent", "model"):  # a tool has refused a call if the agent continues before it returns
            self._end_calls(event.acting_agent or "", "refused")
        if row.opens is not None:
            self._open[row.opens](event)
        elif row.closes is not None:
            self._close[row.closes](event)
        elif isinstance(event, TrialsFinished) and self._trials:
            self._add_trials(event, f", ended: {event.stopped}")
        elif isinstance(event, RunLaunched):
            self._add_launched_run(event)
        elif row.trace == "line":
            self._within(event).add(event.label(), event.at)

    def _within(self, event: BaseEvent) -> Branch:
        """The branch of the active agent, else that of the node, else that of the run."""
        return self._agents.get(event.acting_agent or "") or self._nodes.get(event.node) or self._root

    def _count(self, events: Sequence[TraceEvent]) -> None:
        """One branch for consecutive events of a kind; trials wait for the end of their plan."""
        if trials := [event for event in events if isinstance(event, TrialFinished)]:
            self._trials += trials
            return
        noun, _, verb = events[0].event.rpartition("_")
        branch = self._within(events[0]).add(f"{plural(len(events), spaced(noun))} {verb}", events[0].at)
        for event in events if self._whole else ():
            branch.add(event.label(), event.at)

    def _open_root(self, event: BaseEvent) -> None:
        self._root.text = event.label()

    def _close_root(self, event: BaseEvent) -> None:
        if isinstance(event, TurnFinished):
            self._root.usage = event.usage
        self._root.end = event.at
        self._root.add(event.label(), event.at)

    def _open_node(self, event: BaseEvent) -> None:
        self._nodes[event.node] = self._root.add(event.label(), event.at)

    def _close_node(self, event: BaseEvent) -> None:
        if event.node in self._nodes:
            self._nodes.pop(event.node).end = event.at

    def _open_agent(self, event: AgentEvent) -> None:
        self._agents[event.agent] = self._within(event).add(event.label(), event.at)

    def _close_agent(self, event: AgentFinished) -> None:
        branch = self._agents.pop(event.agent, None)
        if branch is not None:
            branch.end, branch.usage = event.at, event.usage
            branch.text += f": {event.label()}"

    def _add_model(self, event: ModelEvent) -> None:
        usage = event.spending() or Usage()
        start = event.at - timedelta(seconds=usage.seconds)
        self._within(event).add(event.label(), start, event.at).usage = usage

    def _open_tool(self, event: ToolEvent) -> None:
        branch = self._within(event).add(event.label(), event.at)
        self._tools.setdefault(event.agent, []).append((event.tool, branch))

    def _close_tool(self, event: ToolEvent) -> None:
        calls = self._tools.get(event.agent, [])
        place = next((k for k, (tool, _) in enumerate(calls) if tool == event.tool), None)
        if place is not None:
            _, branch = calls.pop(place)
            branch.end = event.at
            branch.text += f": {event.label()}"

    def _end_calls(self, agent: str, reason: str) -> None:
        for _, branch in self._tools.get(agent, ()):
            branch.text += f": {reason}"
        self._tools[agent] = []

    def _open_question(self, event: BaseEvent) -> None:
        self._question = self._within(event).add(event.label(), event.at)

    def _close_question(self, event: BaseEvent) -> None:
        if self._question is None:
            self._within(event).add(event.label(), event.at)
        else:
            self._question.add(event.label(), event.at)
            self._question.end, self._question = event.at, None

    def _add_trials(self, event: TraceEvent, why: str = "") -> None:
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

    def _describe_trial(self, trial: TrialFinished) -> str:
        name = f"trial {trial.trial} ({trial.digest[:12]})"
        if trial.objective is None:
            return name
        goal = self._goals.get(self._run, DEFAULT_GOAL)
        value = (
            f"{METRICS[GOAL_METRIC[goal]].label} {number(trial.objective, 2)}"
            if goal in RATIO_GOALS
            else f"{number(trial.objective * BASIS_POINTS, 1)} bps"
        )
        return f"{name}, {value}"

    def _add_launched_run(self, event: RunLaunched) -> None:
        calling = [branch for calls in self._tools.values() for _, branch in calls]
        within = calling[-1] if calling else self._within(event)
        branch = within.add(event.label(), event.at)
        if event.launched in self._logs:
            subtree = _TreeBuilder(self._logs, event.launched, self._goals, whole=self._whole).tree()
            branch.children.append(subtree)
