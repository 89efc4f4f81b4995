"""Assistant tools: evaluate and save a strategy, show and add scenarios."""

from datetime import date, timedelta
from typing import Any, cast

from langchain.tools import ToolRuntime, tool

from desk.base.errors import InvalidInput
from desk.base.names import identifier
from desk.base.text import spaced
from desk.conversation import amounts
from desk.conversation.answers import Refusal, RemovedScenario, SavedConfiguration
from desk.conversation.context import ChatContext, compute_once
from desk.conversation.days import parse_day
from desk.conversation.focus import PRICES
from desk.conversation.model_view import shown_to_model
from desk.conversation.optimization_requests import beside_assets, validate
from desk.conversation.universes import find_universe, risky_assets
from desk.conversation.wishes import Name, Quote, ScenarioWish, StrategyWish
from desk.figures.sheet import Sheet, sentence_figure
from desk.optimization.request import OptimizationRequest
from desk.scenarios.own_scenarios import delete_scenario
from desk.scenarios.repository import ScenarioCatalog, ScenarioValues, load_catalog, select_scenarios
from desk.scenarios.repository import add_scenario as store_scenario
from desk.strategies.evaluation import count, run_evaluation
from desk.strategies.evaluation_in_words import (
    describe_change,
    describe_drawdown,
    describe_evaluation,
    describe_losing_years,
    describe_period,
    describe_safety,
    describe_versus,
    describe_worst_years,
)
from desk.strategies.evaluation_schemas import EVERY_DAY, QuickEvaluation, Window
from desk.strategies.repository import load_strategy, saved_strategy_figures
from desk.strategies.repository import save_strategy as store_strategy
from desk.strategies.templates import Rule, StrategyValues, build_rule, template_title
from quant.strategies.family import PARAMETERS


@tool(response_format="content_and_artifact")
async def evaluate_strategy(
    strategy: StrategyWish, runtime: ToolRuntime[ChatContext, Any]
) -> tuple[str, QuickEvaluation | Refusal]:
    """One strategy at once, on history and in the base case, beside 60/40, full investment and a constant weight.

    For "does the 12-month rule still hold?", "is 80/20 any better?", "and in 2008?", and for a change of the last
    strategy: "weekly instead" (base `last`). Not for the best of many strategies (`run_optimization`), and not for
    the risk of holdings (`assess_portfolio`).
    """
    context = runtime.context

    async def compute() -> tuple[QuickEvaluation, dict[str, Any]]:
        prices = await _prices(context, strategy)
        rule, window = await _rule(context, strategy), _window(strategy)
        is_long = window.first_day is None or (window.last_day or date.max) - window.first_day >= SHORT
        run = await run_evaluation(context.prices, rule, window=window if is_long else EVERY_DAY, **prices)
        await count(context.store, context.owner, run)
        evaluation = run.evaluation
        texts = {
            "summary_sentence": describe_evaluation(evaluation, template_title(strategy.template)),
            "versus_sentence": describe_versus(evaluation),
            "versus_full_sentence": describe_versus(evaluation, full=True),
            "drawdown_sentence": describe_drawdown(evaluation),
            **_of_years(evaluation),
            "safety_sentence": describe_safety(evaluation),
            "period_sentence": None if is_long else describe_period(run, window),
        }
        if strategy.base == "last" and context.current_focus.rule is not None and is_long:
            before = await run_evaluation(
                context.prices,
                context.current_focus.rule,
                window=window,
                fields=frozenset({"held"}),
                **prices,
            )
            texts["change_sentence"] = describe_change(before.evaluation, evaluation)
        sheet = Sheet("evaluate_strategy", "quick")
        for name, text in texts.items():
            if text is not None:
                sheet.say(name, text)
        evaluation = evaluation.model_copy(update={"figures": (*evaluation.figures, *sheet.figures)})
        changes = {
            "strategy": strategy.model_dump(mode="json"),
            "rule": evaluation.rule.model_dump(mode="json"),
            **prices,
            "last": "evaluate",
        }
        return evaluation, changes

    result = await compute_once(context, "evaluate_strategy", {"strategy": strategy}, QuickEvaluation, compute)
    return shown_to_model("evaluate_strategy", result, context.message), result


