"""What models answered to an agent that has not decided yet: kept so that a resumed run need not ask again.

Nobody but the agent reads them, and they are deleted once its decision is stored: drafts that a check refuses leave
nothing behind but their hash.
"""

from store.documents import Document
from store.errors import Conflict
from store.records import Key, every
from store.store import Store
from tools.optimization import AgentName

KIND = "answer"


async def load_answer(store: Store, owner: str, run: str, agent: AgentName, asked: str) -> Document | None:
    """The answer to the conversation whose digest is `asked`."""
    record = await store.records.get(_key(owner, run, agent, asked))
    return None if record is None else record.document


async def save_answer(store: Store, owner: str, run: str, agent: AgentName, asked: str, answer: Document) -> Document:
    """Store it unless another process was first; what is stored holds."""
    try:
        await store.records.put(_key(owner, run, agent, asked), answer, expected=0)
    except Conflict:
        earlier = await load_answer(store, owner, run, agent, asked)
        return answer if earlier is None else earlier
    return answer


async def forget_answers(store: Store, owner: str, run: str, agent: AgentName | None = None) -> None:
    """Those to one agent, or to all."""
    prefix = f"{run}." if agent is None else f"{run}.{agent}."
    kept = [record.key async for record in every(store.records, owner, KIND, prefix=prefix)]
    for key in kept:
        await store.records.delete(key)


def _key(owner: str, run: str, agent: AgentName, asked: str) -> Key:
    return Key(owner, KIND, f"{run}.{agent}.{asked}")
