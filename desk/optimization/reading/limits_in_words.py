"""The chance of breaking a limit, in a sentence."""

from desk.base.text import number, spaced
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.optimization.mandate_limits import LIMITS, limit_label
from desk.optimization.result import OptimizationResult


def describe_limit_chance(result: OptimizationResult) -> tuple[Figure, ...]:
    """The largest probability with which the winner breaks a limit; nothing where no limit has one."""
    sheet = Sheet("explain_result", "limits")
    checks = [check for check in result.limits if LIMITS[check.limit].figure_unit == "probability"]
    if checks:
        worst = max(checks, key=lambda check: check.statistic)
        sheet.say(
            "chance_sentence",
            f"The winner breaks {limit_label(worst.limit)} with a probability of {number(100.0 * worst.statistic)}% in "
            f"{spaced(worst.scenario)}; {number(100.0 * worst.allowed)}% is allowed.",
        )
    return sheet.figures
