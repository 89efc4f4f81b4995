import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.figures.figures import Claim, Figure, format_figure
from desk.figures.guard.claims import check, codes, render, split_by_figures
from desk.figures.guard.quantities import REFERENCE
from desk.optimization.permitted_names import permitted_by
from desk.optimization.request import OptimizationRequest

FIGURES = (
    Figure(id="benefit_bps", quantity="benefit", value=37.2, unit="bps", error=9.1, source="result.benefit"),
    Figure(
        id="winner_name", quantity="winner", value="a 12-month rule, 60/40 {{benefit_bps}}", unit="text", source="r"
    ),
    Figure(id="worst_year", quantity="worst calendar year", value="2008", unit="date", source="r"),
)


def claim(text: str) -> Claim:
    return Claim(section="why", text=text)


def refusals(text: str) -> tuple[str, ...]:
    return codes(check(claim(text), FIGURES))


@pytest.mark.parametrize(
    "text",
    [
        "The benefit is {{benefit_bps}}, which no one should take for granted.",
        "It held up in its worst calendar year, {{worst_year}} (a hard year); the winner is {{winner_name}}.",
        "The winner is {{winner_name}}; a constant weight isn't simpler.",
        "The winner is {{winner_name}}, whose place lies in volatility, height, weight and tenure.",
        "Mix the assets – often – and the network of attention stands alone, done and gone.",
        "Rebalanced monthly, weekly or daily, its interest is tense and listened to.",
        "“Against it”: luck!",
    ],
)
def test_plain_english_with_references_is_released(text: str) -> None:
    assert check(claim(text), FIGURES) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("It earns 37 more.", "digit"),
        ("It earns ٣٧ more.", "digit"),
        ("It earns ３７ more.", "digit"),
        ("It earns x² more.", "digit"),
        ("It earns ½ more.", "digit"),
        ("It earns ③ more.", "digit"),
        ("It earns 三十 more.", "digit"),
        ("It earns Ⅻ more.", "digit"),
        ("It earns ⅻ more.", "digit"),
        ("It earns 𝟑𝟕 more.", "digit"),
        ("It earns twelve more.", "number_word"),
        ("It earns TWELVE more.", "number_word"),
        ("It earns thirty-seven more.", "number_word"),
        ("It earns thirtyseven more.", "number_word"),
        ("It earns twelv more.", "number_word"),
        ("It earns fourty more.", "number_word"),
        ("It earns hunderd more.", "number_word"),
        ("It earns a third more.", "number_word"),
        ("It earns half of it.", "number_word"),
        ("It doubles the return.", "number_word"),
        ("It trades twice.", "number_word"),
        ("It is the second best.", "number_word"),
        ("One of them wins.", "number_word"),
        ("It gained a dozen points.", "number_word"),
        ("It gained tenfold.", "number_word"),
        ("It gained some percent.", "number_word"),
        ("It gained some bps.", "number_word"),
        ("It lasted a decade.", "number_word"),
        ("Plan II is better.", "number_word"),
        ("Plan xiv is better.", "number_word"),
        ("Plan C is better.", "number_word"),
        ("It earns zwanzig more.", "number_word"),
        ("It earns veinte more.", "number_word"),
        ("It earns t-w-e-l-v-e more.", "spelled_out"),
        ("It earns t w e l v e more.", "spelled_out"),
        ("It earns tw-elve more.", "number_word"),
        ("It earns tw'elve more.", "number_word"),
        ("It earns tw\u200belve more.", "character"),
        ("It earns \u202etxet more.", "character"),
        ("It earns\x07 more.", "character"),
        ("It earns\nmore.", "character"),
        ("It earns twеlve more.", "character"),  # a Cyrillic letter
        ("It earns 💯 more.", "character"),
        ("It earns a % more.", "character"),
        ("It earns $ more.", "character"),
        ("<b>It</b> wins.", "character"),
        ("It [wins](here).", "character"),
        ("It *wins*.", "character"),
        ("See evil.example for more.", "link"),
        ("See https: it wins.", "link"),
        ("It earns {{benefit}}.", "unknown_reference"),
        ("It earns {{winner_name}}{{benefit_bps}}.", "glued_reference"),
        ("It earns {{benefit_bps}}k.", "glued_reference"),
        ("It earns -{{benefit_bps}}.", "glued_reference"),
        ("It earns {{benefit_bps}}-fold.", "glued_reference"),
        ("It earns minus {{benefit_bps}}.", "changed_reference"),
        ("It earns {{benefit_bps}} million.", "number_word"),
        ("It earns {benefit_bps}.", "malformed_reference"),
        ("It earns {{benefit_bps}.", "malformed_reference"),
        ("It earns {{{benefit_bps}}}.", "malformed_reference"),
        ("It earns {{ benefit_bps }}.", "malformed_reference"),
        ("It earns {{BENEFIT_BPS}}.", "malformed_reference"),
        ("It earns {{benefit_bps|upper}}.", "malformed_reference"),
        ("The count of falls is ....- -.... beside {{benefit_bps}}.", "character"),
    ],
)
def test_a_number_of_its_own_is_refused(text: str, code: str) -> None:
    assert code in refusals(text)


@given(st.characters(categories=["Nd", "Nl", "No"]))
def test_no_digit_of_any_script_passes(character: str) -> None:
    assert refusals(f"It earns {character} more.")
    assert refusals(f"It earns{character}more.")


