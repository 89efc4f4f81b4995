"""Serialization of checkpoints: typed values only, so no text that a model wrote outside of them is stored."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from langgraph.checkpoint.base import WRITES_IDX_MAP
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import ERROR

from desk.conversation.reply import Reply
from desk.figures.figures import Claim, Figure, RenderedClaim
from desk.optimization.answers import Decision, MarketView, ScenarioTilt, SearchPlan
from quant.strategies.config import StrategyConfig

CHECKPOINT_TYPES = (
    Claim,
    Decision,
    Figure,
    MarketView,
    RenderedClaim,
    Reply,
    ScenarioTilt,
    SearchPlan,
    StrategyConfig,
)
"""The types that a checkpoint may deserialize."""

Writes: TypeAlias = Sequence[tuple[str, Any]]


class CheckpointSerializer(JsonPlusSerializer):
    """Stores the class of an error without its message, which may hold text that a model wrote."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return super().dumps_typed(type(obj).__name__ if isinstance(obj, BaseException) else obj)


SERIALIZER = CheckpointSerializer(allowed_msgpack_modules=CHECKPOINT_TYPES)


def writes_to_store(writes: Writes) -> Writes:
    """All writes of a finished task, and only the error of a failed one.

    LangGraph counts a task as finished once any of its results is stored.
    """
    if not any(channel == ERROR for channel, _ in writes):
        return writes
    return [(channel, value) for channel, value in writes if channel in WRITES_IDX_MAP]
