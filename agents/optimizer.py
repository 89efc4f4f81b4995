"""Steers the search, plan by plan."""

from agents.build import Agent, build
from agents.model import ModelChain
from tools.optimization import MAX_PLANS, SearchPlan
from tools.status import search_status


def optimizer(models: ModelChain) -> Agent:
    tools = [search_status]
    return build("optimizer", models, tools, SearchPlan, max_tool_calls=4, max_model_calls=5, max_plans=MAX_PLANS)
