"""Recall, false alarms and time per text of the guard against invented numbers."""

import pytest

from tests.bench.comparison import Comparison, Row, seconds_of
from tests.bench.texts import false_alarms, outcome, recall, samples

pytestmark = pytest.mark.bench


def test_the_second_guard(comparison: Comparison) -> None:
    adversarial, clean = samples("adversarial"), samples("clean")
    seconds, outcomes = seconds_of(lambda: [outcome(sample) for sample in (*adversarial, *clean)])
    attacked, harmless = outcomes[: len(adversarial)], outcomes[len(adversarial) :]
    invented = sum(len(each.invented) for each in attacked)
    misses = sum(len(each.misses) for each in attacked)
    alarms = sum(len(each.numbers) for each in harmless)
    note = (
        f"recall {recall(attacked):.1%} of the adversarial texts, {invented - misses} of {invented} invented numbers; "
        f"false alarms in {false_alarms(harmless):.1%} of the clean texts, {alarms} numbers"
    )
    size = f"{len(adversarial)} adversarial and {len(clean)} clean texts"
    comparison.rows.append(Row("the second guard on a text", size, seconds / len(outcomes), {}, None, note))
    assert recall(attacked) == 1.0
    assert false_alarms(harmless) < 0.02
