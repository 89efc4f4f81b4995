"""Chooses the action of a message: the first rule of `RULES` that applies; specific rules come first."""

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

from agents.planner.language.amounts import Amount
from agents.planner.language.grammar import Reading
from agents.planner.language.questions import asks_about, requests
from desk.conversation.focus import Focus
from desk.conversation.wishes import Offer
from quant.strategies.family import PARAMETERS

Action: TypeAlias = Offer | Literal["help", "cannot"]

RESULT: Final = frozenset({"optimize", "explain", "compare_results", "open_holdout", "list_results"})
STRATEGY: Final = frozenset({"function", "estimator", "template"})
SEARCHED: Final = ("volatility", "drawdown", "turnover", "trials", "max_cost", "transaction_cost", "risk_aversion")
"""Amounts of an optimization; together with an asset they request one."""
SHAPED: Final = (*(name for name, row in PARAMETERS.items() if row.words), "decay", "band")
"""Amounts that only a single configuration has."""
EXCLUDING: Final = frozenset(
    {
        "drop",
        "remove",
        "exclude",
        "skip",
        "leave out",
        "omit",
        "get rid of",
        "ban",
        "take away",
        "dropping",
        "removing",
        "dont use",
    }
)
"""Negations that change a request and do not occur in a question about a result."""
MEASURES: Final = ("var", "es", "drawdown")


def action_of(reading: Reading, focus: Focus) -> Action | None:
    """The action that the message expresses by itself; None if it depends on the conversation."""
    return next((action for action, applies in RULES if applies(reading, focus)), None)


def _forbidden(r: Reading, _: Focus) -> bool:
    subject = r.has("do", *ASKED_FOR) or (r.has("do") and r.amounts) or r.has("topic") or r.has("asset")
    worlds = r.has("slot", "correlation") or r.has("do", "add_scenario") or any(w.stem == "scenario" for w in r.words)
    foreign = any(not (worlds and m.text.startswith("bond")) for m in r.all("foreign"))
    return r.has("forbidden") or foreign or (r.has("chat") and not subject)


ASKED_FOR: Final = (
    "optimize", "estimate", "evaluate", "saved", "add_scenario", "assess_risk", "compare_allocations", "analyse_market",
    "compare_results", "list_results", "open_holdout", "scenarios", "save", "simulate", "tearsheet",
)  # fmt: skip


def _help(r: Reading, _: Focus) -> bool:
    return r.has("do", "help") and not r.unknown and not r.amounts and not r.has("asset") and not _named_strategy(r)


CLOSED: Final = re.compile(
    r"\b(?:leave|shut|closed?|keep|stays?|remain|not|no|never|don'?t|without|before|later|yet|until|explain|"
    r"what (?:is|are)|why)\b"
)
"""Words with which a message mentions the holdout without requesting it."""


def _holdout(r: Reading, _: Focus) -> bool:
    return r.has("do", "open_holdout") and not CLOSED.search(r.folded)


def _saved(r: Reading, _: Focus) -> bool:
    return r.has("do", "saved") and r.has("name")


def _save(r: Reading, focus: Focus) -> bool:
    if not r.has("do", "save") or r.has("do", "add_scenario", "optimize", "simulate", "compare_allocations"):
        return False
    keeps = any(m.text in ("save", "save it", "save this", "save that") for m in r.all("do", "save"))
    return r.has("name") or (keeps and focus.strategy is not None and not r.amounts)


ALIKE: Final = re.compile(
    r"\b(?:two (?:results|runs)|not the same|differ\w*|versus|vs|(?:and|with|to|than|against) the (?:last|"
    r"latest|newest|previous))\b"
)


def _compare_results(r: Reading, focus: Focus) -> bool:
    if r.has("method") or r.has("asset") or r.amounts:
        return False
    if len(r.all("run")) == 2 or (r.has("run") and ALIKE.search(r.folded)):
        return True
    two = len(r.all("run")) >= 2 or r.has("reference", "previous")
    versus = any(word.text in ("compare", "versus", "vs", "against", "why") for word in r.words)
    return (r.has("do", "compare_results") and (two or (_has_result(focus) and not _named_strategy(r)))) or (
        two and versus
    )