@tool(parse_docstring=True, response_format="content_and_artifact")
async def save_strategy(
    name: Quote, runtime: ToolRuntime[ChatContext, Any]
) -> tuple[str, SavedConfiguration | Refusal]:
    """Keep the strategy that the conversation is about under a name; a name that is taken gets a new version.

    For "save it as Core". Not without a name from the person, and not for a scenario (`add_scenario`).

    Args:
        name: As the person calls it.
    """
    context = runtime.context

    async def compute() -> tuple[SavedConfiguration, dict[str, Any]]:
        rule, universe = await _current_rule(context)
        usual = OptimizationRequest()
        held = {name: getattr(context.current_focus, name) for name in PRICES if name != "universe"}
        beside = {name: value for name, value in held.items() if value != getattr(usual, name)}
        strategy = await store_strategy(context.store, context.owner, name, rule, universe=universe, beside=beside)
        return SavedConfiguration(figures=saved_strategy_figures(strategy)), {"last": "save_strategy"}

    result = await compute_once(context, "save_strategy", {"name": name}, SavedConfiguration, compute)
    return shown_to_model("save_strategy", result, context.message), result


@tool(parse_docstring=True, response_format="content_and_artifact")
async def show_scenarios(
    runtime: ToolRuntime[ChatContext, Any], names: tuple[Name, ...] = ()
) -> tuple[str, ScenarioCatalog | Refusal]:
    """Simulated worlds: engine, expected return, volatility, cash rate, Sharpe ratio, correlation, probability.

    For "show me the bear market" and "which scenarios are there?". Not for how a result did in a scenario
    (`explain_result` with the topic `scenario`), and not for the market of today (`analyse_market`).

    Args:
        names: All where none is named.
    """
    context = runtime.context

    async def compute() -> tuple[ScenarioCatalog, dict[str, Any]]:
        book = await load_catalog(context.store, context.owner)
        return select_scenarios(book, names) if names else book, {"last": "scenarios"}

    result = await compute_once(context, "show_scenarios", {"names": list(names)}, ScenarioCatalog, compute)
    return shown_to_model("show_scenarios", result, context.message), result


@tool(response_format="content_and_artifact")
async def add_scenario(
    scenario: ScenarioWish, runtime: ToolRuntime[ChatContext, Any]
) -> tuple[str, ScenarioCatalog | Refusal]:
    """Keep a world of the person's own, made from another one.

    For "add a scenario called 2022-like, like the bear market, with a bond correlation of 0.4"; searches of the
    conversation can use it from then on. Leave out what stays as it is in the other world.
    """
    context = runtime.context

    async def compute() -> tuple[ScenarioCatalog, dict[str, Any]]:
        values = ScenarioValues(
            name=scenario.name,
            like=scenario.like,
            mu=_read("expected_return", scenario.expected_return),
            sigma=_read("volatility", scenario.volatility),
            cash_rate=_read("cash_rate", scenario.cash_rate),
            bond_correlation=_read("bond_correlation", scenario.bond_correlation),
            engine=scenario.engine,
        )
        new_scenario = await store_scenario(context.store, context.owner, values)
        book = select_scenarios(await load_catalog(context.store, context.owner), [new_scenario.name])
        own = tuple(dict.fromkeys((*context.current_focus.scenarios, new_scenario.name)))
        return book, {"scenarios": list(own), "last": "add_scenario"}

    result = await compute_once(context, "add_scenario", {"scenario": scenario}, ScenarioCatalog, compute)
    return shown_to_model("add_scenario", result, context.message), result


@tool(parse_docstring=True, response_format="content_and_artifact")
async def remove_scenario(name: Name, runtime: ToolRuntime[ChatContext, Any]) -> tuple[str, RemovedScenario | Refusal]:
    """Take back a world of the person's own; results that used it keep it.

    For "remove the scenario 2022-like". Not for built-in scenarios, and not to leave one out of a search.

    Args:
        name: Of the scenario.
    """
    context = runtime.context

    async def compute() -> tuple[RemovedScenario, dict[str, Any]]:
        own = identifier("scenario", name)
        await delete_scenario(context.store, context.owner, own)
        text = (
            f"The scenario {spaced(own)} is removed, and searches no longer include it; results that used it keep it."
        )
        rest = [each for each in context.current_focus.scenarios if each != own]
        figures = (sentence_figure("removed_sentence", text, "remove_scenario.sentence"),)
        return RemovedScenario(figures=figures), {"scenarios": rest, "last": "scenarios"}

    result = await compute_once(context, "remove_scenario", {"name": name}, RemovedScenario, compute)
    return shown_to_model("remove_scenario", result, context.message), result


