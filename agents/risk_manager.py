"""The portfolio risk manager reports risks of the mandate before the search begins."""

from agents.build import Agent, build
from agents.models.factory import ModelChain
from desk.optimization.answers import RiskAssessment
from tools.risk import assess_risk


def risk_manager(models: ModelChain) -> Agent:
    return build("risk_manager", models, [assess_risk], RiskAssessment, max_tool_calls=6, max_model_calls=6)
