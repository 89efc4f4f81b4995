"""The page of the verdict's error rates, docs/verdict.md, and the numbers that the report quotes."""

import math
from collections.abc import Sequence

from quant.strategies.goal import DEFAULT_GOAL
from tests.calibration.coverage import FAMILIES_COVERED, FixedBenefit, ScenarioTruth, count_covered
from tests.calibration.families import FAMILIES, Family
from tests.calibration.measurements import EDGE_HISTORIES, Kind, Row, histories_of

WITHOUT_EDGE = {"green": 0.05, "amber or green": 0.15}
"""Largest wanted shares where there is no edge."""
WITH_EDGE = {4: 0.75, 6: 0.93}
"""Smallest wanted share of green, by the t-ratio of the planted edge."""
TOLERANCE = 0.03
"""Sampling error that a wanted rate allows."""
OWN_EDGE = (3.5, 4.5, 0.90)
"""Smallest wanted share of green by the winner's own true t-ratio, between the first two."""


def rows_of(rows: Sequence[Row], family: Family, goal: str = DEFAULT_GOAL) -> list[Row]:
    return [row for row in measured(rows, family, "history") if row["goal"] == goal]


def measured(rows: Sequence[Row], family: Family, kind: Kind) -> list[Row]:
    return [row for row in rows if row["family"] == family.name and row["kind"] == kind]


def goals_of(rows: Sequence[Row]) -> list[str]:
    """The goals that were measured, the default first."""
    goals = dict.fromkeys(str(row["goal"]) for row in rows if row["kind"] == "history")
    return sorted(goals, key=lambda goal: goal != DEFAULT_GOAL)


def share(rows: Sequence[Row], *colours: str) -> tuple[float, float]:
    """Share of `rows` with one of `colours`, and its standard error."""
    rate = sum(row["colour"] in colours for row in rows) / len(rows)
    return rate, math.sqrt(rate * (1.0 - rate) / len(rows))


def percent(value: tuple[float, float]) -> str:
    rate, error = value
    return f"{100 * rate:.1f} ± {100 * error:.1f}"


def rates(rows: Sequence[Row]) -> dict[str, int]:
    """Histories without an edge and with one of t = 4, and the mistakes of the light on them, for the default goal."""
    empty, planted = _without_edge(rows, DEFAULT_GOAL), _with_edge(rows, DEFAULT_GOAL, 4)
    return {
        "histories": len(empty),
        **{colour: sum(row["colour"] == colour for row in empty) for colour in ("green", "amber")},
        "with_edge": len(planted),
        "missed": sum(row["colour"] == "red" for row in planted),
    }


def _without_edge(rows: Sequence[Row], goal: str) -> list[Row]:
    families = [family for family in FAMILIES if family.edge is None and family.counted]
    return [row for family in families for row in rows_of(rows, family, goal)]


def _with_edge(rows: Sequence[Row], goal: str, edge: int) -> list[Row]:
    return [row for family in FAMILIES if family.edge == edge for row in rows_of(rows, family, goal)]


def render_page(rows: Sequence[Row], digest: str) -> str:
    by_goal = [line for goal in goals_of(rows) for line in (*_families(rows, goal), *_by_own_edge(rows, goal))]
    return "\n".join([*_opening(digest), *_goals(rows), *by_goal, *_coverage(rows), *_method()]) + "\n"


def _opening(digest: str) -> list[str]:
    return [
        "# How often the verdict errs",
        "",
        "The [verdict](report-and-verdict.md#the-verdict) was tried on generated histories with a known truth. Each",
        "went through the search, the choice and the judge of a job, with nothing left out. A light that is green",
        "where there is no edge misleads; one that is red where there is an edge misses it.",
        "",
        f"Written by `make calibration`; code and families `{digest}`. The seed of a history is its number, from 0.",
        "The tests repeat a sample of these histories, so that a change of the code that judges otherwise is noticed.",
        "",
    ]


def _goals(rows: Sequence[Row]) -> list[str]:
    """The rates of each goal over all kinds of history, and the choice of the default."""
    goals = goals_of(rows)
    complete = [g for g in goals if all((_without_edge(rows, g), _with_edge(rows, g, 4), _with_edge(rows, g, 6)))]
    if len(complete) < 2:
        return []
    lines = [
        "## By goal",
        "",
        "Shares in percent, ± one standard error.",
        "",
        "| goal | green without an edge | green or amber without an edge | green at t = 4 | green at t = 6 |",
        "|---|---|---|---|---|",
    ]
    reliable: list[tuple[float, str]] = []
    for goal in complete:
        empty = _without_edge(rows, goal)
        green, lit = share(empty, "green"), share(empty, "green", "amber")
        found, all_found = (share(_with_edge(rows, goal, edge), "green") for edge in (4, 6))
        lines.append(f"| `{goal}` | {percent(green)} | {percent(lit)} | {percent(found)} | {percent(all_found)} |")
        if green[0] <= WITHOUT_EDGE["green"] + TOLERANCE and lit[0] <= WITHOUT_EDGE["amber or green"] + TOLERANCE:
            reliable.append((found[0], goal))
    return [*lines, "", f"A request that names no goal maximises `{DEFAULT_GOAL}`. {_choice(reliable)}", ""]


