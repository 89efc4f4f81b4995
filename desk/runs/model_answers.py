"""What models answered to an agent that has not decided yet: kept so that a resumed run need not ask again.

Nobody but the agent reads them, and they are deleted once its decision is stored: drafts that a check refuses leave
nothing behind but their hash.
"""

from desk.governance.usage import AgentName
from store.records import Key, Put, iterate_records
from store.serialization import Document
from store.store import Store

KIND = "answer"
_AHEAD = " " * 4096
"""Stands before an answer, so that it lies in pages that SQLite wipes when it is deleted: a page of its tree keeps,
now and then, remains of a row that was moved out of it."""


async def load_answer(store: Store, owner: str, run: str, agent: AgentName, asked: str) -> Document | None:
    """The answer to the conversation whose digest is `asked`."""
    record = await store.records.get(_key(owner, run, agent, asked))
    return None if record is None else record.document["answer"]


def answer_put(owner: str, run: str, agent: AgentName, asked: str, answer: Document) -> Put:
    """Keeps it unless another process was first: what is stored holds."""
    return Put(_key(owner, run, agent, asked), {"": _AHEAD, "answer": answer}, expected=0)


async def forget_answers(store: Store, owner: str, run: str, agent: AgentName | None = None) -> None:
    """Those to one agent, or to all."""
    prefix = f"{run}." if agent is None else f"{run}.{agent}."
    kept = [record.key async for record in iterate_records(store.records, owner, KIND, prefix=prefix)]
    for key in kept:
        await store.records.delete(key)


def _key(owner: str, run: str, agent: AgentName, asked: str) -> Key:
    return Key(owner, KIND, f"{run}.{agent}.{asked}")