def _of_years(evaluation: QuickEvaluation) -> dict[str, str]:
    if not evaluation.years:
        return {}
    return {
        "years_sentence": describe_worst_years(evaluation),
        "losing_sentence": describe_losing_years(evaluation),
    }


SHORT = timedelta(days=2 * 365)
"""Shorter windows are told as a period, beside the evaluation of all days."""


def _window(strategy: StrategyWish) -> Window:
    first, last = strategy.first_day, strategy.last_day
    days = {
        "first_day": None if first is None else parse_day("first_day", first, last=False),
        "last_day": None if last is None else parse_day("last_day", last, last=True),
    }
    return validate(Window, days)


async def _prices(context: ChatContext, wish: StrategyWish) -> dict[str, Any]:
    """On what the strategy is evaluated: as the wish says and, unless it names other assets, as before."""
    request = OptimizationRequest()
    if wish.saved is not None:
        saved = await load_strategy(context.store, context.owner, wish.saved)
        options = {name: saved.search[name] for name in PRICES if name in saved.search}
        request = request.model_copy(update={"universe": saved.universe, **options})
    elif wish.base == "last" or not wish.assets:
        request = request.model_copy(update=context.current_focus.model_dump(include={*PRICES}))
    stated = beside_assets(wish)
    if "safe" in stated and not wish.assets:
        stated["universe"] = await risky_assets(context.prices, request.universe, request.safe)
    elif wish.assets:
        stated["universe"] = await find_universe(context.prices, wish.assets)
    prices = validate(OptimizationRequest, request.model_dump(include={*PRICES}) | stated)
    return {name: getattr(prices, name) for name in PRICES}


async def _rule(context: ChatContext, wish: StrategyWish) -> Rule:
    base: Rule | None = None
    if wish.saved is not None:
        base = (await load_strategy(context.store, context.owner, wish.saved)).rule
    elif wish.base == "last":
        base, _ = await _current_rule(context)
    before = base.mandate.transaction_cost_bps if base else Rule.model_fields["mandate"].default.transaction_cost_bps
    cost = wish.transaction_cost
    values: dict[str, Any] = {
        "template": wish.template,
        "weight_function": wish.weight_function,
        "estimator": wish.estimator,
        "rebalancing": wish.rebalancing,
        "lookback_days": None if wish.lookback is None else amounts.read_sessions(wish.lookback),
        "transaction_cost_bps": cost and amounts.read_amount_or_multiple("transaction_cost", cost, before),
        **{name: _read(name, cast("str | None", getattr(wish, name))) for name in _AMOUNTS},
    }
    return build_rule(validate(StrategyValues, values), base=base)


_AMOUNTS = (
    *("target_volatility", "decay", "no_trade_band"),
    *(name for name, row in PARAMETERS.items() if row.unit != "choice"),
)


async def _current_rule(context: ChatContext) -> tuple[Rule, str]:
    """The strategy that the conversation is about: the one last evaluated, or the winner of its result."""
    focus = context.current_focus
    if focus.rule is not None:
        return focus.rule, focus.universe
    if focus.run is None:
        allowed = "a strategy that was evaluated or found here"
        raise InvalidInput("base", "last", reason="no strategy was looked at yet", allowed=allowed)
    _, result = await context.runs.result(focus.run)
    if result.winner is None:
        raise InvalidInput("base", "last", reason="the result has no winner", allowed="a strategy of its own")
    request = result.manifest.request
    return Rule(config=result.winner.config, mandate=request.mandate), request.universe


def _read(name: str, quote: str | None) -> float | None:
    return None if quote is None else amounts.read_amount(name, quote)
