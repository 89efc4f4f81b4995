"""A result on a terminal, in the order in which a manager should read it."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from api.terminal import plain
from api.words import (
    COLOURS,
    LIMITS,
    ONE_HISTORY,
    bps,
    limit_row,
    number,
    percent,
    sentence,
    sentence_case,
    title,
)
from tools.optimization import Case, OptimizationResult

_STYLES = {
    "green": "bold green",
    "amber": "bold yellow",
    "red": "bold red",
    "infeasible": "bold magenta",
}


def show(console: Console, result: OptimizationResult) -> None:
    """The benefit and the verdict first."""
    console.print()
    console.print(plain(result.manifest.request.name), style="bold")
    console.print(benefit(result), style="bold")
    word, sign = COLOURS[result.verdict.colour]
    console.print(
        f"{sign} {word.upper()}: {plain(result.verdict.headline)}",
        style=_STYLES[result.verdict.colour],
    )
    console.print(plain(result.verdict.reason))
    console.print(ONE_HISTORY, style="italic")
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for label, text in rows(result):
        table.add_row(label, plain(text))
    console.print(table)


def benefit(result: OptimizationResult) -> str:
    if result.benefit is None:
        limit = result.verdict.binding_limit
        named = f"; what binds: {LIMITS[limit].lower()}" if limit else ""
        return f"None of {result.counts.trials} strategies meets the limits{named}"
    b = result.benefit
    return (
        f"{bps(b.basis_points.value)} a year (95% {number(b.low, signed=True)} to {number(b.high, signed=True)}) and "
        f"{number(b.drawdown_points.value, 1, signed=True)} points of drawdown over a constant weight of the same "
        f"volatility ({percent(b.benchmark_weight, 0)}), after costs"
    )


def rows(result: OptimizationResult) -> Iterator[tuple[str, str]]:
    if result.winner is not None:
        yield "Strategy", sentence(result.winner.config)
    if result.explanation is not None:
        claims = result.explanation.claims
        told = [
            claim.text
            for claim in claims
            if claim.section in ("where_it_loses", "counter_argument")
        ]
        for n, text in enumerate(told):
            yield "" if n else "Against it", text
        yield (
            "",
            f"(written by: {result.explanation.author}; all {len(claims)} claims are in the report)",
        )
    yield from _cases("Premium", result.premium)
    if result.depends_on_premium is not None:
        yield (
            "",
            "the answer depends on the premium"
            if result.depends_on_premium
            else "the sign does not depend on the premium",
        )
    yield from _cases("If wrong", result.parameter_error)
    if result.next_step is not None:
        n = result.next_step
        yield (
            "Next trade",
            f"{percent(n.today_weight)} on {n.as_of}, current rule {percent(n.current_rule_weight)}: "
            f"{percent(n.next_trade, signed=True)} of wealth; next rebalancing {n.next_rebalancing}",
        )
    for n, check in enumerate(result.limits):
        limit, where, found, allowed, state = limit_row(check)
        yield "" if n else "Limits", f"{limit}, {where.lower()}: {found}, {allowed}: {state}"
    for n, outcome in enumerate(result.scenarios):
        m = outcome.winner.metrics
        yield (
            "" if n else "Scenarios",
            f"{title(outcome.scenario)}: {bps(outcome.benefit_bps.value)}, Sharpe {number(m.sharpe.value, 2)}, "
            f"volatility {percent(m.volatility.value)}, mean drawdown {percent(m.max_drawdown.value)}",
        )
    if result.luck is not None:
        k = result.luck
        yield (
            "Luck",
            f"{k.trials} trials ({k.ledger_trials} ever on these data): deflated Sharpe of the active return "
            f"{number(k.active_deflated_sharpe, 2)}, overfitting {percent(k.overfitting, 0)} "
            f"({percent(k.overfitting_low, 0)} to {percent(k.overfitting_high, 0)}), SPA p {number(k.spa_p, 3)}, "
            f"on validation {bps(k.validate_advantage_bps)}",
        )
    for n, rule in enumerate(result.benchmarks):
        yield "" if n else "Minus rules", f"{rule.label}: {bps(rule.winner_minus_bps.value)}"
    yield from _cases("Costs", result.costs)
    yield from _cases("Probabilities", result.probabilities)
    for n, caveat in enumerate(result.caveats):
        yield "" if n else "Caveats", sentence_case(caveat)
    yield "Computed", counted(result)


def counted(result: OptimizationResult) -> str:
    c = result.counts
    return (
        f"{c.trials} configurations x {c.scenarios} scenarios x {number(c.paths)} paths x {c.years} years = "
        f"{number(c.evaluations)} evaluations on all paths, {number(c.path_days)} strategy-days; stopped: {c.stopped}"
    )


def _cases(heading: str, cases: Sequence[Case]) -> Iterator[tuple[str, str]]:
    for n, case in enumerate(cases):
        other = "" if case.same_winner else " (another finalist is best)"
        yield (
            "" if n else heading,
            f"{sentence_case(case.label)}: {bps(case.benefit_bps.value)}{other}",
        )
