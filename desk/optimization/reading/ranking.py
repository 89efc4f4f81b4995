"""Ranking of the finalists, and how many are indistinguishable from the best."""

from desk.figures import labels
from desk.figures.figures import Figure, Unit, format_measured
from desk.figures.sheet import Sheet
from desk.optimization.mandate_limits import limit_label
from desk.optimization.result import Finalist, OptimizationResult
from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured
from quant.numeric.units import BASIS_POINTS
from quant.strategies.goal import RATIO_GOALS

TOOL = "rank_finalists"


class RankedFinalist(Frozen):
    place: int
    name: str
    winner: bool
    finalist: Finalist


class Ranking(Frozen):
    """Finalists by objective; the winner may rank lower if it has a better plateau within the noise."""

    ranked: tuple[RankedFinalist, ...]
    within_noise: int
    figures: tuple[Figure, ...]


def build_ranking(result: OptimizationResult) -> Ranking:
    ordered = sorted(result.finalists, key=lambda f: (not f.feasible, -f.objective, f.digest))
    winner = result.winner.digest if result.winner else None
    rows = tuple(
        RankedFinalist(place=place, name=labels.strategy_label(f.config), winner=f.digest == winner, finalist=f)
        for place, f in enumerate(ordered, 1)
    )
    near = sum(f.indistinguishable for f in ordered)
    sheet = Sheet(TOOL, "rank")
    sheet.add("trials", "configurations tried", result.counts.trials, "count")
    sheet.add("finalists", "finalists that were scored again on fresh paths", len(rows), "count")
    sheet.add("within_noise", "finalists that cannot be told from the best, itself included", near, "count")
    for row in rows:
        if row.winner:
            _add_winner(sheet, row, ratio=result.manifest.request.goal in RATIO_GOALS)
        _add_finalist(sheet, row, ratio=result.manifest.request.goal in RATIO_GOALS)
    _add_sentences(sheet, rows, ratio=result.manifest.request.goal in RATIO_GOALS)
    return Ranking(ranked=rows, within_noise=near, figures=sheet.figures)


def _add_sentences(sheet: Sheet, rows: tuple[RankedFinalist, ...], *, ratio: bool) -> None:
    """The best finalists in sentences; one that breaks a limit is not among them."""
    winner = next((row for row in rows if row.winner), None)
    others = [row for row in rows if not row.winner and row.finalist.feasible]
    if winner is None:
        return
    names = [winner.name, *(row.name for row in others[:2])]
    best = f"The best is {names[0]}" + "".join(f"; then {name}" for name in names[1:]) + "."
    sheet.say("best_sentence", best)
    best_of_all = "the best finalist" if winner.place > 1 else "the winner"
    if others:
        gap, unit = to_display_unit(others[0].finalist.behind_best, ratio=ratio)
        near = others[0].finalist.indistinguishable
        reason = (
            "so chance explains the difference, and the winner was taken because its neighbours score better"
            if near and winner.place > 1
            else "so chance explains the difference"
            if near
            else "which is more than chance explains"
        )
        sheet.say(
            "second_sentence",
            f"The runner-up, {others[0].name}, is {format_measured(gap, unit)}, behind {best_of_all}, {reason}.",
        )
    if len(others) > 1:
        gaps = (to_display_unit(row.finalist.behind_best, ratio=ratio) for row in others[:2])
        second, third = (f"{row.name}, {format_measured(*gap)}," for row, gap in zip(others, gaps, strict=False))
        sheet.say("third_sentence", f"Second is {second} behind {best_of_all}; third is {third} behind.")


def _add_winner(sheet: Sheet, row: RankedFinalist, *, ratio: bool) -> None:
    finalist = row.finalist
    sheet.add("winner", "the winning configuration", row.name, "text")
    value, unit = to_display_unit(Measured(value=finalist.objective), ratio=ratio)
    sheet.add("winner_objective", "objective of the winner", value, unit)
    if finalist.plateau_neighbours:
        value, unit = to_display_unit(Measured(value=finalist.plateau_median), ratio=ratio)
        sheet.add("winner_plateau", 'median objective of the "configurations beside it"', value, unit)


def _add_finalist(sheet: Sheet, row: RankedFinalist, *, ratio: bool) -> None:
    place, finalist = row.place, row.finalist
    of = f'of the finalist at place "{place}"'
    sheet.add(f"{place}_name", f"configuration {of}", row.name, "text")
    value, unit = to_display_unit(Measured(value=finalist.objective), ratio=ratio)
    sheet.add(f"{place}_objective", f"objective {of}", value, unit)
    if finalist.feasible:
        value, unit = to_display_unit(finalist.behind_best, ratio=ratio)
        sheet.add(f"{place}_behind", f"distance {of} behind the best finalist", value, unit)
    if finalist.plateau_neighbours:
        value, unit = to_display_unit(Measured(value=finalist.plateau_median), ratio=ratio)
        sheet.add(f"{place}_plateau", f"median objective of the neighbours {of}", value, unit)
        sheet.add(f"{place}_neighbours", f"neighbours {of}", finalist.plateau_neighbours, "count")
    if finalist.breaches:
        breached_limits = ", ".join(limit_label(name) for name in finalist.breaches)
        sheet.add(f"{place}_breaches", f'limits broken by the finalist at place "{place}"', breached_limits, "text")


def to_display_unit(objective: Measured, *, ratio: bool) -> tuple[Measured, Unit]:
    """Convert an objective for display: utility to basis points, a ratio unchanged."""
    if ratio:
        return objective, "ratio"
    error = None if objective.error is None else BASIS_POINTS * objective.error
    return Measured(value=BASIS_POINTS * objective.value, error=error), "bps"
