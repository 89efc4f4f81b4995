"""The figures of a result: every number that its explanation may refer to."""

import math
from collections.abc import Iterator

from desk.base.text import spaced
from desk.figures import labels
from desk.figures.figures import Figure, Unit
from desk.figures.metric_figures import metric_figures
from desk.optimization.judgement.attribution_figures import attribution_figures, step_figures
from desk.optimization.judgement.figure_builders import number_figures, text_figure
from desk.optimization.judgement.importance_figures import importance_figures
from desk.optimization.judgement.leg_figures import leg_figures
from desk.optimization.judgement.luck_figures import luck_figures
from desk.optimization.judgement.out_of_sample_figures import out_of_sample_figures
from desk.optimization.judgement.world_figures import world_figures
from desk.optimization.mandate_limits import LIMITS, limit_label
from desk.optimization.request import BUNDLED_CURRENCY
from desk.optimization.result import Benefit, Fact, Manifest, OptimizationResult, ScenarioOutcome, Year
from desk.scenarios.schemas import HISTORY
from quant.numeric.measured import Measured
from quant.strategies.trial import Trial

_FACT_UNITS: dict[str, Unit] = {
    "fraction": "percent",
    "bps": "bps",
    "points": "points",
    "days": "days",
    "ratio": "ratio",
    "years": "years",
    "weight": "weight",
}


def result_figures(result: OptimizationResult) -> tuple[Figure, ...]:
    """Return every figure of `result`, in reading order; missing parts (no winner, no limits) are omitted."""
    return tuple(_all(result))


def _all(result: OptimizationResult) -> Iterator[Figure]:
    yield text_figure("verdict_colour", "colour of the verdict", result.verdict.colour, "verdict.colour")
    if result.verdict.binding_limit:
        name = limit_label(result.verdict.binding_limit)
        yield text_figure("binding_limit", "binding limit of the mandate", name, "verdict.binding_limit")
    if result.verdict.feasible_with:
        yield text_figure(
            "feasible_with",
            "limits with which the closest configuration would be feasible",
            result.verdict.feasible_with,
            "verdict.feasible_with",
        )
    yield text_figure("request_name", "name of the request", result.manifest.request.name, "manifest.request.name")
    yield from _counts(result)
    yield from _data(result.manifest)
    yield from world_figures(result)
    yield from _limits(result)
    if result.benefit:
        yield from _benefit(result.benefit)
    if result.winner:
        yield from _winner(result.winner)
    yield from number_figures(
        "timing_simulated_bps",
        "timing alone in the simulated scenarios, averaged by their weights",
        simulated_timing(result),
        "bps",
        "scenarios",
    )
    yield from _scenarios(result.scenarios)
    yield from _benchmarks(result)
    yield from _series_benchmark(result)
    yield from importance_figures(result)
    yield from _cases(result)
    if result.luck:
        yield from luck_figures(result.luck)
    if result.out_of_sample:
        yield from out_of_sample_figures(result.out_of_sample)
    yield from _steps(result)
    if result.attribution:
        yield from attribution_figures(result.attribution)
    yield from _years(result.years)
    for fact in result.facts:
        yield from _fact(fact)


def simulated_timing(result: OptimizationResult) -> Measured | None:
    """Timing benefit in the simulated scenarios, in basis points, without the searched history."""
    simulated = [(s.weight, s.timing_bps) for s in result.scenarios if s.scenario != HISTORY and s.weight > 0.0]
    if not simulated or len(simulated) == len(result.scenarios):
        return None
    total = math.fsum(weight for weight, _ in simulated)
    value = math.fsum(weight * timing.value for weight, timing in simulated) / total
    errors = [weight * (timing.error or 0.0) for weight, timing in simulated]
    error = math.sqrt(math.fsum(e * e for e in errors)) / total
    return Measured(value=value, error=error)


def _counts(result: OptimizationResult) -> Iterator[Figure]:
    counts = result.counts
    for name, quantity in (
        ("trials", "configurations tried in this run"),
        ("screened", "dropped early, after few paths"),
        ("paths", "number of paths in each scenario"),
        ("evaluations", "evaluations of a configuration in a scenario on all paths"),
        ("plans", "search plans"),
    ):
        yield from number_figures(name, quantity, getattr(counts, name), "count", f"counts.{name}")
    yield from number_figures("scenario_count", "number of scenarios", counts.scenarios, "count", "counts.scenarios")
    yield from number_figures("path_years", "length of each path", float(counts.years), "years", "counts.years")


def _data(manifest: Manifest) -> Iterator[Figure]:
    yield text_figure("data_source", "prices used", manifest.data_source, "manifest.data_source")
    for name, quantity in (
        ("first_day", "first day of the prices"),
        ("train_end", "last day of the training window"),
        ("validate_end", "day after which the holdout is locked"),
        ("last_day", "last day of the prices"),
    ):
        yield text_figure(name, quantity, getattr(manifest, name), f"manifest.{name}", "date")
    if manifest.currency != BUNDLED_CURRENCY:
        yield text_figure("currency", "currency of the prices and of cash", manifest.currency, "manifest.currency")
    yield from leg_figures(manifest.request, "result.manifest.request")
    mandate = manifest.request.mandate
    source = "manifest.request.mandate"
    yield from number_figures(
        "target_volatility",
        "target volatility",
        mandate.target_volatility,
        "percent",
        f"{source}.target_volatility",
    )
    yield text_figure(
        "transaction_cost",
        "assumed cost of a trade",
        f"{mandate.transaction_cost_bps:g} bps",
        f"{source}.transaction_cost_bps",
    )


