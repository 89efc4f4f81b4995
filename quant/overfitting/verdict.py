"""The verdict on a search's winner, one table: the tests for luck, their thresholds per colour and their reasons.

Colour, headline, reasons, the report, the terminal and the documentation follow from `VERDICT` and `HEADLINES`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
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
_ROUNDING_BPS: Final = 0.5
"""A smaller difference rounds to 0 basis points."""


@dataclass(frozen=True, kw_only=True)
class VerdictRule:
    """One test: a statistic and what each colour requires of it."""

    statistic: str
    """Field of the result's `luck`."""
    label: str
    comparison: Comparison
    thresholds: Mapping[Light, float]
    """By colour; a colour that is absent requires nothing."""
    unit: Literal["ratio", "percent", "bps"]
    digits: int
    """Decimals of a value, in its unit."""
    reason: Callable[[float, float], str]
    """Says that a value does not reach a threshold."""
    probability: bool = True
    """Whether the statistic lies in [0, 1]."""
    interval: tuple[str, str] | None = None
    """Fields of `luck` that hold the ends of its interval."""

    def holds(self, value: float | None, colour: Light) -> bool:
        """Whether `value` is enough for `colour`; None, a statistic without meaning, excludes green alone."""
        if colour not in self.thresholds:
            return True
        return colour != "green" if value is None else _HOLDS[self.comparison](value, self.thresholds[colour])

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
        statistic="active_deflated_sharpe",
        label="Deflated Sharpe ratio, active return",
        comparison="at least",
        thresholds={"green": 0.95, "amber": 0.5},
        unit="ratio",
        digits=2,
        reason=lambda value, threshold: (
            f"the deflated Sharpe ratio of its active return is {value:.2f}, not {threshold:g}"
        ),
    ),
    VerdictRule(
        statistic="overfitting",
        label="Probability of overfitting",
        comparison="below",
        thresholds={"green": 0.2, "amber": 0.5},
        unit="percent",
        digits=0,
        reason=lambda value, threshold: f"the probability of overfitting is {value:.0%}, not below {threshold:.0%}",
        interval=("overfitting_low", "overfitting_high"),
    ),
    VerdictRule(
        statistic="spa_p",
        label="SPA p-value",
        comparison="below",
        thresholds={"green": 0.05},
        unit="ratio",
        digits=3,
        reason=lambda value, threshold: (
            f"the test of superior ability has a p-value of {value:.3f}, not below {threshold:g}"
        ),
    ),
    VerdictRule(
        statistic="validate_advantage_bps",
        label="Advantage on validation",
        comparison="above",
        thresholds={"green": 0.0},
        unit="bps",
        digits=0,
        reason=lambda value, threshold: (
            f"on the validation history it is {threshold - value:.0f} bps a year behind"
            if threshold - value > _ROUNDING_BPS
            else "on the validation history it is not ahead"
        ),
        probability=False,
    ),
)
HEADLINES: Final[Mapping[Light, str]] = {
    "green": "The winner beats the volatility-matched constant weight, beyond what luck explains",
    "amber": "The winner may beat the volatility-matched constant weight; luck is not excluded",
    "red": "No configuration is distinguishable from the benchmark",
}


def traffic_light(statistics: Mapping[str, float | None], rules: Sequence[VerdictRule] = VERDICT) -> Light:
    """Colour of the verdict: the best one that every rule allows, red if none.

    Parameters
    ----------
    statistics : mapping of str to float or None
        Value of each rule's statistic, by name; None where it has no meaning (the probability of overfitting of a
        single trial), which excludes green and nothing else.
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
    >>> luck = {"active_deflated_sharpe": 0.97, "overfitting": 0.1, "spa_p": 0.01, "validate_advantage_bps": 20.0}
    >>> traffic_light(luck)
    'green'
    >>> traffic_light({**luck, "spa_p": 0.2})
    'amber'
    """
    values = _checked(statistics, rules)
    colours: tuple[Light, ...] = ("green", "amber")
    for colour in colours:
        if all(rule.holds(values[rule.statistic], colour) for rule in rules):
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
    values = _checked(statistics, rules)
    return tuple(
        rule.reason_against_green(values[rule.statistic])
        for rule in rules
        if not rule.holds(values[rule.statistic], "green")
    )


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
