"""A form for one action: each number and each name of the message fills one argument, or leads to a question."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agents.planner.language.amounts import Amount
from agents.planner.language.grammar import Reading
from agents.planner.language.slots import FRACTION, UNITS, Pair, match
from agents.planner.language.words import Mark
from desk.base.text import spaced
from desk.conversation.focus import Focus
from quant.numeric.frozen import Frozen
from quant.strategies.choices import REBALANCING
from quant.strategies.config import SearchSpace
from quant.worlds.scenario import BUILT_IN, CYCLE

EXCEPTIONS: Final = frozenset({"except", "except for", "apart", "other than", "everything except", "all except"})
"""Names after "the same, except" are changed, not excluded."""
BOUND_NEAR: Final = 45
"""Most characters between "never" and its bound, as in "never falls more than 20%"."""
REACH: Final = 4
"""Most words between a negation and the name that it excludes."""
DENIED: Final = (
    "function",
    "estimator",
    "scenario",
    "asset",
    "rebalancing",
    "engine",
    "worlds",
    "slot",
    "goal",
    "method",
    "covariance",
    "template",
    "split",
)
MEANINGFUL: Final = (
    "function",
    "estimator",
    "scenario",
    "engine",
    "worlds",
    "method",
    "covariance",
    "asset",
    "template",
    "split",
    "name",
    "run",
    "rebalancing",
    "unsupported",
)
"""Kinds of names that could change the meaning, so that none may remain unused."""
TICKERS: Final = ("AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "LLY", "MRK", "MSFT",
    "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM")  # fmt: skip
HARMLESS: Final = re.compile(
    r"\b(?:not sure|no idea|dont know|don't know|do not know|no worries|no rush|no hurry|not bad|"
    r"no problem|if not|or not|why not|"
    r"can't wait|cannot wait|don't mind|dont mind|no need to rush|no longer than|not yet|haven't|"
    r"don't understand|dont understand|"
    r"not only|don't you|can't you|couldn't you|won't you|not urgent|no thanks to|i can't|i cannot|"
    r"can't i|doesn't matter|"
    r"don't worry|dont worry|i'm not|not clear|not convinced|can't decide|not much|not too|not more|"
    r"ought not to|had better not|(?:rather than|instead of|and not|but not|not|over|unlike) (?:the |what |"
    r"how |as |like |any |an)?"
    r"(?:we had|we have|i had|before|now|it was|it is|whole|full|others?|rest|usual|current|present|ones?|"
    r"last time|today|lot)|"
    r"(?:don't|dont|do not|didn't|can't|cannot|not|never|couldn't) (?:quite |really |fully |yet )?(?:follow|"
    r"understand|get|see|know|think|believe|trust|buy|like|mind|care|remember|expect|let|interest|matter)|"
    r"not (?:a|an) (?:fan|expert|quant|idea|clue)|no (?:clue|idea|doubt|need|preference|pressure|nonsense|fuss)|"
    r"no more,? no less|nothing else|nothing more|no search|no optimi[sz]ation|no optimi[sz]ing|no (?:single|"
    r"one|individual|other)|not (?:yet|really|quite|entirely|exactly|only)|never mind|nevermind|why not|"
    r"(?:shouldn't|should not|mustn't|must not|may not|can't|cannot|does not|doesn't|do not|don't|won't|not|"
    r"nor|never|no|without) "
    r"(?:to |ever |be |go |going |fall |falling |drop |lose |losing |rise |risk |run |draw |let it |it |have |"
    r"cost |eat |get |getting |turn |come |drawing |a |down )*"
    r"(?:exceed|exceeding|over|above|more than|beyond|below|under|less than|worse than|deeper than|"
    r"higher than|greater than|lower than|past|further than|in excess)|"
    r"no matter|don't have|i don't|not really)\b"
)


PLAIN: Final = {
    "var": "value at risk", "es": "expected shortfall", "max_cost": "yearly cost", "min_weight": "minimum weight",
    "max_weight": "maximum weight", "band": "no-trade band", "return": "expected return", "money_goal": "goal",
    "function": "weight function", "method": "allocation method", "trials": "number of trials",
    "covariance": "covariance estimate",
    "paths": "number of paths", "years": "horizon", "years_of_result": "the single years", "why": "why it won",
    "where_it_loses": "where it loses", "premium": "the equity premium", "parameter_error": "errors of the "
    "parameters",
    "luck": "luck", "limits": "the limits", "data": "the data", "next_trade": "the next trade", "costs": "costs",
    "assets": "the single assets",
    "plateau": "how stable the optimum is", "computed": "how it was computed", "benchmarks": "the benchmarks",
    "counter_argument": "what speaks against it", "alternative": "another weight function", "sp500": "the index",
}  # fmt: skip
"""Internal names in plain English, for questions."""


def plain(name: str) -> str:
    return PLAIN.get(name, spaced(name))


class Call(Frozen):
    tool: str
    arguments: dict[str, Any]


class Form:
    """Hands out the names and amounts of a reading; `finish` asks about those that remain.

    Names in `denied` are excluded by a negation in the message.
    """

    def __init__(self, reading: Reading, focus: Focus) -> None:
        self.reading = reading
        self.focus = focus
        self.unclear: list[str] = []
        self._used: set[int] = set()
        self._amounts: set[Amount] = set()
        self.denied = self._denied()
        self.pairs: tuple[Pair, ...] = ()

    def ask(self, question: str) -> None:
        self.unclear.append(question)

    # names

    def use(self, *marks: Mark) -> None:
        self._used |= {mark.start for mark in marks}

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of a kind that are not excluded, in the order of the message."""
        marks = [m for m in self.reading.all(kind) if m.start not in self._used]
        self.use(*marks)
        return tuple(dict.fromkeys(m.value for m in marks if m.start not in self.denied))

    def choice(self, kind: str, usual: Sequence[str]) -> tuple[str, ...]:
        """The names that are not excluded; if only excluded ones are named, all others of `usual`."""
        denied = tuple(m.value for m in self.reading.all(kind) if m.start in self.denied)
        names = self.names(kind)
        if set(names) & set(denied):
            self.ask(f"contradiction: {', '.join(map(plain, denied))} is both wanted and left out; which is meant?")
        chosen = tuple(name for name in names if name != "all")
        if chosen or not denied:
            return chosen
        unknown = [name for name in denied if name not in usual]
        remaining = tuple(name for name in usual if name not in denied)
        if not remaining:
            self.ask(f"{kind}: Without these no {plain(kind)} is left; which is wanted instead?")
        return () if len(unknown) == len(denied) else remaining

    def one(self, kind: str) -> str | None:
        """The only name of a kind; asks if there are several."""
        names = self.names(kind)
        if not names and any(m.start in self.denied for m in self.reading.all(kind)):
            self.ask(f"{kind}: Which {plain(kind)} is wanted instead?")
        if len(names) > 1:
            self.ask(f"{kind}: Which {plain(kind)} is meant, {' or '.join(map(plain, names))}?")
        return names[0] if names else None

    def assets(self, *, cash_is_the_other_leg: bool = False) -> tuple[str, ...]:
        denied = [m.value for m in self.reading.all("asset") if m.start in self.denied]
        assets = self.names("asset")
        if denied:
            if assets != ("stocks",) or not set(denied) <= set(TICKERS):
                self.ask("assets: Which assets are meant? Name them, or say the index.")
            return tuple(ticker for ticker in TICKERS if ticker not in denied)
        if cash_is_the_other_leg and len(assets) > 1:
            assets = tuple(asset for asset in assets if asset != "cash")
        if "stocks" in assets and set(assets) & set(TICKERS):
            assets = tuple(asset for asset in assets if asset != "stocks")
        return assets

    def functions(self) -> tuple[str, ...]:
        space = self.focus.request.space if self.focus.request else SearchSpace()
        return self.choice("function", space.weight_functions)

    def scenarios(self) -> tuple[str, ...]:
        """Names of scenarios; "default" means those that are weighted by default, "all" every built-in one."""
        usual = tuple(s.name for s in BUILT_IN)
        if self.reading.has("scenario", "all"):
            self.names("scenario")
            return (*usual, CYCLE.name)
        if self.reading.has("scenario", "default"):
            self.names("scenario")
            return usual
        return self.choice("scenario", usual)

    def rebalancing(self) -> tuple[str, ...]:
        return self.choice("rebalancing", tuple(REBALANCING))

    # amounts

    def match(self, slots: Sequence[str], implied: Mapping[str, str], many: str = "") -> dict[str, str]:
        """The quote of each slot; asks about a number that could belong to two slots."""
        free = [a for a in self.reading.amounts if a not in self._amounts]
        pairs, close = match(self.reading, slots, implied, free, many)
        if close:
            self.ask(
                f"ambiguous_amount: It is not clear what {' and '.join(pair.amount.text for pair in pairs)} "
                f"each stand for; name what it is beside each."
            )
        self.pairs = pairs
        quotes: dict[str, str] = {}
        for pair in pairs:
            self._amounts.add(pair.amount)
            if pair.slot in quotes and pair.slot not in (many, "holding", "money"):
                self.ask(f"contradiction: Is the {plain(pair.slot)} {quotes[pair.slot]} or {pair.amount.text}?")
            quotes[pair.slot] = pair.amount.text
            self._check(pair, many)
        return quotes

    def _check(self, pair: Pair, many: str) -> None:
        amount = pair.amount
        if amount.range_ and pair.slot not in ("min_weight", "max_weight"):
            self.ask(
                f"range: The {plain(pair.slot)} is given as a range with {amount.text} in it; please give a "
                f"single value."
            )
        if amount.value == 0.0 and pair.slot in ("volatility", "drawdown", "var", "es", "turnover", "max_weight"):
            self.ask(f"contradiction: A {plain(pair.slot)} of {amount.text} allows nothing at all; what should it be?")
        small = SMALL if pair.slot in ("fee", "inflation", "return", "cash_rate", "band", "var", "es") else SMALL_SHARE
        bare = UNITS.get(pair.slot) is FRACTION and amount.unit == "plain"
        if bare and (1.0 <= abs(amount.value) < small or abs(amount.value) > LARGEST):
            self.ask(
                f"ambiguous_amount: The {plain(pair.slot)} of {amount.text} could be a share or a percent; "
                f"please add the sign."
            )
        if (
            pair.slot == many
            and amount.unit == "plain"
            and any(p.amount.unit == "time" and "d" not in p.amount.text.lower() for p in self.pairs)
        ):
            self.ask(
                f"unit: Is the {plain(pair.slot)} of {amount.text} in days, in months or in years? Please say "
                f"it for each."
            )
        if pair.slot == "lookback" and amount.unit == "m" and not re.fullmatch(r"\d+ ?m", amount.text):
            self.ask(f"unit: In which unit is the {plain(pair.slot)} of {amount.text}?")
        if pair.slot in ("transaction_cost", "volatility", "drawdown") and amount.per.endswith(
            ("month", "week", "day")
        ):
            self.ask(
                f"unit: The {plain(pair.slot)} of {amount.text} is for another time than a year; please give "
                f"it for a year."
            )

    def take(self, amount: Amount) -> None:
        self._amounts.add(amount)

    @property
    def free(self) -> tuple[Amount, ...]:
        return tuple(a for a in self.reading.amounts if a not in self._amounts)

    # remaining names and amounts

    def finish(self, needed: Sequence[str] = (), ignored: Sequence[str] = ()) -> None:
        """Ask about every name and amount that no argument has used."""
        for amount in self.free:
            if amount.unit == "count" and amount.value in self._named:
                continue
            self.ask(f"amount: What is {amount.text}? Please name what it stands for beside it.")
        for kind in MEANINGFUL:
            for mark in self.reading.all(kind):
                used = mark.start in self._used or kind in ignored or (kind == "split" and mark.start in self.denied)
                if not used and mark.start not in self._spans():
                    question = "What should be done with {}? It does not fit what else is asked."
                    unsupported = "The desk does not know {}; please say it without."
                    self.ask(f"{kind}: {(unsupported if kind == 'unsupported' else question).format(plain(mark.text))}")

        self._ask_of_words()
        slots = {pair.slot for pair in self.pairs}
        for mark in self.reading.all("slot", *needed) if needed else ():
            alike = slots & {mark.value, f"max_{mark.value}", f"min_{mark.value}", *ALIKE.get(mark.value, ())}
            if not alike and mark.start not in self.denied and mark.text not in VAGUE:
                self.ask(f"amount: The message speaks of {plain(mark.value)} without saying how much.")

    def _ask_of_words(self) -> None:
        if self.reading.has("sector") and not set(TICKERS) & {m.value for m in self.reading.all("asset")}:
            self.ask(f"assets: Which stocks are {self.reading.all('sector')[0].text}? Please name them.")
        if any(word.text in ("negative", "minus") for word in self.reading.words):
            self.ask("amount: Which amount is negative? Please write it with its sign.")
        for word in self.reading.unknown:
            self.ask(
                f"word: The word {word.text} is not known here and could change what is meant; please say it otherwise."
            )

    @property
    def _named(self) -> set[int]:
        """The numbers of different names of each kind in the message."""
        return {len({m.value for m in self.reading.all(kind)}) for kind in MEANINGFUL}

    def _spans(self) -> set[int]:
        """Positions within names that were used under another kind."""
        return {at for m in self.reading.marks if m.start in self._used for at in range(m.start, m.end)}

    def _denied(self) -> frozenset[int]:
        """Start positions of the names that the message excludes; asks about a negation without a name."""
        denied: set[int] = set()
        reading = self.reading
        harmless = [m.span() for m in HARMLESS.finditer(reading.folded)]
        for mark in reading.all("negation"):
            if mark.text in CONTRAST and (other := self._number_after(mark)):
                self.take(other)
                continue
            bounds = [bound for bound in reading.all("bound", "upper") if 0 <= bound.start - mark.end <= BOUND_NEAR]
            bounding = any("," not in reading.folded[mark.end : bound.start] for bound in bounds)
            if any(start <= mark.start < end for start, end in harmless) or (AUXILIARY.match(mark.text) and bounding):
                continue
            if mark.text in EXCEPTIONS and any(again.end <= mark.start for again in reading.all("again")):
                continue
            starts = self._list_after(mark)
            if not starts:
                self.ask(f"negation: It is not clear what {mark.text} leaves out; please say what is wanted instead.")
            denied |= starts
        for swap in SWAPPED.finditer(reading.folded):
            first, second = swap.span("out" if swap["out"] else "out2")
            denied |= {m.start for m in reading.marks if m.kind in DENIED and first <= m.start and m.end <= second}
        return frozenset(denied)

    def _number_after(self, contrast: Mark) -> Amount | None:
        """The excluded number, as in "six months rather than twelve"."""
        after = [a for a in self.reading.amounts if 0 <= a.start - contrast.end <= 2]
        return after[0] if after and any(a.end < contrast.start for a in self.reading.amounts) else None

    def _list_after(self, negation: Mark) -> set[int]:
        marks: list[Mark] = []
        for mark in self.reading.marks:
            if mark.kind not in DENIED or mark.start < negation.end or (marks and mark.start < marks[-1].end):
                continue
            between = self.reading.folded[marks[-1].end if marks else negation.end : mark.start]
            separators = JOINED_SLOTS if mark.kind == "slot" else JOINED
            separator = separators.fullmatch(between)
            if (marks and (not separator or mark.kind != marks[0].kind)) or (not marks and not self._near(between)):
                break
            marks.append(mark)
        return {mark.start for mark in marks}

    def _near(self, between: str) -> bool:
        return len(between.split()) <= REACH and not re.search(r"[.;:?!]\s|,", between)


