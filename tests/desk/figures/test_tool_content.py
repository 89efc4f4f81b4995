"""What a model reads of a tool's result: short, whole sentences, with every figure that they refer to."""

import json
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from desk.figures.figures import Claim, Figure, Section
from desk.figures.guard.claims import REFERENCE
from desk.figures.sheet import sentence_figure
from desk.figures.tool_content import MAX_BYTES, plain_facts, read_claims, write_content
from quant.numeric.frozen import Frozen

SECTIONS: tuple[Section, ...] = get_args(Section)


def percent(id_: str, value: float | str = 0.1, quantity: str = "volatility") -> Figure:
    unit = "text" if isinstance(value, str) else "percent"
    return Figure(id=id_, quantity=quantity, value=value, unit=unit, source="tool.field")


def read(content: str) -> dict[str, Any]:
    return json.loads(content)


@given(
    texts=st.lists(st.tuples(st.sampled_from(SECTIONS), st.integers(0, 8), st.integers(1, 500)), max_size=30),
    values=st.lists(st.text(max_size=900), min_size=9, max_size=60),
)
@settings(max_examples=60)
def test_whatever_a_tool_returns_is_short_and_complete(texts, values) -> None:
    figures = [percent(f"f{n}", value) for n, value in enumerate(values)]
    claims = [Claim(section=section, text=f"It is {{{{f{n}}}}}. {'x' * size}") for section, n, size in texts]
    content = write_content(claims, figures, {"run": "last"})
    document, shown = read(content), list(read_claims(content))
    assert len(content.encode()) < MAX_BYTES
    assert document["figures"].keys() >= {id_ for claim in shown for id_ in REFERENCE.findall(claim.text)}
    for section in SECTIONS:
        own = [claim for claim in claims if claim.section == section]
        assert [claim for claim in shown if claim.section == section] == own[
            : len(document["sentences"].get(section, ()))
        ]


def test_the_first_sentence_of_every_section_comes_before_the_second_of_another() -> None:
    claims = [Claim(section="winner", text="w" * 600)] * 12 + [Claim(section="counter_argument", text="Against it.")]
    sections = [claim.section for claim in read_claims(write_content(claims, (), {}))]
    assert sections == ["winner"] * (len(sections) - 1) + ["counter_argument"]


def test_a_figure_stands_with_what_it_measures() -> None:
    claims = [Claim(section="answer", text="Its volatility is {{a}}."), Claim(section="answer", text="{{whole}}")]
    figures = [percent("b", 0.2, "beta"), sentence_figure("whole", "All of it.", "t"), percent("a")]
    assert read(write_content(claims, figures, {}))["figures"] == {
        "a": "volatility: 10.0%",
        "whole": "All of it.",
        "b": "beta: 20.0%",
    }


def test_where_there_is_no_room_the_sentence_says_what_a_figure_measures() -> None:
    claims = [Claim(section="answer", text=f"Its volatility is {{{{f{n}}}}}.") for n in range(20)]
    figures = [percent(f"f{n}", quantity="volatility " * 40) for n in range(30)]
    document = read(write_content(claims, figures, {}))
    assert document["figures"]["f0"].endswith(": 10.0%")
    assert [document["figures"][f"f{n}"] for n in range(15, 20)] == ["10.0%"] * 5
    assert "f20" not in document["figures"]


def test_a_sentence_about_a_figure_that_is_missing_is_left_out() -> None:
    claims = [Claim(section="answer", text="It is {{nowhere}}."), Claim(section="answer", text="It is {{a}}.")]
    assert [claim.text for claim in read_claims(write_content(claims, [percent("a")], {}))] == ["It is {{a}}."]


def test_facts_are_words_flags_and_counts_that_say_something() -> None:
    class Result(Frozen):
        run: str = "4e1f"
        detail: str | None = None
        ahead: bool = False
        falls: int = 3
        share: float = 0.5
        caveats: tuple[str, ...] = ("Prices leave dividends out.",)
        nothing: tuple[str, ...] = ()
        advice: str = "Keep it after {{trials}}."
        figures: tuple[Figure, ...] = (percent("a"),)

    caveats = ["Prices leave dividends out."]
    assert plain_facts(Result()) == {"run": "4e1f", "ahead": False, "falls": 3, "caveats": caveats}
