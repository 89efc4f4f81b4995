"""Events that an agent's middleware writes to the agent's custom stream; `graphs` turns them into trace events."""

from typing import Any, Literal

from agents.models.failures import Reason
from desk.runs.events.models import Stop
from quant.numeric.frozen import Frozen


class ModelCall(Frozen):
    """A model answered; the content of the answer is not included."""

    model: str
    stop: Stop
    attempts: int
    """Number of calls of this model."""
    input_tokens: int
    """Tokens that were neither read from nor written to the prompt cache."""
    cached_tokens: int
    """Tokens read from the provider's prompt cache."""
    written_tokens: int
    """Tokens written to the prompt cache."""
    output_tokens: int
    seconds: float
    dollars: float | None = None
    """None if the price of a model is unknown. Like the tokens, it includes calls that failed."""


class ModelRetry(Frozen):
    """A call failed and is made again; `attempt` is the number of the failed one, from 1."""

    model: str
    reason: Reason
    attempt: int


class ModelFallback(Frozen):
    """A model failed, or its answer cannot be used, and the next model of the chain is called."""

    model: str
    by: str
    reason: Reason | Literal["malformed"]


class ToolStart(Frozen):
    """A tool is called with arguments that passed validation; `call` is the id of the call in the model's message."""

    call: str
    tool: str
    arguments: dict[str, Any]


class Notice(Frozen):
    """A fact about an answer that the user should know; the agent continues."""

    code: Literal["budget_nearly_spent", "price_unknown"]
    subject: str
    """A budget, or the name of a model."""
