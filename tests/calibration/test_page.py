from tests.calibration.families import FAMILIES
from tests.calibration.page import rates, render_page

COLOURS = ("green", "amber", "red")


def rows(counts):
    """As many histories of a family as its counts of green, amber and red say."""
    return [
        {"family": name, "goal": "robust_utility", "seed": 0, "colour": colour}
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
