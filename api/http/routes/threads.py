"""Threads of the chat with the assistant, and their messages."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.pagination import After, Limit, Page
from api.http.response_headers import location_header
from desk.conversation.focus import Focus
from desk.conversation.interrupts import Interrupt
from desk.conversation.messages import Message
from desk.conversation.schemas import Conversation, TurnState
from graphs.conversations.interrupts import interrupts
from graphs.conversations.repository import (
    begin_conversation,
    conversation_of,
    conversation_page,
    delete_conversation,
    message_page,
)
from quant.numeric.frozen import Frozen

router = APIRouter(tags=["threads"], route_class=limited_route(100_000))

ThreadId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-]{1,100}$", description="The id of a thread", examples=["3f6c0e8a5f0e"])
]
Title = Annotated[
    str,
    Field(
        min_length=1,
        max_length=120,
        pattern=r"\S",
        description="Title in the list of threads",
        examples=["Rule of thumb"],
    ),
]


class NewThread(Frozen):
    title: Title | None = Field(default=None, description="Default: the first message")


class ThreadTitle(Frozen):
    title: Title


class BranchRequest(Frozen):
    after: Annotated[
        int, Field(ge=1, le=999_999, description="The answered turn after which the new thread continues", examples=[1])
    ]


class MessagePage(Page[Message]):
    """Messages of a thread, the oldest first."""


class ThreadState(Frozen):
    """The state of a thread."""

    thread: str
    """Id of the thread."""
    turns: int
    """Number of turns."""
    state: TurnState | None = Field(description="State of the last turn; null for an empty thread")
    focus: Focus = Field(description='What "it" means in the next message')
    interrupts: tuple[Interrupt, ...] = Field(description="Decisions that the thread waits for")


@router.post(
    "/threads",
    status_code=201,
    summary="Start a thread",
    responses={201: {"headers": location_header("thread")}, **error_responses(400, 413)},
)
async def create_thread(
    principal: PrincipalDep, service: AppStateDep, response: Response, body: NewThread | None = None
) -> Conversation:
    """An empty thread; the first message names it if it has no title."""
    title = (body.title if body else None) or ""
    id_ = await begin_conversation(service.dependencies, principal.owner, title=title.strip())
    response.headers["Location"] = f"/api/threads/{id_}"
    return await conversation_of(service.dependencies.store, principal.owner, id_)


@router.get("/threads", summary="Your threads, newest first", responses=error_responses())
async def list_threads(
    principal: PrincipalDep, service: AppStateDep, limit: Limit = 100, after: After = None
) -> Page[Conversation]:
    """Deleted threads are not listed."""
    items, cursor = await conversation_page(service.dependencies.store, principal.owner, after=after, limit=limit)
    return Page(items=items, next=cursor)


@router.get("/threads/{thread}", summary="A thread", responses=error_responses(404))
async def get_thread(thread: ThreadId, principal: PrincipalDep, service: AppStateDep) -> Conversation:
    """Its title, its length, and the thread that it was branched from."""
    return await conversation_of(service.dependencies.store, principal.owner, thread)


@router.patch("/threads/{thread}", summary="Rename a thread", responses=error_responses(400, 404, 413))
async def rename_thread(
    thread: ThreadId, body: ThreadTitle, principal: PrincipalDep, service: AppStateDep
) -> Conversation:
    """Changes nothing but the title."""
    from graphs.conversations.repository import rename

    return await rename(service.dependencies.store, principal.owner, thread, body.title.strip())


@router.delete(
    "/threads/{thread}",
    status_code=204,
    summary="Delete a thread with its messages and answers; its runs stay",
    responses=error_responses(404, 409),
)
async def delete_thread(thread: ThreadId, principal: PrincipalDep, service: AppStateDep) -> None:
    """409 while a turn is being answered, and while other threads branch from it."""
    await delete_conversation(service.dependencies, principal.owner, thread)


@router.get(
    "/threads/{thread}/state", summary="Focus, state and pending decisions of a thread", responses=error_responses(404)
)
async def get_thread_state(thread: ThreadId, principal: PrincipalDep, service: AppStateDep) -> ThreadState:
    """What the next message refers to: the current run, strategy or portfolio."""
    store = service.dependencies.store
    conversation = await conversation_of(store, principal.owner, thread)
    last = await service.answering.ensure(principal.owner, thread, conversation.turns) if conversation.turns else None
    return ThreadState(
        thread=thread,
        turns=conversation.turns,
        state=last.state if last else None,
        focus=last.focus if last else Focus(),
        interrupts=tuple(await interrupts(service.dependencies, principal, thread)),
    )


@router.get(
    "/threads/{thread}/messages",
    summary="Messages and answers, the oldest first",
    responses=error_responses(404),
)
async def list_messages(
    thread: ThreadId, principal: PrincipalDep, service: AppStateDep, limit: Limit = 100, after: After = None
) -> MessagePage:
    """The numbers of an answer are in its `figures`, each with its source: a result and a field."""
    items, cursor = await message_page(service.dependencies.store, principal.owner, thread, after=after, limit=limit)
    return MessagePage(items=items, next=cursor)


@router.post(
    "/threads/{thread}/branches",
    status_code=201,
    summary="Branch a thread after an earlier turn",
    responses={201: {"headers": location_header("thread")}, **error_responses(400, 404, 409, 413)},
)
async def branch_thread(
    thread: ThreadId, body: BranchRequest, principal: PrincipalDep, service: AppStateDep, response: Response
) -> Conversation:
    """The new thread has the turns up to `after`; the old one does not change."""
    from graphs.conversations.repository import branch, conversation_of

    id_ = await branch(service.dependencies, principal.owner, thread, body.after)
    response.headers["Location"] = f"/api/threads/{id_}"
    return await conversation_of(service.dependencies.store, principal.owner, id_)
