"""Builds the tables of a tool result."""

from desk.conversation.result_tables import RESULT_TABLES
from desk.conversation.risk_tables import RISK_TABLES
from desk.conversation.strategy_tables import STRATEGY_TABLES
from desk.figures.tables import Exhibit
from quant.numeric.frozen import Frozen


def build_exhibits(result: Frozen) -> tuple[Exhibit, ...]:
    """Build the tables of a tool result, without empty ones."""
    build = {**STRATEGY_TABLES, **RISK_TABLES, **RESULT_TABLES}.get(type(result).__name__)
    return tuple(exhibit for exhibit in build(result) if exhibit.rows) if build else ()
