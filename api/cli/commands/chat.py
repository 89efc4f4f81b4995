"""`chat`: a conversation in the terminal, with the work of agents and tools and with approvals.

The offers of a reply are imported when they are printed: their module compiles the patterns of the figure guard.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from api.cli import options
from api.cli.chats.opening import open_chats
from api.cli.chats.port import Chat, Chats
from api.cli.command_line import CommandLine
from api.cli.exit_codes import DONE, WAITING
from api.cli.output.progress import Reporter
from api.cli.terminal import plain, stderr, stdout
from desk.base.errors import InvalidInput, UserError
from desk.conversation.schemas import UNANSWERED, Conversation, Turn
from desk.figures.figures import Figure, format_cell, format_figure
from desk.runs.events.judgement import ClaimReleased

if TYPE_CHECKING:
    from desk.figures.tables import Exhibit
    from desk.runs.events.table import TraceEvent


_EPILOG = """
Examples:

    python -m api chat

    python -m api chat --say "does the 12-month rule still hold?" --say "what about sigmoid instead?"

    python -m api chat --conversation last --say "and with double the costs?"

    python -m api chat --conversation last --branch 2

    python -m api chat --server http://127.0.0.1:8000

In the conversation: /help shows examples, /figures the sources of the last answer's numbers, /turns your messages,
/branch N continues after turn N, /quit ends. Without a terminal each line of stdin is a message. Answers go to stdout.
"""

Named = Annotated[
    str | None,
    typer.Option("--conversation", "-c", metavar="ID", help="Continue a conversation, or the `last`."),
]
Say = Annotated[
    list[str] | None,
    typer.Option("--say", metavar="TEXT", help="A message; repeat it for more. The chat ends after the last one."),
]
Branch = Annotated[
    int | None, typer.Option("--branch", metavar="TURN", help="Continue after this turn, in a new conversation.")
]


def register(app: typer.Typer) -> None:
    app.command(epilog=_EPILOG)(chat)
    app.command()(chats)


def parse_messages(arguments: Sequence[str]) -> tuple[str, ...]:
    """The messages of a command line; nothing is executed."""
    parser = CommandLine(add_completion=False)
    parser.command()(chat)
    scripts: list[tuple[str, ...]] = []

    def take(conversation: str | None, say: Sequence[str]) -> int:
        if conversation is not None or not say:
            raise InvalidInput(
                "command", "chat", reason="only a new conversation can be recorded", allowed="chat --say TEXT ..."
            )
        scripts.append(tuple(say))
        return DONE

    typer.main.get_command(parser).main(list(arguments), prog_name="chat", standalone_mode=False, obj=take)
    return scripts[0]


def chat(
    context: typer.Context,
    *,
    conversation: Named = None,
    say: Say = None,
    branch: Branch = None,
    server: options.Server = None,
) -> int:
    """Talk to the assistant: it searches, compares, simulates and explains, and shows the source of each number."""
    if context.obj is not None:  # the caller of `parse_messages` takes the messages
        return context.obj(conversation, say or ())
    if branch is not None and conversation is None:
        raise InvalidInput("--branch", branch, reason="no conversation is named", allowed="with --conversation")
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            opened_chats = runner.run(stack.enter_async_context(open_chats(server, answering=True)))
            return _talk(opened_chats, runner, conversation, branch, say)
        finally:
            runner.run(stack.aclose())


def _talk(
    chats: Chats, runner: asyncio.Runner, conversation: str | None, branch: int | None, say: Sequence[str] | None
) -> int:
    try:
        talk = Talk(runner.run(_open(chats, conversation, branch)))
        return talk.send_all(say, runner) if say else talk.interact(runner)
    except KeyboardInterrupt:
        print(f"Interrupted; continue it: python -m api chat --conversation last{chats.option}", file=sys.stderr)
        raise


async def _open(chats: Chats, name: str | None, turn: int | None) -> Chat:
    chat = chats.open(await chats.begin() if name is None else _choose(await chats.conversations(), name))
    if turn is not None:
        await chat.branch(turn)
    return chat


def chats(*, server: options.Server = None) -> int:
    """List your conversations, newest first."""

    async def listed() -> int:
        async with open_chats(server, answering=False) as opened_chats:
            _print(await opened_chats.conversations())
        return DONE

    return asyncio.run(listed())


def _print(conversations: "Sequence[Conversation]") -> None:
    if not conversations:
        print("No conversation yet: python -m api chat begins one.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("Conversation", "Begun (UTC)", "Turns", "First message"):
        table.add_column(heading, no_wrap=heading != "First message")
    for each in conversations:
        table.add_row(each.id, each.created_at.strftime("%Y-%m-%d %H:%M"), str(each.turns), plain(each.title))
    stdout().print(table)


def _choose(conversations: "Sequence[Conversation]", text: str) -> str:
    ids, with_turns = [each.id for each in conversations], [each.id for each in conversations if each.turns]
    matches = with_turns[:1] if text == "last" else [id_ for id_ in ids if text and id_.startswith(text)]
    if len(matches) != 1:
        reason = f"{text!r} names {len(matches)} conversations" if ids else "there is none yet"
        raise InvalidInput("--conversation", text, reason=reason, allowed="an id of `python -m api chats`, or last")
    return matches[0]


class Talk:
    """One conversation in this terminal."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._out: Console = stdout()
        self._aside: Console = stderr()
        self._cut_off = False
        """Whether Ctrl-C interrupted the last turn."""

    def send_all(self, messages: Sequence[str], runner: asyncio.Runner) -> int:
        """Send each message; stops at one that waits for an approval."""
        if runner.run(self._continue()) == "waiting":
            return WAITING
        for text in messages:
            self._out.print(f"\n› {_shown(text)}", style="bold")
            if runner.run(self._say(text)) == "waiting":
                return WAITING
        return DONE

    def interact(self, runner: asyncio.Runner) -> int:
        """Send what the person types, until the input ends."""
        introduction = f"Conversation {self._chat.conversation}, answered by {self._chat.name}."
        self._aside.print(f"{introduction} /help shows examples, /quit ends.")
        terminal = sys.stdin is not None and sys.stdin.isatty()
        state = self._run(runner, self._continue(), terminal=terminal)
        for text in _lines() if terminal or state != "waiting" else ():
            if text in ("/quit", "/exit", "/q"):
                break
            if text.startswith("/"):
                self._run(runner, self._command(text), terminal=terminal)
            elif self._run(runner, self._say(text), terminal=terminal) == "waiting" and not terminal:
                break
        return WAITING if runner.run(self._state()) == "waiting" else DONE

    def _run(self, runner: asyncio.Runner, answering: "Coroutine[Any, Any, str]", *, terminal: bool) -> str:
        """The state of the last turn; at a terminal, neither Ctrl-C nor a `UserError` ends the conversation."""
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
            self._aside.print("Interrupted; finished work is kept. The next message, or start, continues it.")
        return "running"

    async def _continue(self) -> str:
        """Resume the last turn if it is unfinished."""
        last, state = await self._chat.last(), await self._state()
        behind, self._cut_off = self._cut_off and self._chat.detached, False
        if state not in UNANSWERED and not behind:
            return state
        self._aside.print(f"Continuing: {_shown((await self._chat.turn(last)).asked)}")
        return await self._follow(lambda: self._chat.resume(last), last)

    async def _say(self, text: str) -> str:
        if (self._cut_off or await self._state() == "waiting") and await self._continue() == "waiting":
            self._aside.print("Your message was not sent: the one before waits. /branch N continues after turn N.")
            return "waiting"
        number = await self._chat.last() + 1
        return await self._follow(lambda: self._chat.ask(text), number)

    async def _state(self) -> str:
        """The state of the last turn."""
        last = await self._chat.last()
        return (await self._chat.turn(last)).state if last else "completed"

    async def _follow(self, events: "Callable[[], AsyncGenerator[TraceEvent]]", number: int) -> str:
        """Show the events until the turn is answered or left waiting."""
        while True:
            await self._show(events())
            turn = await self._chat.turn(number)
            if turn.state != "waiting":
                self._close(turn)
                return turn.state
            if not await self._chat.decide(turn):
                return "waiting"
            events = lambda: self._chat.resume(number)  # noqa: E731

    async def _show(self, events: "AsyncGenerator[TraceEvent]") -> None:
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
            purpose, example = OFFERS[offer]
            self._out.print(f"  · {purpose}: “{example}”")

    async def _command(self, text: str) -> str:
        from desk.conversation.reply import OFFERS

        last = await self._chat.last()
        match text.split():
            case ["/help"]:
                for purpose, example in OFFERS.values():
                    self._out.print(f"  · {purpose}: “{example}”")
            case ["/figures"] if last:
                self._figures(await self._chat.turn(last))
            case ["/turns"]:
                for number in range(1, last + 1):
                    self._out.print(f"{number:>4}  {_shown((await self._chat.turn(number)).asked)}")
            case ["/branch", number] if number.isdecimal():
                await self._chat.branch(int(number))
                self._cut_off = False
                self._aside.print(f"Conversation {self._chat.conversation} continues after turn {number}.")
            case _:
                self._aside.print("Commands: /help, /figures, /turns, /branch N, /quit.")
        return "completed"

    def _exhibit(self, exhibit: "Exhibit", figures: "dict[str, Figure]") -> None:
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
        table = Table(box=None, pad_edge=False)
        for heading in ("Figure", "What it measures", "Computed as"):
            table.add_column(heading)
        for figure in turn.figures:
            table.add_row(_shown(format_figure(figure)), _shown(figure.quantity), figure.source)
        self._out.print(table)


def _lines() -> Iterator[str]:
    """The lines that the person types, or those of stdin, without empty ones."""
    if sys.stdin is None:  # closed
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
            reason = "a line is not UTF-8"
            raise InvalidInput("stdin", "", reason=reason, allowed="UTF-8") from error
        except KeyboardInterrupt:
            print(file=sys.stderr)
            return
        if text:
            if not terminal:
                print(f"\n› {_shown(text)}")
            yield text


def _shown(text: str) -> Any:
    return plain(text)
