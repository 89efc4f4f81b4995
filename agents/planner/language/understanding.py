"""Turns a message into tool calls, or into a question if it is not clear."""

import re
from itertools import pairwise
from typing import Final

from agents.planner.language.arguments import BUILDERS
from agents.planner.language.form import Call, Form
from agents.planner.language.grammar import Reading, read
from agents.planner.language.intent import Action, action_of, asks_about_search
from agents.planner.language.lexicon import LEXICON, Lexicon
from agents.planner.language.questions import requests
from agents.planner.language.words import Mark
from desk.base.text import spaced
from desk.conversation.focus import Focus
from desk.conversation.wishes import Offer
from quant.numeric.frozen import Frozen

EVERYTHING: Final[tuple[Offer, ...]] = (
    "optimize", "estimate", "evaluate", "save_strategy", "scenarios", "add_scenario", "assess_risk",
    "compare_allocations",
    "analyse_market", "simulate", "tearsheet", "explain", "compare_results", "list_results", "open_holdout",
)  # fmt: skip


class Interpretation(Frozen):
    """The tool calls of a message; without calls it is declined, unclear, or a request for help."""

    calls: tuple[Call, ...] = ()
    declined: bool = False
    offers: tuple[Offer, ...] = ()
    """Actions that can be requested instead."""
    unclear: tuple[str, ...] = ()
    """Questions about missing or contradictory parts."""


def understand(text: str, focus: Focus, lexicon: Lexicon = LEXICON) -> Interpretation:
    """Calls in which every number and name of `text` fills one argument, or questions."""
    whole = read(text, focus.scenarios, lexicon)
    if action_of(whole, focus) == "cannot":
        return Interpretation(declined=True, offers=_nearest(whole, focus))
    if whole.unlisted:
        questions = tuple(_unlisted(mark, lexicon) for mark in whole.unlisted)
        return Interpretation(offers=("evaluate", "optimize"), unclear=questions)
    calls: list[Call] = []
    for part in _parts(whole, focus):
        action = action_of(part, focus) or _follow_up(part, focus)
        if action == "help":
            return Interpretation(offers=EVERYTHING)
        if action is None or action == "cannot":
            return Interpretation(
                offers=_nearest(part, focus),
                unclear=("intent: It is not clear what should be done; these things can be asked.",),
            )
        form = Form(part, focus)
        new_calls = BUILDERS[action](form)
        if form.unclear:
            return Interpretation(offers=(action,), unclear=tuple(dict.fromkeys(form.unclear)))
        calls += [call for call in new_calls if call not in calls]
    return Interpretation(calls=tuple(calls))


def _unlisted(mark: Mark, lexicon: Lexicon) -> str:
    functions = ", ".join(lexicon.family[name].title for name in lexicon.names["function"])
    estimators = ", ".join(spaced(name) for name in lexicon.names["estimator"])
    return (
        f"function: {mark.text} is neither a weight function nor an estimator of the desk. "
        f"Weight functions: {functions}. Estimators: {estimators}."
    )


BREAK: Final = re.compile(
    r"(?:[.?!;]+\s+(?:and then |then |also |and |after that,? )?|,? (?:and )?(?:then|after that|"
    r"afterwards|also)(?:,)? |,? and (?:also )?(?=(?:show|tell|explain|compare|"
    r"simulate|save|optimi[sz]e|backtest|evaluate|estimate|assess|list|open|why|what|where|how|which|"
    r"who|launch|give me)\b))"
)


def _parts(whole: Reading, focus: Focus) -> list[Reading]:
    """One reading per action; a piece without an action of its own is joined with its neighbour."""
    names = [(m.start, m.end) for m in whole.marks if m.kind in ("name", "asset", "template")]
    breaks = (match for match in BREAK.finditer(whole.folded))
    inner = [b.end() for b in breaks if not any(start < b.start() < end for start, end in names)]
    pieces: list[tuple[int, int, Action | None]] = []
    for start, end in pairwise([0, *inner, len(whole.folded)]):
        piece = whole.part(start, end)
        action = _own_action(piece, focus)
        if pieces and (action is None or pieces[-1][2] is None or _belong_together(pieces[-1][2], action, piece)):
            first, _, earlier = pieces.pop()
            pieces.append((first, end, "estimate" if "estimate" in (earlier, action) else earlier or action))
        else:
            pieces.append((start, end, action))
    if len(pieces) > 1 and {a for _, _, a in pieces} == {"estimate", "optimize"}:
        return [whole]
    return [whole.part(start, end) for start, end, _ in pieces]


