"""The summary that a command prints."""

from api.cli.output.summary import rows
from api.export.formatting import sentence
from tests.sample_result import sample_result


def test_the_rule_that_the_verdict_speaks_of_is_named_beside_the_winner() -> None:
    result = sample_result()
    parts = dict(rows(result))
    assert parts["Current rule"] == sentence(result.manifest.request.current_rule)
    assert "252 sessions, monthly" in parts["Current rule"]
    assert "Current rule" not in dict(rows(result.model_copy(update={"winner": None})))
