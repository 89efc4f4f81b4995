"""A result on a terminal, in the reading order of a portfolio manager."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from api.cli.terminal import plain
from api.export.formatting import (
    asset_row,
    asset_steps,
    attribution_total,
    benefit,
    benefit_parts,
    bps,
    currency,
    evidence,
    limit_row,
    metric,
    percent,
    sentence,
    series_benchmark,
    tokens,
    usage_line,
    world_row,
    worlds,
)
from desk.base.text import number, plural, sentence_case, title
from desk.governance.usage import total
from desk.optimization.judgement.importance_figures import best_value
from desk.optimization.reading.error_rates import how_often_wrong
from desk.optimization.reading.explanation import ONE_HISTORY
from desk.optimization.request import BUNDLED_CURRENCY
from desk.optimization.result import COLOURS, Case, OptimizationResult, ScenarioOutcome
from quant.worlds.scenario import GBM_BANNER

_STYLES = {
    "green": "bold green",
    "amber": "bold yellow",
    "red": "bold red",
    "infeasible": "bold magenta",
}


def show(console: Console, result: OptimizationResult, *, watermark: str | None = None) -> None:
    """Print the result: what to do, why, how sure that is, and the numbers."""
    console.print()
    for reason in result.partial:
        console.print(f"PARTIAL RESULT: {plain(reason)}", style="bold red")
    console.print(f"Request: {plain(result.manifest.request.name)}", style="bold")
    verdict = result.verdict
    word, sign = COLOURS[verdict.colour]
    opening, *meaning = [plain(text) for text in (verdict.advice, verdict.headline) if text]
    console.print(f"{sign} {word.upper()}: {opening}", style=_STYLES[verdict.colour])
    console.print(" ".join(["Why:", *(f"{text}." for text in meaning), plain(verdict.reason)]))
    measured = [how_often_wrong()] if verdict.advice and result.luck else []
    console.print(" ".join(["How sure:", *measured, ONE_HISTORY]))
    console.print(benefit(result), style="dim" if verdict.colour == "red" else "bold")
    if watermark:
        console.print(plain(watermark), style="bold")
    if any(scenario.engine == "gbm" for scenario in result.manifest.request.scenarios):
        console.print(GBM_BANNER, style="bold")
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for label, text in rows(result):
        table.add_row(label, plain(text))
    console.print(table)


def rows(result: OptimizationResult) -> Iterator[tuple[str, str]]:
    """The lines of each part, with its heading beside the first one."""
    for heading, lines in _parts(result).items():
        for n, line in enumerate(lines):
            yield "" if n else heading, line


def _parts(result: OptimizationResult) -> dict[str, list[str]]:
    return {
        "Benefit": benefit_parts(result),
        "Worlds": _worlds(result),
        "Strategy": [sentence(result.winner.config)] if result.winner else [],
        "Current rule": [sentence(result.manifest.request.current_rule)] if result.winner else [],
        "Against it": _against(result),
        "Premium": [*_cases(result.premium), *_premium(result)],
        "If wrong": _cases(result.parameter_error),
        "Next trade": _next(result),
        "By asset": _assets(result),
        "Limits": [
            f"{limit}, {where.lower()}: {value}, {bound}: {state}"
            for limit, where, value, bound, state in map(limit_row, result.limits)
        ],
        "Scenarios": [_world(outcome) for outcome in result.scenarios],
        "Luck": _luck(result),
        "Out of sample": _out_of_sample(result),
        "Matters": _matters(result),
        "Minus rules": [
            *(f"{rule.label}: {bps(rule.winner_minus_bps.value)}" for rule in result.benchmarks),
            *([] if result.series_benchmark is None else [series_benchmark(result.series_benchmark)]),
        ],
        "Costs": _cases(result.costs),
        "Probabilities": _cases(result.probabilities),
        "Currency": _currency(result),
        "Caveats": [sentence_case(caveat) for caveat in result.caveats],
        "Computed": [_counts(result)],
        "Agents took": _usage(result),
    }


def _worlds(result: OptimizationResult) -> list[str]:
    lines = [sentence_case(worlds(result).removeprefix("Worlds "))] if result.worlds else []  # the row's own label
    for name, mean, volatility, sharpe, day, month in map(world_row, result.worlds):
        lines.append(
            f"{name}: mean {mean}, volatility {volatility}, Sharpe ratio {sharpe}, worst day {day}, worst month {month}"
        )
    return lines


def _against(result: OptimizationResult) -> list[str]:
    if result.explanation is None:
        return []
    claims = result.explanation.claims
    texts = [claim.text for claim in claims if claim.section in ("where_it_loses", "counter_argument")]
    return [*texts, f"(written by: {result.explanation.author}; all {len(claims)} claims are in the report)"]


def _premium(result: OptimizationResult) -> list[str]:
    if result.depends_on_premium is None:
        return []
    depends = result.depends_on_premium
    return ["The answer depends on the premium." if depends else "The sign does not depend on the premium."]


def _next(result: OptimizationResult) -> list[str]:
    n = result.next_step
    if n is None:
        return []
    return [
        f"{percent(n.today_weight)} on {n.as_of}, current rule {percent(n.current_rule_weight)}: "
        f"{percent(n.next_trade, signed=True)} of wealth; next rebalancing {n.next_rebalancing}",
        *(
            f"{step.name}: {percent(step.today_weight)}, current rule {percent(step.current_rule_weight)}: "
            f"{percent(step.next_trade, signed=True)} of wealth"
            for step in asset_steps(n)
        ),
    ]


def _assets(result: OptimizationResult) -> list[str]:
    if result.attribution is None:
        return []
    lines = [
        f"{name}: average weight {weight}, at most {largest}; adds {gain} to return over cash, {risk} to volatility; "
        f"traded {traded} times wealth a year, cost {cost}"
        for name, weight, largest, gain, risk, traded, cost in map(asset_row, result.attribution.assets)
    ]
    return [*lines, attribution_total(result.attribution)]


def _world(outcome: ScenarioOutcome) -> str:
    metrics = [
        f"{row.label} {metric(row, value)}"
        for _, row, value in outcome.winner.metrics.measured()
        if "scenarios" in row.shown
    ]
    return ", ".join(
        (
            f"{title(outcome.scenario)}: {bps(outcome.benefit_bps.value)}",
            f"timing alone {bps(outcome.timing_bps.value)}",
            *metrics,
        )
    )


def _luck(result: OptimizationResult) -> list[str]:
    k = result.luck
    if k is None:
        return []
    earlier = plural(k.ledger_trials - k.trials, "other configuration")
    tried = f"{k.trials} trials; {earlier} tried on these prices before"
    if k.uncovered_trials:
        tried += f", of them {k.uncovered_trials} without a series for the test of the best trial"
    return [tried, *(f"{label}: {value} ({note})" for label, value, note in evidence(result))]


def _out_of_sample(result: OptimizationResult) -> list[str]:
    out_of_sample = result.out_of_sample
    if out_of_sample is None:
        return []
    lines: list[str] = []
    if (cv := out_of_sample.cross_validation) is not None:
        lines.append(
            f"Purged cross-validation, {plural(cv.paths, 'path')}: median {bps(cv.advantage_bps.median)} over the "
            f"constant weight, {percent(cv.advantage_bps.below_zero, 0)} of them below 0"
        )
    if (wf := out_of_sample.walk_forward) is not None:
        lines.append(
            f"Walk-forward, {number(wf.years, 1)} years: {bps(wf.advantage_bps.value)} "
            f"± {number(wf.advantage_bps.error or 0.0)}; the choice changed {plural(wf.changes, 'time')} in "
            f"{len(wf.choices)}"
        )
    return lines


def _matters(result: OptimizationResult) -> list[str]:
    effects = result.parameter_effects
    if effects is None:
        return []
    best = [f"{title(curve.parameter)}: best {best_value(curve)}" for curve in effects.dependence]
    pairs = [
        f"{title(i.first)} with {title(i.second).lower()}: {percent(i.share)} together" for i in effects.interactions
    ]
    return [*best, *pairs[:1]]


def _currency(result: OptimizationResult) -> list[str]:
    manifest = result.manifest
    own = manifest.request.prices_file is not None or manifest.currency != BUNDLED_CURRENCY
    return [currency(manifest)] if own or manifest.request.exchange_rate else []


def _counts(result: OptimizationResult) -> str:
    c = result.counts
    return (
        f"{c.trials} configurations x {c.scenarios} scenarios x {number(c.paths)} paths x {plural(c.years, 'year')} = "
        f"{number(c.evaluations)} evaluations on all paths, {number(c.path_days)} strategy-days; stopped: {c.stopped}"
    )


def _usage(result: OptimizationResult) -> list[str]:
    if not any(each.usage.tokens for each in result.usage):
        return ["no tokens"] if result.usage else []
    each = [f"{title(agent.agent)} ({', '.join(agent.models)}): {usage_line(agent.usage)}" for agent in result.usage]
    return [*each, f"Together: {tokens(total(agent.usage for agent in result.usage))}"]


def _cases(cases: Sequence[Case]) -> list[str]:
    return [
        f"{sentence_case(case.label)}: {bps(case.benefit_bps.value)}"
        + ("" if case.same_winner else " (another finalist is best)")
        for case in cases
    ]
