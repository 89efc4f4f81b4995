"""The verdict of a result: colour, headline and reasons by the table `VERDICT` of `quant.overfitting.verdict`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from desk.base.text import spaced, title
from desk.optimization.limits import total_violation
from desk.optimization.mandate_limits import LIMITS, LimitUnit
from desk.optimization.request import LimitName
from desk.optimization.result import Finalist, LimitCheck, Luck, Verdict
from quant.overfitting.verdict import VERDICT, headline_and_advice, reasons_against_green, traffic_light
from quant.strategies.config import StrategyConfig
from quant.strategies.trial import Trial

_ROUNDING_BPS = 0.5
"""A smaller disadvantage rounds to 0 basis points."""
_MOST_DECIMALS = 12
_UNITS: Final[Mapping[LimitUnit, tuple[float, str]]] = {
    "probability": (100.0, "%"),
    "percent": (100.0, "%"),
    "bps": (1.0, " bps"),
    "multiple": (1.0, " times wealth"),
}
"""Factor and suffix with which a statistic of a limit is shown."""


def verdict_statistics(luck: Luck, benefit_bps: float) -> dict[str, float | None]:
    """The statistics that the rules of the verdict judge, by name."""
    known = {"benefit_bps": benefit_bps}
    return {
        rule.statistic: known[rule.statistic] if rule.statistic in known else getattr(luck, rule.statistic)
        for rule in VERDICT
    }


def build_verdict(
    luck: Luck, benefit_bps: float, *, depends: bool | None, finalists: Sequence[Finalist], config: StrategyConfig
) -> Verdict:
    """Return the verdict of a winner: what to do, its colour, a headline, the reasons and what else to know."""
    statistics = verdict_statistics(luck, benefit_bps)
    headline, advice = headline_and_advice(statistics)
    reasons = (
        "; ".join((*_behind_on_validation(luck), *reasons_against_green(statistics)))
        or f"every test is passed after {luck.ledger_trials:,} trials"
    )
    cautions = _cautions(next(f for f in finalists if f.config == config), depends=depends)
    return Verdict(
        colour=traffic_light(statistics),
        advice=advice.format(tries=f"{luck.ledger_trials:,}"),
        headline=headline,
        reason=" ".join(f"{text[:1].upper()}{text[1:]}." for text in (reasons, *cautions)),
    )


def _behind_on_validation(luck: Luck) -> Iterator[str]:
    """A disadvantage on validation comes first among the reasons, also where it is not significant."""
    if luck.validate_advantage_bps < -_ROUNDING_BPS:
        yield (
            "on the validation years, which had no part in the choice, the winner is "
            f"{-luck.validate_advantage_bps:.0f} bps a year behind that constant weight"
        )


def _cautions(winner: Finalist, *, depends: bool | None) -> Iterator[str]:
    """What a reader must know whatever the colour."""
    if depends:
        yield "the sign of its benefit depends on how the premium moves with volatility"
    if not winner.plateau_passed:
        yield "it does not stand on a plateau: its neighbours do clearly worse"


def build_infeasible_verdict(trials: Sequence[Trial], checks: Mapping[str, tuple[LimitCheck, ...]]) -> Verdict:
    """Return the verdict of a search without a feasible trial.

    It names the limit that most trials break, and the limits with which the trial of the smallest violation would be
    feasible.
    """
    broken: dict[LimitName, int] = {}
    nearest: dict[LimitName, LimitCheck] = {}
    for trial in trials:
        failed_checks = [check for check in checks[trial.digest] if not check.passed]
        names: set[LimitName] = {check.limit for check in failed_checks}
        for name in names:
            broken[name] = broken.get(name, 0) + 1
        for check in failed_checks:
            if check.limit not in nearest or check.statistic < nearest[check.limit].statistic:
                nearest[check.limit] = check
    binding = max(nearest, key=lambda name: broken[name])
    best = nearest[binding]
    statistic, allowed = _apart(binding, best.statistic, best.allowed)
    kind = "a breach probability of " if LIMITS[binding].unit == "probability" else ""
    candidate = min(trials, key=lambda trial: total_violation(checks[trial.digest]))
    feasible_with = _feasible_limits(checks[candidate.digest])
    return Verdict(
        colour="infeasible",
        headline=f"No configuration meets the limits: {spaced(binding)} binds",
        reason=f"{title(binding)} was broken by {broken[binding]} of {len(trials)} trials; the closest, in "
        f"{spaced(best.scenario)}, has {kind}{statistic} where {allowed} is allowed. The trial that comes closest to "
        f"all limits would be feasible with {feasible_with}.",
        binding_limit=binding,
        feasible_with=feasible_with,
    )


def _feasible_limits(checks: Sequence[LimitCheck]) -> str:
    """The limits that the checked configuration breaks, each with the least value that it would meet."""
    needed: dict[LimitName, LimitCheck] = {}
    for check in checks:
        if not check.passed and (check.limit not in needed or check.statistic > needed[check.limit].statistic):
            needed[check.limit] = check
    return " and ".join(_feasible_limit(name, check) for name, check in needed.items())


def _feasible_limit(name: LimitName, check: LimitCheck) -> str:
    least, _ = _apart(name, check.statistic, check.allowed, up=True)
    if LIMITS[name].unit == "probability":
        return f"a tolerance of the {spaced(name)} limit of at least {least}"
    return f"{spaced(name)} of at least {least}"


def _apart(limit: LimitName, statistic: float, allowed: float, *, up: bool = False) -> tuple[str, str]:
    """Both values in the limit's unit, with as many decimals as show that they differ and are not 0.

    The statistic is rounded upwards on request.
    """
    factor, unit = _UNITS[LIMITS[limit].unit]
    high, low = statistic * factor, allowed * factor
    decimals = next(
        (d for d in range(1, _MOST_DECIMALS) if round(high, d) != round(low, d) and (round(low, d) or not low)),
        _MOST_DECIMALS,
    )
    shown = math.ceil(high * 10.0**decimals) / 10.0**decimals if up else high
    return f"{shown:.{decimals}f}{unit}", f"{low:.{decimals}f}{unit}"
