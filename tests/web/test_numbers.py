"""The web application writes numbers by the same rules as the terminal and the report."""

import json

import pytest

from api.export.formatting import bps, dollars, percent
from desk.base.text import number
from tests.web.browsing import ROOT

FORMS = {
    "number": lambda value, digits, signed: number(value, digits, signed=signed),
    "percent": lambda value, digits, signed: percent(value, digits, signed=signed),
    "bps": lambda value, _, signed: bps(value, signed=signed),
    "dollars": lambda value, *_: dollars(value),
}
CASES = json.loads((ROOT / "web/src/numbers/cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['form']} {case['text']}")
def test_the_terminal_writes_the_same_text(case):
    assert FORMS[case["form"]](case["value"], case["digits"], case.get("signed", False)) == case["text"]