def _list(r: Reading, _: Focus) -> bool:
    return r.has("do", "list_results") and not r.amounts and not r.has("asset") and not r.has("run")


def _add_scenario(r: Reading, _: Focus) -> bool:
    if (
        r.has("name")
        and r.has("scenario")
        and r.amounts
        and not r.has("asset")
        and not r.has("do", "optimize", "estimate", "simulate")
    ):
        return True
    return r.has("do", "add_scenario") and (
        r.has("scenario") or r.has("name") or any(w.stem == "scenario" for w in r.words)
    ) and not r.has("do", "optimize", "estimate")  # fmt: skip


def _estimate(r: Reading, _: Focus) -> bool:
    if r.has("topic", "computed") and re.search(r"\b(?:was|were|did|actually|behind)\b", r.folded):
        return False
    lasts = r.has("do", "optimize") or r.has("slot", "trials", "paths")
    takes = lasts and any(w.stem in ("take", "tak", "hour", "minut") for w in r.words) and _wonders(r)
    return (r.has("do", "estimate") or takes) and not r.has("do", "simulate") and not r.has("topic", "parameter_error")


def _compare_allocations(r: Reading, focus: Focus) -> bool:
    if r.has("do", "optimize", "assess_risk") or r.has("template") or any(m.value in SHAPED for m in r.all("slot")):
        return False
    methods = {m.value for m in r.all("method") if not _overlaps_function(r, m.start)}
    if (
        r.has("do", "allocation_methods", "compare_allocations")
        and focus.portfolio
        and not r.has("asset")
        and not r.amounts
    ):
        return True
    several = r.has("asset", "stocks") or len({m.value for m in r.all("asset")}) > 1
    spread = r.has("do", "compare_allocations") or (methods and not r.has("do", "evaluate"))
    return (
        bool(spread and (methods or several))
        or r.has("do", "allocation_methods")
        or bool(several and r.has("method") and not r.has("do", "evaluate") and not _optimizing(r))
    )


def _overlaps_function(r: Reading, start: int) -> bool:
    return any(m.start == start for m in r.all("function"))


def _simulate(r: Reading, _: Focus) -> bool:
    money = any(a.unit in ("money", "m") or a.per or a.value >= 1000 for a in r.amounts)
    years = any(a.unit == "time" and a.years for a in r.amounts)
    strong = any(
        m.text in ("simulate", "simulation", "monte carlo", "retire", "retirement") for m in r.all("do", "simulate")
    )
    saving = r.has("slot", "contribution", "withdrawal", "money_goal")
    if r.has("do", "optimize", "evaluate", "compare_allocations") or r.has("slot", "trials"):
        return False
    if not years and (r.has("do", "assess_risk") or any(w.stem in ("los", "lose", "loss", "risk") for w in r.words)):
        return False
    return (
        ((r.has("do", "simulate") or saving) and (money or years)) or (strong and r.has("asset")) or (money and years)
    )


def _optimize(r: Reading, _: Focus) -> bool:
    return r.has("do", "optimize") and not asks_about_search(r)


def asks_about_search(r: Reading) -> bool:
    """Whether the message asks about the worlds or the benefit of a search instead of requesting one."""
    return asks_about(r, "worlds") or asks_about(r, "goal", "benefit")


def _optimizing(r: Reading) -> bool:
    return r.has("slot", *SEARCHED) or r.has("engine") or requests(r, "worlds") or r.has("rebalancing")


def _explain(r: Reading, focus: Focus) -> bool:
    if r.has("run") and not r.amounts:
        return True
    if _has_result(focus) and asks_about(r, "worlds") and not r.amounts:
        return True
    if not _has_result(focus) or r.has("fresh") or _weights(r) or any(m.text in EXCLUDING for m in r.all("negation")):
        return False
    if r.has("again") and (r.amounts or r.has("rebalancing")):
        return False
    if r.has("topic") and all(m.value in ("sp500", "cash", "stocks") for m in r.all("asset")) and not _set_by_number(r):
        return True
    whole = r.has("scenario", "all", "default")
    return r.has("scenario") and not (r.amounts or whole or r.has("again") or r.has("only"))


