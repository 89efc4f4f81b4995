"""First sentences of answers to questions about a result, chosen by topic, by what was found and by the message."""

from collections.abc import Callable, Container, Mapping, Sequence
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


TOLD_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "tests_unseen_sentence": ("validate_advantage_bps",),
    "tests_overfit_sentence": ("loss",),
    "tests_significant_sentence": ("winner_p", "verdict_colour"),
    "data_asked_sentence": ("data_days_sentence",),
}
"""What a sentence tells besides, so that it need not be told again."""


def lead_of(findings: Findings, topic: Topic, message: str) -> str | None:
    """The sentence that answers the message, if the topic's own first sentence does not."""
    return _LEADS[topic](findings, message) if topic in _LEADS else None


def _luck(findings: Findings, message: str) -> str | None:
    values = {figure.id: figure.value for figure in findings.figures}
    if findings.advice and asks("switch", message):
        return findings.advice
    if told := _asked(values, message, ("unseen", "overfit", "significant"), "tests_{}_sentence"):
        return told
    if findings.colour != "green" and (told := _asked(values, message, ("failed",), "tests_{}_sentence")):
        return told
    if "winner_p" not in values:
        return None
    unseen = _UNSEEN if "validate_advantage_bps" in values else ""
    lucky = float(values["winner_p"]) >= SIGNIFICANT
    if asks("certainty", message):
        return f"{_TRUST[findings.colour]}: {_CHANCE}{unseen}; the verdict is {{{{verdict_colour}}}}."
    if asks("colour", message):
        return f"The verdict is {{{{verdict_colour}}}} because {_reason(findings, lucky=lucky)}: {_CHANCE}{unseen}."
    opening = "It may well be luck" if lucky else "Luck alone hardly explains it"
    return f"{opening}: {_CHANCE}{unseen}; the verdict is {{{{verdict_colour}}}}."


def _reason(findings: Findings, *, lucky: bool) -> str:
    if findings.colour == "green":
        return "the lead of the winner passes every test"
    if lucky:
        return "luck may explain the lead of the winner"
    return (
        "the lead of the winner did not last on other days" if findings.validated is False else "not every test holds"
    )


def _asked(known: Container[str], message: str, aspects: Sequence[str], pattern: str) -> str | None:
    """The sentence of the first of `aspects` that the message asks for and the result holds."""
    ids = (pattern.format(aspect) for aspect in aspects if asks(aspect, message))
    return next((f"{{{{{id_}}}}}" for id_ in ids if id_ in known), None)


def _against(findings: Findings, message: str) -> str | None:
    values = {figure.id: figure.value for figure in findings.figures}
    if asks("favour", message) and "benefit_bps" in values:
        opening = {
            "positive": "In its favour, it beats a constant weight of the same volatility",
            "negative": "Nothing speaks for it, as it does not beat a constant weight of the same volatility",
            "unclear": "Little speaks for it, as it hardly differs from a constant weight of the same volatility",
        }[findings.benefit or "unclear"]
        against = f"; luck speaks against it, as {_CHANCE}" if "winner_p" in values else ""
        return f"{opening}: after costs the benefit is {{{{benefit_bps}}}}{against}."
    if "winner_p" not in values or float(values["winner_p"]) < SIGNIFICANT:
        return None
    if asks("anyway", message):
        return f"If you switch anyway, you may gain nothing over a constant weight: {_CHANCE}."
    return f"The strongest argument against it is luck: {_CHANCE}."


def _limits(findings: Findings, message: str) -> str | None:
    ids = {figure.id for figure in findings.figures}
    return _asked(ids, message, ("chance", "binding"), "limits_{}_sentence") or _known(ids, "limits_kept_sentence")


def _change(findings: Findings, message: str) -> str | None:  # noqa: ARG001  (the same signature as the others)
    return _known({figure.id for figure in findings.figures}, "change_verdict_sentence")


def _known(ids: Container[str], id_: str) -> str | None:
    return f"{{{{{id_}}}}}" if id_ in ids else None


def _losses(findings: Findings, message: str) -> str | None:
    ids = {figure.id for figure in findings.figures}
    if asks("lose_money", message):
        return _known(ids, "extremes_losing_sentence")
    return _known(ids, f"extremes_{'best' if asks('best_place', message) else 'worst'}_sentence")


def _years(findings: Findings, message: str) -> str | None:
    ids = {figure.id for figure in findings.figures}
    if asks("losing_years", message):
        return _known(ids, "years_count_sentence")
    return None if asks("worst", message) else _asked(ids, message, ("count", "best"), "years_{}_sentence")


