"""Says what about the mandate deserves attention before a search begins."""

from langchain_core.language_models import BaseChatModel

from agents.build import Agent, build
from tools.optimization import RiskAssessment
from tools.risk import assess_risk


def risk_manager(model: BaseChatModel) -> Agent:
    return build("risk_manager", model, [assess_risk], RiskAssessment, max_tool_calls=6, max_model_calls=6)
