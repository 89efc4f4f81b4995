import dataclasses
import types
import typing

from quant.performance.statistics import STATISTICS
from quant.performance.summary import Tearsheet


def test_every_number_of_a_tear_sheet_has_one_row() -> None:
    hints = typing.get_type_hints(Tearsheet)
    numbers = {float, int, float | None, int | None}
    fields = {field.name for field in dataclasses.fields(Tearsheet) if hints[field.name] in numbers}
    assert all(isinstance(kind, types.UnionType | type) for kind in numbers)
    names = [row.name for row in STATISTICS]
    assert len(names) == len(set(names))
    assert set(names) == fields


def test_labels_are_unique_and_definitions_are_sentences() -> None:
    assert len({row.label for row in STATISTICS}) == len(STATISTICS)
    for row in STATISTICS:
        assert row.definition.endswith(".")
        assert row.definition[0].isupper() or row.definition[0].isdigit()
