"""`chat`: a conversation in the terminal; what agents and tools do is shown as it happens, approvals included."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli import options
from api.settings import Settings, read_settings, server_at
from desk.base.errors import InvalidInput, UserError

if TYPE_CHECKING:
    from rich.console import Console

    from api.cli.chat_backends import Partner
    from desk.conversation.schemas import Conversation, Turn
    from desk.figures.figures import Figure
    from desk.figures.tables import Exhibit
    from desk.runs.events import TraceEvent

WAITING = 3
"""Exit code where a message waits for an approval that nobody here can give."""

_EPILOG = """
Examples:

    python -m api chat

    python -m api chat --say "does the 12-month rule still hold?" --say "what about sigmoid instead?"

    python -m api chat --conversation last --say "and with double the costs?"

    python -m api chat --conversation last --branch 2

    python -m api chat --server http://127.0.0.1:8000

In the conversation: /help what can be asked, /figures where the numbers of the last answer come from, /turns what was
said, /branch N go on after turn N, /quit. Without a terminal each line of stdin is a message. Answers go to stdout.
"""

Named = Annotated[
    str | None,
    typer.Option("--conversation", "-c", metavar="ID", help="Go on with a conversation, or with the `last`."),
]
Say = Annotated[
    list[str] | None, typer.Option("--say", metavar="TEXT", help="A message; repeat it for more. Then the chat ends.")
]
Branch = Annotated[
    int | None, typer.Option("--branch", metavar="TURN", help="Go on after this turn, in a conversation of its own.")
]


def register(app: typer.Typer) -> None:
    app.command(epilog=_EPILOG)(chat)
    app.command()(chats)


def said(arguments: Sequence[str]) -> tuple[str, ...]:
    """The messages that a command line says; nothing is executed."""
    own = typer.Typer(add_completion=False)
    own.command()(chat)
    found: list[tuple[str, ...]] = []

    def take(conversation: str | None, say: Sequence[str]) -> int:
        if conversation is not None or not say:
            raise InvalidInput(
                "command", "chat", reason="only a new conversation can be recorded", allowed="chat --say TEXT ..."
            )
        found.append(tuple(say))
        return 0

    typer.main.get_command(own).main(list(arguments), prog_name="chat", standalone_mode=False, obj=take)
    return found[0]


def chat(
    context: typer.Context,
    *,
    conversation: Named = None,
    say: Say = None,
    branch: Branch = None,
    server: options.Server = None,
) -> int:
    """Talk to the assistant: it searches, compares, simulates and explains, and shows where each number comes from."""
    if context.obj is not None:  # somebody wants to know what is said
        return context.obj(conversation, say or ())
    settings, url = read_settings(), server_at(server)
    if branch is not None and conversation is None:
        raise InvalidInput(
            "--branch", branch, reason="of which conversation is not said", allowed="with --conversation"
        )
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            talk = Talk(runner.run(_opened(settings, stack, conversation, branch, url)))
            return talk.all_of(say, runner) if say else talk.through(runner)
        except KeyboardInterrupt:
            there = f" --server {url}" if url else ""
            print(f"Interrupted; go on with it: python -m api chat --conversation last{there}", file=sys.stderr)
            raise
        finally:
            runner.run(stack.aclose())


def chats(*, server: options.Server = None) -> int:
    """List your conversations, newest first."""
    if url := server_at(server):
        from api.cli.server_runs import client_of

        with client_of(url) as client:
            return _list(list(client.threads()))

    async def listed() -> int:
        from api.app import create_dependencies
        from graphs.conversations.turn_execution import conversations

        settings = read_settings()
        async with create_dependencies(settings) as dependencies:
            return _list(await conversations(dependencies.store, settings.owner))

    return asyncio.run(listed())


def _list(found: "Sequence[Conversation]") -> int:
    from rich.table import Table

    from api.cli.terminal import plain, stdout

    if not found:
        print("No conversation yet: python -m api chat begins one.")
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("Conversation", "Begun (UTC)", "Turns", "First message"):
        table.add_column(heading, no_wrap=heading != "First message")
    for each in found:
        table.add_row(each.id, each.created_at.strftime("%Y-%m-%d %H:%M"), str(each.turns), plain(each.title))
    stdout().print(table)
    return 0


async def _opened(
    settings: Settings, stack: AsyncExitStack, named: str | None, turn: int | None, url: str
) -> "Partner":
    partner = _at_server(settings, stack, named, url) if url else await _open_local_chat(settings, stack, named)
    if turn is not None:
        await partner.branch(turn)
    return partner


async def _open_local_chat(settings: Settings, stack: AsyncExitStack, named: str | None) -> "Partner":
    from api.app import create_dependencies
    from api.cli.chat_backends import LocalChat
    from api.models import maker_of
    from graphs.conversations.turn_execution import begin_conversation, conversations

    models = maker_of(settings)()
    dependencies = await stack.enter_async_context(create_dependencies(settings, models))
    if named is None:
        found = await begin_conversation(dependencies, settings.owner)
    else:
        found = _chosen(await conversations(dependencies.store, settings.owner), named)
    return LocalChat(dependencies, settings, found)


def _at_server(settings: Settings, stack: AsyncExitStack, named: str | None, url: str) -> "Partner":
    from api.cli.chat_backends import AtServer
    from api.cli.server_runs import client_of

    client = stack.enter_context(client_of(url))
    found = client.start_thread().id if named is None else _chosen(list(client.threads()), named)
    return AtServer(client, settings, found)


def _chosen(every: "Sequence[Conversation]", text: str) -> str:
    found, begun = [each.id for each in every], [each.id for each in every if each.turns]
    chosen = begun[:1] if text == "last" else [id_ for id_ in found if text and id_.startswith(text)]
    if len(chosen) != 1:
        reason = f"{text!r} names {len(chosen)} conversations" if found else "there is none yet"
        raise InvalidInput("--conversation", text, reason=reason, allowed="an id of `python -m api chats`, or last")
    return chosen[0]


class Talk:
    """One conversation on this terminal."""

    def __init__(self, partner: "Partner") -> None:
        from api.cli.terminal import stderr, stdout

        self._partner = partner
        self._out: Console = stdout()
        self._aside: Console = stderr()
        self._cut_off = False
        """Whether the person interrupted the last turn."""

    def all_of(self, messages: Sequence[str], runner: asyncio.Runner) -> int:
        """Each message in turn; stops where one waits for a person who is not here."""
        if runner.run(self._go_on()) == "waiting":
            return WAITING
        for text in messages:
            self._out.print(f"\n› {_shown(text)}", style="bold")
            if runner.run(self._say(text)) == "waiting":
                return WAITING
        return 0

    def through(self, runner: asyncio.Runner) -> int:
        """Until the person leaves."""
        begun = f"Conversation {self._partner.conversation}, answered by {self._partner.name}."
        self._aside.print(f"{begun} /help says what can be asked, /quit leaves.")
        terminal = sys.stdin is not None and sys.stdin.isatty()
        state = self._heard(runner, self._go_on(), terminal=terminal)
        for text in _lines() if terminal or state != "waiting" else ():
            if text in ("/quit", "/exit", "/q"):
                break
            if text.startswith("/"):
                self._heard(runner, self._command(text), terminal=terminal)
            elif self._heard(runner, self._say(text), terminal=terminal) == "waiting" and not terminal:
                break
        return WAITING if runner.run(self._state()) == "waiting" else 0

    def _heard(self, runner: asyncio.Runner, answering: "Coroutine[Any, Any, str]", *, terminal: bool) -> str:
        """The state of the last turn; at a terminal, neither Ctrl-C nor what can be mended ends the conversation."""
        try:
            return runner.run(answering)
        except UserError as error:
            if not terminal:
                raise
            self._aside.print(_shown(str(error)))
        except KeyboardInterrupt:
            if not terminal:
                raise
            self._cut_off = True
            self._aside.print("Interrupted; what was finished is kept. The next message, or start, goes on with it.")
        return "running"

    async def _go_on(self) -> str:
        """With a turn that was left unfinished."""
        from desk.conversation.schemas import UNANSWERED

        last, state = await self._partner.last(), await self._state()
        missed, self._cut_off = self._cut_off and self._partner.detached, False
        if state not in UNANSWERED and not missed:
            return state
        self._aside.print(f"Going on with: {_shown((await self._partner.turn(last)).asked)}")
        return await self._follow(lambda: self._partner.resume(last), last)

    async def _say(self, text: str) -> str:
        if (self._cut_off or await self._state() == "waiting") and await self._go_on() == "waiting":
            self._aside.print("Your message was not sent: the one before waits. /branch N goes on after turn N.")
            return "waiting"
        number = await self._partner.last() + 1
        return await self._follow(lambda: self._partner.ask(text), number)

    async def _state(self) -> str:
        """Of the last turn."""
        last = await self._partner.last()
        return (await self._partner.turn(last)).state if last else "completed"

    async def _follow(self, events: "Callable[[], AsyncGenerator[TraceEvent]]", number: int) -> str:
        """Show what happens until the turn is answered or left waiting."""
        while True:
            await self._show(events())
            turn = await self._partner.turn(number)
            if turn.state != "waiting":
                self._close(turn)
                return turn.state
            if not await self._partner.decided(turn):
                return "waiting"
            events = lambda: self._partner.resume(number)  # noqa: E731

    async def _show(self, events: "AsyncGenerator[TraceEvent]") -> None:
        from api.cli.output.progress import Reporter
        from desk.runs.events import ClaimReleased

        with Reporter(self._aside) as reporter:
            async with aclosing(events) as following:
                async for event in following:
                    if isinstance(event, ClaimReleased) and event.node == "release":
                        self._out.print(_shown(event.claim.text))
                    else:
                        reporter.show(event)

    def _close(self, turn: "Turn") -> None:
        from desk.conversation.reply import OFFERS

        for exhibit in turn.exhibits:
            self._exhibit(exhibit, {figure.id: figure for figure in turn.figures})
        if turn.outcome == "no_answer" and not turn.claims:
            self._out.print(
                "There is no answer whose figures could be checked, so none is shown. Ask otherwise, or again."
            )
        for offer in turn.offers if turn.outcome != "answered" or not turn.figures else ():
            does, example = OFFERS[offer]
            self._out.print(f"  · {does}: “{example}”")

    async def _command(self, text: str) -> str:
        from desk.conversation.reply import OFFERS

        last = await self._partner.last()
        match text.split():
            case ["/help"]:
                for does, example in OFFERS.values():
                    self._out.print(f"  · {does}: “{example}”")
            case ["/figures"] if last:
                self._figures(await self._partner.turn(last))
            case ["/turns"]:
                for number in range(1, last + 1):
                    self._out.print(f"{number:>4}  {_shown((await self._partner.turn(number)).asked)}")
            case ["/branch", number] if number.isdecimal():
                await self._partner.branch(int(number))
                self._cut_off = False
                self._aside.print(f"Conversation {self._partner.conversation} goes on after turn {number}.")
            case _:
                self._aside.print("Known here: /help, /figures, /turns, /branch N, /quit.")
        return "completed"

    def _exhibit(self, exhibit: "Exhibit", figures: "dict[str, Figure]") -> None:
        from rich.table import Table

        from desk.figures.figures import format_cell

        self._out.print()
        self._out.print(_shown(exhibit.title), style="italic")
        table = Table(box=None, pad_edge=False, show_header=any(exhibit.columns))
        for place, heading in enumerate(exhibit.columns):
            table.add_column(_shown(heading), justify="right" if place else "left")
        for row in exhibit.rows:
            cells = [format_cell(figures[cell[2:-2]]) if cell.startswith("{{") else cell for cell in row]
            table.add_row(*map(_shown, cells))
        self._out.print(table)

    def _figures(self, turn: "Turn") -> None:
        from rich.table import Table

        from desk.figures.figures import format_figure

        table = Table(box=None, pad_edge=False)
        for heading in ("Figure", "What it measures", "Computed as"):
            table.add_column(heading)
        for figure in turn.figures:
            table.add_row(_shown(format_figure(figure)), _shown(figure.quantity), figure.source)
        self._out.print(table)


def _lines() -> Iterator[str]:
    """What the person types, or the lines of stdin; empty ones are left out."""
    if sys.stdin is None:  # closed: nobody will say anything
        return
    terminal = sys.stdin.isatty()
    while True:
        try:
            if terminal:
                print("› ", end="", file=sys.stdout if sys.stdout.isatty() else sys.stderr, flush=True)
            text = input().strip()
        except EOFError:
            return
        except UnicodeDecodeError as error:
            reason = "a line holds what is no character"
            raise InvalidInput("stdin", "", reason=reason, allowed="UTF-8") from error
        except KeyboardInterrupt:
            print(file=sys.stderr)
            return
        if text:
            if not terminal:
                print(f"\n› {_shown(text)}")
            yield text


def _shown(text: str) -> Any:
    from api.cli.terminal import plain

    return plain(text)
