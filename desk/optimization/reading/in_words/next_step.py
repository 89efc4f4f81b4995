"""The weights of today and the trade to the winner, in sentences; they rest on days of the locked holdout."""

from desk.base.text import number
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.optimization.result import OptimizationResult

HIDDEN = 0.005
"""A trade that is shown as 0%."""


def describe_next_step(result: OptimizationResult) -> tuple[Figure, ...]:
    """What the winner and the current rule hold, and what would be bought or sold; nothing without a winner."""
    sheet = Sheet("explain_result", "next_step")
    step = result.next_step
    if step is None:
        return sheet.figures
    sheet.say(
        "weight_sentence",
        f"At the latest price, of {step.as_of}, the winner holds {_percent(step.today_weight)} in the risky asset and "
        f"the current rule {_percent(step.current_rule_weight)}.",
    )
    verb = "buy" if step.next_trade > 0.0 else "sell"
    trade = (
        "there is nothing to trade"
        if abs(step.next_trade) < HIDDEN
        else f"{verb} {_percent(abs(step.next_trade))} of wealth in the risky asset"
    )
    opening = (
        "To follow the winner instead of the current rule,"
        if result.verdict.colour == "green"
        else "No switch is advised; to follow the winner all the same,"
    )
    sheet.say("trade_sentence", f"{opening} {trade}.")
    return sheet.figures


def _percent(value: float) -> str:
    return f"{number(100.0 * value)}%"
