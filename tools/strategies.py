"""The assistant's tools on strategies and scenarios: evaluate one, save it, show worlds, add one."""

from typing import Any, cast

from langchain.tools import ToolRuntime, tool

from desk.base.errors import InvalidInput
from desk.conversation import amounts
from desk.conversation.answers import Refusal, Saved
from desk.conversation.context import ChatContext, kept
from desk.conversation.optimization_requests import checked, universe_of
from desk.conversation.wishes import Name, Quote, ScenarioWish, StrategyWish
from desk.scenarios.repository import ScenarioBook, ScenarioValues, chosen, scenario_book
from desk.scenarios.repository import add_scenario as keep_scenario
from desk.strategies.evaluation import QuickEvaluation
from desk.strategies.evaluation import evaluate_strategy as evaluation
from desk.strategies.repository import figures_of_saved, saved_strategy
from desk.strategies.repository import save_strategy as keep_strategy
from desk.strategies.templates import Rule, StrategyValues, strategy_of


@tool(response_format="content_and_artifact")
async def evaluate_strategy(
    strategy: StrategyWish, runtime: ToolRuntime[ChatContext, Any]
) -> tuple[str, QuickEvaluation | Refusal]:
    """One strategy at once, on history and in the base case, beside 60/40, full investment and a constant weight."""
    context = runtime.context

    async def compute() -> tuple[QuickEvaluation, dict[str, Any]]:
        universe = universe_of(strategy.assets) if strategy.assets else context.about.universe
        found = await evaluation(context.prices, await _rule(context, strategy), universe=universe)
        changes = {
            "strategy": strategy.model_dump(mode="json"),
            "rule": found.rule.model_dump(mode="json"),
            "universe": universe,
            "last": "evaluate",
        }
        return found, changes

    result = await kept(context, "evaluate_strategy", {"strategy": strategy}, QuickEvaluation, compute)
    return result.model_dump_json(), result


@tool(parse_docstring=True, response_format="content_and_artifact")
async def save_strategy(name: Quote, runtime: ToolRuntime[ChatContext, Any]) -> tuple[str, Saved | Refusal]:
    """Keep the strategy that the conversation is about under a name; a name that is taken gets a new version.

    Args:
        name: As the person calls it.
    """
    context = runtime.context

    async def compute() -> tuple[Saved, dict[str, Any]]:
        rule, universe = await _about(context)
        saved = await keep_strategy(context.store, context.owner, name, rule, universe=universe)
        return Saved(figures=figures_of_saved(saved)), {"last": "save_strategy"}

    result = await kept(context, "save_strategy", {"name": name}, Saved, compute)
    return result.model_dump_json(), result


@tool(parse_docstring=True, response_format="content_and_artifact")
async def show_scenarios(
    runtime: ToolRuntime[ChatContext, Any], names: tuple[Name, ...] = ()
) -> tuple[str, ScenarioBook | Refusal]:
    """Simulated worlds: engine, expected return, volatility, cash rate, Sharpe ratio, correlation, probability.

    Args:
        names: All where none is named.
    """
    context = runtime.context

    async def compute() -> tuple[ScenarioBook, dict[str, Any]]:
        book = await scenario_book(context.store, context.owner)
        return chosen(book, names) if names else book, {"last": "scenarios"}

    result = await kept(context, "show_scenarios", {"names": list(names)}, ScenarioBook, compute)
    return result.model_dump_json(), result


@tool(response_format="content_and_artifact")
async def add_scenario(
    scenario: ScenarioWish, runtime: ToolRuntime[ChatContext, Any]
) -> tuple[str, ScenarioBook | Refusal]:
    """Keep a world of the person's own, made from another one."""
    context = runtime.context

    async def compute() -> tuple[ScenarioBook, dict[str, Any]]:
        values = ScenarioValues(
            name=scenario.name,
            like=scenario.like,
            mu=_read("expected_return", scenario.expected_return),
            sigma=_read("volatility", scenario.volatility),
            cash_rate=_read("cash_rate", scenario.cash_rate),
            bond_correlation=_read("bond_correlation", scenario.bond_correlation),
            engine=scenario.engine,
        )
        made = await keep_scenario(context.store, context.owner, values)
        book = chosen(await scenario_book(context.store, context.owner), [made.name])
        own = tuple(dict.fromkeys((*context.about.scenarios, made.name)))
        return book, {"scenarios": list(own), "last": "add_scenario"}

    result = await kept(context, "add_scenario", {"scenario": scenario}, ScenarioBook, compute)
    return result.model_dump_json(), result


async def _rule(context: ChatContext, wish: StrategyWish) -> Rule:
    base: Rule | None = None
    if wish.saved is not None:
        base = (await saved_strategy(context.store, context.owner, wish.saved)).rule
    elif wish.base == "last":
        base, _ = await _about(context)
    before = base.mandate.transaction_cost_bps if base else Rule.model_fields["mandate"].default.transaction_cost_bps
    cost = wish.transaction_cost
    values: dict[str, Any] = {
        "template": wish.template,
        "weight_function": wish.weight_function,
        "estimator": wish.estimator,
        "rebalancing": wish.rebalancing,
        "lookback_days": None if wish.lookback is None else amounts.read_sessions(wish.lookback),
        "transaction_cost_bps": cost and amounts.scaled("transaction_cost", cost, before),
        **{name: _read(name, cast("str | None", getattr(wish, name))) for name in _AMOUNTS},
    }
    return strategy_of(checked(StrategyValues, values), base=base)


_AMOUNTS = (
    *("target_volatility", "midpoint", "scale", "floor", "drawdown_cap", "constant_weight", "no_trade_band"),
    *("slope", "multiplier"),
)


async def _about(context: ChatContext) -> tuple[Rule, str]:
    """The strategy that the conversation is about: the one last evaluated, or the winner of its result."""
    focus = context.about
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
    return None if quote is None else amounts.read(name, quote)
