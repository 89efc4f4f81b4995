"""The verdict of a result: colour, headline and reasons by the table `VERDICT` of `quant.overfitting.verdict`."""

from collections.abc import Iterator, Mapping, Sequence

from desk.base.text import spaced, title
from desk.optimization.mandate_limits import LIMITS
from desk.optimization.request import LimitName
from desk.optimization.result import Finalist, LimitCheck, Luck, Verdict
from quant.overfitting.verdict import VERDICT, headline_and_advice, reasons_against_green, traffic_light
from quant.strategies.config import StrategyConfig
from quant.strategies.trial import Trial

_ROUNDING_BPS = 0.5
"""A smaller disadvantage rounds to 0 basis points."""


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
    """Return the verdict of a search without a feasible trial; it names the limit that most trials break."""
    trials_breaking: dict[LimitName, int] = {}
    closest: dict[LimitName, LimitCheck] = {}
    for trial in trials:
        failed_checks = [check for check in checks[trial.digest] if not check.passed]
        names: set[LimitName] = {check.limit for check in failed_checks}
        for name in names:
            trials_breaking[name] = trials_breaking.get(name, 0) + 1
        for check in failed_checks:
            if check.limit not in closest or check.statistic < closest[check.limit].statistic:
                closest[check.limit] = check
    binding = max(closest, key=lambda name: trials_breaking[name])
    best = closest[binding]
    return Verdict(
        colour="infeasible",
        headline=f"No configuration meets the limits: {spaced(binding)} binds",
        reason=f"{title(binding)} was broken by {trials_breaking[binding]} of {len(trials)} "
        "trials; the closest, in "
        f"{spaced(best.scenario)}, has {_in_units(binding, best.statistic)} where "
        f"{_in_units(binding, best.allowed)} is allowed.",
        binding_limit=binding,
    )


def _in_units(limit: LimitName, value: float) -> str:
    """Format a statistic in the unit of its limit."""
    match LIMITS[limit].unit:
        case "probability":
            return f"a breach probability of {value:.1%}"
        case "percent":
            return f"{value:.1%}"
        case "bps":
            return f"{value:.1f} bps"
        case "multiple":
            return f"{value:.2f} times wealth"
