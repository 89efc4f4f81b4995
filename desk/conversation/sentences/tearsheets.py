"""Sentences of the embedded planner about a tear sheet."""

from collections.abc import Iterator
from typing import Final

from desk.conversation.sentences.aspects import Sentence, answering_first
from desk.tearsheets.summary import TearsheetSummary


def describe_tearsheet(result: TearsheetSummary, message: str) -> list[str]:
    return answering_first(_describe_series(result), message)


def _describe_series(result: TearsheetSummary) -> Iterator[Sentence]:
    ids = {figure.id for figure in result.figures}
    if "tearsheet_sentence" in ids:
        yield Sentence("{{tearsheet_sentence}}", "growth")
    else:
        yield Sentence(
            "These are the days from {{tearsheet_first_day}} to {{tearsheet_last_day}}; years, drawdowns and crises "
            "stand in the tables.",
            "",
        )
    for name, about, on_demand in _ROWS:
        if f"tearsheet_{name}_sentence" in ids:
            yield Sentence(f"{{{{tearsheet_{name}_sentence}}}}", about, on_demand=on_demand)
    yield Sentence(
        "The expected shortfall of the series, the mean loss of the worst days, was {{tearsheet_expected_shortfall}}.",
        "tail",
        on_demand=True,
    )


_ROWS: Final = (
    ("versus", "versus than_equity", False),
    ("years", "year", False),
    ("drawdown", "drawdown", True),
    ("volatility", "volatility", True),
    ("sharpe", "sharpe", False),
    ("beta", "beta", False),
)
"""Sentences by name, the aspects that each answers, and whether it is said on demand only."""