JOINED: Final = re.compile(r"\s*(?:,|or|and|nor|&|/|,\s*(?:or|and|nor))\s*(?:the |any |no )?")
JOINED_SLOTS: Final = re.compile(r"\s*(?:or|nor|and no|and)\s*(?:any )?")
AUXILIARY: Final = re.compile(r"(?:.*n't|not|never|dont|do not|cant|cannot|wont|nor)$")
"""Negations of a verb, after which an upper bound is meant."""
CONTRAST: Final = frozenset({"rather than", "instead of", "not", "and not", "but not"})
SWAPPED: Final = re.compile(
    r"\b(?:(?:swap|replace|exchange|substitute)(?: out)?|(?:switch|change|move|go|away) from) (?!in\b)(?:the |"
    r"my |our )?"
    r"(?P<out>[\w -]{3,40}?) (?:for|by|with|to|into) |\b(?:swap|put|switch) in [\w -]{3,40}? (?:for|"
    r"instead of) (?P<out2>[\w -]{3,40})"
)
"""A replacement and the name that it removes, as in "swap the rolling estimator for downside"."""
SMALL, SMALL_SHARE, LARGEST = 1.0 + 1e-9, 3.0, 100.0
"""Bare numbers between 1 and the first two could be shares or percent; above the last they are neither."""
ALIKE: Final = {"max_cost": ("transaction_cost",), "transaction_cost": ("max_cost",), "lookback": ("lookbacks",)}
VAGUE: Final = frozenset(
    "vol targeted|vol targeting|volatility targeted|volatility targeting|target|spread|trading|"
    "invested|allocation|exposure|window|trial|standard deviation|return|weight|weights|trials|paths|"
    "trades|traded|path|configs|per title|per name|per stock|multiple|interest|attempt|candidates|cap|trade|"
    "horizon|configuration|configurations|"
    "combination".split("|")
)
"""Cues that are also ordinary words; without a number they have no meaning."""
