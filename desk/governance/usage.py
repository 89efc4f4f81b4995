"""Usage of models: tokens, dollars and seconds."""

import math
import operator
from collections.abc import Iterable
from functools import reduce
from typing import Annotated, TypeAlias

from pydantic import Field

from quant.numeric.frozen import Frozen


class Usage(Frozen):
    """Tokens, dollars and seconds summed over answers; failed calls add only to `retries` and `seconds`."""

    answers: int = 0
    """Answers of models."""
    retries: int = 0
    """Failed calls that were repeated, by the same model or another."""
    input_tokens: int = 0
    """Tokens neither read from nor written to the cache."""
    cached_tokens: int = 0
    """Input tokens that were read from the provider's cache."""
    written_tokens: int = 0
    """Input tokens that were written to the provider's cache."""
    output_tokens: int = 0
    """Tokens of the answers."""
    dollars: float | None = 0.0
    """None if the price of a model is unknown."""
    seconds: float = 0.0
    """Time of the calls, in seconds."""

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.cached_tokens + self.written_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        known_dollars = [part.dollars for part in (self, other) if part.dollars is not None]
        return Usage(
            answers=self.answers + other.answers,
            retries=self.retries + other.retries,
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            written_tokens=self.written_tokens + other.written_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            dollars=math.fsum(known_dollars) if len(known_dollars) == 2 else None,
            seconds=self.seconds + other.seconds,
        )


def total(usages: Iterable[Usage]) -> Usage:
    return reduce(operator.add, usages, Usage())


AgentName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}$", json_schema_extra={"x-values": "agents"})]
"""A name in `agents.table.AGENTS`, or that of an agent which older records name; OpenAPI lists the names."""


class AgentUsage(Frozen):
    """Usage of an agent in a run, and the models that answered it."""

    agent: AgentName
    models: tuple[str, ...]
    """Models that answered, in order of their first answer."""
    usage: Usage
