"""Assistant tool: the tear sheet of an asset, of a portfolio or of a run's winner."""

from datetime import date
from typing import Any

from langchain.tools import ToolRuntime, tool

from desk.conversation.answers import Refusal
from desk.conversation.context import ChatContext, compute_once
from desk.conversation.model_view import shown_to_model
from desk.conversation.portfolio_requests import asset_name, parse_holdings, with_focus_holdings
from desk.conversation.wishes import Name, PortfolioWish
from desk.tearsheets.document import make_tearsheet
from desk.tearsheets.schemas import DatedHoldings, TearsheetRequest
from desk.tearsheets.summary import TearsheetSummary, summarize

EVERY_DAY = date(1900, 1, 1)
"""Before every price: holdings of this day hold from the first price on."""


@tool(parse_docstring=True, response_format="content_and_artifact")
async def show_tearsheet(
    runtime: ToolRuntime[ChatContext, Any],
    portfolio: PortfolioWish | None = None,
    run: Name | None = None,
    benchmark: Name | None = None,
) -> tuple[str, TearsheetSummary | Refusal]:
    """Tear sheet of a return series: growth, drawdowns, calendar years, tail, benchmark and past crises.

    For "tear sheet of AAPL against the S&P 500", "how has Coca-Cola done over the years?" and "the tear sheet of
    the winner". Not for a rule that was not searched (`evaluate_strategy`), and not for the value at risk
    (`assess_portfolio`).

    Args:
        portfolio: An asset, or holdings with their shares.
        run: The winner of a result instead: `last`, `previous` or the beginning of an id.
        benchmark: An asset to compare with, or `none`.
    """
    context = runtime.context

    async def compute() -> tuple[TearsheetSummary, dict[str, Any]]:
        wish = with_focus_holdings(portfolio or PortfolioWish(), context.current_focus)
        against = None if benchmark is None else asset_name(benchmark)
        if run is not None or (not wish.holdings and context.current_focus.run is not None):
            id_, result = await context.runs.result(run or context.current_focus.run or "last")
            request = TearsheetRequest(job=id_, benchmark=against)
            changes: dict[str, Any] = {"run": id_}
        else:
            shares, _ = parse_holdings(wish)
            result, changes = None, {"portfolio": wish.model_dump(mode="json")}
            request = _request(shares, against)
        document = await make_tearsheet(context.store, context.prices, context.owner, request, result)
        return summarize(document), changes | {"last": "tearsheet"}

    arguments = {"portfolio": portfolio, "run": run, "benchmark": benchmark}
    result = await compute_once(context, "show_tearsheet", arguments, TearsheetSummary, compute)
    return shown_to_model("show_tearsheet", result, context.message), result


def _request(shares: dict[str, float], benchmark: str | None) -> TearsheetRequest:
    if len(shares) == 1:
        (asset,) = shares
        return TearsheetRequest(asset=asset, benchmark=benchmark)
    return TearsheetRequest(holdings=(DatedHoldings(date=EVERY_DAY, weights=shares),), benchmark=benchmark)
