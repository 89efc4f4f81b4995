"""What a check reports, and the frame of a rule."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from infra.checks.assembly import Resource, Stage

Violation: TypeAlias = tuple[Resource | str, str]
"""The resource, or the stack where one is missing, and what is wrong."""
Rule: TypeAlias = Callable[[Stage], Iterator[Violation]]


@dataclass(frozen=True)
class Finding:
    rule: str
    place: str
    """The stack and the construct."""
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.place}: {self.message}"


def name_of(rule: Rule) -> str:
    """The name of the rule's function, with hyphens."""
    return rule.__name__.replace("_", "-")


def findings(rules: Sequence[Rule], stage: Stage) -> list[Finding]:
    """The violations of all rules."""
    return [Finding(name_of(rule), _place(where), message) for rule in rules for where, message in rule(stage)]


def _place(where: Resource | str) -> str:
    return where if isinstance(where, str) else f"{where.stack}/{where.name}"
