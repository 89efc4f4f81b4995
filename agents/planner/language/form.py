"""The form of one ability: its parse of the message, the arguments filled so far, and what stands in the way."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, Final

from agents.planner.language.lexicon import NAMES
from agents.planner.language.parsing import Parse
from agents.planner.language.reading import Item
from agents.planner.language.slots import Pair, assign, fields_of
from desk.base.text import spaced
from desk.conversation.focus import Focus
from desk.conversation.wishes import Offer
from desk.optimization.reading.topics import Topic

MEANINGFUL: Final = frozenset({"unknown", "amount", "number", "date", "name", "saved", "run", "split", "sense", *NAMES})
FREE: Final = frozenset({"amount", "change", "yearly", "last", "only", "equally", "between"})
"""Cues and senses that need not be used: they change nothing that the arguments do not say."""
QUESTIONS: Final = frozenset("what what's why when how does did".split())
ASKING: Final = QUESTIONS | frozenset("is are was were do should who which has have".split())
DIFFERENCES: Final = frozenset({"by", "another", "extra", "additional", "further"})
BOUNDS: Final = {"upper weight": "max_weight", "lower weight": "min_weight", "upper transaction_cost": "max_cost"}
"""Fields of a bound of an amount, where a tool has them."""
LIMITS: Final = frozenset("drawdown value_at_risk expected_shortfall max_turnover max_cost max_leverage".split())
FROM_BELOW: Final = frozenset("amount goal min_weight weight floor trials years".split())
"""Amounts that may be the least of something."""
SEVERAL: Final = "Which {} is meant? Several amounts are given."
HOLDING: Final = {"percent": "holding", "currency": "amount", "large": "amount"}
"""What amounts without a cue are for in a portfolio."""


@dataclass(kw_only=True)
class Form(Parse):
    focus: Focus
    fields: frozenset[str] = frozenset()
    """Fields of the tool's arguments."""
    offer: Offer = "optimize"
    topic: Topic | None = None
    built_on: bool = False
    """Whether the arguments change those of the last call of the tool."""
    questions: list[str] = field(default_factory=list[str])
    doubts: list[str] = field(default_factory=list[str])
    """What the arguments assume beyond the words of the message."""
    pairs: list[Pair] = field(default_factory=list[Pair])
    other_pairs: list[Pair] = field(default_factory=list[Pair])
    """Another assignment of the amounts that is about as good."""
    denied: set[Item] = field(default_factory=set[Item])

    def __post_init__(self) -> None:
        for swapped in self.all("sense", "replaced"):  # "swap GARCH for EWMA"
            names = [i for i in self.items if i.first >= swapped.last and i.kind in {*NAMES} - {"asset"}]
            if len(names) > 1 and names[0].kind == names[1].kind:
                self.denied.add(names[0])
                self.use(swapped, names[0])
        for negation in self.all("sense", "not", "swap"):
            following = [i for i in self.items if i.first >= negation.last and i.kind != "stop"]
            listed: list[Item] = []
            for item in following:
                apart = bool(listed) and self.breaks(listed[-1], item) and item.first - listed[-1].last > 1
                if item.kind not in NAMES or apart or (listed and item.kind != listed[0].kind):
                    break
                listed.append(item)
            if listed and not (negation.value == "swap" and len(following) == len(self.items)):
                self.denied |= {*listed}
                self.use(negation, *listed)

    def ask(self, question: str) -> None:
        self.questions.append(question)

    def doubt(self, assumption: str) -> None:
        self.doubts.append(assumption)

    def says(self, words: Set[str]) -> bool:
        return any(word.text in words for word in self.reading.words)

    def before(self, item: Item, count: int = 1) -> list[str]:
        """The words directly before an item."""
        return [word.text for word in self.reading.words[max(0, item.first - count) : item.first]]

    def names(self, kind: str) -> tuple[str, ...]:
        names = {item.value: item for item in self.take(kind)}
        if len(names.keys() - {"cash"}) > 1 and names.pop("stocks", None) and self.says({"but"}):
            self.ask("Which of the stocks are meant?")  # "all stocks but AAPL", and not "the stocks AAPL and KO"
        return tuple(names)

    def one(self, kind: str, question: str = "") -> str | None:
        """The only name of a kind; without one the question is asked."""
        names = self.names(kind)
        if len(names) > 1:
            self.ask(f"Which {spaced(kind)} is meant, {' or '.join(map(spaced, names))}?")
        elif not names and question:
            self.ask(question)
        return names[0] if names else None

    def choice(self, kind: str, usual: Sequence[str]) -> tuple[str, ...]:
        """The names of a kind, or all others of `usual` where only names to leave out are given."""
        out = {item.value for item in self.denied if item.kind == kind}
        names = self.names(kind)
        if out & {*names}:
            self.ask(f"Is {spaced(min(out & {*names}))} wanted or left out? The message says both.")
        if out & {*usual} and {*names} <= {"all", "default", "stocks"}:
            return tuple(name for name in usual if name not in out)
        return names

    def match(self, implied: Mapping[str, str], *, holdings: bool = False) -> dict[str, Any]:
        """The quote of each amount field; amounts without a place remain unused."""
        cash = [] if self.offer == "evaluate" else self.all("asset", "cash")  # a rule holds a share in cash
        cues = [i for i in self.all("amount") if self.field_of(i.value)] + (self.all("asset") if holdings else [])
        for slot, names in (("cash_rate", cash), ("decay", self.all("estimator", "ewma", "ewma_max"))):
            cues += [replace(name, kind="amount", value=slot) for name in names if self.field_of(slot)]
        self.pairs, self.other_pairs = assign(self, cues, {**(HOLDING if holdings else {}), **implied})
        quotes: dict[str, Any] = {}
        for pair in (pair for pair in self.pairs if pair.slot):
            self.use(pair.amount)
            if pair.cue is not None:  # "volatility target ... vol" is one cue
                self.use(*(i for i in cues if i.kind == "amount" and i.value == pair.cue.value))
            if pair.slot != "holding":
                self._fill(pair, quotes)
        return quotes

    def field_of(self, slot: str) -> str | None:
        return next((name for name in fields_of(slot) if name in self.fields), None)

    def _fill(self, pair: Pair, quotes: dict[str, Any]) -> None:
        """Put the quote into its field; a relation beside the amount chooses a bound."""
        near = [i for i in self.all("sense", "upper", "lower") if self._touches(i, pair)]
        side = max((item.value for item in near), default="") or self._side(pair)
        name, bound, text = self.field_of(pair.slot), BOUNDS.get(f"{side} {pair.slot}"), pair.amount.text
        name = bound if bound in self.fields else name
        if name is None or (pair.slot == "weight" and name == "min_weight" and not side):
            return self.used.discard(pair.amount)
        self._check(pair, name, side)
        self.use(*near)
        if name != "lookbacks" and quotes.get(name, text) != text:
            self.ask(SEVERAL.format(spaced(name)))
        quotes[name] = (*quotes.get(name, ()), text) if name == "lookbacks" else text
        return None

    def _touches(self, relation: Item, pair: Pair) -> bool:
        """Whether a relation is about the pair: its amount follows, or nothing else stands between them."""
        after = next((i for i in self.items if i.first >= relation.last and i.kind != "stop"), None)
        if after is not None and after.kind == "number" and not self.breaks(relation, after):
            return after == pair.amount
        return any(self.near(relation, end, 0, "besides", "frame") for end in (pair.amount, pair.cue) if end)

    def _side(self, pair: Pair) -> str:
        """The end of a range that an amount is, as in "weights between 10% and 60%" or "from 10% to 60%"."""
        ends = [each.amount for each in self.pairs if each.cue == pair.cue and pair.slot == "weight"]
        joint = [item.text.lower() for item in self.between(ends[0], ends[-1])] if len(ends) == 2 else None
        if joint not in ([], ["to"]) and not (joint == ["and"] and self.has("sense", "between")):
            return ""
        self.take("sense", "between")
        return "lower" if pair.amount == ends[0] else "upper"

    def _check(self, pair: Pair, name: str, side: str) -> None:
        """Ask about a lower bound of a limit, and about a change that is no value."""
        negations = [i for i in self.all("sense", "not") if pair.slot in LIMITS and not self.breaks(i, pair.amount)]
        if side == "lower" and negations:  # "never lose more than"
            self.use(*negations)
        elif side == "lower" and pair.slot not in FROM_BELOW:
            self.ask(f"The {spaced(name)} can be limited from above only.")
        if side and name == "target_volatility":
            self.doubt("a strategy aims at its target volatility, and does not keep below it")
        words = [word.text for word in self.reading.words[max(0, pair.amount.first - 1) : pair.amount.last + 1]]
        if (words[0] in DIFFERENCES or "more" in words[2:]) and (self.has("sense", "change") or self.built_on):
            self.ask("What is the new value? Please name it, and not the difference.")

    def leftover(self) -> list[Item]:
        """What no argument has used, in the order of the message."""
        unused = [item for item in self.items if item.kind in MEANINGFUL and item not in self.used]
        return [item for item in unused if item.kind not in ("amount", "sense") or item.value not in FREE]


def filled(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if value not in (None, (), [], {})}