def _own_action(piece: Reading, focus: Focus) -> Action | None:
    """The action of a piece by itself; amounts alone belong to the action before."""
    action = action_of(piece, focus)
    if action == "cannot" and not (piece.has("forbidden") or piece.has("foreign")):
        return None
    if action is None and (piece.has("change") or piece.has("again")) and not piece.has("name"):
        return _follow_up(piece, focus)
    asks = any(w.text in QUESTIONS for w in piece.words[:3]) or piece.has("do") or piece.has("show")
    if action == "explain" and not asks and not piece.text.rstrip().endswith("?"):
        return None
    if action in ("assess_risk", "compare_allocations", "simulate") and not asks:
        return None
    return action


QUESTIONS: Final = frozenset(
    "why what whats what's where how which who is does do did would could can will explain tell was were are "
    "show".split()
)


SUPPOSED: Final = re.compile(
    r"(?:and )?(?:how much|how badly|how bad|what) (?:does|would|do|will|did|happens)[^?]*\b(?:that|this|then|us)\b"
)
"""A question about the assumption before it."""


def _belong_together(earlier: Action, action: Action, piece: Reading) -> bool:
    if {earlier, action} == {"optimize", "estimate"}:
        return any(
            m.text.startswith(("dont", "do not", "without", "before", "not")) for m in piece.all("do", "estimate")
        )
    if earlier == action == "explain":
        return SUPPOSED.match(piece.text.lower()) is not None
    return earlier == action


# Actions that depend on the conversation


def _follow_up(r: Reading, focus: Focus) -> Action | None:
    if asks_about_search(r):
        return None
    settings = requests(r, "worlds") or any(
        r.has(kind) for kind in ("function", "estimator", "rebalancing", "template", "engine", "goal", "scenario")
    )
    if focus.last in ("evaluate", "save_strategy") and focus.strategy is not None:
        asset = r.has("asset") and (r.has("again") or r.has("change"))
        return "evaluate" if (settings or r.amounts or asset) else None
    if focus.last == "assess_risk" and any(a.years for a in r.amounts):
        return "simulate"
    if focus.last == "assess_risk" and (r.amounts or r.has("split") or r.has("asset")):
        return "assess_risk"
    if focus.last == "estimate" and focus.request is not None and (settings or r.amounts or r.has("asset")):
        return "estimate"
    if focus.request is None:
        return None
    return _about_result(r, settings=settings)


def _about_result(r: Reading, *, settings: bool) -> Action | None:
    again = r.has("again") or r.has("only")
    if ASKS_HOW.match(r.folded):
        return None
    if (
        not again
        and r.has("slot", "transaction_cost", "max_cost")
        and any(a.unit in ("multiple", "factor") for a in r.amounts)
    ):
        return "explain"
    if not again and not r.amounts and r.has("scenario") and not r.has("scenario", "all", "default"):
        return "explain"
    if not again and not r.amounts and r.has("function") and any(w.text in ("what", "how", "why") for w in r.words[:6]):
        return "explain"
    if any(w.text in QUESTIONS for w in r.words[:2]) and not (again or r.has("change")):
        return None
    if r.text.rstrip().endswith("?") and r.has("topic") and not (again or STRONG_CHANGE.search(r.folded)):
        return None
    return "optimize" if settings or r.amounts or (r.has("asset") and (again or r.has("change"))) else None


ASKS_HOW: Final = re.compile(r"(?:and |so |but |ok |okay |then |now )*(?:how (?!about|would it|does it)|when |why )")
STRONG_CHANGE: Final = re.compile(
    r"\b(?:what if|what about|how about|and with|and if|instead|make it|change|set|try|use|but)\b"
)


def _nearest(r: Reading, focus: Focus) -> tuple[Offer, ...]:
    """Actions that could have been meant, by the known words."""
    offers: list[Offer] = []
    if r.has("function") or r.has("estimator") or r.has("template"):
        offers.extend(("evaluate", "optimize"))
    if r.has("topic") and focus.run is not None:
        offers.append("explain")
    if r.has("method"):
        offers.append("compare_allocations")
    if r.has("asset") or r.has("foreign"):
        offers.extend(("assess_risk", "analyse_market", "optimize"))
    if r.has("slot", "var", "es", "drawdown") or focus.portfolio is not None:
        offers.append("assess_risk")
    if r.has("scenario"):
        offers.append("scenarios")
    if focus.run is not None:
        offers.extend(("explain", "compare_results"))
    return tuple(dict.fromkeys(offers))[:4] or ("optimize", "evaluate", "assess_risk", "explain")
