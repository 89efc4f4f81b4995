"""The verdict on a search's winner, one table: the tests for luck, their thresholds per colour and their reasons.

Colour, headline, advice, reasons, the report, the terminal and the documentation follow from `VERDICT`, `HEADLINES`
and `ADVICE`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from quant.numeric.errors import DataError

Light: TypeAlias = Literal["green", "amber", "red"]
Comparison: TypeAlias = Literal["at least", "above", "below"]

_HOLDS: Final[Mapping[Comparison, Callable[[float, float], bool]]] = {
    "at least": lambda value, threshold: value >= threshold,
    "above": lambda value, threshold: value > threshold,
    "below": lambda value, threshold: value < threshold,
}


@dataclass(frozen=True, kw_only=True)
class VerdictRule:
    """One test: a statistic and what each colour requires of it."""

    statistic: str
    """Field of the result's `luck`, or `benefit_bps`."""
    label: str
    comparison: Comparison
    thresholds: Mapping[Light, float]
    """By colour; a colour that is absent requires nothing."""
    unit: Literal["ratio", "percent", "bps"]
    digits: int
    """Decimals of a value, in its unit."""
    reason: Callable[[float, float], str]
    """Says that a value does not reach a threshold."""
    red: tuple[str, str] | None = None
    """Headline and advice of a red verdict whose first reason is this rule; by default those of the light."""
    probability: bool = True
    """Whether the statistic lies in [0, 1]."""
    replaces: str = ""
    """Statistic in whose place this one decides where that one cannot be computed."""

    def holds(self, value: float | None, colour: Light) -> bool:
        """Whether `value` is enough for `colour`; None, a statistic without meaning, excludes green alone."""
        if colour not in self.thresholds:
            return True
        return colour != "green" if value is None else _HOLDS[self.comparison](value, self.thresholds[colour])

    def decides(self, statistics: Mapping[str, float | None], rules: Sequence["VerdictRule"]) -> bool:
        """Whether the rule has a part in the verdict: not where the statistic that it replaces is known, or where its
        own is unknown and another rule replaces it.
        """
        if self.replaces:
            return statistics[self.replaces] is None
        replaced = any(rule.replaces == self.statistic for rule in rules)
        return not replaced or statistics[self.statistic] is not None

    def reason_against_green(self, value: float | None) -> str:
        """Say why `value` is not enough for green."""
        if value is None:
            return f"{self.label}: it cannot be computed"
        return self.reason(value, self.thresholds["green"])

    def requirement(self, colour: Light) -> str:
        """What `colour` requires, such as "below 20%"; empty if nothing."""
        if colour not in self.thresholds:
            return ""
        threshold = self.thresholds[colour]
        match self.unit:
            case "percent":
                return f"{self.comparison} {threshold:.0%}"
            case "bps":
                return f"{self.comparison} {threshold:g} bps"
            case "ratio":
                return f"{self.comparison} {threshold:g}"


VERDICT: Final[tuple[VerdictRule, ...]] = (
    VerdictRule(
        statistic="winner_p",
        label="Luck of the winner",
        comparison="below",
        thresholds={"green": 0.05, "amber": 0.15},
        unit="percent",
        digits=1,
        reason=lambda value, threshold: (
            f"if nothing could be gained, luck alone would still make {value:.1%} of such searches look as good, and "
            f"green needs below {threshold:.0%}"
        ),
    ),
    VerdictRule(
        statistic="single_step_p",
        label="Luck of the best trial",
        comparison="below",
        thresholds={"green": 0.05, "amber": 0.20},
        unit="percent",
        digits=1,
        reason=lambda value, threshold: (
            f"if nothing could be gained, luck alone would still make some trial look as good in {value:.1%} of "
            f"histories, and green needs below {threshold:.0%}"
        ),
        replaces="winner_p",
    ),
    VerdictRule(
        statistic="loss",
        label="Probability of loss out of sample",
        comparison="below",
        thresholds={"green": 0.5, "amber": 0.5},
        unit="percent",
        digits=0,
        reason=lambda value, threshold: (
            f"what is chosen on one half of the history gains nothing on the other half in {value:.0%} of the splits, "
            f"and green needs below {threshold:.0%}"
        ),
        red=(
            "A configuration that is chosen on one half of the history mostly gains nothing on the other half",
            "Keep your current rule: settings that were best in some years mostly gained nothing in the other years.",
        ),
    ),
    VerdictRule(
        statistic="validate_t",
        label="Advantage on validation, in standard errors",
        comparison="above",
        thresholds={"green": -1.645, "amber": -1.645},
        unit="ratio",
        digits=2,
        reason=lambda value, threshold: (
            f"on the validation years it is {-value:.2f} standard errors behind, and green needs less "
            f"than {-threshold:g}"
        ),
        probability=False,
        red=(
            "The winner falls behind the volatility-matched constant weight after the days on which it was chosen",
            "Keep your current rule: on later days, which had no part in the choice, the winner did clearly worse than "
            "a constant weight of the same risk.",
        ),
    ),
    VerdictRule(
        statistic="benefit_bps",
        label="Benefit over scenarios and history",
        comparison="above",
        thresholds={"green": 0.0, "amber": 0.0},
        unit="bps",
        digits=0,
        reason=lambda value, _: f"over scenarios and history the benefit is {value:.0f} bps a year, not above 0",
        probability=False,
        red=(
            "The winner does not beat the volatility-matched constant weight over scenarios and history",
            "Keep your current rule: over all the markets that were tried, the winner earns no more than a constant "
            "weight of the same risk.",
        ),
    ),
)
HEADLINES: Final[Mapping[Light, str]] = {
    "green": "The winner beats the volatility-matched constant weight, beyond what luck explains",
    "amber": "The winner may beat the volatility-matched constant weight; luck is not excluded",
    "red": "No configuration can be told apart from a constant weight of the same volatility",
}
ADVICE: Final[Mapping[Light, str]] = {
    "green": "Consider switching: luck rarely gives so much to the best of the {tries} configurations ever tried on "
    "these prices.",
    "amber": "Do not switch yet: luck alone could give as much to the best of the {tries} configurations ever tried on "
    "these prices.",
    "red": "Keep your current rule: the winner's lead over a constant weight cannot be told from what luck gives to "
    "the best of the {tries} configurations ever tried on these prices.",
}
"""What to do, in a sentence for a reader without statistics."""