def _choice(reliable: Sequence[tuple[float, str]]) -> str:
    """What the rates say about the default; `reliable` holds the share of edges found by goals that rarely err."""
    if not reliable:
        return "No goal keeps to the wanted rates without an edge."
    best = max(reliable, key=lambda pair: (pair[0], pair[1] == DEFAULT_GOAL))[1]
    if best == DEFAULT_GOAL:
        return "Of the goals that keep to the wanted rates without an edge it finds the most edges of t = 4."
    if DEFAULT_GOAL not in [goal for _, goal in reliable]:
        return f"It does not keep to the wanted rates without an edge; `{best}` does."
    return f"`{best}` finds more edges of t = 4, and also keeps to the wanted rates without an edge."


def _families(rows: Sequence[Row], goal: str) -> list[str]:
    lines = [
        f"## By kind of history, goal `{goal}`",
        "",
        "Shares in percent, ± one standard error. *Best t* is the t-ratio that the best of 192 configurations has on a",
        f"history of this length, measured on {EDGE_HISTORIES} others: its mean daily advantage over the true error of",
        "that mean. Wanted is at most 5% green and 15% green or amber without an edge, and at least 75% green at t = 4",
        "and 93% at t = 6, within three points.",
        "",
        "| history | best t | histories | green | amber | red | wanted |",
        "|---|---|---|---|---|---|---|",
    ]
    for family in FAMILIES:
        own = rows_of(rows, family, goal)
        if not own:
            continue
        best = next((f"{row['best_t']:.1f}" for row in measured(rows, family, "edge")), "–")
        colours = " | ".join(percent(share(own, colour)) for colour in ("green", "amber", "red"))
        lines.append(f"| {family.title} | {best} | {len(own)} | {colours} | {_wanted(family, goal, own)} |")
    return [*lines, ""]


def _wanted(family: Family, goal: str, own: Sequence[Row]) -> str:
    green, lit = share(own, "green")[0], share(own, "green", "amber")[0]
    if not family.counted:
        return "for information"
    if len(own) < histories_of(family, goal):
        return f"{len(own)} of {histories_of(family, goal)} so far"
    if family.edge is None:
        return _mark(green <= WITHOUT_EDGE["green"] + TOLERANCE and lit <= WITHOUT_EDGE["amber or green"] + TOLERANCE)
    least = WITH_EDGE.get(round(family.edge))
    return "for information" if least is None else _mark(green >= least - TOLERANCE)


def _mark(reached: bool) -> str:
    return "reached" if reached else "not reached"


def _by_own_edge(rows: Sequence[Row], goal: str) -> list[str]:
    low, high, least = OWN_EDGE
    own = [row for row in rows if row["goal"] == goal and low <= row.get("true_t", math.nan) <= high]
    if not own:
        return []
    return [
        f"### By the winner's own edge, goal `{goal}`",
        "",
        f"Of {len(own)} winners whose own true t-ratio lies between {low} and {high}, "
        f"{percent(share(own, 'green'))} percent are green (wanted: at least {least:.0%}).",
        "",
    ]


def _coverage(rows: Sequence[Row]) -> list[str]:
    lines: list[str] = []
    for family in FAMILIES_COVERED:
        benefits = [
            FixedBenefit.model_validate(benefit)
            for row in measured(rows, family, "interval")
            for benefit in row["benefits"]
        ]
        truths = [ScenarioTruth.model_validate(row["truth"]) for row in measured(rows, family, "truth")]
        if not (benefits and truths):
            continue
        histories, covered = len(measured(rows, family, "interval")), count_covered(benefits, truths[0])
        winners = [row for row in rows_of(rows, family) if "winner_held" in row]
        own = f"{100 * _mean(winners, 'winner_held'):.1f}% of {len(winners)}" if winners else "–"
        lines.append(
            f"| {family.title} | {histories} | {len(benefits)} | {100 * covered / len(benefits):.1f}% | {own} |"
        )
    if not lines:
        return []
    return [
        "## The interval of the benefit",
        "",
        "How often the 95% interval holds the benefit that the generating law gives, over the same constant weight:",
        "for three configurations that are fixed in advance (wanted: 90 to 98%), and for the winner of the search.",
        "The intervals of one history are correlated. The winner is the best of many: its interval does not correct",
        "for that.",
        "",
        "| history | histories | intervals of fixed configurations | hold the truth | the winner's do |",
        "|---|---|---|---|---|",
        *lines,
        "",
    ]


def _mean(rows: Sequence[Row], name: str) -> float:
    return sum(bool(row[name]) for row in rows) / len(rows)


def _method() -> list[str]:
    return [
        "## How it is measured",
        "",
        "A history has 33 years of train and validation, and a locked holdout after them. The search has 60 trials,",
        "256 paths in each of the five scenarios. An edge is planted by states of rising and falling prices, or by",
        "rare states of crashes. `make calibration` continues where it stopped, unless the code has come to judge",
        "otherwise.",
    ]
