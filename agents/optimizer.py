"""Steers the search, plan by plan."""

from agents.build import Agent, build
from agents.model import ModelChain
from tools.optimization import MAX_PLANS, SearchPlan
from tools.status import search_status


def optimizer(models: ModelChain) -> Agent:
    tools, limits = [search_status], {"max_tool_calls": 4, "max_model_calls": 5}
    return build("optimizer", models, tools, SearchPlan, **limits, max_plans=MAX_PLANS)
