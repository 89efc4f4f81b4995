"""The assistant answers the user in a conversation; it uses searches and the numeric core as tools."""

from agents.build import Agent, build
from agents.models.factory import ModelChain
from desk.conversation.context import ChatContext
from desk.conversation.reply import Reply
from tools.portfolios import analyse_market, assess_portfolio, compare_allocations, simulate_wealth
from tools.results import compare_results, explain_result, list_results, open_holdout
from tools.searches import estimate_optimization, run_optimization
from tools.strategies import add_scenario, evaluate_strategy, save_strategy, show_scenarios

TOOLS = (
    run_optimization,
    estimate_optimization,
    evaluate_strategy,
    save_strategy,
    show_scenarios,
    add_scenario,
    assess_portfolio,
    compare_allocations,
    analyse_market,
    simulate_wealth,
    explain_result,
    compare_results,
    list_results,
    open_holdout,
)


def assistant(models: ModelChain) -> Agent:
    return build("assistant", models, TOOLS, Reply, max_tool_calls=8, max_model_calls=8, context=ChatContext)
