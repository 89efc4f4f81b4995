"""The sentences that code writes about a result, by topic of a question."""

from collections.abc import Callable, Mapping
from typing import Final

from desk.figures.figures import Figure
from desk.optimization.reading.in_words.benchmarks import describe_benchmarks
from desk.optimization.reading.in_words.costs import describe_costs
from desk.optimization.reading.in_words.data import describe_data, describe_work
from desk.optimization.reading.in_words.limits import describe_limits
from desk.optimization.reading.in_words.scenario import describe_extremes, describe_scenario
from desk.optimization.reading.in_words.verdict import describe_changes, describe_tests
from desk.optimization.reading.in_words.years import describe_years
from desk.optimization.reading.plain_words import explain_plainly
from desk.optimization.reading.topics import Topic
from desk.optimization.result import OptimizationResult


def topic_sentences(
    result: OptimizationResult, topic: Topic, detail: str | None = None, message: str = ""
) -> tuple[Figure, ...]:
    """Sentences about a topic as figures, for `detail` and for the years that `message` names."""
    match topic:
        case "years":
            return describe_years(result, detail)
        case "scenario":
            return describe_scenario(result, detail)
        case "data":
            return describe_data(result, message)
        case _:
            return _SENTENCES[topic](result) if topic in _SENTENCES else ()


_SENTENCES: Final[Mapping[Topic, Callable[[OptimizationResult], tuple[Figure, ...]]]] = {
    "costs": describe_costs,
    "limits": describe_limits,
    "benchmarks": describe_benchmarks,
    "where_it_loses": describe_extremes,
    "luck": describe_tests,
    "what_would_change": describe_changes,
    "beginner": explain_plainly,
    "computed": describe_work,
}
