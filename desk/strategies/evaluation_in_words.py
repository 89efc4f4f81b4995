"""A changed configuration against the one before, and a period of an evaluation, each in a sentence."""

from collections.abc import Iterator

import numpy as np

from desk.base.errors import InvalidInput
from desk.base.text import join_words, number, sentence_case, spaced
from desk.figures import labels
from desk.optimization.judgement.historical_record import unlocked_days
from desk.optimization.request import CASH
from desk.strategies.evaluation import EvaluationRun
from desk.strategies.evaluation_schemas import QuickEvaluation, Window
from desk.strategies.templates import Rule
from quant.numeric.units import BASIS_POINTS
from quant.performance.growth import compounded, drawdowns

CLEAR = 0.05
"""Difference of two Sharpe ratios below which one is slightly better."""


def describe_evaluation(evaluation: QuickEvaluation, template: str = "") -> str:
    """What the configuration, which a template may name, would have brought, and simpler rules beside it."""
    own, _, mixed, equity = evaluation.held
    grown, beside, full = (_percent(rule.history.metrics.geometric_return.value) for rule in (own, mixed, equity))
    fall, full_fall = (_percent(rule.history.metrics.max_drawdown.value) for rule in (own, equity))
    leg = "" if evaluation.safe == CASH else f" with {evaluation.safe} as the safe leg"
    others, name = f"full investment {full} a year, with a maximum drawdown of {full_fall}", _named(evaluation)
    name = f"the rule “{template}”, taken as {name}," if template else _subject(evaluation)
    if own.config == mixed.config:
        name = f"60/40 in {evaluation.safe}, {name},"
    else:
        others = f"60/40 in {evaluation.safe} grew {beside} a year and {others}"
    return (
        f"From {evaluation.first_day} to {evaluation.last_day} {name}{leg} would have grown {grown} a year, with "
        f"a volatility of {_percent(own.history.metrics.volatility.value)} and a maximum drawdown of {fall}; {others}."
    )


def _named(evaluation: QuickEvaluation) -> str:
    """The configuration with an article where its name is a noun."""
    return f"a {evaluation.name}" if evaluation.name.startswith("constant weight") else evaluation.name


def describe_versus(evaluation: QuickEvaluation, *, full: bool = False) -> str:
    """Whether the configuration was better than 60/40 in cash, or than full investment: on request or if it is that
    mix itself.
    """
    own, _, mixed, equity = evaluation.held
    other, label = (
        (equity, "full investment") if full or own.config == mixed.config else (mixed, f"60/40 in {evaluation.safe}")
    )
    ours, theirs = own.history.metrics, other.history.metrics
    sharpes = [round(metrics.sharpe.value, 2) for metrics in (ours, theirs)]
    same, better = sharpes[0] == sharpes[1], sharpes[0] > sharpes[1]
    slightly = round(abs(sharpes[0] - sharpes[1]), 2) < CLEAR
    verdict = "Neither better nor worse" if same else "better" if better else "worse"
    verdict = verdict if same else f"Slightly {verdict}" if slightly else sentence_case(verdict)
    facts = [
        f"a Sharpe ratio of {number(sharpes[0], 2)} against {number(sharpes[1], 2)}",
        *(
            f"{name} of {_percent(first.value)} against {_percent(second.value)}"
            for name, first, second in (
                ("a yearly growth", ours.geometric_return, theirs.geometric_return),
                ("a volatility", ours.volatility, theirs.volatility),
                ("a maximum drawdown", ours.max_drawdown, theirs.max_drawdown),
            )
        ),
    ]
    return (
        f"{verdict} than {label} for its risk: from {evaluation.first_day} to {evaluation.last_day} "
        f"{_subject(evaluation)} had {join_words(facts)}."
    )


def _subject(evaluation: QuickEvaluation) -> str:
    """The configuration before a verb: with a comma after a name that holds one."""
    name = _named(evaluation)
    return f"{name}," if ", " in name else name


def describe_drawdown(evaluation: QuickEvaluation) -> str:
    """The deepest fall beside those of the simpler rules."""
    own, _, mixed, equity = (_percent(rule.history.metrics.max_drawdown.value) for rule in evaluation.held)
    return (
        f"The maximum drawdown of {_subject(evaluation)} was {own} from {evaluation.first_day} to "
        f"{evaluation.last_day}; that of 60/40 in {evaluation.safe} was {mixed}, and that of full investment {equity}."
    )


def describe_worst_years(evaluation: QuickEvaluation) -> str:
    """The worst and the best calendar year."""
    worst = min(evaluation.years, key=lambda year: year.strategy)
    best = max(evaluation.years, key=lambda year: year.strategy)
    return (
        f"The worst calendar year of {_subject(evaluation)} was {worst.year} with {_percent(worst.strategy)}, when "
        f"full investment returned {_percent(worst.equity)}; the best was {best.year} with {_percent(best.strategy)}."
    )


def describe_losing_years(evaluation: QuickEvaluation) -> str:
    """How many calendar years brought a loss."""
    own, equity = (
        sum(value < 0.0 for value in values)
        for values in zip(*((year.strategy, year.equity) for year in evaluation.years), strict=True)
    )
    return (
        f"{sentence_case(_subject(evaluation))} lost money in {own} of {len(evaluation.years)} calendar years, and "
        f"full investment in {equity}."
    )


