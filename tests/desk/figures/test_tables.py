from desk.conversation.tables import build_exhibits
from desk.figures.figures import Figure
from desk.figures.tables import Exhibit, build_listing, build_notes, build_table
from quant.numeric.frozen import Frozen


def figure(id_: str) -> Figure:
    return Figure(id=id_, quantity=id_, value=1.0, unit="count", source="test")


KNOWN = (figure("a"), figure("b"), figure("name"))


def test_a_cell_without_a_figure_is_empty_and_what_is_all_empty_is_left_out() -> None:
    rows = [("first", "a", "none", "b"), ("second", "none", "none", "a"), ("third", "none", "none", "none")]
    exhibit = build_table("Title", ("", "One", "Two", "Three"), rows, KNOWN)
    assert exhibit == Exhibit(
        title="Title", columns=("", "One", "Three"), rows=(("first", "{{a}}", "{{b}}"), ("second", "", "{{a}}"))
    )
    assert exhibit.ids() == ("a", "b")


def test_a_label_may_be_a_reference_and_its_row_goes_with_its_figure() -> None:
    exhibit = build_table("Title", ("", "One"), [("{{name}}", "a"), ("{{unknown}}", "b")], KNOWN)
    assert exhibit.rows == (("{{name}}", "{{a}}"),)
    assert exhibit.ids() == ("name", "a")


def test_a_listing_has_a_row_for_each_figure() -> None:
    assert build_listing("Title", {"a": "One", "none": "Two"}, KNOWN).rows == (("One", "{{a}}"),)


def test_a_note_is_never_taken_for_a_reference() -> None:
    assert build_notes("Title", ("{{a}} is not meant",)).ids() == ()


def test_what_has_no_tables_has_none() -> None:
    class Other(Frozen):
        pass

    assert build_exhibits(Other()) == ()
