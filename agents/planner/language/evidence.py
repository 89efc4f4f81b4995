"""Evidence that a message asks for an ability: its words, and what was done last."""

import math
import re
from typing import Final

from agents.planner.language.abilities import Ability
from agents.planner.language.builders import OF_STRATEGY
from agents.planner.language.form import ASKING
from agents.planner.language.parsing import Parse
from desk.conversation.focus import Focus
from desk.conversation.sentences.aspects import asks

FRAGMENT: Final = 8
"""Most words of a message that, without a word for what to do, is about the last wish."""
UNTOLD: Final = -5.0
"""Evidence for the estimate of a search where nothing is asked about it."""
IMPERATIVES: Final = {
    "simulate": "simulate", "project": "simulate", "evaluate": "evaluate", "backtest": "evaluate",
    "assess": "assess_risk evaluate", "compare": "compare_allocations compare_results explain", "estimate": "estimate",
    "define": "define_term add_scenario", "explain": "explain define_term", "optimize": "optimize estimate",
    "search": "optimize estimate",
}  # fmt: skip
"""Verbs at the beginning that only some abilities answer."""
OF_RESULT: Final = frozenset("recommended winner winner's winning chosen selected proposed recommendation".split())
"""Words for what a search has found: a message with one is about its result."""
OF_SUMMARY: Final = frozenset(
    "result winner winning strategy rule run search verdict outcome optimization last latest found all best".split()
)
"""Words beside which a summary is an answer."""
OF_CONFIGURATION: Final = frozenset(
    "configuration run trial mandate estimator lookback plan objective goal limit benchmark verdict luck path".split()
)
"""Terms of which a tear sheet has no number."""
OF_VERDICT: Final = frozenset("red amber green light verdict recommend recommendation switch convince".split())
CONDITIONAL: Final = frozenset(
    "would could might when happen under if need needed must become missing far close".split()
)
OF_SEARCH: Final = ("optimize", "explain")
OF_DAYS: Final = (*OF_STRATEGY, "assess_risk")
CHANGES: Final = re.compile(r"(?:ok |so )*(?:and|what if|what about|how about)\b")
"""The beginning of a message that changes the last wish."""
SHOWING: Final = frozenset({"show", "list", "display", "open", "describe", "see"})


def evidence_of(ability: Ability, division: Parse, focus: Focus) -> float:
    """How much the words of a division speak for an ability."""
    triggers = {item.value + item.text.lower() for item in division.items if item.kind in ("trigger", "topic")}
    if ability.offer == "assess_risk":
        triggers |= {item.text for item in division.items if (item.kind, item.value) == ("amount", "loss")}
    evidence = (2.5 if triggers else 0.0) + 0.4 * max(0, min(len(triggers), 4) - 1)
    names = [item for item in division.items if item.kind in ability.kinds]
    if ability.offer == "define_term" and not division.has("term"):
        return 0.0
    asked = triggers - {"estimatetake"} or (triggers and any(word.text in ASKING for word in division.reading.words))
    if ability.offer == "estimate" and not asked and focus.last != "estimate":
        return UNTOLD
    bare = division.has("asset")  # then "60/40" is its shares, and not the rule
    bare_split = bare and ability.offer == "evaluate"
    kinds = {i.kind for i in names if not (bare_split if i.kind == "split" else bare) or any(map(str.isalpha, i.text))}
    evidence += 2.0 * any(i.kind == "kept" and (i.text.endswith("s") or i.last - i.first > 1) for i in names)
    evidence += math.fsum(ability.kinds[kind] for kind in kinds) + (0.2 if len(names) > len(kinds) > 0 else 0.0)
    if ability.topic is not None:
        evidence += 0.4 * (max((i.last - i.first for i in division.items if i.kind == "topic"), default=1) - 1)
        words = [item.text.lower() for item in division.items if item.kind == "question"]
        evidence += min(0.2 * len(words), 0.6)
        evidence -= 1.0 * (
            ability.topic == "summary" and not {*words} <= OF_SUMMARY
        )  # it answers what nothing else does
        evidence -= 1.5 * (ability.topic == "years" and division.has("date") and focus.last in (*OF_DAYS, "tearsheet"))
        other = focus.last in ("evaluate", "assess_risk", "simulate", "compare_allocations")
        evidence -= 1.2 * (focus.run is None) + other * (2.0 if CHANGES.match(division.reading.plain) else 0.4)
    return evidence + _about_last(ability, division, focus, told=bool(triggers)) + _wording(ability, division, focus)


