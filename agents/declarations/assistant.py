"""The assistant answers the user in a conversation; it uses searches and the numeric core as tools."""

from collections.abc import Sequence

from agents.declaration import Declaration, ToolCall, ToolOutput
from desk.conversation.reply import Reply


def _tools():
    from tools import portfolios, results, searches, strategies, tearsheets, terms

    return [
        searches.run_optimization,
        searches.estimate_optimization,
        strategies.evaluate_strategy,
        strategies.save_strategy,
        strategies.show_scenarios,
        strategies.add_scenario,
        strategies.remove_scenario,
        portfolios.assess_portfolio,
        portfolios.compare_allocations,
        portfolios.analyse_market,
        portfolios.simulate_wealth,
        tearsheets.show_tearsheet,
        results.explain_result,
        results.compare_results,
        results.list_results,
        results.list_saved,
        results.open_holdout,
        terms.define_term,
    ]


def _rule(task: str, outputs: Sequence[ToolOutput]) -> Reply | list[ToolCall]:
    from agents.planner.assistant import reply_or_calls  # lazy: parsing a message imports much that naming does not

    return reply_or_calls(task, outputs)


AGENT = Declaration(
    name="assistant",
    task="the conversation",
    works_in="conversation",
    start_share=0.05,
    tools=_tools,
    answer=Reply,
    max_tool_calls=8,
    max_model_calls=8,
    absence="a template describes what its tools returned",
    interruption="assistant had answered",
    rule=_rule,
)
