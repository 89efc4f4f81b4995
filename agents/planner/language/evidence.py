"""Evidence that a message asks for an ability: its words, and what was done last."""

import math
import re
from typing import Final

from agents.planner.language.abilities import Ability
from agents.planner.language.builders import OF_SEARCH, OF_STRATEGY
from agents.planner.language.form import ASKING
from agents.planner.language.parsing import Parse
from desk.conversation.focus import Focus

FRAGMENT: Final = 8
"""Most words of a message that, without a word for what to do, is about the last wish."""
UNTOLD: Final = -5.0
"""Evidence for the estimate of a search where nothing is asked about it."""
OF_DAYS: Final = (*OF_STRATEGY, "assess_risk", "tearsheet")
"""What was done last, if a year is likely one of it."""
OF_RESULT: Final = frozenset("recommended winner winner's winning chosen selected proposed its".split())
"""Words for what a search has found."""
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
        evidence -= 1.5 * (ability.topic == "years" and focus.last in OF_DAYS)
        other = focus.last in ("evaluate", "assess_risk", "simulate", "compare_allocations")
        evidence -= 1.2 * (focus.run is None) + other * (2.0 if CHANGES.match(division.reading.plain) else 0.4)
    if ability.offer == "tearsheet" and division.has("term"):  # the Sharpe ratio of the winner, or of GE
        winner = focus.run is not None and not OF_RESULT.isdisjoint(word.text for word in division.reading.words)
        evidence += 2.5 * (winner or bare)
    return evidence + _about_last(ability, division, focus, told=bool(triggers))


def _about_last(ability: Ability, division: Parse, focus: Focus, *, told: bool) -> float:
    """Evidence that the message is about what was done last."""
    shown = any(word.text in SHOWING for word in division.reading.words)
    about = {"evaluate": OF_STRATEGY, "optimize": OF_SEARCH}.get(ability.offer, (ability.offer,))
    if focus.last not in about or ability.topic is not None:
        return 0.0
    fragment = not (told or shown) and len(division.reading.words) <= FRAGMENT
    return 2.0 if fragment or division.has("sense", "change", "again") else 1.0
