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

FREE: Final = frozenset(
    (("amount", "amount"), *(("sense", value) for value in ("change", "yearly", "last", "only", "equally")))
)
"""Words that need not be used: they change nothing that the arguments do not say."""

NO_NAMES: Final[Mapping[str, str]] = {}
MEANINGFUL: Final = frozenset({"unknown", "amount", "number", "date", "name", "saved", "run", "split", "sense", *NAMES})


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
        for negation in self.all("sense", "not", "swap"):
            following = [i for i in self.items if i.first >= negation.last and i.kind != "stop"]
            listed: list[Item] = []
            for item in following:
                if item.kind not in NAMES or (listed and item.kind != listed[0].kind):
                    break
                if listed and self.breaks(listed[-1], item) and item.first - listed[-1].last > 1:
                    break
                listed.append(item)
            if listed and not (negation.value == "swap" and len(following) == len(self.items)):
                self.denied |= {*listed}
                self.use(negation, *listed)

    def ask(self, question: str) -> None:
        self.questions.append(question)

    def doubt(self, assumption: str) -> None:
        self.doubts.append(assumption)

    def questions_something(self) -> bool:
        """Whether the message asks and proposes no change: "is 10% sensible?", and not "what about 10%?"."""
        words = [word.text for word in self.reading.words if word.text not in OPENERS]
        opens = [item for item in self.items if item.kind == "sense" and item.value == "change"]
        return bool(words) and words[0] in ASKING and not any(item.text.lower().startswith(words[0]) for item in opens)

    def doubt_question(self, act: str) -> None:
        """Doubt an act where the message asks something about it."""
        if self.says(QUESTIONS):
            self.doubt(act)

    def names(self, kind: str) -> tuple[str, ...]:
        names = dict.fromkeys(item.value for item in self.take(kind))
        if len(names.keys() - {"cash"}) > 1:
            names.pop("stocks", None)  # "the stocks AAPL and KO"
        return tuple(names)

    def one(self, kind: str) -> str | None:
        names = self.names(kind)
        if len(names) > 1:
            self.ask(f"Which {spaced(kind)} is meant, {' or '.join(map(spaced, names))}?")
        return names[0] if names else None

    def need(self, kind: str, question: str) -> str:
        """The only name of a kind, or an empty one and a question."""
        name = self.one(kind)
        if name is None:
            self.ask(question)
        return name or ""

    def choice(self, kind: str, usual: Sequence[str]) -> tuple[str, ...]:
        """The names of a kind, or all others of `usual` where only names to leave out are given."""
        out = {item.value for item in self.denied if item.kind == kind}
        names = self.names(kind)
        if out & {*names}:
            self.ask(f"Is {spaced(min(out & {*names}))} wanted or left out? The message says both.")
        if not out or not {*names} <= {"all", "default", "stocks"}:
            return names
        return tuple(name for name in usual if name not in out) if out & {*usual} else names

    def before(self, item: Item, count: int = 1) -> list[str]:
        """The words directly before an item."""
        return [word.text for word in self.reading.words[max(0, item.first - count) : item.first]]

    def says(self, words: Set[str]) -> bool:
        return any(word.text in words for word in self.reading.words)

    def match(
        self, implied: Mapping[str, str], named: Mapping[str, str] = NO_NAMES, *, holdings: bool = False
    ) -> dict[str, Any]:
        """The quote of each amount field; amounts without a place remain unused."""
        cues = [i for i in self.all("amount") if self.field_of(i.value)] + (self.all("asset") if holdings else [])
        for name, slot in named.items():
            cues += [replace(item, kind="amount", value=slot) for item in self.all(*name.split())]
        self.pairs, self.other_pairs = assign(self, cues, implied)
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
        side = max((item.value for item in near), default="")
        name = BOUNDS.get(f"{side} {pair.slot}", "")
        name = name if name in self.fields else self.field_of(pair.slot) or ""
        if name == "min_weight" and not side:
            name = self._bound(pair)
        if not name:
            return self.used.discard(pair.amount)
        self._check(pair, name, side)
        self.use(*near)
        months = [i for i in self.all("sense", "monthly", "yearly") if i.first >= pair.amount.last]
        self.use(*(month for month in months if len(self.between(pair.amount, month)) <= 1))
        text = pair.amount.text
        if name != "lookbacks" and quotes.get(name, text) != text:
            self.ask(f"Which {spaced(name)} is meant? Several amounts are given.")
        quotes[name] = (*quotes.get(name, ()), text) if name == "lookbacks" else text
        return None

    def _bound(self, pair: Pair) -> str:
        """The bound that an amount is in "weights between 10% and 60%", or nothing."""
        ends = [each.amount for each in self.pairs if each.cue == pair.cue]
        joint = [item.text.lower() for item in self.between(ends[0], ends[-1])]
        if len(ends) != 2 or not (joint in ([], ["to"]) or (joint == ["and"] and self.has("sense", "between"))):
            return ""
        self.take("sense", "between")
        return "min_weight" if pair.amount == ends[0] else "max_weight"

    def _touches(self, relation: Item, pair: Pair) -> bool:
        """Whether a relation is about the pair: its amount follows, or nothing else stands between them."""
        after = next((i for i in self.items if i.first >= relation.last and i.kind != "stop"), None)
        if after is not None and after.kind == "number" and not self.breaks(relation, after):
            return after == pair.amount
        return any(self.near(relation, end, 0, "besides", "frame") for end in (pair.amount, pair.cue) if end)

    def _check(self, pair: Pair, name: str, side: str) -> None:
        """Ask about a lower bound, a number that may be a share or percent, and a change that is no value."""
        amount = pair.amount
        negations = [i for i in self.all("sense", "not") if pair.slot in LIMITS and not self.breaks(i, amount)]
        if side == "lower" and negations:  # "never lose more than"
            self.use(*negations)
        elif side == "lower" and pair.slot not in FROM_BELOW:
            self.ask(f"The {spaced(name)} can be limited from above only.")
        if side and name == "target_volatility":
            self.doubt("a strategy aims at its target volatility, and does not keep below it")
        if amount.unit == "plain" and 1.0 < amount.size < 3.0 and pair.slot in ("volatility", "drawdown"):
            self.ask("Is the amount a share or percent?")
        words = [word.text for word in self.reading.words[max(0, amount.first - 1) : amount.last + 1]]
        if (words[0] in DIFFERENCES or "more" in words[2:]) and (self.has("sense", "change") or self.built_on):
            self.ask("What is the new value? Please name it, and not the difference.")

    def leftover(self) -> list[Item]:
        """What no argument has used, in the order of the message."""
        return [
            item
            for item in self.items
            if item.kind in MEANINGFUL and item not in self.used and (item.kind, item.value) not in FREE
        ]


QUESTIONS: Final = frozenset("what what's why when how does did".split())
ASKING: Final = QUESTIONS | frozenset("is are was were do should who which has have".split())
OPENERS: Final = frozenset("and so ok but then well".split())
DIFFERENCES: Final = frozenset({"by", "another", "extra", "additional", "further"})
LIMITS: Final = frozenset(
    "drawdown value_at_risk expected_shortfall max_turnover max_cost max_leverage max_weight".split()
)
FROM_BELOW: Final = frozenset("amount goal min_weight weight floor trials years".split())
"""Amounts that may be the least of something."""
BOUNDS: Final = {"upper weight": "max_weight", "lower weight": "min_weight", "upper transaction_cost": "max_cost"}
"""Fields of a bound of an amount, where a tool has them."""


def filled(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if value not in (None, (), [], {})}
