"""What a conversation waits for, and how it goes on once a person has decided."""

from graphs.answering import Answering
from graphs.approval import decides
from graphs.desk import Desk
from graphs.run_book import events_of, run_of
from graphs.runs import decide_approval
from graphs.turns import conversation_of, settled
from store.store import Store
from tools.approval import Decided, Ruling, Subject, approval_of
from tools.context import Principal
from tools.errors import Conflicting
from tools.interrupts import Interrupt, editable
from tools.trace import TurnPaused
from tools.turns import Turn


class NothingWaits(Conflicting):
    """The conversation waits for no decision about the run."""

    code = "nothing_waits"


async def interrupts(desk: Desk, asking: Principal, conversation_id: str) -> list[Interrupt]:
    """At most one: a conversation goes on with one message at a time."""
    store, owner = desk.store, asking.owner
    turn = await _last(store, owner, conversation_id)
    if turn is None or turn.state != "waiting" or turn.waits_for is None:
        return []
    run, subject = turn.waits_for
    approval = await approval_of(store, owner, run, subject)
    if approval is None or approval.decided is not None:
        return []
    request = (await run_of(store, owner, run)).request
    return [
        Interrupt(
            run=run,
            subject=subject,
            turn=turn.number,
            asked=approval.asked,
            editable=editable(subject, request),
            second_person=not decides(desk, asking, owner, subject, approval),
            question=approval.question,
        )
    ]


async def decide(
    desk: Desk, answering: Answering, asking: Principal, conversation_id: str, run: str, ruling: Ruling
) -> Turn:
    """Record what the person decided, and let the turn that waits for it go on."""
    owner = asking.owner
    turn = await _last(desk.store, owner, conversation_id)
    subject = None if turn is None else await _subject(desk.store, owner, turn, run)
    if turn is None or subject is None:
        await run_of(desk.store, owner, run)
        raise NothingWaits(f"run: the conversation waits for no decision on {run!r}; allowed: one of its interrupts")
    decided = Decided(**ruling.model_dump(), by=owner, at=desk.now())
    await decide_approval(desk, owner, run, decided, subject, decider=asking)
    return await answering.ensure(owner, turn.conversation, turn.number, adopted=True)


async def _subject(store: Store, owner: str, turn: Turn, run: str) -> Subject | None:
    """What the turn waits for the run to be decided on, or waited: a decision may be sent again."""
    if turn.waits_for is not None and turn.waits_for[0] == run:
        return turn.waits_for[1]
    paused = [event for event in await events_of(store, owner, turn.id) if isinstance(event, TurnPaused)]
    return next((event.subject for event in reversed(paused) if event.waits_for == run), None)


async def _last(store: Store, owner: str, conversation_id: str) -> Turn | None:
    conversation = await conversation_of(store, owner, conversation_id)
    return await settled(store, owner, conversation_id, conversation.turns) if conversation.turns else None
