"""First sentences of answers to questions about a result, chosen by topic, by what was found and by the message."""

from collections.abc import Callable, Mapping
from typing import Final

from desk.conversation.sentences.aspects import asks
from desk.optimization.reading.findings import Findings
from desk.optimization.reading.topics import Topic

SIGNIFICANT: Final = 0.05
"""Probability of luck below which chance does not explain a lead."""
_CHANCE: Final = "the probability that chance alone ends with so good a winner is {{winner_p}}"
_UNSEEN: Final = (
    ", and on the validation window, which the search never used, its advantage was {{validate_advantage_bps}}"
)
_TRUST: Final = {
    "green": "Sure enough to consider the switch",
    "amber": "Not sure",
    "red": "Not sure enough to switch",
}


def lead_of(findings: Findings, topic: Topic, message: str) -> str | None:
    """The sentence that answers the message, if the topic's own first sentence does not."""
    return _LEADS[topic](findings, message) if topic in _LEADS else None


def _luck(findings: Findings, message: str) -> str | None:
    values = {figure.id: figure.value for figure in findings.figures}
    if "winner_p" not in values:
        return None
    unseen = _UNSEEN if "validate_advantage_bps" in values else ""
    lucky = float(values["winner_p"]) >= SIGNIFICANT
    if asks("certainty", message):
        return f"{_TRUST[findings.colour]}: {_CHANCE}{unseen}."
    if asks("colour", message):
        return f"The verdict is {{{{verdict_colour}}}} because {_reason(findings, lucky=lucky)}: {_CHANCE}{unseen}."
    opening = "It may well be luck" if lucky else "Luck alone hardly explains it"
    return f"{opening}: {_CHANCE}{unseen}."


def _reason(findings: Findings, *, lucky: bool) -> str:
    if findings.colour == "green":
        return "the lead of the winner passes every test"
    if lucky:
        return "luck may explain the lead of the winner"
    return (
        "the lead of the winner did not last on other days" if findings.validated is False else "not every test holds"
    )


def _against(findings: Findings, message: str) -> str | None:
    values = {figure.id: figure.value for figure in findings.figures}
    if asks("favour", message) and "benefit_bps" in values:
        opening = {
            "positive": "For it speaks that it beats a constant weight of the same volatility",
            "negative": "Nothing speaks for it, as it does not beat a constant weight of the same volatility",
            "unclear": "Little speaks for it, as it hardly differs from a constant weight of the same volatility",
        }[findings.benefit or "unclear"]
        against = f"; against it speaks luck, as {_CHANCE}" if "winner_p" in values else ""
        return f"{opening}: after costs the benefit is {{{{benefit_bps}}}}{against}."
    if "winner_p" not in values or float(values["winner_p"]) < SIGNIFICANT:
        return None
    if asks("anyway", message):
        return f"If you switch anyway, you may gain nothing over a constant weight: {_CHANCE}."
    return f"The strongest argument against it is luck: {_CHANCE}."


def _limits(findings: Findings, message: str) -> str | None:
    known = any(figure.id == "limits_chance_sentence" for figure in findings.figures)
    return "{{limits_chance_sentence}}" if known and asks("chance", message) else None


def _change(findings: Findings, message: str) -> str | None:  # noqa: ARG001  (the same signature as the others)
    values = {figure.id: figure.value for figure in findings.figures}
    if "winner_p" not in values:
        return None
    if findings.colour == "green":
        return f"A lead that does not last would change the verdict; today {_CHANCE}."
    return f"A lead that chance does not explain would change the verdict; today {_CHANCE}."


def _costs(findings: Findings, message: str) -> str | None:
    ids = {figure.id for figure in findings.figures}
    if not {"winner_cost_bps", "winner_turnover", "transaction_cost"} <= ids:
        return None
    if asks("free", message) and "costs_free_sentence" in ids:
        return "{{costs_free_sentence}}"
    if asks("double", message) and "costs_double_sentence" in ids:
        return "{{costs_double_sentence}}"
    if asks("multiple", message) and {"costs_low_bps", "costs_high_bps"} <= ids:
        tail = "does not hang on trading cheaply" if findings.survives_double_costs else "depends on trading cheaply"
        return (
            "Between trading for free and the highest costs that were tried, the benefit lies between "
            f"{{{{costs_low_bps}}}} and {{{{costs_high_bps}}}}, so the result {tail}."
        )
    return (
        "On the training history the costs of the winner were {{winner_cost_bps}}, with a turnover of "
        "{{winner_turnover}} of wealth a year, at an assumed {{transaction_cost}} for each trade."
    )


def _next_trade(findings: Findings, message: str) -> str | None:
    ids = {figure.id for figure in findings.figures}
    if "next_trade" not in ids or not asks("trade", message):
        return None
    return "To follow the winner, the next trade is {{next_trade}} of wealth."


def _ranges(topic: Topic, condition: str) -> Callable[[Findings, str], str | None]:
    def lead(findings: Findings, message: str) -> str | None:  # noqa: ARG001  (the same signature as the others)
        cases = [f for f in findings.figures if f.id.startswith(f"{topic}_") and f.id.endswith("_bps")]
        if not {f"{topic}_low_bps", f"{topic}_high_bps"} <= {f.id for f in cases}:
            return None
        stays = all(float(case.value) > 0.0 for case in cases)
        opening = "The benefit stays positive" if stays else "The benefit does not stay positive"
        return (
            f"{opening} {condition}: over the cases that were tried the benefit lies between {{{{{topic}_low_bps}}}} "
            f"and {{{{{topic}_high_bps}}}}."
        )

    return lead


def _benchmarks(findings: Findings, message: str) -> str | None:  # noqa: ARG001  (the same signature as the others)
    if not any(figure.id == "benefit_bps" for figure in findings.figures):
        return None
    beats = {"positive": "It beats", "unclear": "It is open whether it beats", "negative": "It does not beat"}
    caution = " (with hindsight, and luck may explain it)" if findings.colour == "red" else ""
    return (
        f"{beats[findings.benefit or 'unclear']} a constant weight of the same volatility{caution}: after costs the "
        "benefit is {{benefit_bps}}."
    )


_LEADS: Final[Mapping[Topic, Callable[[Findings, str], str | None]]] = {
    "luck": _luck,
    "counter_argument": _against,
    "limits": _limits,
    "what_would_change": _change,
    "costs": _costs,
    "next_trade": _next_trade,
    "premium": _ranges("premium", "however the equity premium moves with volatility"),
    "parameter_error": _ranges("parameter_error", "if expected return and volatility are otherwise than assumed"),
    "probabilities": _ranges("probabilities", "under other probabilities of the scenarios"),
    "benchmarks": _benchmarks,
}
"""By topic; the others begin with their answer."""
