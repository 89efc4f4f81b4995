"""Tables of searches and stored results."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from desk.base.text import spaced
from desk.figures.figures import Figure, collect_figures
from desk.figures.metric_figures import metric_labels
from desk.figures.tables import Exhibit, build_listing, build_table
from desk.optimization.judgement.leg_figures import LEG_ROWS
from quant.strategies.metrics import metrics_shown

if TYPE_CHECKING:
    from desk.conversation.answers import (
        FinishedSearch,
        KeptList,
        OpenedHoldout,
        ResultComparison,
        ResultExplanation,
        RunList,
        SearchEstimate,
    )
    from desk.optimization.reading.topics import Topic


def _estimated(result: "SearchEstimate") -> Iterator[Exhibit]:
    rows = {
        "estimate_trials": "Configurations",
        "estimate_scenarios": "Scenarios",
        "estimate_paths": "Paths of each scenario",
        "estimate_years": "Length of each path",
        "estimate_evaluations": "Evaluations",
        "estimate_time": "Time on this machine",
        "estimate_memory": "Megabytes of memory",
        "estimate_limit": "At most",
    }
    yield build_listing("What the search would take", rows, result.figures)
    yield build_listing("What is held and used", LEG_ROWS, result.figures)


def _launched(result: "FinishedSearch") -> Iterator[Exhibit]:
    figures = collect_figures(result)
    for build in (_LEGS, _worlds, _scenarios, _ranking, _limits):
        yield build(figures)


def _explained(result: "ResultExplanation") -> Iterator[Exhibit]:
    figures = collect_figures(result)
    for build in _OF_TOPIC.get(result.topic, ()):
        yield build(figures)


def _compared(result: "ResultComparison") -> Iterator[Exhibit]:
    comparison = result.comparison
    rows = [
        (f"{{{{compare_change_{n}_setting}}}}", f"compare_change_{n}_first", f"compare_change_{n}_second")
        for n in range(1, len(comparison.changes) + 1)
    ]
    yield build_table("What was asked differently", ("Setting", "First", "Second"), rows, comparison.figures)
    rows = [
        (label, *(f"compare_{name}_{of}" for of in ("first", "second", "change"))) for name, label in _COMPARED.items()
    ]
    yield build_table("What came out", ("", "First", "Second", "Second minus first"), rows, comparison.figures)


def _listed(result: "RunList") -> Iterator[Exhibit]:
    rows = [
        (f"{{{{run_{n}_id}}}}", *(f"run_{n}_{of}" for of in ("name", "state", "created")))
        for n in range(1, len(result.runs) + 1)
    ]
    yield build_table("Your results, newest first", ("Run", "Name", "State", "Made"), rows, result.figures)


def _kept(result: "KeptList") -> Iterator[Exhibit]:
    rows = [(f"{{{{kept_{n}_name}}}}", f"kept_{n}_detail") for n in range(1, result.count + 1)]
    yield build_table("What is kept", ("Name", "Description"), rows, result.figures)


def _opened(result: "OpenedHoldout") -> Iterator[Exhibit]:
    whose = ("winner", "benchmark", "asset")
    rows = [(label, *(f"holdout_{who}_{name}" for who in whose)) for name, label in metric_labels("holdout").items()]
    columns = ("", "Winner", "Constant weight, same volatility", "Full investment")
    yield build_table("On the locked holdout", columns, rows, result.figures)
    days = {
        "holdout_first_day": "First day",
        "holdout_last_day": "Last day",
        "holdout_days": "Sessions",
        "holdout_advantage_bps": "Advantage over the constant weight",
    }
    yield build_listing("The holdout", days, result.figures)


_COMPARED = {
    "verdict": "Verdict",
    "winner": "Winner",
    "benefit": "Benefit",
    "timing": "Of it by timing",
    "drawdown_saved": "Mean drawdown saved",
    **{row.short or name: f"{row.label}, training" for name, row in metrics_shown("comparison").items()},
    "confidence": "Confidence that it is no luck",
    "overfitting": "Probability of overfitting (PBO): it ranks low in others",
    "trials": "Configurations tried",
    "last_day": "Last day of the prices",
    "seed": "Seed",
}


def _scenarios(figures: Sequence[Figure]) -> Exhibit:
    names = _ids_matching(figures, r"in_(\w+)_benefit_bps")
    rows = [
        (
            "History alone" if n == "history" else spaced(n).capitalize(),
            *(f"in_{n}_{of}" for of in ("benefit_bps", "regret_bps", "retention")),
        )
        for n in names
    ]
    columns = ("Scenario", "Benefit", "Behind the best there", "Keeps of the best")
    return build_table("The winner in each scenario, against the constant weight", columns, rows, figures)


_WORLD = {
    "mean": "Mean",
    "volatility": "Volatility",
    "sharpe": "Sharpe ratio",
    "worst_day": "Worst day",
    "worst_month": "Worst month",
}


def _worlds(figures: Sequence[Figure]) -> Exhibit:
    names = _ids_matching(figures, r"world_(\w+)_sharpe")
    rows = [(spaced(n).capitalize(), *(f"world_{n}_{of}" for of in _WORLD)) for n in names]
    return build_table("The risky asset in each simulated world", ("World", *_WORLD.values()), rows, figures)


def _ranking(figures: Sequence[Figure]) -> Exhibit:
    places = _ids_matching(figures, r"rank_(\d+)_name")
    rows = [(n, *(f"rank_{n}_{of}" for of in ("name", "objective", "behind", "plateau", "breaches"))) for n in places]
    columns = ("", "Configuration", "Objective", "Behind the best", "Neighbours (median)", "Breaks")
    return build_table("Finalists, scored again on fresh paths", columns, rows, figures)


def _drivers(figures: Sequence[Figure]) -> Exhibit:
    places = _ids_matching(figures, r"driver_(\d)_share")
    rows = [(f"{{{{driver_{n}}}}}", *(f"driver_{n}_{of}" for of in ("share", "best", "range"))) for n in places]
    columns = ("Parameter", "Explains alone", "Best value", "From worst to best value")
    return build_table("What the objective depends on", columns, rows, figures)


def _limits(figures: Sequence[Figure]) -> Exhibit:
    places = _ids_matching(figures, r"limit_(\d+)_name")
    rows = [
        (f"{{{{limit_{n}_name}}}}", *(f"limit_{n}_{of}" for of in ("scenario", "statistic", "allowed"))) for n in places
    ]
    title = "Limits; for a drawdown limit, the probability of breaking it"
    return build_table(title, ("Limit", "Checked in", "Measured", "Allowed"), rows, figures)


def _cases(group: str, title: str) -> Callable[[Sequence[Figure]], Exhibit]:
    def build(figures: Sequence[Figure]) -> Exhibit:
        rows = [
            (f"{{{{{group}_{n}_label}}}}", f"{group}_{n}_bps") for n in _ids_matching(figures, rf"{group}_(\d+)_label")
        ]
        return build_table(title, ("Case", "Benefit"), rows, figures)

    return build


def _benchmarks(figures: Sequence[Figure]) -> Exhibit:
    names = _ids_matching(figures, r"versus_(\w+)_label")
    rows = [(f"{{{{versus_{name}_label}}}}", f"versus_{name}_bps") for name in names]
    rows.append(("{{own_series_label}}", "own_series_bps"))
    return build_table(
        "The winner minus each benchmark, after a charge for risk", ("Benchmark", "Difference"), rows, figures
    )


def _facts(figures: Sequence[Figure]) -> Exhibit:
    facts = [f for f in figures if f.id.startswith("fact_") and not f.id.endswith("_benchmark")]
    rows = [(_row_label(f), f.id, f"{f.id}_benchmark") for f in facts]
    return build_table("What the report says of the winner on history", ("", "Winner", "Benchmark"), rows, figures)


def _row_label(figure: Figure) -> str:
    text = figure.quantity.removesuffix(", of the winner")
    return f"{text[:1].upper()}{text[1:]}"


def _rows(title: str, rows: Mapping[str, str]) -> Callable[[Sequence[Figure]], Exhibit]:
    return lambda figures: build_listing(title, rows, figures)


def _ids_matching(figures: Sequence[Figure], pattern: str) -> list[str]:
    """Return the first group of each figure id that matches `pattern`, in order."""
    return list(dict.fromkeys(match[1] for f in figures if (match := re.fullmatch(pattern, f.id))))


_PREMIUM = _cases("premium", "If the equity premium moves otherwise with volatility")
_PARAMETERS = _cases("parameter_error", "If return and volatility are otherwise than assumed")
_PROBABILITIES = _cases("probabilities", "Under other weights of the scenarios")
_COSTS = _cases("costs", "At other costs")
_SEARCH = _rows(
    "How it was computed",
    {
        "trials": "Configurations tried",
        "screened": "Dropped after few paths",
        "scenario_count": "Scenarios",
        "paths": "Paths of each scenario",
        "path_years": "Length of each path",
        "evaluations": "Evaluations on all paths",
        "plans": "Search plans",
    },
)
_LUCK = _rows(
    "Luck or skill",
    {
        "winner_p": "Chance that luck alone ends with so good a winner",
        "single_step_p": "Chance that luck alone makes something look so good",
        "loss": "Chance of reversal: the choice of some years fails in others",
        "validate_advantage_bps": "Advantage on the validation window",
        "active_deflated_sharpe": "Deflated Sharpe ratio of the active return",
        "overfitting": "Probability of overfitting (PBO): it ranks low in others",
        "overfitting_low": "At least",
        "overfitting_high": "At most",
        "spa_p": "Chance of such an advantage by luck alone (SPA)",
        "trials": "Configurations tried",
        "ledger_trials": "Tried ever on these prices",
        "probabilistic_sharpe": "Confidence if it were the only one tried (PSR)",
        "minimum_track_record_years": "Track record needed to show skill",
    },
)
_OUT_OF_SAMPLE = _rows(
    "On days that the choice did not use",
    {
        "cross_validation_median_bps": "Advantage, cross-validation, median path",
        "cross_validation_low_bps": "Advantage, fifth percentile of the paths",
        "cross_validation_high_bps": "Advantage, ninety-fifth percentile of the paths",
        "cross_validation_below_zero": "Paths behind the constant weight",
        "cross_validation_utility_bps": "Utility over cash, median path",
        "cross_validation_paths": "Paths",
        "cross_validation_purge": "Purged on both sides of a test",
        "cross_validation_embargo": "Embargo after a test",
        "walk_forward_bps": "Advantage, chosen anew each year",
        "walk_forward_years": "Length of that series",
        "walk_forward_choices": "Choices",
        "walk_forward_changes": "Of these, other than the year before",
    },
)
_INTERACTION = _rows(
    "Parameters that act together",
    {
        "interaction_pair": "The strongest pair",
        "interaction_share": "Explained by both at once, beyond each alone",
    },
)
_NEXT = _rows(
    "Next trade",
    {
        "as_of": "Day of the latest price",
        "today_weight": "Weight of the winner",
        "today_current_rule_weight": "Weight of the current rule",
        "next_trade": "Next trade, as a share of wealth",
        "safe_leg": "The bond",
        "safe_today_weight": "Weight of the bond",
        "safe_next_trade": "Next trade of the bond, as a share of wealth",
    },
)


def _asset_steps(figures: Sequence[Figure]) -> Exhibit:
    places = _ids_matching(figures, r"step_(\d+)_asset")
    rows = [
        (f"{{{{step_{n}_asset}}}}", *(f"step_{n}_{of}" for of in ("today_weight", "current_rule_weight", "next_trade")))
        for n in places
    ]
    columns = ("Asset", "Weight of the winner", "Weight of the current rule", "Next trade, as a share of wealth")
    return build_table("Next trade in each asset", columns, rows, figures)


_SHARE = {
    "average_weight": "Average weight",
    "excess_return": "Adds to return over cash",
    "volatility": "Adds to volatility",
    "traded": "Traded a year, times wealth",
    "cost": "Cost a year",
}


def _assets(figures: Sequence[Figure]) -> Exhibit:
    places = _ids_matching(figures, r"asset_(\d+)_name")
    rows = [(f"{{{{asset_{n}_name}}}}", *(f"asset_{n}_{of}" for of in _SHARE)) for n in places]
    return build_table("The winner by asset, on train and validate", ("Asset", *_SHARE.values()), rows, figures)


_ALTERNATIVE = _rows(
    "The function that was asked about",
    {
        "alternative_function": "Function",
        "alternative_tried": "Configurations tried of it",
        "alternative_screened": "Of these dropped early",
        "alternative_best": "Its best",
        "alternative_winner": "The winner",
        "alternative_behind": "Its distance",
        "alternative_breaches": "Limits that it breaks",
    },
)
_DATA = _rows(
    "Prices",
    {
        "data_source": "Source",
        "currency": "Currency",
        "first_day": "First day",
        "train_end": "End of training",
        "validate_end": "Locked after",
        "last_day": "Last day",
        **LEG_ROWS,
    },
)
_LEGS = _rows("What is held and used", LEG_ROWS)
_OF_TOPIC: "Mapping[Topic, tuple[Callable[[Sequence[Figure]], Exhibit], ...]]" = {
    "ranking": (_ranking,),
    "plateau": (_ranking,),
    "where_it_loses": (_scenarios,),
    "scenario": (_worlds, _scenarios),
    "costs": (_COSTS,),
    "premium": (_PREMIUM,),
    "parameter_error": (_PARAMETERS,),
    "probabilities": (_PROBABILITIES,),
    "what_would_change": (_PREMIUM, _PARAMETERS, _PROBABILITIES, _COSTS),
    "limits": (_limits,),
    "luck": (_LUCK, _OUT_OF_SAMPLE),
    "why": (_drivers, _INTERACTION),
    "benchmarks": (_benchmarks,),
    "alternative": (_ALTERNATIVE,),
    "years": (_facts,),
    "data": (_DATA, _worlds),
    "next_trade": (_NEXT, _asset_steps),
    "assets": (_assets,),
    "computed": (_SEARCH,),
}

RESULT_TABLES: Mapping[str, Callable[[Any], Iterator[Exhibit]]] = {
    "SearchEstimate": _estimated,
    "FinishedSearch": _launched,
    "ResultExplanation": _explained,
    "ResultComparison": _compared,
    "RunList": _listed,
    "KeptList": _kept,
    "OpenedHoldout": _opened,
}
