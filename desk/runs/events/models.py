"""Events of the models behind the agents: answers, retries and replacements, with their usage."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from desk.base.text import number, spaced, title
from desk.governance.usage import Usage
from desk.runs.events.base import AgentEvent, Measure, Row

Stop: TypeAlias = Literal["answered", "truncated", "malformed", "blocked"]
"""How an answer ended: normally; cut off by a token limit; unusable; stopped by a guardrail or filter."""

_STOPS: dict[Stop, str] = {
    "answered": "answered",
    "truncated": "was cut off by a limit",
    "malformed": "answered with broken arguments",
    "blocked": "was stopped by a guardrail",
}


class ModelEvent(AgentEvent):
    """Fields of the events of a model."""

    model: str


class ModelAnswered(ModelEvent):
    """A model answered an agent; `stop` says how the answer ended, `attempts` how many calls it took."""

    row = Row(stage="agents", opens="model", closes="model")

    event: Literal["model_answered"] = "model_answered"
    stop: Stop
    """How the answer ended."""
    attempts: int
    """Calls that the answer took."""
    input_tokens: int
    """Tokens neither read from nor written to the cache."""
    cached_tokens: int
    """Input tokens that were read from the provider's cache."""
    written_tokens: int
    """Input tokens that were written to the provider's cache."""
    output_tokens: int
    """Tokens of the answer."""
    seconds: float
    """Duration of all attempts; excluded from comparisons."""
    dollars: float | None = None
    """None if the model's price is unknown; excluded from comparisons."""

    @property
    def live(self) -> bool:
        return self.output_tokens > 0 or self.stop != "answered"  # the embedded planner counts no tokens

    @property
    def error(self) -> str | None:
        return None if self.stop == "answered" else self.stop

    def line(self) -> str:
        input_tokens = number(self.input_tokens + self.written_tokens)
        usage = f"{input_tokens} tokens read, {number(self.cached_tokens)} from the cache"
        output = f"{number(self.output_tokens)} written, {number(self.seconds, 1)} s"
        return f"{title(self.agent)}'s model {_STOPS[self.stop]}: {usage}, {output}{self._attempts()}"

    def label(self) -> str:
        return f"{self.model} {_STOPS[self.stop]}{self._attempts()}"

    def _attempts(self) -> str:
        return f", {self.attempts} attempts" if self.attempts > 1 else ""

    def spending(self) -> Usage:
        return Usage(
            answers=1,
            input_tokens=self.input_tokens,
            cached_tokens=self.cached_tokens,
            written_tokens=self.written_tokens,
            output_tokens=self.output_tokens,
            dollars=self.dollars,
            seconds=self.seconds,
        )

    def measures(self) -> Mapping[Measure, float]:
        return {
            "ModelAnswers": 1,
            "InputTokens": self.input_tokens + self.written_tokens,
            "CachedTokens": self.cached_tokens,
            "OutputTokens": self.output_tokens,
            "ModelSeconds": self.seconds,
            "Dollars": self.dollars or 0.0,
        }


class ModelRetried(ModelEvent):
    """A model call failed for `reason` and is retried; `attempt` is the failed one, from 1."""

    row = Row(stage="agents")

    event: Literal["model_retried"] = "model_retried"
    reason: str
    attempt: int
    """Number of the failed call, from 1."""

    def line(self) -> str:
        return f"{title(self.agent)}'s model failed ({spaced(self.reason)}) in attempt {self.attempt} and is retried"

    def spending(self) -> Usage:
        return Usage(retries=1)

    def measures(self) -> Mapping[Measure, float]:
        return {"ModelRetries": 1}


class ModelReplaced(ModelEvent):
    """A model failed permanently; the agent continues with the next one of its chain."""

    row = Row(stage="agents", opens="model", closes="model")

    event: Literal["model_replaced"] = "model_replaced"
    by: str
    """Model that the agent continues with."""
    reason: str

    @property
    def error(self) -> str:
        return self.reason

    def line(self) -> str:
        return f"{title(self.agent)}'s model {self.model} failed ({spaced(self.reason)}) and is replaced by {self.by}"

    def spending(self) -> Usage:
        return Usage(retries=1)

    def measures(self) -> Mapping[Measure, float]:
        return {"ModelFailures": 1}


Event: TypeAlias = ModelAnswered | ModelRetried | ModelReplaced