def _about_last(ability: Ability, division: Parse, focus: Focus, *, told: bool) -> float:
    """Evidence that the message is about what was done last."""
    shown = any(word.text in SHOWING for word in division.reading.words)
    sheet = division.has("asset") or "sheet" in division.reading.text.lower()
    if ability.offer == "tearsheet" and not sheet and focus.last in OF_SEARCH:
        return -1.0  # the worst years of what was found
    if ability.offer == "scenarios" and not shown and focus.last in ("optimize", "explain", "simulate"):
        if CHANGES.match(division.reading.plain):
            return -3.0
        return -1.0 if not told or division.has("scenario") else 0.0
    if ability.offer == "evaluate" and focus.last in OF_SEARCH and division.has("template"):
        compared = asks("versus", division.reading.text) or "compar" in division.reading.text.lower()
        return -1.5 * compared  # whether what was found is better than that
    about = {"evaluate": OF_STRATEGY, "optimize": ("optimize", "explain")}.get(ability.offer, (ability.offer,))
    if focus.last not in about or ability.topic is not None:
        return 0.0
    fragment = not (told or shown) and len(division.reading.words) <= FRAGMENT
    return 2.0 if fragment or division.has("sense", "change", "again") else 1.0


def _wording(ability: Ability, division: Parse, focus: Focus) -> float:
    """Evidence of single words for or against an ability."""
    words = [word.text for word in division.reading.words]
    evidence = 0.0
    if ability.offer == "define_term" and division.has("trigger"):
        evidence += any(i.kind == "term" and words[i.first - 1] in ("a", "an") for i in division.items)
    if ability.offer == "define_term" and _asks_for_term(division):
        evidence += 1.0
    if ability.offer == "assess_risk" and division.has("sense", "falls", "rises"):
        evidence += 1.5
    if ability.topic in ("luck", "what_would_change") and OF_VERDICT & {
        *words
    }:  # why it is red, when it would be green
        conditional = words[0] != "why" and bool(CONDITIONAL & {*words})
        evidence += 0.6 * ((ability.topic == "what_would_change") == conditional) - 3.0 * ({"red", "green"} <= {*words})
    of_result = focus.run is not None and not OF_RESULT.isdisjoint(words)
    measured = any(i.kind == "term" and i.text.lower() not in OF_CONFIGURATION for i in division.items)
    evidence += 3.5 * (ability.offer == "tearsheet" and measured and (of_result or "its" in words))
    if of_result and ability.offer not in ("explain", "tearsheet", "open_holdout", "compare_results", "define_term"):
        evidence -= 3.0
    verb = next((w for n, w in enumerate(words) if not division.reading.is_stop(n) and words[n - 1] != "the"), "")
    return evidence - 2.0 * (verb in IMPERATIVES and ability.offer not in IMPERATIVES[verb].split())


KINDS_AROUND: Final = frozenset({"stop", "frame", "term"})


def _asks_for_term(division: Parse) -> bool:
    """Whether nothing but words without a meaning stands between "what" and the one term, and after the term."""
    asked = [n for n, item in enumerate(division.items) if item.text.lower() in ("what", "what's")]
    rest = [*division.items[asked[-1] :]] if asked else []
    verb = {"what's", "is", "are"} & {item.text.lower() for item in rest}
    return (
        bool(verb)
        and {item.kind for item in rest if item.text.lower() != "again"} <= KINDS_AROUND
        and rest[-1].text != "there"
    )
