"""Models that are made when the first is asked for: LangChain takes seconds to import."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agents.models.factory import ModelChain, Models


class AgentModels(Protocol):
    """`agents.models.factory.Models`, or what makes them."""

    @property
    def name(self) -> str: ...

    @property
    def chains(self) -> "tuple[ModelChain, ...]": ...

    def of(self, agent: str) -> "ModelChain": ...


class LateModels:
    """Of a process that may answer many requests before one needs a model."""

    def __init__(self, make: "Callable[[], Models]") -> None:
        self._make = make

    @cached_property
    def _made(self) -> "Models":
        return self._make()

    @property
    def name(self) -> str:
        return self._made.name

    @property
    def chains(self) -> "tuple[ModelChain, ...]":
        return self._made.chains

    def of(self, agent: str) -> "ModelChain":
        return self._made.of(agent)
