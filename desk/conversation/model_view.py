"""What the assistant's model reads of a tool's result; the whole result is stored, shown in tables and checked."""

from typing import Any

from desk.conversation.answers import FinishedSearch, OpenedHoldout, ResultExplanation
from desk.conversation.sentences.descriptions import describe_result
from desk.figures.figures import Figure, collect_figures
from desk.figures.tool_content import plain_facts, write_content
from desk.optimization.reading.model_view import verdict_facts
from quant.numeric.frozen import Frozen

WITHHELD = "withheld: it rests on days of the locked holdout; the reader sees it"


def shown_to_model(tool: str, result: Frozen, message: str) -> str:
    """The claims that code proposes as the answer to `message`, and the figures, without values of the holdout."""
    return write_content(describe_result(tool, result, message), _figures(result), _facts(result))


def _facts(result: Frozen) -> dict[str, Any]:
    match result:
        case FinishedSearch() | ResultExplanation():
            return plain_facts(result) | verdict_facts(result.findings)
        case _:
            return plain_facts(result)


def _figures(result: Frozen) -> tuple[Figure, ...]:
    match result:
        case ResultExplanation():
            return collect_figures(result.model_copy(update={"withheld": tuple(map(_blind, result.withheld))}))
        case OpenedHoldout():
            return tuple(map(_blind, result.figures))
        case _:
            return collect_figures(result)


def _blind(figure: Figure) -> Figure:
    return figure.model_copy(update={"value": WITHHELD, "error": None})
