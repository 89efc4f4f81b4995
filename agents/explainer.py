"""The explainer explains a judged result in claims whose numbers are references to figures."""

from agents.build import Agent, build
from agents.models.factory import ModelChain
from desk.figures.guard.claims import Draft
from tools.figures import list_figures


def explainer(models: ModelChain) -> Agent:
    return build("explainer", models, [list_figures], Draft, max_tool_calls=4, max_model_calls=5)
