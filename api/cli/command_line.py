"""Commands of Typer that refuse an option given twice, of which Typer takes the last value."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from desk.base.errors import InvalidInput


class _Command(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, parameters = self.make_parser(ctx).parse_args(args=[*args])
        for parameter, count in Counter(parameters).items():
            if isinstance(parameter, TyperOption) and not (parameter.multiple or parameter.is_flag) and count > 1:
                name = parameter.opts[0]
                raise InvalidInput(name, f"{count} times", reason=f"{name} has one value", allowed=f"{name} once")
        return super().parse_args(ctx, args)


class CommandLine(typer.Typer):
    """A group of such commands."""

    def command(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        return super().command(*arguments, **{"cls": _Command} | options)