def _data(findings: Findings, message: str) -> str | None:
    ids = {figure.id for figure in findings.figures}
    return (
        _known(ids, "data_asked_sentence")
        or _asked(ids, message, ("dividends", "holdout", "split"), "data_{}_sentence")
        or ("The prices are {{data_source}}." if asks("source", message) and "data_source" in ids else None)
    )


def _summary(findings: Findings, message: str) -> str | None:
    named = "winner_name" in {figure.id for figure in findings.figures} and asks("rule", message)
    if not named or asks("switch", message) or asks("versus", message):
        return None
    return "Of the {{trials}} configurations that were tried the best is {{winner_name}}."


def _costs(findings: Findings, message: str) -> str | None:
    ids = {figure.id for figure in findings.figures}
    if asks("turnover", message) and {"winner_turnover", "winner_cost_bps", "transaction_cost"} <= ids:
        return (
            "The winner trades {{winner_turnover}} of wealth a year, which cost {{winner_cost_bps}} on the training "
            "history, at an assumed {{transaction_cost}} for each trade."
        )
    if asks("free", message) and "costs_free_sentence" in ids:
        return "{{costs_free_sentence}}"
    if asks("double", message) and "costs_double_sentence" in ids:
        return "{{costs_double_sentence}}"
    if (asks("multiple", message) or asks("cheap", message)) and "costs_range_sentence" in ids:
        return "{{costs_range_sentence}}"
    if asks("assumed", message) and {"winner_cost_bps", "transaction_cost"} <= ids:
        return (
            "For each trade an assumed {{transaction_cost}} was charged, which cost the winner {{winner_cost_bps}} on "
            "the training history."
        )
    return None


def _next_trade(findings: Findings, message: str) -> str | None:
    ids = {figure.id for figure in findings.figures}
    if asks("trade", message):
        return _known(ids, "next_step_trade_sentence")
    return _known(ids, "next_step_weight_sentence") if asks("now", message) else None


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


def _assumptions(findings: Findings, message: str) -> str | None:
    """The case that the message names, or the range over all."""
    asked = [name for name in ("return", "volatility") if asks(f"{name}_assumed", message)]
    turns = [turn for turn in ("less", "more") if asks(f"{turn}_assumed", message)]
    for figure in findings.figures:
        case, _, part = figure.id.rpartition("_")
        label = str(figure.value)
        named = case.startswith("parameter_error") and part == "label"
        if named and len(asked) == len(turns) == 1 and asked[0] in label and asks(f"{turns[0]}_assumed", label):
            return f"With {{{{{figure.id}}}}} than assumed the benefit is {{{{{case}_bps}}}}."
    return _ranges("parameter_error", "if expected return and volatility are otherwise than assumed")(findings, message)


_RIVALS: Final = (
    ("sixty_forty", ("sixty_forty_cash", "sixty_forty")),
    ("same_average", ("same_average_weight",)),
    ("timing", ("same_volatility",)),
    ("current_rule", ("current_rule",)),
    ("equity", ("equity",)),
    ("cash", ("cash", "bond")),
    ("simpler", ("closest",)),
)
"""Aspects of benchmarks that a message names, with the benchmarks in question."""


def _benchmarks(findings: Findings, message: str) -> str | None:
    ids = {figure.id for figure in findings.figures}
    for aspect, names in _RIVALS:
        known = [f"benchmarks_{name}_sentence" for name in names if f"benchmarks_{name}_sentence" in ids]
        if known and asks(aspect, message):
            return f"{{{{{known[0]}}}}}"
    if findings.advice and asks("switch", message):
        return findings.advice
    return _known(ids, "benchmarks_same_volatility_sentence")


_LEADS: Final[Mapping[Topic, Callable[[Findings, str], str | None]]] = {
    "summary": _summary,
    "luck": _luck,
    "counter_argument": _against,
    "limits": _limits,
    "what_would_change": _change,
    "costs": _costs,
    "where_it_loses": _losses,
    "years": _years,
    "data": _data,
    "next_trade": _next_trade,
    "premium": _ranges("premium", "however the equity premium moves with volatility"),
    "parameter_error": _assumptions,
    "probabilities": _ranges("probabilities", "under other probabilities of the scenarios"),
    "benchmarks": _benchmarks,
}
"""By topic; the others begin with their answer."""
