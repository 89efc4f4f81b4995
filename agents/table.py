"""AGENTS: every agent by name, from the modules of `agents/declarations`; all that lists agents iterates it.

Building agents, the settings of their models, progress, traces, usage, warnings of a result, the OpenAPI document and
the embedded planner need no further list.
"""

import pkgutil
from collections.abc import Iterable, Iterator
from importlib import import_module

from agents import declarations
from agents.declaration import Declaration
from desk.base.text import spaced
from desk.governance.usage import AgentName
from desk.optimization.answers import Decision


def _declared() -> Iterator[Declaration]:
    for module in pkgutil.iter_modules(declarations.__path__):
        yield import_module(f"{declarations.__name__}.{module.name}").AGENT


AGENTS: dict[AgentName, Declaration] = {
    agent.name: agent
    for agent in sorted(_declared(), key=lambda agent: (agent.works_in == "conversation", agent.start_share))
}
"""In the order in which a run asks them, the assistant of the conversation last."""

OPTIMIZATION_AGENTS = {name: agent for name, agent in AGENTS.items() if agent.works_in == "optimization"}
ASSISTANT = AGENTS["assistant"]
INTERRUPTIONS = {name: agent.interruption for name, agent in AGENTS.items()}
"""What is missing of a result if a budget was spent before the agent had answered."""


def order_decisions(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """In the order of `AGENTS`; decisions of agents of an earlier version come last, by their stored names."""
    order = {name: place for place, name in enumerate(AGENTS)}
    return tuple(sorted(decisions, key=lambda d: (order.get(d.agent, len(order)), d.agent, d.ordinal)))


def absence_sentences(decisions: Iterable[Decision]) -> tuple[str, ...]:
    """The warnings in a result about agents that gave no answer, each once; a spent budget has its own label."""
    silent = (d.agent for d in decisions if d.author == "abstained" and d.abstained_for != "budget")
    return tuple(
        AGENTS[name].absence_sentence if name in AGENTS else f"The {spaced(name)} gave no answer."
        for name in dict.fromkeys(silent)
    )
