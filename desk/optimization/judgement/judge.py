"""From finished trials to a result: everything that is decided after the search, and decided by code."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from desk.base.code_version import code_version
from desk.optimization.answers import Decision, MarketView
from desk.optimization.evaluation import World, objectives
from desk.optimization.judgement.benefit import BPS, benefit_of, difference, timing_of
from desk.optimization.judgement.finalists import (
    Choice,
    NoneFeasible,
    Scored,
    choose,
    judge_plateaus,
    objective_of,
    score,
    variance,
)
from desk.optimization.judgement.historical_record import crises, facts, seen, years
from desk.optimization.judgement.luck import Records, judge_luck
from desk.optimization.judgement.plotted_trials import plotted
from desk.optimization.judgement.result_figures import figures_of
from desk.optimization.judgement.sensitivity import Sensitivity, linked, named_weights, over_rebalancing_days
from desk.optimization.limits import check_limits, violation
from desk.optimization.repositories.trial_repository import series_address
from desk.optimization.request import LimitName
from desk.optimization.result import (
    Benchmark,
    Counts,
    Finalist,
    LimitCheck,
    Luck,
    Manifest,
    NextStep,
    OptimizationResult,
    ScenarioOutcome,
    Verdict,
)
from desk.optimization.search.search import by_scenario
from desk.scenarios.schemas import HISTORY
from quant.luck import traffic_light
from quant.numeric.measured import Measured
from quant.strategies.config import SHAPES, StrategyConfig
from quant.strategies.importance import main_effects
from quant.strategies.kernel import VOLATILITY
from quant.strategies.objective import retention
from quant.strategies.trial import Trial
from quant.worlds.scenario import GBM_BANNER

Floats = NDArray[np.float64]

FEW_CRISES = "One history holds few crises; whatever the colour, it is one sample."
BLOCKS = {"bootstrap", "conditional_bootstrap"}
"""Engines that cut history into pieces."""
_NO_VOLATILITY = 1e-9
"""Annual volatility of a rule that never left cash: rounding, and nothing to be matched."""
_SEARCHED = ("weight_function", "estimator", "lookback_days", "decay", "rebalancing", "no_trade_band", *SHAPES, "inner")


@dataclass(frozen=True)
class Judgement:
    """The result, and the array behind its `history_series`, shape (7, T)."""

    result: OptimizationResult
    history: Floats | None


def judge(
    world: World,
    trials: Sequence[Trial],
    series: Mapping[str, Floats],
    *,
    view: MarketView | None,
    decisions: Sequence[Decision],
    counts: Counts,
    ledger_trials: int,
    caveats: Sequence[str] = (),
) -> Judgement:
    """Choose and judge the winner.

    `trials` in order of proposal; `series` the arrays (2, T) by their address; `ledger_trials` all that the owner ever
    made on the same data, these included.
    """
    checks = {t.digest: check_limits(world.request, by_scenario(t)) for t in trials}
    choice = choose(world, trials)
    base = _base(world, trials, checks, decisions, counts, caveats)
    if isinstance(choice, NoneFeasible):
        result = base.model_copy(update=_infeasible(trials, {**checks, **choice.checks}))
        return Judgement(result.model_copy(update={"figures": figures_of(result)}), None)
    winner = next(t for t in trials if t.config == choice.winner)
    update, history = _judge_winner(world, trials, series, winner, choice, checks, view, ledger_trials)
    result = base.model_copy(update=update)
    return Judgement(result.model_copy(update={"figures": figures_of(result)}), history)


def _judge_winner(
    world: World,
    trials: Sequence[Trial],
    series: Mapping[str, Floats],
    winner: Trial,
    choice: Choice,
    checks: Mapping[str, tuple[LimitCheck, ...]],
    view: MarketView | None,
    ledger_trials: int,
) -> tuple[dict[str, object], Floats]:
    request, config = world.request, winner.config
    matched = matched_weight(world, config)
    constant = partial(world.constant, rebalancing=config.rebalancing)
    rules = _benchmark_rules(world, winner, matched)
    compared = tuple(dict.fromkeys((config, *(rule for _, _, rule in rules))))
    beside = score(world, compared, request.scenarios, keep="drawdowns")
    weights = named_weights(request.scenarios, [s.probability for s in request.scenarios])
    benchmark = beside.place(constant(matched))
    timing = timing_of(world, beside, 0, beside.place(constant(1.0)))
    timing[HISTORY] = difference(beside, 0, benchmark, {HISTORY: 1.0})  # the weight is matched on that history
    benefit = benefit_of(beside, 0, benchmark, weights, matched, timing)
    scored = choice.scored.joined(beside)
    benchmark = scored.place(constant(matched))
    finalists = judge_plateaus(choice, float(objective_of(world, scored, choice.best)[benchmark]))
    offsets = over_rebalancing_days(world, [f.config for f in finalists])
    finalists = tuple(f.model_copy(update={"offsets_bps": o}) for f, o in zip(finalists, offsets, strict=True))

    part = seen(world)
    replayed = world.replay([config, constant(matched), constant(1.0)]).series[:, :, part]
    records = Records(*(np.ascontiguousarray(replayed[k, 0]) for k in range(3)))
    luck = judge_luck(world, trials, series, records, ledger_trials)
    all_years = years(world, records)
    traded = [_traded(replayed[k, 2]) for k in range(2)]

    sensitivity = Sensitivity(world, choice, scored, constant(matched))
    premium = sensitivity.premium()
    signs = {case.benefit_bps.value > 0.0 for case in premium}
    depends = len(signs) > 1 if premium else None
    history = np.vstack(
        [
            np.stack([records.winner, records.benchmark, records.asset]),
            replayed[:2, 1],
            world.market.cash[part],
            world.market.dates[part].astype("datetime64[D]").astype(np.float64),
        ]
    )
    return {
        "verdict": _verdict(luck, benefit.basis_points.value, depends=depends, finalists=finalists, config=config),
        "benefit": benefit,
        "winner": winner,
        "scenarios": _outcomes(world, scored, config, benchmark, len(choice.scored.configs), weights, timing),
        "finalists": finalists,
        "benchmarks": _benchmarks(world, scored, rules, config, weights),
        "premium": premium,
        "depends_on_premium": depends,
        "parameter_error": sensitivity.parameters(),
        "probabilities": sensitivity.probabilities(view),
        "costs": sensitivity.costs(),
        "next_step": _next_step(world, config),
        "limits": _with_binding(
            trials,
            checks,
            check_limits(request, scored.by_scenario(scored.place(config))),
        ),
        "facts": facts(world, records, replayed[:2, 1], traded, all_years),
        "years": all_years,
        "crises": crises(world, records),
        "luck": luck,
        "history_series": series_address(history),
    }, history


def matched_weight(world: World, config: StrategyConfig) -> float:
    """Constant weight, rebalanced as often, whose volatility on the training history is that of `config`."""
    train = world.market.train
    wanted = float(world.replay([config], end=train.stop).statistics[0, VOLATILITY])
    if wanted < _NO_VOLATILITY:
        return 0.0
    weight = 1.0
    for _ in range(4):
        constant = world.constant(weight, config.rebalancing)
        reached = float(world.replay([constant], end=train.stop).statistics[0, VOLATILITY])
        weight = min(weight * wanted / reached, 2.0)
    return weight


def _benchmark_rules(world: World, winner: Trial, matched: float) -> list[tuple[str, str, StrategyConfig]]:
    average = min(winner.train.metrics.average_weight.value, 2.0)
    constant = partial(world.constant, rebalancing=winner.config.rebalancing)
    return [
        ("same_volatility", "Constant weight of the same volatility", constant(matched)),
        ("same_average_weight", "Constant weight equal to the winner's average", constant(average)),
        ("equity", "Fully invested", constant(1.0)),
        ("sixty_forty_cash", "60/40 cash", constant(0.6)),
        ("cash", "Cash", constant(0.0)),
        ("current_rule", "Current rule", world.request.current_rule),
    ]


def _benchmarks(
    world: World,
    scored: Scored,
    rules: Sequence[tuple[str, str, StrategyConfig]],
    winner: StrategyConfig,
    weights: Mapping[str, float],
) -> tuple[Benchmark, ...]:
    configs = [rule for _, _, rule in rules]
    records = world.replay(configs).series
    found: list[Benchmark] = []
    for (name, label, config), record in zip(rules, records, strict=True):
        place = scored.place(config)
        found.append(
            Benchmark.model_validate(
                {
                    "name": name,
                    "label": label,
                    "config": config,
                    "evaluations": tuple(scored.evaluations[s.name][place] for s in world.request.scenarios),
                    "train": scored.evaluations[HISTORY][place],
                    "validate_": world.on_history(config, record, world.market.validate),
                    "winner_minus_bps": difference(scored, scored.place(winner), place, weights),
                }
            )
        )
    return tuple(found)


def _outcomes(
    world: World,
    scored: Scored,
    winner: StrategyConfig,
    benchmark: int,
    rivals: int,
    weights: Mapping[str, float],
    timing: Mapping[str, Measured],
) -> tuple[ScenarioOutcome, ...]:
    """`rivals`: how many of the configs scored first are trials; the best of a scenario is one of them."""
    place = scored.place(winner)
    anchors = [scored.place(world.constant(w, winner.rebalancing)) for w in (0.0, 1.0)]
    found: list[ScenarioOutcome] = []
    for name, weight in weights.items():
        utilities = [e.metrics.utility.value for e in scored.evaluations[name]]
        reference = min(anchors, key=lambda k: utilities[k])
        champion = max(range(rivals), key=lambda k: utilities[k])
        top = utilities[champion]
        tolerance = 0.0
        if name != HISTORY:
            gap = scored.paths[name][champion][0] - scored.paths[name][reference][0]
            tolerance = 2.0 * math.sqrt(variance(gap) / gap.size)
        found.append(
            ScenarioOutcome(
                scenario=name,
                weight=weight,
                winner=scored.evaluations[name][place],
                benchmark=scored.evaluations[name][benchmark],
                benefit_bps=difference(scored, place, benchmark, {name: 1.0}),
                timing_bps=timing[name],
                best_utility=top,
                retention=retention(utilities[place], top, utilities[reference], tolerance),
                regret_bps=BPS * (top - utilities[place]),
            )
        )
    return tuple(found)


def _traded(turnover: Floats) -> float:
    """Value traded a year, over wealth: one risky leg trades what the turnover says."""
    return float(np.sum(turnover)) * 252.0 / turnover.size


def _next_step(world: World, winner: StrategyConfig) -> NextStep:
    """Weights after the last close of the data. This uses the latest prices, but evaluates nothing on the holdout."""
    following = world.market.dates.size
    held = world.replay([winner, world.request.current_rule], end=following + 1).series[:, 1, following]
    period = {"daily": "the next session", "weekly": "the last session of the week"}.get(
        winner.rebalancing, f"the last session of the {winner.rebalancing.removesuffix('ly')}"
    )
    return NextStep(
        as_of=str(world.market.dates[-1]),
        today_weight=float(held[0]),
        current_rule_weight=float(held[1]),
        next_trade=float(held[0] - held[1]),
        next_rebalancing=period,
    )


def _verdict(
    luck: Luck, benefit_bps: float, *, depends: bool | None, finalists: Sequence[Finalist], config: StrategyConfig
) -> Verdict:
    colour = traffic_light(
        active_dsr=luck.active_deflated_sharpe,
        pbo=luck.overfitting,
        spa_p=luck.spa_p,
        validate_advantage=luck.validate_advantage_bps,
    )
    failed = _failed(luck)
    if depends:
        failed.append("the sign of its benefit depends on how the premium moves with volatility")
    plateau = next(f for f in finalists if f.config == config)
    if not plateau.plateau_passed:
        failed.append("it does not stand on a plateau: its neighbours do clearly worse")
    match colour:
        case "green":
            headline = "The winner beats the volatility-matched constant weight, beyond what luck explains"
        case "amber":
            headline = "The winner may beat the volatility-matched constant weight; luck is not excluded"
        case "red":
            headline = "No configuration is distinguishable from the benchmark"
    reason = "; ".join(failed) if failed else f"every test is passed after {luck.ledger_trials} trials"
    if benefit_bps <= 0.0 and colour != "red":
        reason = f"over scenarios and history the benefit is {benefit_bps:.0f} bps a year; {reason}"
    return Verdict(colour=colour, headline=headline, reason=reason[:1].upper() + reason[1:] + ".")


def _failed(luck: Luck) -> list[str]:
    """The tests for luck that stand between the winner and a green verdict."""
    failed: list[str] = []
    if luck.active_deflated_sharpe < 0.95:
        failed.append(f"the deflated Sharpe ratio of its active return is {luck.active_deflated_sharpe:.2f}, not 0.95")
    if luck.overfitting >= 0.2:
        failed.append(f"the probability of overfitting is {luck.overfitting:.0%}, not below 20%")
    if luck.spa_p >= 0.05:
        failed.append(f"the test of superior ability has a p-value of {luck.spa_p:.3f}, not below 0.05")
    if luck.validate_advantage_bps < -0.5:
        failed.append(f"on the validation history it is {-luck.validate_advantage_bps:.0f} bps a year behind")
    elif luck.validate_advantage_bps <= 0.0:
        failed.append("on the validation history it is not ahead")
    return failed


def _infeasible(trials: Sequence[Trial], checks: Mapping[str, tuple[LimitCheck, ...]]) -> dict[str, object]:
    broken: dict[LimitName, int] = {}
    closest: dict[LimitName, LimitCheck] = {}
    for trial in trials:
        failed = [check for check in checks[trial.digest] if not check.passed]
        names: set[LimitName] = {check.limit for check in failed}
        for name in names:
            broken[name] = broken.get(name, 0) + 1
        for check in failed:
            if check.limit not in closest or check.statistic < closest[check.limit].statistic:
                closest[check.limit] = check
    binding = max(closest, key=lambda name: broken[name])
    best = closest[binding]
    verdict = Verdict(
        colour="infeasible",
        headline=f"No configuration meets the limits: {binding.replace('_', ' ')} binds",
        reason=f"{binding.replace('_', ' ').capitalize()} was broken by {broken[binding]} of {len(trials)} trials; the "
        "closest, in "
        f"{best.scenario.replace('_', ' ')}, has {_in_units(binding, best.statistic)} where "
        f"{_in_units(binding, best.allowed)} is allowed.",
        binding_limit=binding,
    )
    nearest = min(trials, key=lambda t: (violation(checks[t.digest]), t.number))
    return {"verdict": verdict, "limits": _with_binding(trials, checks, checks[nearest.digest])}


def _in_units(limit: LimitName, value: float) -> str:
    """A probability for the drawdown, a share of wealth for losses, basis points for costs, times wealth otherwise."""
    if limit in ("max_drawdown", "value_at_risk", "expected_shortfall"):
        shown = f"{value:.1%}"
        return f"a breach probability of {shown}" if limit == "max_drawdown" else shown
    return f"{value:.1f} bps" if limit == "cost_bps" else f"{value:.2f} times wealth"


def _with_binding(
    trials: Sequence[Trial], checks: Mapping[str, tuple[LimitCheck, ...]], shown: Sequence[LimitCheck]
) -> tuple[LimitCheck, ...]:
    """The checks `shown`; a limit binds where it excluded at least one trial."""
    excluded = {(c.limit, c.scenario) for t in trials for c in checks[t.digest] if not c.passed}
    return tuple(c.model_copy(update={"binds": (c.limit, c.scenario) in excluded}) for c in shown)


def _base(
    world: World,
    trials: Sequence[Trial],
    checks: Mapping[str, tuple[LimitCheck, ...]],
    decisions: Sequence[Decision],
    counts: Counts,
    caveats: Sequence[str],
) -> OptimizationResult:
    request, market = world.request, world.market
    leading = [t for t in trials if not t.screened]
    values = objectives(request, leading)
    effects = main_effects({name: [getattr(t.config, name) for t in leading] for name in _SEARCHED}, values)
    dates = market.dates
    return OptimizationResult(
        manifest=Manifest(
            request=request,
            data_digest=market.data_digest,
            rates_digest=market.rates_digest,
            data_source=market.source,
            first_day=str(dates[0]),
            train_end=str(dates[market.train.stop - 1]),
            validate_end=str(dates[market.validate.stop - 1]),
            last_day=str(dates[-1]),
            code_version=code_version(),
            decisions=tuple(decisions),
        ),
        verdict=Verdict(colour="red", headline="", reason=""),
        counts=counts,
        benefit=None,
        winner=None,
        scenarios=(),
        finalists=(),
        benchmarks=(),
        premium=(),
        depends_on_premium=None,
        parameter_error=(),
        probabilities=(),
        costs=(),
        next_step=None,
        limits=(),
        facts=(),
        years=(),
        crises=(),
        luck=None,
        importance={name: share for name, share in effects.items() if share > 0.0},
        trials=plotted(request, trials, checks),
        caveats=(*_caveats(world), *caveats),
        history_series=None,
        figures=(),
    )


def _caveats(world: World) -> list[str]:
    request = world.request
    said = [FEW_CRISES]
    engines = {s.engine for s in request.scenarios}
    if "gbm" in engines:
        said.append(GBM_BANNER)
    if not any(linked(s) for s in request.scenarios):
        said.append("No engine here links premium and volatility; whether the benefit depends on such a link is open.")
    if engines & BLOCKS:
        longest = max(request.space.lookback_days)
        block = min(s.mean_block for s in request.scenarios if s.engine in BLOCKS)
        if longest > block:
            said.append(
                f"The bootstrap's mean block of {block} sessions is shorter than lookbacks of up to {longest}: "
                "it breaks the volatility clusters that such a lookback measures."
            )
    if len(world.market.assets) > 1:
        said.append("In simulations the mix of assets is one risky leg; only the history holds them one by one.")
    said.append("With a cash leg the equity-bond correlation of a scenario has no effect.")
    return [*said, *world.market.caveats]
