"""The hyperparameter optimizer steers the search, plan by plan."""

from agents.build import Agent, build
from agents.models.factory import ModelChain
from desk.optimization.answers import SearchPlan
from desk.optimization.request import MAX_PLANS
from tools.search_status import search_status


def optimizer(models: ModelChain) -> Agent:
    tools = [search_status]
    return build("optimizer", models, tools, SearchPlan, max_tool_calls=4, max_model_calls=5, max_plans=MAX_PLANS)
