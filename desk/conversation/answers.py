"""What the assistant's tools on results and searches return."""

from desk.figures.figures import Figure
from desk.optimization.reading.alternative import Alternative
from desk.optimization.reading.comparison import Comparison
from desk.optimization.reading.findings import Findings
from desk.optimization.reading.ranking import Ranking
from desk.optimization.reading.topics import Topic
from quant.numeric.frozen import Frozen


class Refusal(Frozen):
    """A tool could not do what was asked; the figures say which value of the person's stood in the way."""

    refused: str
    """Code of the error."""
    figures: tuple[Figure, ...]


class RunSummary(Frozen):
    """A run of the person's, without its result."""

    run: str
    name: str
    state: str
    created_at: str


class Explained(Frozen):
    """A stored result under one aspect; the comparisons were made by code."""

    run: str
    topic: Topic
    detail: str | None
    findings: Findings
    """Its figures are those of the topic."""
    ranking: Ranking | None = None
    alternative: Alternative | None = None
    withheld: tuple[Figure, ...] = ()
    """Figures that a claim may refer to although their values are not shown here."""


class Compared(Frozen):
    first: str
    second: str
    comparison: Comparison


class Listed(Frozen):
    runs: tuple[RunSummary, ...]
    figures: tuple[Figure, ...]


class Opened(Frozen):
    """The locked holdout of a run, opened once after a person's approval."""

    run: str
    figures: tuple[Figure, ...]


class Estimated(Frozen):
    """What a search would take; nothing was launched."""

    figures: tuple[Figure, ...]


class Launched(Frozen):
    """A search that has finished, as an explanation needs it."""

    run: str
    findings: Findings
    ranking: Ranking


class Saved(Frozen):
    figures: tuple[Figure, ...]
