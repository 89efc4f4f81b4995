"""The guard on whole sentences: numbers are refused in every form, ordinary prose is released.

`blind_texts` were written by authors who knew the guard's rule and never saw its code; the sets in `texts` look for
the border between an idiom and a number.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.figures.figures import Claim, Figure, format_figure
from desk.figures.guard.claims import check, render, split_by_figures, violations
from desk.figures.guard.quantities import REFERENCE

FOLDER = Path(__file__).parent
QUANTITIES = {
    "benefit_bps": ("benefit", "bps"),
    "volatility": ("volatility", "percent"),
    "max_drawdown": ("maximum drawdown", "percent"),
    "sharpe": ("Sharpe ratio", "ratio"),
    "deflated_sharpe": ("deflated Sharpe ratio", "probability"),
    "overfitting": ("probability of overfitting", "probability"),
    "spa_p": ("p-value of superior predictive ability", "probability"),
    "turnover": ("turnover", "ratio"),
    "cost": ("cost", "percent"),
    "today_weight": ("weight", "weight"),
    "target_volatility": ("target volatility", "percent"),
    "trials": ("trials", "count"),
    "value_at_risk": ("value at risk", "percent"),
    "expected_shortfall": ("expected shortfall", "percent"),
    "validate_advantage_bps": ("advantage on validation", "bps"),
}
FIGURES = tuple(
    Figure.model_validate({"id": id_, "quantity": quantity, "unit": unit, "value": 0.25, "source": "test"})
    for id_, (quantity, unit) in QUANTITIES.items()
)
DESCRIBED = {"the number of days in a week", "as many trials as there are letters in the English alphabet"}
"""Quantities that are described and not stated: no list of words finds them."""
RESPECTIVELY = "Both the volatility and the drawdown fall, to {{volatility}} and {{max_drawdown}}."
"""The only ordinary sentence that is refused: each reference stands beside the words of the other."""


def texts(name: str) -> list[str]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return [row["text"] for row in json.loads(text)] if name.endswith(".json") else text.splitlines()


PROSE = texts("texts/prose.txt")
REFERRING = texts("texts/prose_with_references.txt")


def is_refused(text: str) -> bool:
    return bool(violations([Claim(section="why", text=text)], FIGURES))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("blind_texts/with_numbers.json", 60),
        ("blind_texts/disguised_numbers.json", 30),
        ("texts/numbers.txt", 400),
    ],
)
def test_a_number_is_refused(name: str, count: int) -> None:
    released = [text for text in texts(name) if not is_refused(text)]
    assert [text for text in released if not any(phrase in text for phrase in DESCRIBED)] == []
    assert len(texts(name)) >= count


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("blind_texts/without_numbers.json", 60),
        ("blind_texts/portfolio_prose.json", 30),
        ("texts/prose.txt", 300),
        ("texts/prose_with_references.txt", 100),
    ],
)
def test_ordinary_prose_is_released(name: str, count: int) -> None:
    assert [text for text in texts(name) if is_refused(text) and text != RESPECTIVELY] == []
    assert len(texts(name)) >= count


ONES = "two three four five six seven eight nine".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SCRIPTS = ("0", "٠", "०", "０", "𝟎")
NUMBER = st.one_of(
    st.integers(0, 9999).map(str),
    st.builds(
        lambda number, zero: "".join(chr(ord(zero) + int(digit)) for digit in str(number)),
        st.integers(0, 999),
        st.sampled_from(SCRIPTS),
    ),
    st.builds("{} percent".format, st.sampled_from(["one", "a", "another", *ONES, "half a", "some"])),
    st.builds("{}-{}".format, st.sampled_from(TENS), st.sampled_from(["one", *ONES])),
    st.builds("{} of the".format, st.sampled_from(["half", "a third", "two thirds", "a quarter", "three quarters"])),
    st.builds(lambda word, case: case(word), st.sampled_from(TENS), st.sampled_from([str.upper, str.title])),
    st.builds(
        lambda word, mark, place: word[:place] + mark + word[place:],
        st.sampled_from([*ONES[1:], *TENS]),
        st.sampled_from(["\u200b", "\u00ad", "\u0301", "-", "'", "\u2011", "."]),
        st.integers(1, 2),
    ),
    st.builds(
        lambda word, mark: mark.join(word), st.sampled_from([*ONES[1:], *TENS]), st.sampled_from([" ", "-", ".", "*"])
    ),
    st.sampled_from("sieben douze trece dodici elva kolme XII iv Ⅶ ½ ⑦ ² twice tenfold halved fortnight zero".split()),
    st.sampled_from(
        ["a dozen", "a couple of", "top decile", "an order of magnitude", "in the mid-teens", "one in ten"]
    ),
)
"""Numbers in many forms, none of them the end of an idiom in the texts."""


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PROSE), NUMBER, st.data())
def test_a_number_anywhere_in_prose_is_refused(text: str, number: str, data: st.DataObject) -> None:
    words = text.split(" ")
    place = data.draw(st.integers(0, len(words)))
    assert check(Claim(section="why", text=" ".join([*words[:place], number, *words[place:]])), ())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(REFERRING) | st.sampled_from(PROSE), min_size=1, max_size=3))
def test_rendering_changes_nothing_but_references(sentences: list[str]) -> None:
    claim = Claim(section="why", text=" ".join(sentences)[:600])
    if any(mark in REFERENCE.sub("", claim.text) for mark in "{}"):
        return
    rendered = render(claim, FIGURES)
    pieces = split_by_figures(rendered, FIGURES)
    assert "".join(text for text, _ in pieces) == rendered.text
    assert "".join(f"{{{{{figure.id}}}}}" if figure else text for text, figure in pieces) == claim.text
    assert all(text == format_figure(figure) for text, figure in pieces if figure)
