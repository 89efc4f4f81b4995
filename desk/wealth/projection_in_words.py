"""Simulated wealth in sentences."""

from desk.base.text import number, plural
from desk.figures.figures import format_measured
from desk.figures.sheet import Sheet
from desk.wealth.savings_plan import SavingsPlan
from quant.numeric.measured import Measured
from quant.wealth.summary import WealthSummary

BAD, ORDINARY, GOOD = 0.05, 0.5, 0.95
"""Levels of the percentiles that a sentence names."""
HALF = 0.5
"""Money below which nothing is left."""


def add_sentences(sheet: Sheet, plan: SavingsPlan, summary: WealthSummary, without_fee: WealthSummary | None) -> None:
    """Wealth at the end, the chances of a loss, of ruin and of the goal, and what the fee takes."""
    years = plural(plan.years, "year")
    bad, ordinary, good = (_money(plan, _real(summary, level)) for level in (BAD, ORDINARY, GOOD))
    left = _real(summary, BAD) >= HALF
    poor = f"{bad} with bad luck (one path in 20 ends lower)" if left else "nothing with bad luck (one path in 20)"
    sheet.say(
        "sentence",
        f"After {years} you would have {ordinary} in today's money with ordinary luck, {poor} and {good} with good "
        "luck (one path in 20 ends higher).",
    )
    if summary.goal_probability is not None and plan.goal is not None:
        chance = summary.goal_probability
        likely = odds(chance.value, "more likely than not", "less likely than not", "as likely as not")
        sheet.say(
            "goal_sentence",
            f"Reaching {_money(plan, plan.goal)} in today's money after {years} is {likely}: the probability is "
            f"{_chance(chance)}.",
        )
    if plan.withdrawal > 0.0:
        chance = summary.ruin_probability
        lasts = odds(
            chance.value, "more likely than not to run out within", "likely to last", "as likely as not to last"
        )
        sheet.say(
            "ruin_sentence",
            f"The money is {lasts} the {years}: the probability that it runs out is {_chance(chance)}.",
        )
    sheet.say("bad_sentence", _bad(plan, summary, years))
    taken = ", withdrawals included," if plan.withdrawal else ""
    sheet.say(
        "loss_sentence",
        f"The probability of getting less out after {years}{taken} than was paid in is "
        f"{_chance(summary.loss_probability)}.",
    )
    sheet.say(
        "drawdown_sentence",
        f"On the way wealth falls by {_percent(summary.drawdown.mean.value)} from a peak, on average over the paths, "
        "and that has to be sat through.",
    )
    if without_fee is not None:
        paid, free = _real(summary, ORDINARY), _real(without_fee, ORDINARY)
        sheet.say(
            "fee_sentence",
            f"A fee of {_percent(plan.fee)} a year takes {_money(plan, free - paid)} off the wealth after {years}: "
            f"with ordinary luck {_money(plan, paid)} is left in today's money instead of {_money(plan, free)} "
            "without a fee.",
        )


def odds(probability: float, above: str, below: str, even: str) -> str:
    """The words for a probability above, below or at a half, at the precision that is shown."""
    percent = round(100.0 * probability)
    return even if percent == 50 else above if percent > 50 else below


def _bad(plan: SavingsPlan, summary: WealthSummary, years: str) -> str:
    bad = _real(summary, BAD)
    lost = plan.amount - bad
    out = " and after what is taken out" if plan.withdrawal else ""
    if bad < HALF:
        return f"With bad luck, in at least one path in 20, nothing is left after {years}{out}."
    size = (
        f", which is {_money(plan, lost)} ({_percent(lost / plan.amount)}) less than at the start"
        if lost > 0.0 and not plan.contribution
        else ""
    )
    return (
        f"With bad luck, in one path in 20, {_money(plan, bad)} or less is left after {years} in today's "
        f"money{out}{size}."
    )


def _real(summary: WealthSummary, level: float) -> float:
    terminal = summary.terminal_real
    return dict(zip(terminal.levels, terminal.percentiles, strict=True))[level].value


def _money(plan: SavingsPlan, amount: float) -> str:
    return f"{plan.currency or ''} {number(amount)}".strip()


def _percent(value: float) -> str:
    return f"{number(100.0 * value, 1).removesuffix('.0')}%"


def _chance(value: Measured) -> str:
    return format_measured(value, "probability")
