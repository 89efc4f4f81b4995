"""The approval a conversation waits for, and resuming the conversation once it is decided."""

from desk.base.errors import Conflicting
from desk.conversation.interrupts import Interrupt, editable_fields
from desk.conversation.schemas import Turn
from desk.governance.approvals import ApprovalDecision, Ruling, Subject, load_approval
from desk.governance.principals import Principal
from desk.runs.events.conversation import TurnPaused
from desk.runs.repository import load_events, load_run
from graphs.conversations.background_turns import BackgroundTurns
from graphs.conversations.repository import conversation_of, settled_turn
from graphs.dependencies import Dependencies
from graphs.jobs.approval_decisions import decide_approval
from graphs.runs.approval import can_decide
from store.store import Store


class NoPendingInterrupt(Conflicting):
    """The conversation waits for no decision about the run."""

    code = "nothing_waits"


async def interrupts(dependencies: Dependencies, asking: Principal, conversation_id: str) -> list[Interrupt]:
    """Return the pending interrupt, of which a conversation has at most one."""
    store, owner = dependencies.store, asking.owner
    turn = await _last(store, owner, conversation_id)
    if turn is None or turn.state != "waiting" or turn.waits_for is None:
        return []
    run, subject = turn.waits_for
    approval = await load_approval(store, owner, run, subject)
    if approval is None or approval.decided is not None:
        return []
    request = (await load_run(store, owner, run)).request
    return [
        Interrupt(
            run=run,
            subject=subject,
            turn=turn.number,
            asked=approval.asked,
            editable=editable_fields(subject, request),
            second_person=not can_decide(dependencies, asking, owner, subject, approval),
            question=approval.question,
        )
    ]


async def decide(
    dependencies: Dependencies,
    answering: BackgroundTurns,
    asking: Principal,
    conversation_id: str,
    run: str,
    ruling: Ruling,
) -> Turn:
    """Record the person's decision and resume the turn that waits for it."""
    owner = asking.owner
    turn = await _last(dependencies.store, owner, conversation_id)
    subject = None if turn is None else await _subject(dependencies.store, owner, turn, run)
    if turn is None or subject is None:
        await load_run(dependencies.store, owner, run)
        raise NoPendingInterrupt(
            f"run: the conversation waits for no decision on {run!r}; expected one of its interrupts"
        )
    decision = ApprovalDecision(**ruling.model_dump(), by=owner, at=dependencies.now())
    await decide_approval(dependencies, owner, run, decision, subject, decider=asking)
    return await answering.ensure(owner, turn.conversation, turn.number, adopted=True)


async def _subject(store: Store, owner: str, turn: Turn, run: str) -> Subject | None:
    """The subject of the decision that the turn waits for, or waited for, since a decision may be sent again."""
    if turn.waits_for is not None and turn.waits_for[0] == run:
        return turn.waits_for[1]
    paused = [event for event in await load_events(store, owner, turn.id) if isinstance(event, TurnPaused)]
    return next((event.subject for event in reversed(paused) if event.waits_for == run), None)


async def _last(store: Store, owner: str, conversation_id: str) -> Turn | None:
    conversation = await conversation_of(store, owner, conversation_id)
    return await settled_turn(store, owner, conversation_id, conversation.turns) if conversation.turns else None