def _set_by_number(r: Reading) -> bool:
    """Whether an amount changes the request; the "double" of a question about costs does not."""
    question = "?" in r.text or any(
        w.text in ("how", "why", "what", "which", "is", "does", "who", "where") for w in r.words[:2]
    )
    return any(a.unit not in ("multiple", "factor") for a in r.amounts) and not (question and r.has("topic", *ASKED))


ASKED: Final = (
    "probabilities", "limits", "luck", "plateau", "years", "ranking", "counter_argument", "premium", "why",
    "where_it_loses",
    "what_would_change", "parameter_error", "data", "computed", "next_trade", "assets",
)  # fmt: skip


def _assess(r: Reading, focus: Focus) -> bool:
    if _strategy_in_view(r, focus) or (r.has("now") and not _weights(r) and not r.has("do", "assess_risk")):
        return False
    measure = r.has("slot", *MEASURES) or r.has("do", "weak_risk") or r.has("do", "assess_risk")
    has_portfolio = _weights(r) or r.has("asset") or focus.portfolio is not None
    if r.has("do", "assess_risk") or any(m.value in ("var", "es") for m in r.all("slot")):
        return not _limits_given(r)
    percent = any(a.unit in ("percent", "plain", "bps") for a in r.amounts)
    return measure and has_portfolio and (_weights(r) or (_asks(r) and not percent)) and not _limits_given(r)


def _asks(r: Reading) -> bool:
    return "?" in r.text or any(
        w.text in ("what", "how", "which", "show", "give", "tell", "report") for w in r.words[:3]
    )


def _limits_given(r: Reading) -> bool:
    """Whether amounts are limits of an optimization, and not shares of a portfolio."""
    if (
        r.has("level")
        or r.has("slot", "trials")
        or (r.has("slot", "volatility") and len(r.amounts) > 1 and not _weights(r))
    ):
        return True
    return r.has("bound") and bool(r.amounts) and not _weights(r)


def _weights(r: Reading) -> bool:
    shares = [a for a in r.amounts if a.unit in ("percent", "share")]
    return r.has("asset") and ((bool(shares) and _beside(r, shares)) or r.has("split"))


def _beside(r: Reading, shares: Sequence[Amount]) -> bool:
    """Whether a share is next to an asset, and not next to the cue of another amount."""
    slots = r.all("slot")
    free = [s for s in shares if not any(0 <= s.start - c.end <= 4 or 0 <= c.start - s.end <= 3 for c in slots)]
    for share in free:
        for asset in r.all("asset"):
            start, end = (share.end, asset.start) if share.end <= asset.start else (asset.end, share.start)
            if len(r.folded[start:end].split()) <= 2 and not any(
                start <= cue.start and cue.end <= end for cue in slots
            ):
                return True
    return False


def _strategy_in_view(r: Reading, focus: Focus) -> bool:
    return focus.last == "evaluate" and not r.has("asset") and not r.has("do", "assess_risk")


def _tearsheet(r: Reading, _: Focus) -> bool:
    return r.has("do", "tearsheet")


def _analyse(r: Reading, focus: Focus) -> bool:
    about_scenarios = r.has("scenario") or any(w.stem == "scenario" for w in r.words)
    if r.amounts or r.has("do", "evaluate") or _named_strategy(r) or about_scenarios or r.has("again"):
        return False
    if r.has("do", "analyse_market"):
        return True
    if r.has("now") and (r.has("slot", "volatility", "drawdown") or r.has("do", "weak_analyse") or r.has("asset")):
        return True
    return r.has("do", "weak_analyse") and (r.has("asset") or focus.last == "analyse_market")


def _scenarios(r: Reading, focus: Focus) -> bool:
    if (
        any(a.unit != "count" for a in r.amounts)
        or r.has("asset")
        or _named_strategy(r)
        or r.has("again")
        or r.has("now")
        or r.has("do", "optimize")
    ):
        return False
    if any(w.stem == "scenario" for w in r.words) or r.has("do", "scenarios"):
        return not _has_result(focus) or r.has("show") or focus.last in ("scenarios", "add_scenario")
    return r.has("scenario") and (
        r.has("show") or (_asks(r) and not _has_result(focus)) or focus.last in ("scenarios", "add_scenario")
    )


