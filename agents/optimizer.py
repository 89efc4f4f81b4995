"""Steers the search, plan by plan."""

from langchain_core.language_models import BaseChatModel

from agents.build import Agent, build
from tools.optimization import MAX_PLANS, SearchPlan
from tools.status import search_status


def optimizer(model: BaseChatModel) -> Agent:
    tools, limits = [search_status], {"max_tool_calls": 4, "max_model_calls": 5}
    return build("optimizer", model, tools, SearchPlan, **limits, max_plans=MAX_PLANS)
