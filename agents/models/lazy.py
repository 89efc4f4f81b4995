"""Models that are created at their first use, because LangChain takes seconds to import."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agents.models.factory import ModelChain, Models


class AgentModels(Protocol):
    """`agents.models.factory.Models`, created already or on demand."""

    @property
    def name(self) -> str: ...

    @property
    def chains(self) -> "tuple[ModelChain, ...]": ...

    def of(self, agent: str) -> "ModelChain": ...


class LazyModels:
    """For a process that may serve many requests before one needs a model."""

    def __init__(self, create: "Callable[[], Models]") -> None:
        self._create = create

    @cached_property
    def _models(self) -> "Models":
        return self._create()

    @property
    def name(self) -> str:
        return self._models.name

    @property
    def chains(self) -> "tuple[ModelChain, ...]":
        return self._models.chains

    def of(self, agent: str) -> "ModelChain":
        return self._models.of(agent)
