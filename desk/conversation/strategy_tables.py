"""Tables of evaluated strategies, saved strategies and scenarios."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from desk.base.text import spaced
from desk.figures.metric_figures import metric_labels
from desk.figures.tables import Exhibit, build_listing, build_notes, build_table

if TYPE_CHECKING:
    from desk.conversation.answers import SavedConfiguration
    from desk.scenarios.repository import ScenarioCatalog
    from desk.strategies.evaluation import QuickEvaluation

_SUBJECTS = {
    "strategy": "This strategy",
    "same_volatility": "Constant, same volatility",
    "sixty_forty_cash": "60/40 in cash",
    "sixty_forty": "60/40 in the bond",
    "equity": "Full investment",
}
_MEASURES = metric_labels("evaluation")
_SCENARIO = {
    "engine": "Engine",
    "mu": "Expected return",
    "sigma": "Volatility",
    "cash": "Cash rate",
    "sharpe": "Sharpe ratio",
    "bonds": "Equity-bond correlation",
    "p": "Probability",
}


def _evaluated(evaluation: "QuickEvaluation") -> Iterator[Exhibit]:
    scenario = spaced(evaluation.scenario)
    subjects = {held.subject: _SUBJECTS[held.subject] for held in evaluation.held}
    titles = {
        "history": f"On history, {evaluation.first_day} to {evaluation.last_day}",
        "simulated": f"Simulated: {scenario}, mean over paths",
    }
    for where, title in titles.items():
        rows = [
            (label, *(f"quick_{subject}_{where}_{name}" for name in _MEASURES)) for subject, label in subjects.items()
        ]
        yield build_table(title, ("", *_MEASURES.values()), rows, evaluation.figures)
    rows = [
        (
            f"Minus {label[:1].lower()}{label[1:]}",
            f"quick_versus_{subject}_history_bps",
            f"quick_versus_{subject}_simulated_bps",
        )
        for subject, label in subjects.items()
        if subject != "strategy"
    ]
    yield build_table(
        "Advantage after a charge for risk, a year", ("", "On history", "Simulated"), rows, evaluation.figures
    )
    if len(evaluation.curve) > 1:
        rows = [(f"{point.volatility:.0%}", f"quick_curve_{n}_weight") for n, point in enumerate(evaluation.curve, 1)]
        yield build_table("Weight by volatility of the asset", ("Volatility", "Weight"), rows, evaluation.figures)
    yearly = {subject: label for subject, label in subjects.items() if subject != "same_volatility"}
    rows = [(str(y.year), *(f"quick_year_{y.year}_{subject}" for subject in yearly)) for y in evaluation.years]
    columns = ("Year", *yearly.values())
    yield build_table(
        "Returns by calendar year; the first and the last may be parts", columns, rows, evaluation.figures
    )
    yield build_notes("To keep in mind", evaluation.caveats)


def _saved(configuration: "SavedConfiguration") -> Iterator[Exhibit]:
    rows = {
        "saved_name": "Name",
        "saved_version": "Version",
        "saved_configuration": "Configuration",
        "saved_target_volatility": "Target volatility",
    }
    yield build_listing("Saved strategy", rows, configuration.figures)


def _scenarios(book: "ScenarioCatalog") -> Iterator[Exhibit]:
    names = [entry.scenario.name for entry in book.entries]
    rows = [(f"{{{{scenario_{name}_name}}}}", *(f"scenario_{name}_{of}" for of in _SCENARIO)) for name in names]
    yield build_table("Scenarios", ("Scenario", *_SCENARIO.values()), rows, book.figures)
    banners = dict.fromkeys(entry.banner for entry in book.entries if entry.banner)
    yield build_notes("To keep in mind", tuple(banners))


STRATEGY_TABLES: Mapping[str, Callable[[Any], Iterator[Exhibit]]] = {
    "QuickEvaluation": _evaluated,
    "SavedConfiguration": _saved,
    "ScenarioCatalog": _scenarios,
}
