"""The limits of a mandate in sentences: the chance of breaking one, what the winner measures, and which bind."""

from desk.base.text import join_words, number, plural
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.optimization.mandate_limits import LIMITS, limit_label
from desk.optimization.reading.in_words.scenario import scenario_phrase
from desk.optimization.result import LimitCheck, OptimizationResult
from desk.scenarios.schemas import HISTORY

FACTORS = {"percent": (100.0, 1, "%"), "bps": (1.0, 0, " bps"), "multiple": (1.0, 2, " times wealth")}
"""By unit of a limit: factor, decimals and suffix."""


def describe_limits(result: OptimizationResult) -> tuple[Figure, ...]:
    """Whether the winner keeps its limits, which of them bind, what it measures, and the largest chance of a breach."""
    sheet = Sheet("explain_result", "limits")
    if not result.limits or result.winner is None:
        return sheet.figures
    broken = list(dict.fromkeys(limit_label(check.limit) for check in result.limits if not check.passed))
    binding = list(dict.fromkeys(limit_label(check.limit) for check in result.limits if check.binds))
    bounds = [*dict.fromkeys(map(_limit, result.limits))]
    every = "every limit" if bounds[1:] else "the only limit in force"
    kept = f"breaks {join_words(broken)}" if broken else f"keeps {every}"
    sheet.say("kept_sentence", f"The winner {kept}: {join_words(bounds)}." if not broken else f"The winner {kept}.")
    sheet.say(
        "binding_sentence",
        f"{'The limits that bind are' if binding[1:] else 'The limit that binds is'} {join_words(binding)}: other "
        f"configurations were ruled out by {'them' if binding[1:] else 'it'}."
        if binding
        else f"No limit binds: none ruled out a configuration, and the winner {kept}.",
    )
    chances = [check for check in result.limits if LIMITS[check.limit].unit == "probability"]
    worst = max(chances, key=lambda check: check.statistic, default=None)
    if worst is not None:
        horizon = "" if worst.scenario == HISTORY else f" within {plural(result.counts.years, 'year')}"
        sheet.say(
            "chance_sentence",
            f"The probability that the winner falls by more than {number(100.0 * worst.bound)}% from a peak{horizon} "
            f"is {_probability(worst.statistic)} {scenario_phrase(worst.scenario)}, where the limit is checked; up to "
            f"{_probability(worst.allowed)} is tolerated.",
        )
    for n, check in enumerate(check for check in result.limits if check is not worst):
        sheet.say(f"{n}_sentence", _measured(check))
    return sheet.figures


def _limit(check: LimitCheck) -> str:
    """A limit with its bound."""
    row = LIMITS[check.limit]
    factor, digits, suffix = (100.0, 0, "%") if row.unit == "probability" else FACTORS[row.unit]
    return f"{limit_label(check.limit)} of {number(factor * check.bound, digits)}{suffix}"


def _measured(check: LimitCheck) -> str:
    row = LIMITS[check.limit]
    place = scenario_phrase(check.scenario)
    if row.unit == "probability":
        happened = "did not happen" if check.statistic == 0.0 else "happened"
        if check.scenario == HISTORY:
            return f"A fall by more than {number(100.0 * check.bound)}% {happened} {place}."
        return (
            f"A fall by more than {number(100.0 * check.bound)}% has a probability of {_probability(check.statistic)} "
            f"{place}; up to {_probability(check.allowed)} is tolerated."
        )
    factor, digits, suffix = FACTORS[row.unit]
    value, allowed = (f"{number(factor * v, digits)}{suffix}" for v in (check.statistic, check.allowed))
    return f"{row.label}: {value} {place}; at most {allowed} is allowed."


def _probability(value: float) -> str:
    return "below 1%" if 0.0 < value < 0.005 else f"{number(100.0 * value)}%"
