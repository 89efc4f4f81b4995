"""Explains a judged result in claims whose numbers are references."""

from langchain_core.language_models import BaseChatModel

from agents.build import Agent, build
from tools.claims import Draft
from tools.findings import list_figures


def explainer(model: BaseChatModel) -> Agent:
    return build("explainer", model, [list_figures], Draft, max_tool_calls=4, max_model_calls=5)
