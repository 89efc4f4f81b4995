"""Results of the assistant's tools on runs, searches and saved strategies."""

from typing import Literal, TypeAlias

from desk.figures.figures import Figure
from desk.optimization.reading.alternative import Alternative
from desk.optimization.reading.comparison import Comparison
from desk.optimization.reading.findings import Findings
from desk.optimization.reading.ranking import Ranking
from desk.optimization.reading.topics import Topic
from quant.numeric.frozen import Frozen


class Refusal(Frozen):
    """A tool could not do what was asked; the figures hold the rejected value."""

    refused: str
    """Error code."""
    figures: tuple[Figure, ...]


class RunSummary(Frozen):
    """A run of the user, without its result."""

    run: str
    name: str
    state: str
    created_at: str


class ResultExplanation(Frozen):
    """Explanation of a stored result by topic; comparisons are made by code."""

    run: str
    topic: Topic
    detail: str | None
    findings: Findings
    """Findings with the figures of the topic."""
    ranking: Ranking | None = None
    alternative: Alternative | None = None
    withheld: tuple[Figure, ...] = ()
    """Figures that a claim may refer to although their values are hidden from the model."""


class ResultComparison(Frozen):
    first: str
    second: str
    comparison: Comparison


class RunList(Frozen):
    runs: tuple[RunSummary, ...]
    figures: tuple[Figure, ...]


Kept: TypeAlias = Literal["strategies", "portfolios", "data", "assets"]


class KeptList(Frozen):
    """What a person has beside results, by name."""

    what: Kept
    count: int
    figures: tuple[Figure, ...]


class OpenedHoldout(Frozen):
    """The locked holdout of a run, opened once after approval."""

    run: str
    figures: tuple[Figure, ...]


class SearchEstimate(Frozen):
    """Estimated cost of a search that is not launched."""

    figures: tuple[Figure, ...]


class FinishedSearch(Frozen):
    """Findings of a finished search."""

    run: str
    findings: Findings
    ranking: Ranking


class RemovedScenario(Frozen):
    """A scenario of a person's own that was taken back."""

    figures: tuple[Figure, ...]


class SavedConfiguration(Frozen):
    figures: tuple[Figure, ...]