def describe_safety(evaluation: QuickEvaluation) -> str:
    """Whether the configuration was riskier than 60/40, or than full investment if it is that mix itself."""
    own, _, mixed, equity = evaluation.held
    other, label = (equity, "full investment") if own.config == mixed.config else (mixed, f"60/40 in {evaluation.safe}")
    ours, theirs = own.history.metrics, other.history.metrics
    pairs = [(ours.volatility.value, theirs.volatility.value), (ours.max_drawdown.value, theirs.max_drawdown.value)]
    gaps = {round(100.0 * a, 1) - round(100.0 * b, 1) for a, b in pairs}
    if all(gap < 0.0 for gap in gaps):
        verdict = "Safer than"
    elif all(gap > 0.0 for gap in gaps):
        verdict = "Riskier than"
    else:
        verdict = "As risky as" if gaps == {0.0} else "Neither safer nor riskier than"
    (vol, their_vol), (fall, their_fall) = pairs
    return (
        f"{verdict} {label}: {_subject(evaluation)} had a volatility of {_percent(vol)} against {_percent(their_vol)} "
        f"and a maximum drawdown of {_percent(fall)} against {_percent(their_fall)}."
    )


def _percent(value: float) -> str:
    return f"{number(100.0 * value, 1)}%"


def describe_change(before: QuickEvaluation, after: QuickEvaluation) -> str | None:
    """What was changed and what that does on history; None if the configurations are the same."""
    changes = ", ".join(dict.fromkeys(_changes(before.rule, after.rule)))
    if not changes:
        return None
    old, new = (evaluation.held[0].history.metrics for evaluation in (before, after))
    effects = (
        _effect("the growth a year", old.geometric_return.value, new.geometric_return.value),
        _effect("the volatility", old.volatility.value, new.volatility.value),
        _effect("the maximum drawdown", old.max_drawdown.value, new.max_drawdown.value),
        _effect("the yearly cost", old.cost.value, new.cost.value, unit=" bps"),
    )
    return f"With {changes}, on history {', '.join(effects[:-1])} and {effects[-1]}."


def describe_period(run: EvaluationRun, window: Window) -> str:
    """Returns of the strategy and of simpler rules over a short time; `InvalidInput` for no session."""
    days = unlocked_days(run.world)
    dates = run.world.market.dates[days]
    first = dates[0] if window.first_day is None else np.datetime64(window.first_day, "D")
    last = dates[-1] if window.last_day is None else np.datetime64(window.last_day, "D")
    within = np.flatnonzero((dates >= first) & (dates <= last))
    if within.size == 0:
        allowed = f"days within {dates[0]} to {dates[-1]}; the later ones are locked"
        raise InvalidInput(
            "window", f"{first} to {last}", reason=f"no session lies within {first} to {last}", allowed=allowed
        )
    part = slice(days.start + int(within[0]), days.start + int(within[-1]) + 1)
    own, mixed, equity = (run.world.total(run.series[k, 0, part], part) for k in (0, 2, 3))
    returns = [compounded(x) for x in (own, mixed, equity)]
    ahead = [round(100.0 * returns[0], 1) - round(100.0 * other, 1) for other in returns[1:]]
    return (
        f"From {dates[within[0]]} to {dates[within[-1]]} it {'lost' if returns[0] < 0.0 else 'returned'} "
        f"{_percent(abs(returns[0]))} with a maximum drawdown of {_percent(float(drawdowns(own).max()))}, "
        f"{_beside(ahead[0], f'60/40 in {run.evaluation.safe}', returns[1])} and "
        f"{_beside(ahead[1], 'full investment', returns[2])}."
    )


def _beside(ahead: float, other: str, value: float) -> str:
    place = "ahead of" if ahead > 0.0 else "behind" if ahead < 0.0 else "level with"
    return f"{place} {other} ({_percent(value)})"


def _effect(label: str, old: float, new: float, *, unit: str = "%") -> str:
    scale, digits = (100.0, 1) if unit == "%" else (BASIS_POINTS, 0)
    before, after = (number(scale * value, digits) for value in (old, new))
    if before == after:
        return f"{label} stays {after}{unit}"
    return f"{label} {'rises' if new > old else 'falls'} from {before}{unit} to {after}{unit}"


def _changes(before: Rule, after: Rule) -> Iterator[str]:
    if before.config.weight_function != after.config.weight_function:
        yield f"{labels.strategy_label(after.config)} instead of {labels.strategy_label(before.config)}"
        return
    for old, new in ((before.config, after.config), (before.mandate, after.mandate)):
        for name in type(new).model_fields:
            first, second = getattr(old, name), getattr(new, name)
            if first != second and name not in HIDDEN:
                yield f"{NAMES.get(name, spaced(name))} {_shown(name, second)} instead of {_shown(name, first)}"


HIDDEN = frozenset({"inner"})
NAMES = {
    "weight_function": "the weight function",
    "rebalancing": "rebalancing",
    "lookback_days": "a lookback of",
    "estimator": "the estimator",
    "target_volatility": "a target volatility of",
    "no_trade_band": "a no-trade band of",
    "transaction_cost_bps": "a cost of trading of",
}


def _shown(name: str, value: object) -> str:
    match value:
        case None:
            return "none"
        case str():
            return spaced(value)
        case int() | float() if name.endswith("_days"):
            return f"{number(value)} days"
        case int() | float() if name.endswith("_bps"):
            return f"{value:g} bps"
        case int() | float() if name in SHARES:
            return f"{number(100.0 * value, 1).removesuffix('.0')}%"
        case _:
            return f"{value:g}" if isinstance(value, int | float) else str(value)


SHARES = frozenset(
    "target_volatility no_trade_band constant_weight min_weight max_weight floor midpoint calm_weight turbulent_weight "
    "drawdown_cap".split()
)
"""Settings that are shown in percent."""