def headline_and_advice(
    statistics: Mapping[str, float | None], rules: Sequence[VerdictRule] = VERDICT
) -> tuple[str, str]:
    """What the verdict means and what to do, in a sentence each; `{tries}` stands for the number of configurations.

    Parameters
    ----------
    statistics : mapping of str to float or None
    rules : sequence of VerdictRule, optional
        As in `traffic_light`.

    Returns
    -------
    tuple of str

    Raises
    ------
    DataError
        As `traffic_light`.
    """
    light = traffic_light(statistics, rules)
    first = next(_rules_against(statistics, "amber", rules), None) if light == "red" else None
    return first.red if first and first.red else (HEADLINES[light], ADVICE[light])


def traffic_light(statistics: Mapping[str, float | None], rules: Sequence[VerdictRule] = VERDICT) -> Light:
    """Colour of the verdict: the best one that every rule allows, red if none.

    Parameters
    ----------
    statistics : mapping of str to float or None
        Value of each rule's statistic, by name; None where it cannot be computed: then the rule that replaces it
        decides, or green is excluded.
    rules : sequence of VerdictRule, optional

    Returns
    -------
    Light

    Raises
    ------
    DataError
        If a statistic is absent or not finite, or a probability lies outside [0, 1].

    Examples
    --------
    >>> luck = {"winner_p": 0.01, "single_step_p": 0.08, "loss": 0.1, "validate_t": 0.3, "benefit_bps": 40.0}
    >>> traffic_light(luck)
    'green'
    >>> traffic_light({**luck, "winner_p": None})
    'amber'
    """
    colours: tuple[Light, ...] = ("green", "amber")
    for colour in colours:
        if next(_rules_against(statistics, colour, rules), None) is None:
            return colour
    return "red"


def reasons_against_green(
    statistics: Mapping[str, float | None], rules: Sequence[VerdictRule] = VERDICT
) -> tuple[str, ...]:
    """The reason of each rule that excludes green.

    Parameters
    ----------
    statistics : mapping of str to float or None
    rules : sequence of VerdictRule, optional
        As in `traffic_light`.

    Returns
    -------
    tuple of str
        In the order of the rules; empty for a green verdict.

    Raises
    ------
    DataError
        As `traffic_light`.
    """
    return tuple(
        rule.reason_against_green(statistics[rule.statistic]) for rule in _rules_against(statistics, "green", rules)
    )


def _rules_against(
    statistics: Mapping[str, float | None], colour: Light, rules: Sequence[VerdictRule]
) -> Iterator[VerdictRule]:
    """The rules that exclude `colour`, in their order."""
    values = _checked(statistics, rules)
    return (rule for rule in rules if rule.decides(values, rules) and not rule.holds(values[rule.statistic], colour))


def _checked(statistics: Mapping[str, float | None], rules: Sequence[VerdictRule]) -> dict[str, float | None]:
    """The statistics of the rules, in their order."""
    for rule in rules:
        if rule.statistic not in statistics:
            names = ", ".join(f"`{rule.statistic}`" for rule in rules)
            raise DataError(f"`statistics` lacks `{rule.statistic}`; expected {names}")
        value = statistics[rule.statistic]
        if value is None:
            continue
        if rule.probability and not 0.0 <= value <= 1.0:
            raise DataError(f"`{rule.statistic}` must lie in [0, 1]; got {value!r}")
        if not math.isfinite(value):
            raise DataError(f"`{rule.statistic}` must be finite; got {value!r}")
    return {rule.statistic: statistics[rule.statistic] for rule in rules}
