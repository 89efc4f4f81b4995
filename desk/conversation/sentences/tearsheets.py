"""Sentences of the embedded planner about a tear sheet."""

from collections.abc import Iterator

from desk.conversation.sentences.aspects import Sentence, answering_first
from desk.tearsheets.summary import TearsheetSummary


def describe_tearsheet(result: TearsheetSummary, message: str) -> list[str]:
    return answering_first(_describe_series(result), message)


def _describe_series(result: TearsheetSummary) -> Iterator[Sentence]:
    ids = {figure.id for figure in result.figures}
    if "tearsheet_sentence" in ids:
        yield Sentence("{{tearsheet_sentence}}", "growth")
    else:
        yield Sentence(
            "These are the days from {{tearsheet_first_day}} to {{tearsheet_last_day}}; years, drawdowns and crises "
            "stand in the tables.",
            "",
        )
    if result.ahead is not None:
        pace = "faster" if result.ahead else "no faster"
        yield Sentence(f"It grew {pace} than the benchmark of the tear sheet, {{{{tearsheet_benchmark}}}}.", "")
    if "tearsheet_volatility" in ids:
        text = "The yearly volatility of the series was {{tearsheet_volatility}}."
        yield Sentence(text, "volatility", on_demand="tearsheet_sentence" in ids)
    if "tearsheet_sharpe" in ids:
        yield Sentence("The Sharpe ratio of the series was {{tearsheet_sharpe}}.", "sharpe")
    yield Sentence("The maximum drawdown of the series was {{tearsheet_max_drawdown}}.", "drawdown")
    if "tearsheet_worst_year" in ids:
        yield Sentence("The worst calendar year of the series was {{tearsheet_worst_year}}.", "year")
    yield Sentence(
        "The expected shortfall of a period was {{tearsheet_expected_shortfall}}: the mean loss of the worst.", "tail"
    )
    if "tearsheet_beta" in ids:
        yield Sentence("The beta of the series to the benchmark was {{tearsheet_beta}}.", "beta")
