"""The tables of a tool's answer."""

from desk.figures.tables import Exhibit
from quant.numeric.frozen import Frozen


def exhibits_of(result: Frozen) -> tuple[Exhibit, ...]:
    """The tables of a tool's result, without the empty ones."""
    from desk.conversation.result_tables import OF_RESULTS
    from desk.conversation.risk_tables import OF_RISK
    from desk.conversation.strategy_tables import OF_STRATEGIES

    made = {**OF_STRATEGIES, **OF_RISK, **OF_RESULTS}.get(type(result).__name__)
    return tuple(exhibit for exhibit in made(result) if exhibit.rows) if made else ()
