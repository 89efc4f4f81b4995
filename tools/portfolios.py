"""Assistant tools: portfolio risk, allocations, market regimes and wealth simulation."""

import re
from typing import Any, cast

from langchain.tools import ToolRuntime, tool

from desk.base.errors import InvalidInput
from desk.conversation import amounts, quotes
from desk.conversation.answers import Refusal
from desk.conversation.context import ChatContext, compute_once
from desk.conversation.days import parse_day
from desk.conversation.model_view import shown_to_model
from desk.conversation.optimization_requests import validate
from desk.conversation.portfolio_requests import (
    asset_name,
    parse_holdings,
    parse_money,
    parse_stress,
    with_focus_holdings,
)
from desk.conversation.wishes import Name, PortfolioWish, Quote, SavingsWish, Shock
from desk.figures.sheet import Money
from desk.portfolios.allocations import METHODS, Allocations
from desk.portfolios.allocations import compare_allocations as compute_allocations
from desk.portfolios.market_regime_schemas import MarketAnalysis
from desk.portfolios.market_regimes import analyse_market as compute_analysis
from desk.portfolios.optimizers.requests import Covariance
from desk.portfolios.risk import assess
from desk.portfolios.risk_schemas import PortfolioRisk, TailRequest
from desk.portfolios.schemas import Method
from desk.scenarios.repository import find_scenario, load_catalog
from desk.wealth.projection import WealthOutlook, simulate
from desk.wealth.savings_plan import SavingsPlan
from quant.numeric.units import DAYS


@tool(parse_docstring=True, response_format="content_and_artifact")
async def assess_portfolio(
    portfolio: PortfolioWish,
    runtime: ToolRuntime[ChatContext, Any],
    loss: Quote | None = None,
    shocks: tuple[Shock, ...] = (),
    level: Quote | None = None,
    horizon: Quote | None = None,
    first_day: Quote | None = None,
    last_day: Quote | None = None,
) -> tuple[str, PortfolioRisk | Refusal]:
    """Risk of holdings: value at risk, shortfall, drawdown, volatility, beta, contributions, crises and stress.

    For "risk of 60% S&P 500 and 40% cash worth EUR 1m", "99% VaR over 10 days of 60% AAPL and 40% JNJ", "what do I
    lose if the index falls by 30%?" and "how correlated are KO and PEP?". A later question about the same holdings
    leaves them out: "and since 2010?". Not for a rule that changes its weight (`evaluate_strategy`), and not for
    years of saving (`simulate_wealth`).

    Args:
        portfolio: Holdings, or none for those of the conversation.
        loss: For the reverse stress, which finds the most likely way to lose so much within 21 sessions.
        shocks: Moves of the index or of stocks at once, and what they cost.
        level: Confidence of the value at risk and shortfall that are told, such as 95% or 99%.
        horizon: Their time, such as a month or 10 days.
        first_day: First day of a period that is told, as said: 2010, March 2005; for one year as last_day.
        last_day: Last day of that period, as said.
    """
    context = runtime.context

    async def compute() -> tuple[PortfolioRisk, dict[str, Any]]:
        wish = with_focus_holdings(portfolio, context.current_focus)
        shares, money = parse_holdings(wish)
        stress = parse_stress(loss, shocks)
        tail = _tail(level, horizon, first_day, last_day)
        return await assess(context.prices, shares, money, stress, tail), _about(wish, "assess_risk")

    arguments: dict[str, Any] = {
        "portfolio": portfolio,
        "loss": loss,
        "shocks": [s.model_dump() for s in shocks],
        "level": level,
        "horizon": horizon,
        "first_day": first_day,
        "last_day": last_day,
    }
    result = await compute_once(context, "assess_portfolio", arguments, PortfolioRisk, compute)
    return shown_to_model("assess_portfolio", result, context.message), result


@tool(parse_docstring=True, response_format="content_and_artifact")
async def compare_allocations(
    assets: tuple[Name, ...],
    runtime: ToolRuntime[ChatContext, Any],
    methods: tuple[Method, ...] = (),
    amount: Quote | None = None,
    covariance: Covariance = "sample",
) -> tuple[str, Allocations | Refusal]:
    """Ways to mix stocks, side by side: weights, volatility, shares of risk.

    For "how should I split money between AAPL, KO and XOM?" and "compare risk parity and HRP for them". Not for two
    results (`compare_results`), and not for shares that the person has given (`assess_portfolio`).

    Args:
        assets: Tickers, at least two, or `stocks` for all twenty.
        methods: All where none is named.
        amount: What is to be invested.
        covariance: Estimate of the covariance: plain, shrunk, weighted to recent days, or denoised.
    """
    context = runtime.context

    async def compute() -> tuple[Allocations, dict[str, Any]]:
        names = await _tickers(context, assets)
        money = None if amount is None else parse_money("amount", amount)
        comparison = await compute_allocations(context.prices, names, money, methods or METHODS, covariance)
        return comparison, {"last": "compare_allocations"}

    arguments = {"assets": list(assets), "methods": list(methods), "amount": amount, "covariance": covariance}
    result = await compute_once(context, "compare_allocations", arguments, Allocations, compute)
    return shown_to_model("compare_allocations", result, context.message), result


