from desk.base.glossary import glossary


def term(name: str):
    (found,) = [term for term in glossary() if name in term.names]
    return found


def test_a_term_has_its_names_its_section_and_its_definition_as_plain_text():
    drawdown = term("Drawdown")
    assert drawdown.section == "Measures"
    assert drawdown.definition.startswith("the fall from the highest value so far. Maximum drawdown: the deepest one.")
    assert term("PBO") == term("Probability of overfitting")
    assert term("Lookback") == term("decay")


def test_no_definition_holds_marks_of_markdown():
    assert [term.names for term in glossary() if set("*`[]") & set(term.definition)] == []


def test_every_entry_of_the_page_is_a_term_and_no_name_is_there_twice():
    names = [name for term in glossary() for name in term.names]
    assert len(names) == len(set(names))
    assert len(glossary()) > 100
