"""Sentences of the embedded planner about a tear sheet."""

from collections.abc import Iterator

from desk.tearsheets.summary import TearsheetSummary


def describe_tearsheet(result: TearsheetSummary) -> Iterator[str]:
    ids = {figure.id for figure in result.figures}
    yield "The growth a year of the series was {{tearsheet_cagr}}, and its yearly volatility {{tearsheet_volatility}}."
    if "tearsheet_sharpe" in ids:
        yield "The Sharpe ratio of the series was {{tearsheet_sharpe}}."
    yield "The maximum drawdown of the series was {{tearsheet_max_drawdown}}; its dates stand in the table."
    yield "The expected shortfall of a period was {{tearsheet_expected_shortfall}}: the mean loss of the worst."
    if result.ahead is not None:
        pace = "faster" if result.ahead else "no faster"
        yield f"It grew {pace} than the benchmark of the tear sheet, {{{{tearsheet_benchmark}}}}."
    if "tearsheet_beta" in ids:
        yield "The beta of the series to the benchmark was {{tearsheet_beta}}."
    yield (
        "These are the days from {{tearsheet_first_day}} to {{tearsheet_last_day}}; years, drawdowns and crises stand "
        "in the tables."
    )
