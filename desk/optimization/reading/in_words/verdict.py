"""What the tests for luck say of a verdict, and what would change it, in sentences."""

from desk.base.text import join_words, number
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.optimization.judgement.verdict import verdict_statistics
from desk.optimization.result import OptimizationResult
from quant.overfitting.verdict import VERDICT, VerdictRule

SIGNIFICANT = 0.05
"""Probability of luck below which a lead counts as significant."""
_FACTORS = {"percent": (100.0, "%"), "bps": (1.0, " bps"), "ratio": (1.0, "")}


def describe_tests(result: OptimizationResult) -> tuple[Figure, ...]:
    """Significance, overfitting, the days after the choice, and the tests that are not passed."""
    sheet = Sheet("explain_result", "tests")
    luck = result.luck
    if luck is None or result.benefit is None:
        return sheet.figures
    chance = luck.winner_p if luck.winner_p is not None else luck.single_step_p
    if chance is not None:
        word = "significant" if chance < SIGNIFICANT else "not significant"
        sheet.say(
            "significant_sentence",
            f"The lead is {word} at the level of {SIGNIFICANT:.0%}: luck alone would give so good a winner with a "
            f"probability of {number(100.0 * chance)}%, the width of the search counted.",
        )
    if luck.loss is not None:
        held = "mostly holds" if luck.loss < 0.5 else "mostly does not hold"
        sheet.say(
            "overfit_sentence",
            f"What is chosen on one half of the history {held} on the other: it gains nothing there in "
            f"{number(100.0 * luck.loss)}% of the splits. The probability of overfitting (PBO), which only ranks it "
            f"among the other configurations, is {number(100.0 * luck.overfitting)}%.",
        )
    sheet.say("unseen_sentence", _unseen(luck.validate_advantage_bps))
    against = _against_green(result)
    if against:
        failed = [f"{_name(rule)} {rule.requirement('green')} (it is {_value(rule, value)})" for rule, value in against]
        sheet.say("failed_sentence", f"The verdict is not green because that needs {join_words(failed)}.")
    return sheet.figures


def describe_changes(result: OptimizationResult) -> tuple[Figure, ...]:
    """What would turn the verdict to another colour; nothing without a verdict on a winner."""
    sheet = Sheet("explain_result", "change")
    if result.luck is None or result.benefit is None:
        return sheet.figures
    against = _against_green(result)
    if against:
        needs = join_words(
            [f"{_name(rule)} {rule.requirement('green')} (now {_value(rule, value)})" for rule, value in against]
        )
        text = (
            f"The verdict would turn green with {needs}; that takes a wider lead, a longer history or a narrower "
            f"search, not more trials."
        )
    else:
        rules = [rule for rule in VERDICT if rule.decides(_statistics(result), VERDICT) and "green" in rule.thresholds]
        needs = join_words([f"{_name(rule)} {rule.requirement('green')}" for rule in rules])
        text = f"The verdict stays green only with {needs}; new prices or more trials could undo that."
    sheet.say("verdict_sentence", text)
    return sheet.figures


def _statistics(result: OptimizationResult) -> dict[str, float | None]:
    assert result.luck is not None
    assert result.benefit is not None
    return verdict_statistics(result.luck, result.benefit.basis_points.value)


def _against_green(result: OptimizationResult) -> list[tuple[VerdictRule, float | None]]:
    """The tests that exclude green, with their values."""
    values = _statistics(result)
    return [
        (rule, values[rule.statistic])
        for rule in VERDICT
        if rule.decides(values, VERDICT) and not rule.holds(values[rule.statistic], "green")
    ]


NAMES = {
    "winner_p": "a probability of luck",
    "single_step_p": "a probability of luck",
    "loss": "a share of splits of the history without a gain",
    "validate_t": "an advantage on the validation days, in standard errors,",
    "benefit_bps": "a benefit over scenarios and history",
}
"""The tests inside a sentence."""


def _name(rule: VerdictRule) -> str:
    return NAMES.get(rule.statistic, rule.label.lower())


def _value(rule: VerdictRule, value: float | None) -> str:
    if value is None:
        return "it cannot be computed"
    factor, suffix = _FACTORS[rule.unit]
    return f"{number(factor * value, rule.digits if rule.unit == 'ratio' else 0)}{suffix}"


def _unseen(advantage: float) -> str:
    size = f"{number(abs(advantage))} bps a year"
    if not round(advantage):
        return "On the validation days, which the search never used, the winner did as well as the constant weight."
    verb = "was ahead of" if advantage > 0.0 else "fell behind"
    return (
        f"On the validation days, which the search never used, the winner {verb} the constant weight of the same "
        f"volatility by {size}."
    )
