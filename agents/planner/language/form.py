"""The form of one ability: its parse of the message, the arguments filled so far, and what stands in the way."""

import re
from collections.abc import Mapping, Sequence
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

LEVELS: Final = {"percent": (95.0, 99.0), "plain": (95.0, 99.0), "days": (1.0, 10.0)}
"""Levels and horizons of value at risk that every report contains."""
LOWEST_LEVEL: Final = 90.0
"""Percent from which a share beside a measure of risk is a level, and no holding."""
LIMIT_DAYS: Final = 21.0
"""Horizon of the value at risk and of the shortfall that a search limits."""
FREE: Final = frozenset(
    (("amount", "amount"), *(("sense", value) for value in ("change", "yearly", "last", "only", "equally")))
)
"""Words that need not be used: they change nothing that the arguments do not say."""

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
        if any(word.text in QUESTIONS for word in self.reading.words):
            self.doubt(act)

    def names(self, kind: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.value for item in self.take(kind)))

    def one(self, kind: str) -> str | None:
        names = self.names(kind)
        if len(names) > 1:
            self.ask(f"Which {spaced(kind)} is meant, {' or '.join(map(spaced, names))}?")
        return names[0] if names else None

    def choice(self, kind: str, usual: Sequence[str]) -> tuple[str, ...]:
        """The names of a kind, or all others of `usual` where only names to leave out are given."""
        out = {item.value for item in self.denied if item.kind == kind}
        names = tuple(name for name in self.names(kind) if name != "all")
        if out & {*names}:
            self.ask(f"Is {spaced(min(out & {*names}))} wanted or left out? The message says both.")
        if not out or names:
            return names
        rest = tuple(name for name in usual if name not in out)
        return rest if rest and out & {*usual} else ()

    def match(self, implied: Mapping[str, str], many: Sequence[str] = (), *, holdings: bool = False) -> dict[str, str]:
        """The quote of each amount field; amounts without a place remain unused."""
        self._skip_levels()
        cues = [i for i in self.all("amount") if self.field_of(i.value)]
        cues += self.all("asset") if holdings else []
        if not holdings and self.offer != "evaluate" and self.field_of("cash_rate"):  # a rule holds a share in cash
            cues += [replace(item, kind="amount", value="cash_rate") for item in self.all("asset", "cash")]
        kept = {slot: to for slot, to in implied.items() if to in ("holding", "amount") or self.field_of(to)}
        self.pairs, self.other_pairs = assign(self, cues, kept, frozenset({"holding", "amount", *many}))
        found: dict[str, str] = {}
        for pair in self.pairs:
            if not pair.slot:
                continue
            self.use(pair.amount)
            if pair.cue is not None:
                self._use_cue(pair, cues)
            if pair.slot != "holding":
                self._relate(pair, found)
        return found

    def field_of(self, slot: str) -> str | None:
        return next((name for name in fields_of(slot) if name in self.fields), None)

    def _use_cue(self, pair: Pair, cues: Sequence[Item]) -> None:
        cue = pair.cue
        assert cue is not None
        own = [i for i in self.items if (i.first, i.last) == (cue.first, cue.last) and i.kind != "asset"]
        self.use(*own)
        twins = [i for i in cues if i.value == cue.value and i.kind == "amount"]  # "volatility target ... vol"
        self.use(*twins)

    def _relate(self, pair: Pair, found: dict[str, str]) -> None:
        """Put the quote into its field; a relation beside the amount stays a relation."""
        near = [i for i in self.all("sense", "upper", "lower") if self._touches(i, pair)]
        upper, lower = (any(i.value == value for i in near) for value in ("upper", "lower"))
        name = self.field_of(pair.slot)
        assert name is not None
        if pair.slot == "weight" and (upper or lower) and "min_weight" in self.fields:
            name = "max_weight" if upper else "min_weight"
        elif pair.slot == "weight" and name != "constant_weight":
            return self.used.discard(pair.amount)
        elif pair.slot == "transaction_cost" and upper and "max_cost" in self.fields:
            name = "max_cost"
        elif pair.slot == "volatility" and "target_volatility" in self.fields and (upper or lower):
            self.doubt("a strategy aims at its target volatility, and does not keep below it")
        self._check_lower(pair, name, lower=lower)
        self._check_amount(pair)
        self.use(*near)
        for month in self.all("sense", "monthly", "yearly"):
            if month.first >= pair.amount.last and len(self.between(pair.amount, month)) <= 1:
                self.use(month)
        if name in found and name != "lookbacks" and found[name] != pair.amount.text:
            self.ask(f"Which {spaced(name)} is meant? Several amounts are given.")
        found[name] = pair.amount.text
        return None

    def _touches(self, relation: Item, pair: Pair) -> bool:
        """Whether a relation is about the pair: its amount follows, or nothing else stands between them."""
        after = next((i for i in self.items if i.first >= relation.last and i.kind != "stop"), None)
        if after is not None and after.kind == "number" and not self.breaks(relation, after):
            return after == pair.amount
        ends = [pair.amount] if pair.cue is None else [pair.amount, pair.cue]
        return any(self.near(relation, end, 0, "besides", "frame") for end in ends)

    def _check_amount(self, pair: Pair) -> None:
        """Ask about a number that may be a share or percent, and about a change that is no value."""
        first = pair.amount.first
        if pair.amount.unit == "plain" and 1.0 < pair.amount.size < 3.0 and pair.slot in ("volatility", "drawdown"):
            self.ask("Is the amount a share or percent?")
        words = [word.text for word in self.reading.words[first - 1 : pair.amount.last + 1]] if first else []
        changing = self.has("sense", "change") or self.built_on
        if words and (words[0] in DIFFERENCES or "more" in words[2:]) and changing:
            self.ask("What is the new value? Please name it, and not the difference.")

    def _check_lower(self, pair: Pair, name: str, *, lower: bool) -> None:
        """Ask about a lower bound of a limit, unless it is negated as in "never lose more than"."""
        if lower and pair.slot in LIMITS:
            negations = [i for i in self.all("sense", "not") if not self.breaks(i, pair.amount)]
            lower = not negations
            self.use(*negations)
        if lower and pair.slot not in FROM_BELOW:
            self.ask(f"The {spaced(name)} can be limited from above only.")

    def _skip_levels(self) -> None:
        measures = [
            i for i in self.items if i.text.lower() in MEASURES or i.value in ("value_at_risk", "expected_shortfall")
        ]
        for amount in self.all("number"):
            of_search = self.offer in ("optimize", "estimate") and amount.unit == "days"
            level = amount.size in ((LIMIT_DAYS,) if of_search else LEVELS.get(amount.unit, ()))
            beside = [m for m in measures if self.near(amount, m, 1)]
            high = amount.size >= LOWEST_LEVEL
            ends = any(m.first == amount.last or (high and m.last == amount.first) for m in beside)
            sure = re.search("%|percent|day", amount.text.lower()) or (ends and not of_search)
            if level and sure and beside:
                self.use(amount)
            elif amount.text.endswith("%") and ends:
                self.ask("The levels of value at risk and shortfall are those of the report, 95% and 99%.")

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
MEASURES: Final = frozenset({"var", "value at risk", "cvar", "es", "expected shortfall", "shortfall", "confidence"})


def filled(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if value not in (None, (), [], {})}
