"""What the planner can do: one row per tool, with the kinds of words that its arguments take, and its builder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from agents.planner.language import builders as build
from agents.planner.language.form import Form
from agents.planner.language.lexicon import Meaning
from agents.planner.language.slots import fields_of
from desk.conversation.wishes import Offer, PortfolioWish, SavingsWish, ScenarioWish, StrategyWish, Wish
from desk.optimization.reading.topics import Topic
from quant.numeric.frozen import Frozen


@dataclass(frozen=True)
class Ability:
    offer: Offer
    tool: str
    build: Callable[[Form], dict[str, Any]]
    kinds: Mapping[str, float] = field(default_factory=dict[str, float])
    """Kinds of names that its arguments take, with the evidence that one is for it."""
    fields: frozenset[str] = frozenset()
    """Fields of its arguments; they determine the amounts that it takes."""
    amounts: float = 0.5
    """Evidence of an amount with a cue."""
    senses: str = ""
    topic: Topic | None = None
    """The topic of a question about a result: each is a separate ability."""

    def accepts(self, meaning: Meaning) -> bool:
        kind, value = meaning
        if kind == "frame":
            return True
        if kind == "amount":
            return not self.fields.isdisjoint(fields_of(value))
        if kind in ("trigger", "besides"):
            return value == self.offer or (value == "any" and self.topic is None)
        if kind == "sense":
            return value in self.senses.split()
        if kind == "topic":
            return value == self.topic
        return kind in self.kinds or (kind == "question" and self.topic is not None)


_SEARCH: Final = {
    "asset": 1.0, "function": 0.6, "estimator": 0.3, "rebalancing": 0.3, "method": 0.2, "scenario": 0.2, "engine": 0.5,
    "worlds": 0.5, "goal": 0.8, "name": 0.2,
}  # fmt: skip
_CHANGES: Final = "again fresh change not replaced swap only upper lower between each yearly safe_leg"
_HOLDINGS: Final = "each rest equally change again"


def _fields(*models: type[Frozen]) -> frozenset[str]:
    return frozenset(name for model in models for name in model.model_fields)


_SEARCHED: Final = _fields(Wish) - {"goal"}  # a name, and no amount
_TOPIC_KINDS: Final[dict[str, Mapping[str, float]]] = {
    "alternative": {"function": 1.0},
    "scenario": {"scenario": 1.2},
    "benchmarks": {"template": 0.3},
    "data": {"worlds": 1.0},
    "years": {"date": 2.5},
}

ABILITIES: Final[tuple[Ability, ...]] = (
    Ability("optimize", "run_optimization", build.search, kinds=_SEARCH, fields=_SEARCHED,
            amounts=1.0, senses=_CHANGES),
    Ability("estimate", "estimate_optimization", build.search,
            kinds=_SEARCH, fields=_SEARCHED, amounts=0.6, senses=_CHANGES),
    Ability("evaluate", "evaluate_strategy", build.evaluate, amounts=0.8,
            kinds={"template": 2.6, "function": 1.3, "estimator": 0.7, "rebalancing": 0.4, "asset": 0.2, "saved": 2.0,
                   "date": 0.3, "split": 2.6},
            senses="again change not replaced swap only upper between yearly safe_leg rest",
            fields=_fields(StrategyWish)),
    Ability("save_strategy", "save_strategy", build.save_strategy,
            kinds={"name": 1.0, "function": 0.0, "template": 0.0}),
    Ability("scenarios", "show_scenarios", build.scenarios, kinds={"scenario": 2.2},
            senses="only not"),
    Ability("add_scenario", "add_scenario", build.add_scenario, amounts=0.6,
            kinds={"name": 1.2, "scenario": 0.8, "engine": 0.4, "asset": 0.0}, fields=_fields(ScenarioWish),
            senses="again change only yearly"),
    Ability("assess_risk", "assess_portfolio", build.assess,
            kinds={"asset": 0.5, "split": 0.5, "date": 0.3}, fields=frozenset({"amount", "loss"}),
            senses=f"{_HOLDINGS} falls rises against"),
    Ability("compare_allocations", "compare_allocations", build.compare_allocations,
            kinds={"asset": 0.4, "method": 1.6, "covariance": 1.5, "estimator": 0.0}, fields=frozenset({"amount"}),
            senses="change against again not"),
    Ability("analyse_market", "analyse_market", lambda form: {"assets": list(form.names("asset"))},
            kinds={"asset": 1.4}),
    Ability("simulate", "simulate_wealth", build.simulate, amounts=1.0,
            kinds={"asset": 0.3, "split": 0.3, "scenario": 0.3}, fields=_fields(SavingsWish, PortfolioWish),
            senses=f"{_HOLDINGS} monthly yearly"),
    Ability("tearsheet", "show_tearsheet", build.tearsheet,
            kinds={"asset": 0.3, "split": 0.3, "run": 0.3, "term": 0.0},
            senses=f"{_HOLDINGS} against alone previous last"),
    *(
        Ability("explain", "explain_result", build.explain, topic=topic,
                kinds={"run": 0.5, "worlds": 0.0, "asset": 0.0, **_TOPIC_KINDS.get(topic, {})}, senses="previous last")
        for topic in get_args(Topic)
    ),
    Ability("compare_results", "compare_results", build.compare_results,
            kinds={"run": 1.5}, senses="previous last against"),
    Ability("list_results", "list_results", lambda _: {}),
    Ability("list_results", "list_saved", kinds={"kept": 1.5},
            build=build.list_saved),
    Ability("open_holdout", "open_holdout", build.open_holdout, kinds={"run": 0.5},
            senses="last previous"),
    Ability("define_term", "define_term", build.define_term, kinds={"term": 1.4}),
)  # fmt: skip
