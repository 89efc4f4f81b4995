"""Stored decisions of agents: written once, before they are shown, and reused when a run resumes."""

from dataclasses import dataclass

from desk.governance.usage import AgentName
from desk.optimization.answers import Decision
from desk.runs.events.table import TRACE_EVENT, TraceEvent
from store.errors import Conflict
from store.records import Key, iterate_records
from store.store import Store

KIND = "decision"


@dataclass(frozen=True)
class StoredDecision:
    """A decision, the events of its agent, and the number of trials at that time."""

    decision: Decision
    events: tuple[TraceEvent, ...] = ()
    refused_calls: int = 0
    """Number of rejected tool calls of the agent."""
    trials: int | None = None
    """None for a decision supplied with the run."""


def _key(owner: str, run: str, agent: AgentName, ordinal: int) -> Key:
    return Key(owner, KIND, f"{run}.{agent}.{ordinal}")


async def save_decision(store: Store, owner: str, run: str, stored_decision: StoredDecision) -> StoredDecision:
    """Store the decision unless one exists; return the stored one."""
    key = _key(owner, run, stored_decision.decision.agent, stored_decision.decision.ordinal)
    document = {
        "decision": stored_decision.decision.model_dump(mode="json"),
        "events": [event.model_dump(mode="json") for event in stored_decision.events],
        "refused": stored_decision.refused_calls,
        "trials": stored_decision.trials,
    }
    try:
        await store.records.put(key, document, expected=0)
    except Conflict:
        earlier = await load_decision(
            store, owner, run, stored_decision.decision.agent, stored_decision.decision.ordinal
        )
        assert earlier is not None
        return earlier
    return stored_decision


async def load_decision(store: Store, owner: str, run: str, agent: AgentName, ordinal: int) -> StoredDecision | None:
    record = await store.records.get(_key(owner, run, agent, ordinal))
    if record is None:
        return None
    return StoredDecision(
        decision=Decision.model_validate(record.document["decision"]),
        events=tuple(TRACE_EVENT.validate_python(event) for event in record.document["events"]),
        refused_calls=record.document["refused"],
        trials=record.document["trials"],
    )


async def count_decisions(store: Store, owner: str, run: str, agent: AgentName) -> int:
    return len([record async for record in iterate_records(store.records, owner, KIND, prefix=f"{run}.{agent}.")])
