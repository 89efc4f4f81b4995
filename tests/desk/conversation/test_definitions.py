"""Definitions of terms: those of the glossary by every name, and those of the tables of metrics and strategies."""

import re

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


@pytest.mark.parametrize("names", ["volatility and drawdown", "VaR versus CVaR", "PBO and the chance of reversal"])
def test_two_terms_are_defined_after_each_other(names: str) -> None:
    first, second = re.split(" and the | and | versus ", names)
    sentences = [str(define(name).figures[0].value) for name in (first, second)]
    assert define(names).figures[0].value == " ".join(sentences)


def test_every_row_of_the_tables_is_a_term() -> None:
    for row in FAMILY.values():
        assert define(row.title)
    for metric in METRICS.values():
        assert define(metric.label)


def test_an_unknown_term_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no term of the glossary"):
        define("frobnication")
