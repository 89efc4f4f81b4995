"""The table of metrics: one row per field, one computation per row, and older stored results."""

from typing import Annotated

from quant.numeric.frozen import digest_of
from quant.numeric.measured import Measured
from quant.performance.statistics import STATISTICS
from quant.strategies.history_metrics import ON_HISTORY
from quant.strategies.metrics import METRICS, Added, Metric, Metrics
from quant.strategies.simulation import OVER_PATHS

SAMPLE = Metrics(**{name: Measured(value=0.01 * place) for place, name in enumerate(METRICS, 1)})


class LaterMetrics(Metrics):
    """Metrics of a later version, with one more."""

    ulcer: Annotated[
        Added, Metric(label="Ulcer index", unit="percent", definition="root mean squared fall", quantity="ulcer index")
    ] = None


def test_every_field_is_a_row_with_one_computation() -> None:
    assert list(METRICS) == list(Metrics.model_fields)
    for name, row in METRICS.items():
        assert (row.path is not None) + (name in OVER_PATHS) + row.for_a_goal == 1, name
        assert row.path is not None or row.for_a_goal or name in ON_HISTORY, name
    assert {*OVER_PATHS, *ON_HISTORY} <= {*METRICS}


def test_no_two_metrics_share_a_label_or_a_phrase() -> None:
    labels = [row.label for row in METRICS.values()]
    phrases = [phrase for row in METRICS.values() for phrase in row.words.split(", ") if phrase]
    assert len({*labels}) == len(labels)
    assert len({*phrases}) == len(phrases)
    spoken = {row.concept for row in METRICS.values() if row.words}
    assert {row.concept for row in METRICS.values()} <= spoken, "a concept without phrases cannot be told from others"


def test_the_schema_says_what_a_metric_means() -> None:
    properties = Metrics.model_json_schema(mode="serialization")["properties"]
    for name, row in METRICS.items():
        assert properties[name]["description"] == f"{row.label}: {row.definition}"


def test_a_result_stored_before_a_metric_existed_opens_with_the_same_digest() -> None:
    stored = SAMPLE.model_dump_json()
    opened = LaterMetrics.model_validate_json(stored)
    assert opened.ulcer is None
    assert opened.model_dump_json() == stored
    assert digest_of(opened) == digest_of(SAMPLE)


def test_a_metric_that_is_there_is_stored() -> None:
    later = LaterMetrics(**dict(SAMPLE), ulcer=Measured(value=0.07))
    assert LaterMetrics.model_validate_json(later.model_dump_json()) == later
    assert later.model_dump()["ulcer"]["value"] == 0.07


def test_a_tear_sheet_calls_the_same_statistic_by_the_same_label_and_unit() -> None:
    """A metric may say more: the horizon of a loss, which on a tear sheet is one period."""
    common = [row for row in STATISTICS if row.name in METRICS]
    assert {row.name for row in common} >= {"volatility", "sharpe", "max_drawdown"}
    for row in common:
        assert METRICS[row.name].label.startswith(row.label)
        assert METRICS[row.name].unit == row.unit
