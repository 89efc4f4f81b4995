"""A result explained to a beginner."""

from desk.base.text import number, plural
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.optimization.request import CASH
from desk.optimization.result import OptimizationResult

NOT_LUCK = 0.05
"""Probability of luck below which chance hardly explains a lead."""


def explain_plainly(result: OptimizationResult) -> tuple[Figure, ...]:
    """The verdict without terms of the field, in sentences; one only if nothing won."""
    sheet = Sheet("explain_result", "beginner")
    tried = plural(result.counts.trials, "rule")
    if result.winner is None or result.benefit is None:
        sheet.say("verdict_sentence", f"In plain words, none of the {tried} that were tried keeps your limits.")
        return sheet.figures
    advice = (result.verdict.advice or result.verdict.headline).partition(":")[0].rstrip(".")
    chance = result.luck.winner_p if result.luck else None
    benefit = result.benefit.basis_points.value
    found = "did better in the test than" if round(benefit) > 0 else "did no better in the test than"
    doubt = ", but luck may well explain it" if round(benefit) > 0 and chance is not None and chance >= NOT_LUCK else ""
    sheet.say(
        "verdict_sentence",
        f"In plain words: of the {tried} tried, the best {found} keeping the same amount in shares all the time"
        f"{doubt}; {advice[:1].lower()}{advice[1:]}.",
    )
    sheet.say(
        "rule_sentence",
        f"A rule says how much of the money is in shares and how much in {_other_leg(result)}.",
    )
    if chance is not None:
        told = "luck hardly explains it" if chance < NOT_LUCK else "luck may well explain it"
        sheet.say(
            "luck_sentence",
            f"The best of many tries looks good even if none is: so good a winner would come from luck alone with a "
            f"probability of {number(100.0 * chance)}%, so {told}.",
        )
    sheet.say(
        "benefit_sentence",
        f"Its advantage in the test was {number(benefit)} bps a year, which is {number(abs(benefit))} "
        f"{'more' if benefit >= 0.0 else 'less'} on 10,000 invested, after costs and a charge for risk.",
    )
    if result.years:
        worst = min(result.years, key=lambda year: year.winner)
        sheet.say(
            "fall_sentence",
            f"It can lose too: in {worst.year}, its worst year, it returned {number(100.0 * worst.winner, 1)}%, and "
            f"shares alone {number(100.0 * worst.asset, 1)}%.",
        )
    return sheet.figures


def _other_leg(result: OptimizationResult) -> str:
    safe = result.manifest.request.safe
    return "cash" if safe == CASH else safe.rpartition(":")[2]
