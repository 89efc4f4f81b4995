"""What a conversation shows of a tear sheet: its main numbers and tables, without the series."""

from collections.abc import Iterator

from desk.base.text import number, plural
from desk.figures.figures import Figure, format_figure
from desk.figures.sheet import sentence_figure
from desk.tearsheets.schemas import UNNAMED, TearsheetDocument
from quant.numeric.frozen import Frozen


class TearsheetSummary(Frozen):
    """A tear sheet as a tool returns it; `falls`, `years` and `crises` count the rows that have figures."""

    subject: str
    first_day: str
    last_day: str
    benchmark: bool
    """Whether there is a benchmark."""
    ahead: bool | None
    """Whether it grew faster than its benchmark."""
    falls: int
    years: tuple[int, ...]
    crises: int
    caveats: tuple[str, ...]
    figures: tuple[Figure, ...]


def summarize(document: TearsheetDocument) -> TearsheetSummary:
    growth = document.statistic("cagr")
    ahead = None
    if growth.benchmark is not None and growth.value is not None:
        ahead = growth.value > growth.benchmark
    return TearsheetSummary(
        subject=document.subject,
        first_day=str(document.first_day),
        last_day=str(document.last_day),
        benchmark=document.benchmark is not None,
        ahead=ahead,
        falls=len(document.falls),
        years=tuple(row.year for row in document.years),
        crises=len(document.crises),
        caveats=document.caveats,
        figures=(*document.figures, *_in_words(document)),
    )


def _in_words(document: TearsheetDocument) -> Iterator[Figure]:
    """What a question about a tear sheet asks for, in sentences."""
    shown = {figure.id: str(format_figure(figure)) for figure in document.figures}
    title = shown.get("tearsheet_title", document.subject)
    subject = "the winner" if document.subject == "job" else "the portfolio" if title == UNNAMED else title
    days = f"{document.first_day} to {document.last_day}"
    for name, words in (("volatility", "yearly volatility"), ("sharpe", "Sharpe ratio"), ("beta", "beta")):
        if (value := shown.get(f"tearsheet_{name}")) is not None:
            against = f" to {document.benchmark}" if name == "beta" else ""
            text = f"The {words} of {subject}{against} was {value}, from {days}."
            yield sentence_figure(f"tearsheet_{name}_sentence", text, f"show_tearsheet.{name}_sentence")
    growth, volatility, fall = (shown.get(f"tearsheet_{name}") for name in ("cagr", "volatility", "max_drawdown"))
    if growth is None or volatility is None or fall is None:
        return
    risk = f"a volatility of {volatility} and a maximum drawdown of {fall}"
    text = f"From {days} {subject} grew {growth} a year, with {risk}."
    yield sentence_figure("tearsheet_sentence", text, "show_tearsheet.sentence")
    yield from _rows_in_words(document, subject, growth)


def _rows_in_words(document: TearsheetDocument, subject: str, growth: str) -> Iterator[Figure]:
    """The benchmark, the worst and best years, and the deepest fall, each in a sentence."""
    statistic = document.statistic("cagr")
    own, other = statistic.value, statistic.benchmark
    if document.benchmark is not None and own is not None and other is not None:
        theirs = f"{number(100.0 * other, 1)}%"
        pace = "as fast as" if theirs == growth else "faster than" if own > other else "more slowly than"
        text = f"{subject[:1].upper()}{subject[1:]} grew {pace} {document.benchmark}: {growth} a year against {theirs}."
        yield sentence_figure("tearsheet_versus_sentence", text, "show_tearsheet.versus_sentence")
    years = [(row.value, row.year) for row in document.years]
    if years:
        (low, worst), (high, best) = min(years), max(years)
        losing = sum(value < 0.0 for value, _ in years)
        text = (
            f"The worst calendar year of {subject} was {worst} with {number(100.0 * low, 1)}%, and the best {best} "
            f"with {number(100.0 * high, 1)}%; {losing} of {plural(len(years), 'year')} brought a loss."
        )
        yield sentence_figure("tearsheet_years_sentence", text, "show_tearsheet.years_sentence")
    if document.falls:
        fall = document.falls[0]
        begun = f", from the peak of {fall.peak} to the bottom of {fall.trough}" if fall.peak else ""
        regained = f"the peak was regained on {fall.recovery}" if fall.recovery else "the peak is not regained yet"
        text = (
            f"The maximum drawdown of {subject} was {number(100.0 * fall.depth, 1)}%"
            f"{begun or f', with its bottom on {fall.trough}'}; {regained}, after {plural(fall.days, 'day')} in all."
        )
        yield sentence_figure("tearsheet_drawdown_sentence", text, "show_tearsheet.drawdown_sentence")
