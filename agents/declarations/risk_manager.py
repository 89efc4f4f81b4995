"""The portfolio risk manager reports risks of the mandate before the search begins."""

from collections.abc import Sequence

from agents.declaration import Declaration, ToolCall, ToolOutput, claims_of, read_outputs
from desk.optimization.answers import Concern, RiskAssessment
from desk.optimization.briefing.mandate_risk import RiskReport


def _tools():
    from tools.risk import assess_risk

    return [assess_risk]


def _rule(_: str, outputs: Sequence[ToolOutput]) -> RiskAssessment | list[ToolCall]:
    if not outputs:
        return [("assess_risk", {"subject": subject}) for subject in ("asset", "constant_exposure", "current_rule")]
    asset, constant, rule = read_outputs(outputs, "assess_risk", RiskReport)
    concerns: list[Concern] = []
    if asset.drawdown_beyond_limit or constant.drawdown_beyond_limit or rule.drawdown_beyond_limit:
        concerns.append("drawdown_limit_tight")
    if constant.value_at_risk_beyond_limit or constant.shortfall_beyond_limit or rule.shortfall_beyond_limit:
        concerns.append("tail_limit_tight")
    if asset.costly:
        concerns.append("cost_limit_tight")
    if asset.target_unreachable:
        concerns.append("target_unreachable")
    if asset.short_history:
        concerns.append("short_history")
    texts = [
        "Held alone, the asset ran at a yearly volatility of {{asset_volatility}} over the training window and fell by "
        "{{asset_drawdown}} at its worst.",
        "A constant weight of {{constant_exposure_average_weight}} would have fallen by "
        "{{constant_exposure_drawdown}}, "
        "the current rule by {{current_rule_drawdown}}.",
    ]
    if "drawdown_limit_tight" in concerns:
        texts.append("The drawdown limit lies inside what this history contains, so it will shape the search.")
    if "target_unreachable" in concerns:
        texts.append("Even the largest weight stays below the target volatility on this history.")
    return RiskAssessment(concerns=tuple(concerns) or ("none",), claims=claims_of("risk", texts))


AGENT = Declaration(
    name="risk_manager",
    task="limits and what deserves attention",
    works_in="optimization",
    start_share=0.03,
    tools=_tools,
    answer=RiskAssessment,
    max_tool_calls=6,
    max_model_calls=6,
    absence="the run went on without its concerns",
    interruption="risk manager had answered: its concerns are missing",
    rule=_rule,
)
