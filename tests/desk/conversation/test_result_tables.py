from desk.conversation.answers import ResultExplanation
from desk.conversation.result_tables import RESULT_TABLES
from desk.optimization.judgement.result_figures import result_figures
from desk.optimization.reading.findings import build_findings
from desk.optimization.reading.topics import Topic
from tests.sample_result import sample_result


def tables(topic: Topic) -> dict[str, dict[str, tuple[str, ...]]]:
    """The rows of each table by title, by their first cell."""
    result = sample_result()
    result = result.model_copy(update={"figures": result_figures(result)})
    explained = ResultExplanation(run="r1", topic=topic, detail=None, findings=build_findings(result))
    exhibits = RESULT_TABLES["ResultExplanation"](explained)
    return {exhibit.title: {row[0]: row[1:] for row in exhibit.rows} for exhibit in exhibits}


def test_questions_of_luck_are_answered_with_the_evidence_on_unused_days() -> None:
    rows = tables("luck")["On days that the choice did not use"]
    assert rows["Advantage, chosen anew each year"] == ("{{walk_forward_bps}}",)
    assert rows["Paths behind the constant weight"] == ("{{cross_validation_below_zero}}",)
    assert rows["Purged on both sides of a test"] == ("{{cross_validation_purge}}",)
    assert "Track record needed to show skill" in tables("luck")["Luck or skill"]


def test_questions_of_reasons_are_answered_with_best_values_and_the_strongest_pair() -> None:
    shown = tables("why")
    assert shown["What the objective depends on"]["{{driver_1}}"] == (
        "{{driver_1_share}}",
        "{{driver_1_best}}",
        "{{driver_1_range}}",
    )
    assert shown["Parameters that act together"]["The strongest pair"] == ("{{interaction_pair}}",)
