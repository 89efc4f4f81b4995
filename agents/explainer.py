"""Explains a judged result in claims whose numbers are references."""

from agents.build import Agent, build
from agents.model import ModelChain
from tools.claims import Draft
from tools.findings import list_figures


def explainer(models: ModelChain) -> Agent:
    return build("explainer", models, [list_figures], Draft, max_tool_calls=4, max_model_calls=5)
