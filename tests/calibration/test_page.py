import pytest

from quant.strategies.goal import DEFAULT_GOAL
from tests.calibration.coverage import FIXED, GRID
from tests.calibration.families import FAMILIES
from tests.calibration.page import rates, render_page

COLOURS = ("green", "amber", "red")


def rows(counts, goal=DEFAULT_GOAL):
    """As many histories of a family as its counts of green, amber and red say."""
    return [
        {"kind": "history", "family": name, "goal": goal, "seed": 0, "colour": colour}
        for name, family_counts in counts.items()
        for colour, count in zip(COLOURS, family_counts, strict=True)
        for _ in range(count)
    ]


def line(page, name):
    title = next(family.title for family in FAMILIES if family.name == name)
    return next(line for line in page.splitlines() if line.startswith(f"| {title} |"))


def test_the_shares_have_their_errors_and_are_compared_with_what_is_wanted() -> None:
    page = render_page(
        rows({"garch": (10, 20, 170), "premium": (20, 0, 180), "trend_4": (160, 20, 20), "crash_6": (160, 20, 20)}),
        "abc",
    )
    assert line(page, "garch").endswith("| 200 | 5.0 ± 1.5 | 10.0 ± 2.1 | 85.0 ± 2.5 | reached |")
    assert line(page, "premium").endswith("| not reached |")
    assert line(page, "trend_4").endswith("| reached |")
    assert line(page, "crash_6").endswith("| not reached |"), "80 percent where 93 are wanted"
    few = render_page(rows({"garch": (1, 2, 17)}), "abc")
    assert line(few, "garch").endswith("| 20 of 200 so far |")


def test_the_t_ratio_of_an_edge_is_that_measured() -> None:
    edge = {"kind": "edge", "family": "trend_4", "goal": DEFAULT_GOAL, "seed": 0, "best_t": 4.04}
    assert "| 4.0 | 10 |" in line(render_page([*rows({"trend_4": (5, 5, 0)}), edge], "abc"), "trend_4")


def test_the_mistakes_are_counted_where_there_is_no_edge_and_where_it_is_large() -> None:
    counted = rows(
        {"garch": (10, 20, 170), "trend_4": (160, 20, 20), "trend_2": (5, 5, 90), "clustering": (50, 50, 50)}
    )
    assert rates(counted) == {"histories": 200, "green": 10, "amber": 20, "with_edge": 200, "missed": 20}


def test_winners_are_judged_by_their_own_edge() -> None:
    page = render_page(
        [{**row, "true_t": 4.0 if row["colour"] == "green" else 2.0} for row in rows({"trend_4": (9, 0, 5)})], "abc"
    )
    assert "Of 9 winners whose own true t-ratio lies between 3.5 and 4.5, 100.0 ± 0.0 percent are green" in page


def test_each_goal_has_a_table_of_its_own_and_the_report_quotes_the_default() -> None:
    default, other = rows({"garch": (10, 20, 170)}), rows({"garch": (1, 2, 17)}, "other_goal")
    page = render_page([*other, *default], "abc")
    first, second = page.split("## By kind of history, goal ")[1:]
    assert first.startswith(f"`{DEFAULT_GOAL}`")
    assert "| 200 | 5.0" in line(first, "garch")
    assert second.startswith("`other_goal`")
    assert line(second, "garch").endswith("| 20 of 60 so far |")
    assert rates([*other, *default])["histories"] == 200


@pytest.mark.parametrize(
    ("default", "other", "sentence"),
    [
        ((5, 80), (5, 70), "it finds the most edges"),
        ((5, 70), (5, 80), "`other_goal` finds more edges"),
        ((20, 99), (5, 80), "It does not keep to the wanted rates without an edge; `other_goal` does"),
        ((20, 99), (20, 99), "No goal keeps"),
    ],
)
def test_the_choice_of_the_default_is_read_from_the_rates(default, other, sentence) -> None:
    """Greens of a hundred histories without an edge, and with one of t = 4."""
    measured = [
        row
        for goal, (empty, found) in ((DEFAULT_GOAL, default), ("other_goal", other))
        for row in rows(
            {"garch": (empty, 0, 100 - empty), "trend_4": (found, 0, 100 - found), "trend_6": (99, 0, 1)}, goal
        )
    ]
    page = render_page(measured, "abc")
    assert f"A request that names no goal maximises `{DEFAULT_GOAL}`." in page
    assert sentence in page


@pytest.mark.parametrize(("half", "share"), [(25.0, "100.0%"), (10.0, "50.0%")])
def test_intervals_are_compared_with_the_benefit_of_the_generating_law(half: float, share: str) -> None:
    """Utilities of 3% in the scenarios and 2 to 4% on four histories, against cash: 300 basis points on average."""
    truth = {"utilities": [0.02] * len(FIXED), "constant_utilities": [0.0] * len(GRID)}
    measured = {"goal": DEFAULT_GOAL, "family": "no_premium"}
    histories = [
        {
            **measured,
            "kind": "interval",
            "seed": seed,
            "benefits": [
                {
                    "config": place,
                    "low": 300.0 + gap - half,
                    "high": 300.0 + gap + half,
                    "weight": 0.5,
                    "history_utility": 0.03 + 3e-4 * gap,
                    "constant_utilities": [0.0] * len(GRID),
                }
                for place in range(len(FIXED))
            ],
        }
        for seed, gap in enumerate((-20.0, -5.0, 5.0, 20.0))
    ]
    winners = [
        {**row, "winner_held": held} for row, held in zip(rows({"no_premium": (0, 0, 2)}), (True, False), strict=True)
    ]
    page = render_page([*histories, *winners, {**measured, "kind": "truth", "seed": 0, "truth": truth}], "abc")
    assert f"| 4 | {4 * len(FIXED)} | {share} | 50.0% of 2 |" in page