def _limits(result: OptimizationResult) -> Iterator[Figure]:
    for n, limit in enumerate(result.limits):
        source = f"limits[{n}]"
        place = spaced(limit.scenario)
        name = limit_label(limit.limit)
        bare = name.removeprefix("the ")
        unit = LIMITS[limit.limit].figure_unit
        yield text_figure(f"limit_{n}_name", "a limit of the mandate", name, f"{source}.limit")
        yield text_figure(f"limit_{n}_scenario", f'scenario where "{bare}" is checked', place, f"{source}.scenario")
        yield from number_figures(
            f"limit_{n}_statistic",
            f'measured for "{bare}" in "{place}"',
            limit.statistic,
            unit,
            f"{source}.statistic",
        )
        yield from number_figures(
            f"limit_{n}_allowed", f'allowed by "{bare}"', limit.allowed, unit, f"{source}.allowed"
        )


def _benefit(benefit: Benefit) -> Iterator[Figure]:
    label = "benefit of the winner over the volatility-matched constant weight, after costs"
    if benefit.total is None:
        yield from number_figures("benefit_bps", label, benefit.basis_points, "bps", "benefit.basis_points")
    else:
        yield from number_figures("benefit_bps", label, benefit.total, "bps", "benefit.total")
    yield from number_figures(
        "benefit_history_bps",
        "history alone: the benefit on the training days, without the simulated worlds",
        benefit.history_bps,
        "bps",
        "benefit.history_bps",
    )
    yield from number_figures(
        "benefit_worlds_bps",
        "simulation alone: the benefit in the simulated worlds, without the training days",
        benefit.worlds_bps,
        "bps",
        "benefit.worlds_bps",
    )
    yield from number_figures("benefit_low_bps", f"lower end of the {label}", benefit.low, "bps", "benefit.low")
    yield from number_figures("benefit_high_bps", f"upper end of the {label}", benefit.high, "bps", "benefit.high")
    yield from number_figures(
        "benefit_drawdown_points",
        "mean deepest fall, difference of the benchmark and the winner: how much smaller it is",
        benefit.drawdown_points,
        "points",
        "benefit.drawdown_points",
    )
    yield from number_figures(
        "benefit_timing_bps",
        "timing alone: the part of the benefit that is left when exposure is matched anew in every scenario",
        benefit.timing_bps,
        "bps",
        "benefit.timing_bps",
    )
    yield from number_figures(
        "benchmark_weight",
        "risky weight of the volatility-matched benchmark",
        benefit.benchmark_weight,
        "weight",
        "benefit.benchmark_weight",
    )


def _winner(winner: Trial) -> Iterator[Figure]:
    yield text_figure("winner_name", "the winning configuration", labels.strategy_label(winner.config), "winner.config")
    function = labels.function_label(winner.config.weight_function)
    yield text_figure(
        "winner_function",
        "weight function of the winner",
        function,
        "winner.config.weight_function",
    )
    for figure in metric_figures(winner.train.metrics, "winner"):
        yield from number_figures(
            f"winner_{figure.name}",
            f"{figure.quantity} of the winner on the training history",
            figure.value,
            figure.unit,
            f"winner.train.metrics.{figure.name.removesuffix('_bps')}",
        )


def _scenarios(outcomes: tuple[ScenarioOutcome, ...]) -> Iterator[Figure]:
    for outcome in outcomes:
        place = spaced(outcome.scenario)
        where = f'in the scenario "{place}"'
        source = f"scenarios.{outcome.scenario}"
        prefix = f"in_{outcome.scenario}"
        yield from number_figures(
            f"{prefix}_benefit_bps",
            f"benefit {where}",
            outcome.benefit_bps,
            "bps",
            f"{source}.benefit_bps",
        )
        yield from number_figures(
            f"{prefix}_regret_bps",
            f"regret {where}",
            outcome.regret_bps,
            "bps",
            f"{source}.regret_bps",
        )
        yield from number_figures(
            f"{prefix}_retention",
            f"share of the best utility that the winner keeps {where}",
            outcome.retention,
            "percent",
            f"{source}.retention",
        )
    simulated = [o for o in outcomes if o.scenario != HISTORY] or list(outcomes)
    if simulated:
        for word, outcome in (
            ("worst", min(simulated, key=lambda o: o.benefit_bps.value)),
            ("best", max(simulated, key=lambda o: o.benefit_bps.value)),
        ):
            source = f"scenarios.{outcome.scenario}"
            yield text_figure(
                f"{word}_scenario",
                f"scenario with the {word} benefit",
                spaced(outcome.scenario),
                source,
            )
            yield from number_figures(
                f"{word}_scenario_bps",
                f"benefit in the {word} scenario",
                outcome.benefit_bps,
                "bps",
                f"{source}.benefit_bps",
            )


