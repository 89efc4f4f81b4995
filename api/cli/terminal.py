"""Consoles for stdout, which takes results, and for stderr, which takes everything else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100
"""Columns of output outside a terminal."""


def stdout() -> "Console":
    return _console(stderr=False)


def stderr() -> "Console":
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, width=WIDTH, highlight=False, markup=False, emoji=False)
    )


def plain(text: str) -> str:
    """`text` without control characters, which could move the cursor or change colours."""
    return "".join(character if character.isprintable() else "·" for character in text)
