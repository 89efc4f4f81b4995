"""The verdict's rules: colour, headline and reason, with the thresholds of the tests for luck (method, section 5).

The thresholds, such as that of the deflated Sharpe ratio, are constants of `quant.overfitting.verdict`.
"""

from collections.abc import Mapping, Sequence

from desk.optimization.mandate_limits import LIMITS
from desk.optimization.request import LimitName
from desk.optimization.result import Finalist, LimitCheck, Luck, Verdict
from quant.overfitting.verdict import GREEN_DEFLATED_SHARPE, GREEN_OVERFITTING, GREEN_SPA_P, traffic_light
from quant.strategies.config import StrategyConfig
from quant.strategies.trial import Trial

_ROUNDING_BPS = 0.5
"""A smaller disadvantage on the validation history rounds to 0 basis points."""


def build_verdict(
    luck: Luck, benefit_bps: float, *, depends: bool | None, finalists: Sequence[Finalist], config: StrategyConfig
) -> Verdict:
    """Return the verdict of a winner: its colour, a headline, and the reasons against a green one."""
    colour = traffic_light(
        active_dsr=luck.active_deflated_sharpe,
        pbo=luck.overfitting,
        spa_p=luck.spa_p,
        validate_advantage=luck.validate_advantage_bps,
    )
    failures = failed_tests(luck)
    if depends:
        failures.append("the sign of its benefit depends on how the premium moves with volatility")
    plateau = next(f for f in finalists if f.config == config)
    if not plateau.plateau_passed:
        failures.append("it does not stand on a plateau: its neighbours do clearly worse")
    match colour:
        case "green":
            headline = "The winner beats the volatility-matched constant weight, beyond what luck explains"
        case "amber":
            headline = "The winner may beat the volatility-matched constant weight; luck is not excluded"
        case "red":
            headline = "No configuration is distinguishable from the benchmark"
    reason = "; ".join(failures) if failures else f"every test is passed after {luck.ledger_trials} trials"
    if benefit_bps <= 0.0 and colour != "red":
        reason = f"over scenarios and history the benefit is {benefit_bps:.0f} bps a year; {reason}"
    return Verdict(colour=colour, headline=headline, reason=reason[:1].upper() + reason[1:] + ".")


def failed_tests(luck: Luck) -> list[str]:
    """Return the tests for luck that the winner fails, as reasons against a green verdict."""
    failures: list[str] = []
    if luck.active_deflated_sharpe < GREEN_DEFLATED_SHARPE:
        failures.append(
            f"the deflated Sharpe ratio of its active return is {luck.active_deflated_sharpe:.2f}, "
            f"not {GREEN_DEFLATED_SHARPE}"
        )
    if luck.overfitting >= GREEN_OVERFITTING:
        failures.append(f"the probability of overfitting is {luck.overfitting:.0%}, not below {GREEN_OVERFITTING:.0%}")
    if luck.spa_p >= GREEN_SPA_P:
        failures.append(f"the test of superior ability has a p-value of {luck.spa_p:.3f}, not below {GREEN_SPA_P}")
    if luck.validate_advantage_bps < -_ROUNDING_BPS:
        failures.append(f"on the validation history it is {-luck.validate_advantage_bps:.0f} bps a year behind")
    elif luck.validate_advantage_bps <= 0.0:
        failures.append("on the validation history it is not ahead")
    return failures


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
        headline=f"No configuration meets the limits: {binding.replace('_', ' ')} binds",
        reason=f"{binding.replace('_', ' ').capitalize()} was broken by {trials_breaking[binding]} of {len(trials)} "
        "trials; the closest, in "
        f"{best.scenario.replace('_', ' ')}, has {_in_units(binding, best.statistic)} where "
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
