"""Stored model answers of an undecided agent, so that a resumed run need not repeat the calls.

Only the agent reads them. They are deleted once its decision is stored, so that a rejected draft leaves only its hash.
"""

from desk.governance.usage import AgentName
from store.records import Key, Put, iterate_records
from store.serialization import Document
from store.store import Store

KIND = "answer"
_PADDING = " " * 4096
"""Padding before an answer: large rows lie in overflow pages, which SQLite wipes on deletion, whereas a page of the
tree may keep remains of a moved row."""


async def load_answer(
    store: Store, owner: str, run: str, agent: AgentName, conversation_digest: str
) -> Document | None:
    """Load the answer to the conversation with this digest."""
    record = await store.records.get(_key(owner, run, agent, conversation_digest))
    return None if record is None else record.document["answer"]


def answer_put(owner: str, run: str, agent: AgentName, conversation_digest: str, answer: Document) -> Put:
    """Return the write that stores an answer unless another process stored one first."""
    return Put(_key(owner, run, agent, conversation_digest), {"": _PADDING, "answer": answer}, expected=0)


async def delete_answers(store: Store, owner: str, run: str, agent: AgentName | None = None) -> None:
    """Delete the answers to one agent, or to all."""
    prefix = f"{run}." if agent is None else f"{run}.{agent}."
    keys = [record.key async for record in iterate_records(store.records, owner, KIND, prefix=prefix)]
    for key in keys:
        await store.records.delete(key)


def _key(owner: str, run: str, agent: AgentName, conversation_digest: str) -> Key:
    return Key(owner, KIND, f"{run}.{agent}.{conversation_digest}")
