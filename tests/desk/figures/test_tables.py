from desk.conversation.tables import build_exhibits
from desk.figures.figures import Figure
from desk.figures.tables import Exhibit, build_listing, build_notes, build_table
from quant.numeric.frozen import Frozen


def figure(id_: str) -> Figure:
    return Figure(id=id_, quantity=id_, value=1.0, unit="count", source="test")


KNOWN = (figure("a"), figure("b"), figure("name"))


def test_cells_without_a_figure_are_empty_and_empty_columns_are_omitted() -> None:
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


def test_text_of_a_note_is_never_a_reference() -> None:
    assert build_notes("Title", ("{{a}} is not meant",)).ids() == ()


def test_results_without_tables_have_none() -> None:
    class Other(Frozen):
        pass

    assert build_exhibits(Other()) == ()
