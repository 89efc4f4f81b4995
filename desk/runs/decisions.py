"""What agents decided, in the store: written once, before it is shown, and never asked for again."""

from dataclasses import dataclass

from desk.governance.usage import AgentName
from desk.optimization.answers import Decision
from desk.runs.events import TRACE_EVENT, TraceEvent
from store.errors import Conflict
from store.records import Key, iterate_records
from store.store import Store

KIND = "decision"


@dataclass(frozen=True)
class Decided:
    """A decision, what its agent did on the way, and the number of trials at the time."""

    decision: Decision
    events: tuple[TraceEvent, ...] = ()
    refused: int = 0
    """Tool calls that were refused on the way."""
    trials: int | None = None
    """None for a decision that was handed in with the run."""


def _key(owner: str, run: str, agent: AgentName, ordinal: int) -> Key:
    return Key(owner, KIND, f"{run}.{agent}.{ordinal}")


async def save_decision(store: Store, owner: str, run: str, decided: Decided) -> Decided:
    """Store it unless there is one already; what is stored holds."""
    key = _key(owner, run, decided.decision.agent, decided.decision.ordinal)
    document = {
        "decision": decided.decision.model_dump(mode="json"),
        "events": [event.model_dump(mode="json") for event in decided.events],
        "refused": decided.refused,
        "trials": decided.trials,
    }
    try:
        await store.records.put(key, document, expected=0)
    except Conflict:
        earlier = await load_decision(store, owner, run, decided.decision.agent, decided.decision.ordinal)
        assert earlier is not None
        return earlier
    return decided


async def load_decision(store: Store, owner: str, run: str, agent: AgentName, ordinal: int) -> Decided | None:
    record = await store.records.get(_key(owner, run, agent, ordinal))
    if record is None:
        return None
    return Decided(
        decision=Decision.model_validate(record.document["decision"]),
        events=tuple(TRACE_EVENT.validate_python(event) for event in record.document["events"]),
        refused=record.document["refused"],
        trials=record.document["trials"],
    )


async def count_decisions(store: Store, owner: str, run: str, agent: AgentName) -> int:
    return len([record async for record in iterate_records(store.records, owner, KIND, prefix=f"{run}.{agent}.")])