def _evaluate(r: Reading, focus: Focus) -> bool:
    if r.has("template") or r.has("do", "evaluate"):
        return not _sets_search_size(r)
    if (
        r.has("split")
        and r.words
        and focus.portfolio is None
        and not r.has("asset")
        and not r.has("do", "assess_risk", "simulate")
    ):
        return True
    shaped = r.has("slot", *SHAPED)
    single = len({m.value for m in r.all("function")}) == 1
    if single and _asks_how(r) and not _has_result(focus) and r.words[0].text != "why" and not _sets_search_size(r):
        return True
    if (shaped or r.has("do", "weak_evaluate")) and single and not r.has("do", "optimize"):
        return not _sets_search_size(r) and not (r.has("do", "weak_optimize") and not shaped and not r.has("show"))
    return False


def _sets_search_size(r: Reading) -> bool:
    """Whether the message sets a number of trials or paths, which only a search has."""
    return any(
        -3 <= a.start - m.end <= 4 or -3 <= m.start - a.end <= 4
        for m in r.all("slot", "trials", "paths")
        for a in r.amounts
    )


def _named_strategy(r: Reading) -> bool:
    return any(r.has(kind) for kind in STRATEGY)


def _weak_optimize(r: Reading, focus: Focus) -> bool:
    if focus.last == "evaluate" and not r.has("asset"):
        return False
    if _asks_how(r) or asks_about_search(r) or ("?" in r.text and not r.amounts) or _weights(r):
        return False
    subject = (
        r.has("asset")
        or r.has("slot", *SEARCHED)
        or _named_strategy(r)
        or r.has("goal")
        or r.has("engine")
        or requests(r, "worlds")
    )
    return r.has("do", "weak_optimize") and bool(subject)


def _wonders(r: Reading) -> bool:
    return any(w.text in ("how", "what", "would", "will", "does", "do", "can", "is", "whats") for w in r.words[:6])


def _asks_how(r: Reading) -> bool:
    """Whether it is a question that a search does not answer; a search answers "which rule is best"."""
    best = r.has("do", "weak_optimize") and any(
        m.text in ("best", "optimal", "highest") for m in r.all("do", "weak_optimize")
    )
    return not best and any(w.text in ("how", "what", "when", "why", "who", "is", "does", "did") for w in r.words[:2])


def _bare_request(r: Reading, focus: Focus) -> bool:
    """Whether it lists assets and amounts without a verb, as in "KO PEP PG, 7% vol, weekly"."""
    if focus.last == "evaluate" and not r.has("asset"):
        return False
    if _asks_how(r) or asks_about_search(r):
        return False
    set_ = bool(r.amounts) and r.has("slot", *SEARCHED, "lookback", "seed", "paths", "leverage", "weight")
    return r.has("asset") and bool(set_ or r.has("engine") or r.has("goal") or r.has("rebalancing")) and not _weights(r)


def _has_result(focus: Focus) -> bool:
    """Whether the message can refer to a result; after a quick evaluation it refers to that strategy."""
    return focus.run is not None and focus.last not in ("evaluate", "save_strategy")


RULES: Final[tuple[tuple[Action, Callable[[Reading, Focus], bool]], ...]] = (
    ("cannot", _forbidden),
    ("help", _help),
    ("evaluate", _saved),
    ("save_strategy", _save),
    ("compare_results", _compare_results),
    ("open_holdout", _holdout),
    ("tearsheet", _tearsheet),
    ("list_results", _list),
    ("add_scenario", _add_scenario),
    ("estimate", _estimate),
    ("simulate", _simulate),
    ("compare_allocations", _compare_allocations),
    ("optimize", _optimize),
    ("explain", _explain),
    ("analyse_market", _analyse),
    ("assess_risk", _assess),
    ("evaluate", _evaluate),
    ("scenarios", _scenarios),
    ("optimize", _weak_optimize),
    ("optimize", _bare_request),
)
