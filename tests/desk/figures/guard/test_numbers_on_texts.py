"""The second guard on texts that were written without knowledge of its rules."""

from tests.bench.texts import false_alarms, outcome, recall, samples


def test_every_invented_number_is_reported() -> None:
    outcomes = [outcome(sample) for sample in samples("adversarial")]
    assert len(outcomes) >= 60
    assert all(each.invented for each in outcomes)
    assert recall(outcomes) == 1.0, [(each.text, each.misses) for each in outcomes if each.misses]


def test_hardly_any_clean_text_raises_an_alarm() -> None:
    outcomes = [outcome(sample) for sample in samples("clean")]
    assert len(outcomes) >= 40
    assert false_alarms(outcomes) < 0.02, [(each.text, each.numbers) for each in outcomes if each.numbers]
