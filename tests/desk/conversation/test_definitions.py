"""Definitions of terms: those of the glossary by every name, and those of the tables of metrics and strategies."""

import re
from collections import Counter

import pytest

from desk.base.errors import InvalidInput
from desk.base.glossary import glossary
from desk.conversation.definitions import define
from quant.strategies.family import FAMILY
from quant.strategies.metrics import METRICS


def test_every_term_of_the_glossary_is_defined_by_each_of_its_names() -> None:
    for term in glossary():
        for name in term.names:
            [definition] = [f.value for f in define(name.upper()).figures if f.id.endswith("_definition")]
            assert definition


@pytest.mark.parametrize("name", ["CPPI", "sigmoid", "turnover", "PBO", "expected shortfall", "VaR"])
def test_abbreviations_metrics_and_weight_functions_are_terms(name: str) -> None:
    assert define(name).term


@pytest.mark.parametrize(
    "names",
    [
        "volatility and drawdown",
        "VaR versus CVaR",
        "PBO and the chance of reversal",
        "CPPI and TIPP",
        "Sharpe vs DSR",
    ],
)
def test_two_terms_stand_in_one_sentence_and_nothing_of_their_definitions_is_lost(names: str) -> None:
    both = [define(name) for name in re.split(" and the | and | versus | vs ", names)]
    told = str(define(names).figures[0].value)
    first, *_ = told.split(". ")
    assert [term.term.casefold() in first.casefold() for term in both] == [True, True]
    assert " while " in first
    words = [word for term in both for word in re.findall(r"\w+", str(term.figures[-1].value).casefold())]
    assert Counter(words) <= Counter(re.findall(r"\w+", told.casefold()))


def test_every_row_of_the_tables_is_a_term() -> None:
    for row in FAMILY.values():
        assert define(row.title)
    for metric in METRICS.values():
        assert define(metric.label)


def test_an_unknown_term_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no term of the glossary"):
        define("frobnication")
