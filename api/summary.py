"""A result on a terminal, in the order in which a manager should read it."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from api.terminal import plain
from api.words import COLOURS, LIMITS, ONE_HISTORY, bps, limit_row, number, percent, sentence, title
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
        for n, claim in enumerate(result.explanation.claims):
            yield "" if n else "In words", claim.text
        yield "", f"(written by: {result.explanation.author})"
    if result.premium:
        answer = "the answer depends on it" if result.depends_on_premium else "the sign holds"
        yield "Premium", f"{_cases(result.premium)}: {answer}"
    if result.parameter_error:
        yield "If wrong", _cases(result.parameter_error)
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
    if result.costs:
        yield "Costs", _cases(result.costs)
    if result.probabilities:
        yield "Probabilities", _cases(result.probabilities)
    for n, caveat in enumerate(result.caveats):
        yield "" if n else "Caveats", caveat
    yield "Computed", counted(result)


def counted(result: OptimizationResult) -> str:
    c = result.counts
    return (
        f"{c.trials} configurations x {c.scenarios} scenarios x {number(c.paths)} paths x {c.years} years = "
        f"{number(c.evaluations)} evaluations on all paths, {number(c.path_days)} strategy-days; stopped: {c.stopped}"
    )


def _cases(cases: Sequence[Case]) -> str:
    return ", ".join(
        f"{case.label} {bps(case.benefit_bps.value)}"
        + ("" if case.same_winner else " (another wins)")
        for case in cases
    )
