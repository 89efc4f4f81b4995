"""The verdict of a result: colour, headline and reasons by the table `VERDICT` of `quant.overfitting.verdict`."""

from collections.abc import Mapping, Sequence

from desk.base.text import spaced, title
from desk.optimization.mandate_limits import LIMITS
from desk.optimization.request import LimitName
from desk.optimization.result import Finalist, LimitCheck, Luck, Verdict
from quant.overfitting.verdict import HEADLINES, VERDICT, reasons_against_green, traffic_light
from quant.strategies.config import StrategyConfig
from quant.strategies.trial import Trial


def build_verdict(
    luck: Luck, benefit_bps: float, *, depends: bool | None, finalists: Sequence[Finalist], config: StrategyConfig
) -> Verdict:
    """Return the verdict of a winner: its colour, a headline, and the reasons against a green one."""
    statistics = luck.model_dump(include={rule.statistic for rule in VERDICT})
    colour = traffic_light(statistics)
    failures = [*reasons_against_green(statistics)]
    if depends:
        failures.append("the sign of its benefit depends on how the premium moves with volatility")
    plateau = next(f for f in finalists if f.config == config)
    if not plateau.plateau_passed:
        failures.append("it does not stand on a plateau: its neighbours do clearly worse")
    reason = "; ".join(failures) if failures else f"every test is passed after {luck.ledger_trials} trials"
    if benefit_bps <= 0.0 and colour != "red":
        reason = f"over scenarios and history the benefit is {benefit_bps:.0f} bps a year; {reason}"
    return Verdict(colour=colour, headline=HEADLINES[colour], reason=reason[:1].upper() + reason[1:] + ".")


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
