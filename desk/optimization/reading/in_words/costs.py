"""The benefit at other costs of trading, in sentences."""

from desk.base.text import number
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.optimization.result import OptimizationResult

FREE, ASSUMED, DOUBLED = 0, 1, 2
"""Places of the cases of costs in a result."""


def describe_costs(result: OptimizationResult) -> tuple[Figure, ...]:
    """What doubled costs and trading for free change; nothing for a result without these cases."""
    sheet = Sheet("explain_result", "costs")
    if len(result.costs) > DOUBLED:
        cost = result.manifest.request.mandate.transaction_cost_bps
        assumed, doubled, free = (result.costs[n].benefit_bps.value for n in (ASSUMED, DOUBLED, FREE))
        sheet.say(
            "double_sentence",
            f"With double the costs, {2.0 * cost:g} bps for each trade, {_change(assumed, doubled)}.",
        )
        survives = all(case.benefit_bps.value > 0.0 for case in result.costs)
        sheet.say(
            "range_sentence",
            f"The result {'does not depend' if survives else 'depends'} on trading cheaply: the benefit is "
            f"{number(free)} bps a year without costs, {number(assumed)} at {cost:g} bps for each trade and "
            f"{number(doubled)} at {2.0 * cost:g} bps.",
        )
        sheet.say("free_sentence", f"Without costs of trading {_change(assumed, free)}.")
    return sheet.figures


def _change(old: float, new: float) -> str:
    before, after = number(old), number(new)
    if before == after:
        return f"the benefit stays at {after} bps a year"
    return f"the benefit {'rises' if new > old else 'falls'} from {before} to {after} bps a year"
