"""Turns a message into tool calls: it acts only if every meaningful word has been used by one reading."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agents.planner.language.abilities import ABILITIES, Ability
from agents.planner.language.builders import ADDED
from agents.planner.language.earlier_calls import (
    BUILT_ON,
    MERGED,
    fits,
    loses_its_year,
    merged,
    quotes_of,
    replaced,
    whole_of,
    without_flows,
)
from agents.planner.language.evidence import evidence_of
from agents.planner.language.form import ASKING, Form, filled
from agents.planner.language.languages import language_note
from agents.planner.language.lexicon import LEXICON, Lexicon
from agents.planner.language.opinion import OPINION, Opinion, features
from agents.planner.language.parsing import Item, Parse, names_alone, parse
from agents.planner.language.reading import Reading, read
from desk.conversation.focus import Focus
from desk.conversation.wishes import Offer, StrategyWish
from quant.numeric.frozen import Frozen


class Call(Frozen):
    tool: str
    arguments: dict[str, Any]


class Past(Frozen):
    """An earlier turn: the message and the calls that it led to."""

    asked: str
    did: tuple[tuple[str, dict[str, Any]], ...] = ()


class Proposal(Frozen):
    """One reading of a message: what would be done, the words that it does not use, and what it would need to know."""

    offer: Offer
    call: Call
    evidence: float = 0.0
    unused: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    """Its words that say what is asked."""
    questions: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    """What it assumes; "yes" confirms it."""
    chance: float = 1.0
    """How likely the second opinion takes its ability, beside the likeliest."""
    sure: bool = False
    """Whether the second opinion is sure of it."""

    @property
    def whole(self) -> bool:
        return not (self.unused or self.questions or self.doubts)

    @property
    def rank(self) -> float:
        return self.weight - 1.5 * len(self.unused) - 1.2 * len(self.questions) - 0.5 * len(self.doubts)

    @property
    def weight(self) -> float:
        """The evidence of the words, and the second opinion."""
        return self.evidence + TRUST * math.log(max(self.chance, 1e-3))


class Interpretation(Frozen):
    """The calls of a message, or what could have been meant; nothing of it where the message is not understood."""

    calls: tuple[Call, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    talk: str | None = None
    """`greeting`, `thanks`, `help`, `yes` or `no`: small talk that no tool answers."""
    beyond: bool = False
    """Whether the message speaks of what the desk does not do."""


@dataclass(frozen=True)
class Conversation:
    """What a message is read with."""

    focus: Focus
    before: Sequence[Past]
    lexicon: Lexicon
    opinion: Opinion = OPINION

    @property
    def done(self) -> list[tuple[str, dict[str, Any]]]:
        return [call for past in self.before for call in past.did]

    def read(self, text: str) -> Reading:
        return read(text, self.focus, self.lexicon)


SAYING: Final = frozenset({"trigger", "topic", "amount", "number"})
"""Kinds of words that say what is wanted; names do so too."""
LIKELY: Final = 1.0
"""Evidence from which a reading is offered."""
TRUST, ENOUGH, SAID = 0.8, 1.5, 1.5
"""Weight of the second opinion; weight, and evidence of the words alone, from which an ability may act."""
LEARNED, SPEAKS = 0.6, 0.1
"""Probability from which a question uses the words that were learned for it; weight above which one speaks for it."""
SURE, SURELY = 0.8, 0.1
"""Probability from which the second opinion is sure, and the least evidence then."""
MARGIN, NARROW = 1.0, 0.4
"""Weight by which it must be ahead of every other reading that uses all words; of other topics of a result."""
LIKELY_TOPIC: Final = 0.15
"""Probability from which a question without a phrase of its topic is considered."""
LEAST_CHANCE, LIKELY_PART = 0.1, 0.3
"""Chance beside the likeliest ability from which one is acted on; of a part of a message, and of one to offer."""
LIKELY_AS: Final = 0.8
"""Chance beside that of each other reading that uses all words."""
RIVAL_BEHIND, RIVAL_CHANCE = 1.0, 0.3
"""Another reading that may have missed only a word stands against it: evidence behind it, and chance beside its own."""
OFFERED: Final = 3
MOST_WORDS, MOST_SPANS = 250, 60
"""A longer message is not read."""


def understand(
    text: str,
    focus: Focus,
    before: Sequence[Past] = (),
    lexicon: Lexicon = LEXICON,
    opinion: Opinion = OPINION,
) -> Interpretation:
    """The calls of a message in a conversation, or what is offered instead."""
    while len(before) > 1 and not before[-1].did and _choice(before[-1].asked) is not None:
        before = before[:-1]  # what led to nothing leaves the message before it open
    earlier = before[-1] if before and not before[-1].did else None
    place = _choice(text)
    if place is not None and earlier is not None:
        offered = understand(earlier.asked, focus, before[:-1], lexicon, opinion).proposals
        if place < len(offered) and not offered[place].questions:
            return Interpretation(calls=(offered[place].call,))
        if offered:
            return Interpretation(proposals=offered)
    talk = Conversation(focus, before, lexicon, opinion)
    reading = talk.read(text)
    if len(reading.words) > MOST_WORDS or len(reading.spans) > MOST_SPANS or language_note(text) is not None:
        return Interpretation()
    small = _small_talk(reading, lexicon)
    if small or any(i.last - i.first >= HELP for i in parse(reading, lexicon, lambda m: m == HELPED).all("talk")):
        return Interpretation(talk=small or "help")
    if UNDO.fullmatch(reading.plain):
        undone = _undo(talk.done)
        return Interpretation(calls=(undone,)) if undone else Interpretation(talk="undo")
    return _interpret(reading, talk, _joined(text, earlier, talk))


def _interpret(reading: Reading, talk: Conversation, joined: list[Proposal]) -> Interpretation:
    """What a message means, alone or together with an earlier one that was not acted on."""
    proposals = _proposals(reading, talk)
    replaced = _replaced(reading, talk)
    outside = parse(reading, talk.lexicon, lambda meaning: meaning.kind in SCOPE).all("beyond")
    acts = any(not talk.lexicon.frames(item.text) for item in outside)  # "for a meeting" frames a wish
    decided = _decide(proposals)
    chosen = replaced[0] if len(replaced) == 1 else None if acts and not (decided and decided.sure) else decided
    refers = joined and _refers(reading, chosen, joined[0])
    if chosen is not None and not refers:
        return Interpretation(calls=(chosen.call,))
    answered = _decide(joined)
    calls = (answered.call,) if answered else () if chosen else _several(reading, talk)
    if calls:
        return Interpretation(calls=calls)
    if replaced:
        return Interpretation(proposals=tuple(replaced[:OFFERED]))
    told = [p for p in proposals if p.evidence >= LIKELY or p.chance >= LIKELY_PART]
    likely = told or [p for p in proposals if p.evidence > 0.0]
    strange = any(not reading.is_stop(n) and not talk.lexicon.knows(w.text) for n, w in enumerate(reading.words))
    beyond = bool(outside) or (strange and not likely)
    different = _different(likely or joined)
    accepted = [p for n, p in enumerate(different) if n == 0 or not p.questions]  # a place accepts no open question
    return Interpretation(proposals=tuple(accepted[:OFFERED]), beyond=beyond)


def _refers(reading: Reading, chosen: Proposal | None, joined: Proposal) -> bool:
    """Whether a call may be meant as a change of an earlier message that was not acted on."""
    if chosen is None or {chosen.call.tool, joined.call.tool} == {"explain_result"}:
        return False
    changes = chosen.call.tool in (*BUILT_ON, "show_scenarios")
    return bool(OPENS.match(reading.plain) or (changes and REFERS.search(reading.plain)))


OPENS: Final = re.compile(
    r"(?:(?:ok|so|omg|lol|hmm|well|thanks) )*(?:and|but|now|same|again|what if|what about|how about|then|or)\b"
)
REFERS: Final = re.compile(r"\b(?:that|it|them|those|the same|instead)\b")
"""Words that refer to an earlier message, at the beginning and anywhere."""
ADDING: Final = ADDED | {"too", "also", "well", "include", "chuck"}
HELPED, HELP = ("talk", "help"), 4
"""Words of a question for help from which the rest of the message does not matter."""
SCOPE: Final = ("beyond", "topic", "trigger", "amount", "function", "estimator", "template", "sense")
"""Kinds of words that tell whether a message is beyond the desk; "buy and hold" is no order to buy."""
CHOICES: Final = (
    r"(?:yes|yep|yeah|y|sure|ok|okay|do it|go ahead|please do|exactly|1|one|(?:the )?(?:first|top)(?: one)?|that one)",
    r"(?:2|two|(?:the )?second(?: one)?)",
    r"(?:3|three|(?:the )?(?:third|last)(?: one)?)",
)
"""Words that accept the first, second or third thing that was offered."""
UNDO: Final = re.compile(
    r"(?:(?:no|nah|oops|wait|sorry|ok|please|kindly|can you|could you|let's|undo|revert|reverse|scrap|take|put|go|"
    r"that was|it was|a|my|mistake|wrong) )*"
    r"(?:undo|revert|reverse|go back|(?:take|put) (?:that|it) back|scrap that(?:,? go back)?)"
    r"(?: (?:on|to|a|one|it|that|this|the|last|latest|my|previous|change|step|version|before|how|as|was|were|way|"
    r"please|mistake|wrong)| to what .*)*"
)


def _choice(text: str) -> int | None:
    bare = re.sub(
        r"[\s.,!()#]+", " ", text.lower().replace("please", "").replace("option", "").replace("number", "")
    ).strip()
    return next((n for n, pattern in enumerate(CHOICES) if re.fullmatch(pattern, bare)), None)


def _joined(text: str, earlier: Past | None, talk: Conversation) -> list[Proposal]:
    """The readings of an earlier message together with this one, which answers the question that it led to."""
    if earlier is None or len(earlier.asked) + len(text) > LONGEST_ANSWERED:
        return []
    before = replace(talk, before=talk.before[:-1])
    alone = before.read(earlier.asked)
    own = _proposals(alone, before)
    if _small_talk(alone, talk.lexicon) or not own or _decide(own) is not None:  # it was clear, and failed
        return []
    return _proposals(before.read(f"{earlier.asked.rstrip(' .?!')}, {text}"), before)


LONGEST_ANSWERED: Final = 400


def _replaced(reading: Reading, talk: Conversation) -> list[Proposal]:
    """The last call with one amount replaced by the only one of the message, for each amount that it may replace."""
    division = parse(reading, talk.lexicon, lambda meaning: meaning.kind in ("frame", "sense"))
    numbers = [item for item in division.items if item.kind == "number"]
    others = {item.kind if item.kind != "sense" else item.value for item in division.items} - {"number"}
    if len(numbers) != 1 or not others <= {"stop", "frame", "change", "again", "only"} or not talk.done:
        return []
    tool, last = talk.done[-1]
    offer = talk.focus.last
    if offer is None or tool not in BUILT_ON or all((each.tool, each.offer) != (tool, offer) for each in ABILITIES):
        return []
    whole = whole_of([arguments for name, arguments in talk.done if name == tool])
    places = [place for place in quotes_of(whole) if fits(place[-1], numbers[0])]
    changed = [place for place in quotes_of(last) if place in places]
    places = changed if len(changed) == 1 else places
    kept = {name: {"base": "last"} for name in ("wish", "strategy") if name in whole} or whole
    kept = {**kept, "portfolio": {}} if offer == "assess_risk" else kept
    calls = [replaced(kept, place, numbers[0].text) for place in places]
    return [Proposal(offer=offer, call=Call(tool=tool, arguments=arguments)) for arguments in calls]


def _undo(done: Sequence[tuple[str, dict[str, Any]]]) -> Call | None:
    """The call before the last one of its kind, with everything that it was built on, or what takes back the last."""
    tool = done[-1][0] if done else ""
    if tool == "add_scenario":
        return Call(tool="remove_scenario", arguments={"name": done[-1][1]["scenario"]["name"]})
    same = [arguments for name, arguments in done if name == tool][:-1]
    if not same or tool not in BUILT_ON:
        return None
    whole = whole_of(same)
    for name in ("wish", "strategy"):
        if name in whole:
            whole = {**whole, name: {**whole[name], "base": "new"}}
    return Call(tool=tool, arguments=whole)


def _small_talk(reading: Reading, lexicon: Lexicon) -> str | None:
    """The kind of small talk, if the message is nothing else."""
    division = parse(reading, lexicon, lambda meaning: meaning.kind == "talk")
    kinds = [item.value for item in division.items if item.kind == "talk"]
    if any(item.kind in ("unknown", "number", "date") for item in division.items) or not kinds:
        return None
    if {*kinds} <= {"yes", "no"} and any(word.text in ASKING for word in reading.words):
        return None  # "how sure are you?"
    return next((kind for kind in ("help", "no", "yes", "thanks") if kind in kinds), kinds[0])


def _proposals(reading: Reading, talk: Conversation) -> list[Proposal]:
    likely = talk.opinion.of(features(reading, talk.focus.last, talk.lexicon))
    most = max(likely.values())
    proposals = [
        proposal.model_copy(update={"chance": chance / most, "sure": chance >= SURE})
        for ability in ABILITIES
        for chance in (likely.get(ability.topic or ability.tool, most),)
        if (proposal := _proposal(ability, reading, talk, chance)) is not None
    ]
    return sorted(proposals, key=lambda p: -p.rank)


def _proposal(ability: Ability, reading: Reading, talk: Conversation, chance: float) -> Proposal | None:
    division = parse(reading, talk.lexicon, ability.accepts)
    said = any(item.kind in SAYING or item.kind in ability.kinds for item in division.items)
    if not said and (chance < LIKELY_TOPIC or not (ability.topic or ability.tool in ASKED)):
        return None
    last = _last(ability, talk, division)
    form = Form(division.reading, division.items, focus=talk.focus, fields=ability.fields, offer=ability.offer,
                topic=ability.topic, built_on=last is not None)  # fmt: skip
    arguments = ability.build(form)
    if last is not None:
        instead = form.says({"instead"})
        if loses_its_year(last, arguments):
            form.ask("Is the payment meant for each month or each year? Please put that beside it.")
        arguments = merged(without_flows(last, arguments) if instead else last, arguments, adds=form.says(ADDING))
        gone = {item.value for item in form.denied if item.kind == "asset"}
        if gone and "assets" in arguments:
            arguments["assets"] = [asset for asset in arguments["assets"] if asset not in gone]
    evidence = evidence_of(ability, division, talk.focus) + 2.0 * ("loss" in arguments)
    evidence += sum(ability.amounts for pair in form.pairs if pair.slot and pair.slot != "holding")
    if form.other_pairs:
        form.ask("An amount could mean several things; please name what it is.")
    return Proposal(
        offer=ability.offer,
        call=Call(tool=ability.tool, arguments=arguments),
        evidence=evidence,
        said=tuple(item.text for item in division.all("topic")),
        unused=tuple(item.text for item in form.leftover() if not _told(item, ability, form.reading, talk, chance))
        + _broken_names(ability, division, talk.lexicon),
        questions=tuple(dict.fromkeys(form.questions)),
        doubts=tuple(dict.fromkeys(form.doubts)),
    )


def _told(item: Item, ability: Ability, reading: Reading, talk: Conversation, chance: float) -> bool:
    """Whether a question uses what no argument does: words that speak for it, or any known ones where it is sure."""
    meaning = ability.topic or (ability.tool if ability.tool in ASKED else None)
    if chance < LEARNED or meaning is None or item.kind not in WORDS:
        return False
    return all(
        talk.opinion.weight(word.stem, meaning) > (SPEAKS if chance < SURE or word.text in ORDERS else -math.inf)
        for word in reading.words[item.first : item.last]
    )


WORDS: Final = frozenset({"unknown", "amount", "sense", "term"})
"""Kinds of words that a question may use without an argument."""
ORDERS: Final = frozenset(
    "raise lower set start stop rerun redo run launch cancel save delete remove increase reduce add open".split()
)
"""Words that may order something, of which a question uses those alone that speak for what it means."""
ASKED: Final = frozenset({"show_tearsheet", "list_results", "list_saved", "analyse_market", "define_term"})
"""Tools without amounts, beside questions about a result, that use the words that were learned for them."""


def _broken_names(ability: Ability, division: Parse, lexicon: Lexicon) -> tuple[str, ...]:
    """Names of several words that a reading takes apart, as "trend" in a question about "trend following"."""
    kinds = frozenset({"function", "template", "method", "estimator", "covariance"} - ability.kinds.keys())
    whole = [item for item in division.items if item.last - item.first > 1]
    whole += [replace(i, last=i.last + 1) for i in division.items if i.kind == "term"]  # "a CPPI strategy" is a CPPI
    return tuple(
        name.text
        for name in names_alone(division.reading, lexicon, kinds)
        if name.kind in kinds
        and (name.last - name.first > 1 or (ability.offer == "tearsheet" and name.kind == "function"))
        and not any(item.first <= name.first and name.last <= item.last for item in whole)
        and not any(item.kind in ability.kinds and item.first < name.last and name.first < item.last for item in whole)
    )


def _last(ability: Ability, talk: Conversation, division: Parse) -> dict[str, Any] | None:
    """The arguments of the last call of the same tool, if the message builds on it."""
    if ability.tool not in MERGED or talk.focus.last != ability.offer or division.has("split"):
        return None
    if len({item.value for item in division.items if item.kind == "asset"}) > 1 and not division.has("sense", "not"):
        return None
    return next((arguments for tool, arguments in reversed(talk.done) if tool == ability.tool), None)


def _decide(proposals: Sequence[Proposal]) -> Proposal | None:
    """The reading to act on: it uses every word, no other one does nearly as well, and the second opinion agrees."""
    whole = sorted((p for p in proposals if p.whole), key=lambda p: -p.weight)
    first = next(iter(whole), None)
    if first is None or first.chance < LEAST_CHANCE:
        return None
    sure = first.sure and first.call.tool == "explain_result"  # which costs nothing and is kept nowhere
    weight, evidence = (-math.inf, -math.inf) if sure else (SURELY, SURELY) if first.sure else (ENOUGH, SAID)
    if first.weight < weight or first.evidence < evidence:
        return None
    alike = {p.call.tool for p in whole[:2]} == {"explain_result"}  # another topic of the same result
    margin = NARROW if alike else MARGIN
    if len(whole) > 1 and whole[1].weight > first.weight - margin and whole[1].call != first.call:
        return None
    if any(first.chance < LIKELY_AS * p.chance for p in whole if p.evidence >= SAID):
        return None
    missing = [p for p in proposals if len(p.unused) == 1 and p.unused[0].isalpha() and not (p.questions or p.doubts)]
    rivals = [p for p in missing if p.evidence >= first.evidence - RIVAL_BEHIND and p.unused[0] not in first.said]
    return None if any(p.chance >= RIVAL_CHANCE * first.chance for p in rivals) else first


def _different(proposals: Sequence[Proposal]) -> list[Proposal]:
    return [p for n, p in enumerate(proposals) if all(p.call != other.call for other in proposals[:n])]


# several wishes

PARTS: Final = re.compile(
    r"(?:[.?!;]+\s+(?:and then |then |also |and |after that,? )?|,? (?:and )?(?:then|after that|afterwards|also),? |"
    r",? (?:and|n|&) (?:also )?(?=(?:show|tell|explain|compare|simulate|save|keep|store|optimi[sz]e|backtest|evaluate|"
    r"estimate|est|run|list|open|why|what|where|how|which|is it)\b))",
    re.IGNORECASE,
)
MOST_WISHES: Final = 3


def _several(reading: Reading, talk: Conversation) -> tuple[Call, ...]:
    """The calls of a message with several wishes, if each part is understood by itself."""
    parts = [part for part in PARTS.split(reading.text) if part.strip(" .,;:!?")]
    if not 1 < len(parts) <= MOST_WISHES + 2:
        return ()
    calls: list[Call] = []
    for part in parts:
        piece = talk.read(part)
        if len(piece.words) < 2:
            return ()
        if _small_talk(piece, talk.lexicon) in ("greeting", "thanks"):
            continue
        chosen = _decide(_proposals(piece, talk))
        call = _of_search(chosen.call, calls) if chosen else None
        if chosen is None or call is None or chosen.chance < LIKELY_PART:
            return ()
        if call.tool in {c.tool for c in calls} & {*BUILT_ON}:  # two sentences on one wish
            return ()
        calls += [call] if call not in calls else []
        talk = replace(talk, focus=_after(talk.focus, chosen.offer))
    return tuple(calls) if len(calls) <= MOST_WISHES else ()


CURRENT_RULE: Final = Call(
    tool="evaluate_strategy", arguments={"strategy": {"base": "new", "template": "twelve_month_rule"}}
)


def _of_search(call: Call, earlier: Sequence[Call]) -> Call | None:
    """An evaluation after a search in the same message is on the prices of the search, which has judged one rule."""
    wish = next((c.arguments["wish"] for c in earlier if c.tool == "run_optimization"), None)
    if wish is None or call.tool != CURRENT_RULE.tool or "assets" in call.arguments["strategy"]:
        return call
    if call == CURRENT_RULE:
        return Call(tool="explain_result", arguments={"run": "last", "topic": "benchmarks"})
    beside = {name: wish.get(name) for name in ("assets", "safe", "cash_rate", "cash", "exchange_rate")}
    return Call(tool=call.tool, arguments={"strategy": filled({**beside, **call.arguments["strategy"]})})


def _after(focus: Focus, offer: Offer) -> Focus:
    """What the next part of the message may refer to."""
    strategy = StrategyWish() if offer == "evaluate" else focus.strategy
    run = "last" if offer == "optimize" else focus.run
    return focus.model_copy(update={"last": offer, "strategy": strategy, "run": run})
