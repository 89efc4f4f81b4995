"""What asking models took."""

import math
import operator
from collections.abc import Iterable
from functools import reduce
from typing import Literal, TypeAlias

from quant.numeric.frozen import Frozen


class Usage(Frozen):
    """Tokens, money and time, summed over answers; of calls that failed without an answer nothing is known but their
    number and time."""

    answers: int = 0
    retries: int = 0
    """Calls that failed and were made again, by the same model or by another."""
    input_tokens: int = 0
    """Without those that came from or went to the cache."""
    cached_tokens: int = 0
    written_tokens: int = 0
    output_tokens: int = 0
    dollars: float | None = 0.0
    """None where the price of a model is not known."""
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.cached_tokens + self.written_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        known = [part.dollars for part in (self, other) if part.dollars is not None]
        return Usage(
            answers=self.answers + other.answers,
            retries=self.retries + other.retries,
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            written_tokens=self.written_tokens + other.written_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            dollars=math.fsum(known) if len(known) == 2 else None,
            seconds=self.seconds + other.seconds,
        )


def total(usages: Iterable[Usage]) -> Usage:
    return reduce(operator.add, usages, Usage())


AgentName: TypeAlias = Literal["risk_manager", "market_analyst", "optimizer", "explainer", "assistant"]


class AgentUsage(Frozen):
    """What an agent took in a run, and the models that answered it."""

    agent: AgentName
    models: tuple[str, ...]
    usage: Usage