@tool(parse_docstring=True, response_format="content_and_artifact")
async def analyse_market(
    assets: tuple[Name, ...], runtime: ToolRuntime[ChatContext, Any]
) -> tuple[str, MarketAnalysis | Refusal]:
    """Regime of one or several assets: how high volatility stands, where the trend points, how deep it fell.

    For "how nervous is the market?" and "is Apple in an uptrend?". It describes the end of the bundled prices and
    forecasts nothing.

    Args:
        assets: `sp500` for the index, or tickers.
    """
    context = runtime.context

    async def compute() -> tuple[MarketAnalysis, dict[str, Any]]:
        names = await _tickers(context, assets or ("sp500",))
        return await compute_analysis(context.prices, names), {"last": "analyse_market"}

    result = await compute_once(context, "analyse_market", {"assets": list(assets)}, MarketAnalysis, compute)
    return shown_to_model("analyse_market", result, context.message), result


@tool(response_format="content_and_artifact")
async def simulate_wealth(
    plan: SavingsWish, runtime: ToolRuntime[ChatContext, Any]
) -> tuple[str, WealthOutlook | Refusal]:
    """Money over years on simulated markets: percentiles, chances of loss, of ruin and of reaching a goal.

    For "EUR 500k in the S&P 500 for 10 years, adding EUR 1,000 a month" and "will $2m last 25 years if I take out
    4% a year?". A change of the last plan names only what differs. Not for the past (`show_tearsheet`), and not for
    a loss within days (`assess_portfolio`).
    """
    context = runtime.context

    async def compute() -> tuple[WealthOutlook, dict[str, Any]]:
        wish = with_focus_holdings(plan.portfolio, context.current_focus)
        shares, money = parse_holdings(wish)
        return await simulate(context.prices, await _plan(context, plan, shares, money)), _about(wish, "simulate")

    result = await compute_once(context, "simulate_wealth", {"plan": plan}, WealthOutlook, compute)
    return shown_to_model("simulate_wealth", result, context.message), result


async def _plan(context: ChatContext, wish: SavingsWish, shares: dict[str, float], money: Money | None) -> SavingsPlan:
    fields: dict[str, Any] = {"holdings": shares}
    if money is not None:
        fields |= {"amount": money.amount, "currency": money.currency}
    if wish.goal is not None:
        fields |= _amount("goal", wish.goal, fields.get("currency"))
    for name in ("contribution", "withdrawal"):
        quote = cast("str | None", getattr(wish, name))
        if quote is not None:
            fields |= _monthly(name, quote, fields)
    for name in ("inflation", "fee"):
        quote = cast("str | None", getattr(wish, name))
        if quote is not None:
            fields[name] = amounts.read_amount(name, quote)
    if wish.years is not None:
        fields["years"] = amounts.read_years(wish.years, 60)
    if wish.paths is not None:
        fields["paths"] = amounts.read_whole("paths", wish.paths)
    if wish.scenario is not None:
        fields["scenario"] = find_scenario(await load_catalog(context.store, context.owner), wish.scenario)
    return validate(SavingsPlan, fields)


def _monthly(name: str, quote: str, plan: dict[str, Any]) -> dict[str, Any]:
    """A flow by month: "EUR 1,000", "EUR 12,000 a year", or "4% a year" of the amount at the start."""
    bare, months = quotes.split_period(quote)
    if re.search(r"%|percent|per cent|pct", bare, re.IGNORECASE):
        share = quotes.parse_fraction(name, bare, 0.0, 1.0)
        return {name: share * plan.get("amount", START) / (months or 12)}
    flow = _amount(name, bare, plan.get("currency"))
    return flow | {name: flow[name] / (months or 1)}


def _tail(level: str | None, horizon: str | None, first: str | None, last: str | None) -> TailRequest:
    values: dict[str, Any] = {}
    if first is not None:
        values["first_day"] = parse_day("first_day", first, last=False)
    if last is not None:
        values["last_day"] = parse_day("last_day", last, last=True)
    if level is not None:
        values["level"] = amounts.read_amount("level", level)
    if horizon is not None:
        values["sessions"] = quotes.parse_sessions("horizon", horizon, 1, DAYS)
    return validate(TailRequest, values)


START = SavingsPlan.model_fields["amount"].default


def _amount(name: str, quote: str, portfolio_currency: str | None) -> dict[str, Any]:
    amount, currency = quotes.parse_money(name, quote)
    if None not in (portfolio_currency, currency) and currency != portfolio_currency:
        allowed = "one currency; nothing is converted here"
        raise InvalidInput(name, quote, reason=f"{quote} is not in {portfolio_currency}", allowed=allowed)
    return {name: amount} | ({"currency": currency} if currency else {})


def _about(wish: PortfolioWish, last: str) -> dict[str, Any]:
    return {"portfolio": wish.model_dump(mode="json"), "last": last}


async def _tickers(context: ChatContext, assets: tuple[str, ...]) -> tuple[str, ...]:
    if [asset.lower() for asset in assets] == ["stocks"]:
        return (await context.prices.load("stocks")).assets
    return tuple(map(asset_name, assets))