_RULES = {
    "equity": "holding equity",
    "cash": "holding cash",
    "same_volatility": "rule of the same volatility",
    "sixty_forty_cash": "mix of equity and cash",
    "bond": "holding the bond",
    "sixty_forty": "mix of equity and bond",
}


def _benchmarks(result: OptimizationResult) -> Iterator[Figure]:
    for benchmark in result.benchmarks:
        name = _RULES.get(benchmark.name, spaced(benchmark.name))
        yield text_figure(
            f"versus_{benchmark.name}_label",
            f'benchmark rule "{name}"',
            benchmark.label,
            f"benchmarks.{benchmark.name}.label",
        )
        yield from number_figures(
            f"versus_{benchmark.name}_bps",
            f'advantage, the utility of the winner minus that of the rule "{name}"',
            benchmark.winner_minus_bps,
            "bps",
            f"benchmarks.{benchmark.name}.winner_minus_bps",
        )


def _series_benchmark(result: OptimizationResult) -> Iterator[Figure]:
    own = result.series_benchmark
    if own is None:
        return
    source = "series_benchmark"
    yield text_figure("own_series_label", 'benchmark rule "own series"', own.name, f"{source}.name")
    yield from number_figures(
        "own_series_bps",
        'advantage, the utility of the winner minus that of the rule "own series"',
        own.winner_minus_bps,
        "bps",
        f"{source}.winner_minus_bps",
    )


_ASSUMED = {
    "premium": "how the equity premium moves with volatility",
    "parameter_error": "parameters that are otherwise than assumed",
    "probabilities": "other scenario probabilities",
    "costs": "other transaction costs",
}


def _cases(result: OptimizationResult) -> Iterator[Figure]:
    for group, assumed in _ASSUMED.items():
        cases = getattr(result, group)
        for n, case in enumerate(cases):
            source = f"{group}[{n}]"
            yield text_figure(f"{group}_{n}_label", f"case of {assumed}", case.label, f"{source}.label")
            yield from number_figures(
                f"{group}_{n}_bps",
                f'benefit in the case "{case.label}"',
                case.benefit_bps,
                "bps",
                f"{source}.benefit_bps",
            )
        if cases:
            values = [case.benefit_bps.value for case in cases]
            yield from number_figures(
                f"{group}_low_bps", f"smallest benefit over the cases of {assumed}", min(values), "bps", group
            )
            yield from number_figures(
                f"{group}_high_bps", f"largest benefit over the cases of {assumed}", max(values), "bps", group
            )


def _steps(result: OptimizationResult) -> Iterator[Figure]:
    finalists = sum(f.indistinguishable for f in result.finalists)
    if finalists:
        yield from number_figures(
            "indistinguishable",
            "finalists that cannot be told from the best",
            finalists,
            "count",
            "finalists",
        )
    step = result.next_step
    if step is None:
        return
    yield text_figure("as_of", "day of the latest price", step.as_of, "next_step.as_of", "date")
    yield from number_figures(
        "today_weight",
        "today's risky weight",
        step.today_weight,
        "weight",
        "next_step.today_weight",
    )
    yield from number_figures(
        "today_current_rule_weight",
        "today's risky weight of the current rule",
        step.current_rule_weight,
        "weight",
        "next_step.current_rule_weight",
    )
    yield from number_figures("next_trade", "next trade", step.next_trade, "weight", "next_step.next_trade")
    if step.safe is not None:
        source = "next_step.safe"
        yield text_figure("safe_leg", "name of the bond", step.safe.name, f"{source}.name")
        yield from number_figures(
            "safe_today_weight",
            "today's weight of the bond",
            step.safe.today_weight,
            "weight",
            f"{source}.today_weight",
        )
        yield from number_figures(
            "safe_next_trade", "next trade of the bond", step.safe.next_trade, "weight", f"{source}.next_trade"
        )
    yield from step_figures(step.assets)


def _years(years: tuple[Year, ...]) -> Iterator[Figure]:
    if not years:
        return
    worst = min(years, key=lambda y: (y.winner - y.benchmark, y.year))
    yield text_figure("worst_year", "worst calendar year against the benchmark", str(worst.year), "years", "date")
    yield from number_figures(
        "worst_year_winner", "return of the winner in its worst calendar year", worst.winner, "percent", "years"
    )
    yield from number_figures(
        "worst_year_benchmark",
        "return of the benchmark in that worst calendar year",
        worst.benchmark,
        "percent",
        "years",
    )


def _fact(fact: Fact) -> Iterator[Figure]:
    name, unit = f"fact_{fact.name}"[:68], _FACT_UNITS[fact.unit]
    yield from number_figures(name, f"{fact.label}, of the winner", fact.value, unit, f"facts.{fact.name}")
    yield from number_figures(
        f"{name}_benchmark",
        f"{fact.label}, of the benchmark",
        fact.benchmark,
        unit,
        f"facts.{fact.name}.benchmark",
    )