@given(st.text(max_size=60))
def test_released_text_has_neither_digits_nor_anything_but_plain_letters(text: str) -> None:
    if not text or check(Claim(section="why", text=text), FIGURES):
        return
    rest = REFERENCE.sub("", text)
    assert not [c for c in rest if unicodedata.numeric(c, None) is not None or unicodedata.category(c)[0] in "NC"]
    marks = set("“”‘’–—‑…\u00a0")
    assert [c for c in rest if not c.isascii() and c not in marks and not ("À" <= c <= "ſ" and c.isalpha())] == []


BENEFIT, YEAR = "the benefit is {{benefit_bps}},", "the worst calendar year was {{worst_year}},"


@given(st.lists(st.sampled_from(["a weight", BENEFIT, YEAR, "and it holds,"]), min_size=1, max_size=10))
def test_rendering_puts_in_figures_and_changes_nothing_else(pieces: list[str]) -> None:
    draft = claim(" ".join(pieces))
    assert check(draft, FIGURES) == []
    rendered_claim = render(draft, FIGURES)
    expected = draft.text
    for figure in FIGURES:
        expected = expected.replace(f"{{{{{figure.id}}}}}", format_figure(figure))
    assert rendered_claim.text == expected
    assert "".join(text for text, _ in split_by_figures(rendered_claim, FIGURES)) == expected
    assert [figure.id for _, figure in split_by_figures(rendered_claim, FIGURES) if figure] == REFERENCE.findall(
        draft.text
    )
    assert set(rendered_claim.figures) == {id_ for p in pieces for id_ in REFERENCE.findall(p)}


def test_the_text_of_a_figure_is_not_read_for_references() -> None:
    assert "{{benefit_bps}}" in render(claim("It is {{winner_name}}."), FIGURES).text


@pytest.mark.parametrize(
    ("value", "unit", "error", "text"),
    [
        (37.2, "bps", 9.1, "37 bps a year, plus or minus 9"),
        (-0.4, "bps", None, "0 bps a year"),
        (-37.2, "bps", None, "−37 bps a year"),
        (37.2, "bps", 0.1, "37 bps a year, plus or minus less than 1"),
        (0.1234, "percent", 0.004, "12.3%, plus or minus 0.4 points"),
        (2.14, "points", None, "2.1 points"),
        (0.614, "weight", None, "61%"),
        (0.39, "probability", None, "39%"),
        (0.001, "probability", None, "below 1%"),
        (0.999, "probability", None, "above 99%"),
        (1.0, "probability", None, "100%"),
        (1234567, "count", None, "1,234,567"),
        (0.4567, "ratio", 0.1, "0.46, plus or minus 0.10"),
        (252.0, "days", None, "252 days"),
        (21.44, "years", None, "21.4 years"),
        ("S&P 500", "text", None, "S&P 500"),
    ],
)
def test_a_figure_reads_by_its_unit(value, unit, error, text) -> None:
    assert format_figure(Figure(id="x", quantity="x", value=value, unit=unit, error=error, source="x")) == text


NAMES = ("S&P 500 fund", "AAPL", "bear_market", "2022-03-01", "Fund 2030", "60/40 core")


@pytest.mark.parametrize(
    "text",
    [
        "In bear_market it holds up.",
        "The S&P 500 fund and AAPL: the benefit is {{benefit_bps}}.",
        "(Fund 2030) began on 2022-03-01.",
        "60/40 core is simple.",
    ],
)
def test_names_and_dates_of_the_request_are_permitted(text: str) -> None:
    assert check(claim(text), FIGURES, NAMES) == []
    assert check(claim(text), FIGURES)


@pytest.mark.parametrize(
    "text",
    [
        "The S&P 500 fund is not the S&P 500.",
        "Fund 2030 is not Fund 20301.",
        "It gained 2030.",
        "It began on 2022-03-011.",
        "It began on 2022-03-01-01.",
        "The 160/40 core is simple.",
        "The 60/40 core% is simple.",
        "60/40 core.5 is simple.",
        "AAPL gained 5.",
        "-60/40 core is simple.",
    ],
)
def test_a_permitted_name_is_whole_and_permits_nothing_else(text: str) -> None:
    assert check(claim(text), FIGURES, NAMES)


NUMBERS = "12 12% five Twelve 1990 $5m −3 1.5x VI {{benefit_bps}}".split()
MEASURES = ["12 percent", "5 bps a year", "EUR 5m", "Growth 12%", "up 500 bps", "3 points"]


@pytest.mark.parametrize("name", [*NUMBERS, *MEASURES])
def test_a_number_is_no_name(name: str) -> None:
    assert check(claim(f"It is {name} more."), FIGURES[1:], (name,))


def test_the_request_permits_its_name_its_scenarios_and_its_assets() -> None:
    names = permitted_by(OptimizationRequest(name="Fund 2030", universe="stocks:AAPL,JNJ"), ["JNJ", "XOM"])
    assert {"Fund 2030", "AAPL", "JNJ", "XOM", "bear_market"} <= set(names)
    assert len(names) == len(set(names))


def test_a_name_that_is_a_number_in_disguise_permits_nothing() -> None:
    request = OptimizationRequest(name="12%")
    assert check(claim("It earns 12% more."), FIGURES, permitted_by(request))


def test_a_text_that_differs_from_its_rendering_is_one_part_without_figures() -> None:
    rendered_claim = render(claim("The benefit is {{benefit_bps}}."), FIGURES)
    forged = rendered_claim.model_copy(update={"text": "The benefit is 99 bps a year."})
    assert split_by_figures(forged, FIGURES) == [("The benefit is 99 bps a year.", None)]
    assert split_by_figures(rendered_claim, FIGURES)[1] == (format_figure(FIGURES[0]), FIGURES[0])
    assert split_by_figures(rendered_claim, ()) == [(rendered_claim.text, None)]
