"""Ordinary English phrases with a number word, a unit or a colour that state no number.

Outside these phrases such a word is a number (or a verdict). A phrase is a sequence of words and punctuation marks;
spaces and hyphens between words are interchangeable. In a phrase,

    a|b     is either word,                          ^      is the beginning of a clause,
    ~ed     is any word with this ending,            $      is the end of a clause,
    @set    is any word of a set below,              !a|b   excludes these words before or after the phrase.
    *       is any word except those in `_NO_FILLERS`,

A phrase allows its own words only: in "one of the ten reasons", "ten" remains a number. It allows none directly before
a unit ("no one percent").
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

_SETS: dict[str, str] = {
    "matter": "reason caveat thing argument counterargument explanation concern objection weakness advantage drawback "
    "option possibility example exception consequence question lesson answer condition limitation problem issue "
    "difficulty danger risk strength benefit assumption way aspect driver cause source interpretation view reading "
    "lever alternative criticism doubt hypothesis implication observation conclusion remark word note hint complaint "
    "clue virtue worry temptation mistake error trap approach idea difference qualification proviso explanation place",
    "matters": "reasons caveats things arguments counterarguments explanations concerns objections weaknesses "
    "advantages drawbacks options possibilities examples exceptions consequences questions lessons answers conditions "
    "limitations problems issues difficulties dangers risks strengths benefits assumptions ways aspects factors "
    "drivers causes sources interpretations views readings levers alternatives criticisms doubts hypotheses "
    "implications observations conclusions virtues worries temptations mistakes errors traps approaches ideas "
    "features ingredients hallmarks pillars cornerstones places tools signs kinds",
    "sample": "trial trials run runs path paths test tests window windows regime regimes year years month months day "
    "days week weeks quarter quarters session sessions case cases scenario scenarios fund funds asset assets stock "
    "stocks holding holdings position positions trade trades attempt attempts sample samples observation observations",
    "modal": "can cannot could may might must should would will ought",
    "mental": "expect hope say think read conclude infer bear afford tolerate fear stomach want need trust ask imagine "
    "accept live wish like assume suppose argue object add note guess believe not also never always reasonably easily",
    "believes": "wants sees thinks looks expects hopes believes assumes knows accepts adopts understands asks "
    "considers reads takes prefers wishes likes feels fears suspects wonders holds needs",
    "if": "that if as but and when where because whether what how why unless though although since before until so "
    "while which whatever however",
    "point": "reason caveat argument objection concern lesson question consideration explanation possibility option",
    "good": "good bad better worse best worst other same only last next new old right wrong simple plain sober modest "
    "honest fair weak strong poor fine real easy hard difficult reasonable prudent cautious different similar natural "
    "obvious normal quiet important open close key lucky unlucky familiar calm safe risky cheap costly wide narrow "
    "small large big long short high low tight loose fast slow subtle minor major serious valid strange common rare "
    "clean clear robust fragile stable bold genuine crucial central critical typical broad deep turbulent rough "
    "smooth winning losing rising falling chosen current existing previous former latter present balanced diversified "
    "concentrated plausible ideal formal rational conventional traditional neutral optimal usual practical "
    "theoretical technical political statistical empirical",
    "better": "better calmer riskier safer simpler smaller larger bigger longer shorter higher lower cheaper faster "
    "slower wider narrower harder easier stronger weaker steadier later earlier newer older fairer harsher gentler "
    "softer tighter looser milder duller quieter wiser bolder deeper shallower rougher smoother poorer richer "
    "costlier likelier leaner thinner heavier lighter",
    "like": "~est ~ful ~ous ~less ~ive ~able ~ible ~ic ~ing ~ed",
    "figure": "thing figure reason place question case exception area caveat measure statistic risk assumption lever "
    "weakness constant certainty",
    "first": "reason step steps thing line question argument concern objection caveat sign signs priority choice "
    "instinct impression impressions leg stage phase wave reaction draft casualty resort port approximation lesson "
    "answer requirement condition duty test thought look glance sight blush instance place principles order hand "
    "mover movers rate class mention attempt flush cut",
    "done": "~ed seen set shown written built drawn thought put held taken known",
    "moves": "is are was were has have had begins begin starts start turns turn falls fall fell rises rise rose calms "
    "calm settles settle drops drop ends end recovers recover returns return becomes become subsides subside reaches "
    "reach exceeds exceed passes pass permits permit allows allow changes change shifts shift breaks break fades fade "
    "widens widen narrows narrow spikes spike crosses cross comes come goes go does do can may will appears appear "
    "kicks kick spreads spread stops stop stabilises stabilise stabilizes stabilize normalises normalise normalizes "
    "normalize",
    "the": "the this that these those its it they you we he she their our your all any such both prices markets costs "
    "volatility trading fees returns",
    "time": "day week month quarter year decade century generation lifetime fortnight session hour minute trade path "
    "period cycle season window test trial run case dozen hundred thousand few couple full whole single given trading "
    "calendar",
    "one": "only just exactly than least most but not more happened occurred failed lost fell broke hit did traded "
    "rebalanced won even",
}

_NO_FILLERS = frozenset(
    "in on per every each a an or and but because since during within over out before after under for from at by with "
    "as when while again last only daily weekly monthly quarterly yearly annually".split()
)
"""Words that end the phrase in which `*` stands: "once in", "once every", "once because"."""

_PHRASES: dict[str, str] = {
    "one": """
        on the one hand; on one side|hand|level; of one mind
        with one voice|eye|exception|caveat|difference|qualification|proviso
        no|any|each|every|this|that|which|another one !@time|@sample; single one; every last one
        ^ one @modal|@believes; @if one @modal|@believes; @if one is|does; one @modal @mental
        , one can|cannot|may|might|must|should|could|ought|would !fail|lose|win; one has|ought|need|needs to|not|only
        ^ one does|need not; one does not; as one might|would|should|could|may|can
        one 's; one of many; ad hoc one
        the more|less one trims|cuts|trades|pays|looks|waits|searches|knows|learns|takes|tries
        one gets|makes|chooses|uses|picks|pays|believes|assumes|sees|expects|wants|needs|likes|asks
        one of the|its|our|their|your|these|those @matters; one of the|its|our|their|your * @matters
        one of the|its|our|their most|more|least|less|few|many|main|chief|key|better|worse|best|worst|~est !@sample
        one of the most|least * @matters|~s !@sample
        the one that|which|who|whose|with|we|you|it|they|@figure; the one to watch
        the|a|an|no|its|your|this|that @good|@better|@like one !@time|@sample
        the|a|an very|more|less|rather|quite|most|least * one !@time|@sample
        ^ one @matter; is|remains|was one @matter; one more|last|final|further|obvious|possible @matter|time
        , for one ,; one thing; one thing after|or|and another
        one another; one and the same; one and only; one and all; one by one; one at a time; one step at a time
        one way|kind|reason|form|sort or another; one way or the other; one or the other; one or another
        one after another|the; from one * to the|another|next; one * after another
        one to|on|for one; one up; one too many; one off|offs; one sided|sidedly|sidedness|tailed|way|dimensional|stop
        one trick|liner|liners|upmanship|time|horse|armed|eyed; one size fits|does; one man|person 's
        at one and the same; at one with; at one time|stage|extreme|end|point !in|five
        square|day|chapter|page one; go|goes|went|going one better; one fell swoop; all in one
        in one word|sentence|go|piece|breath|sitting|direction|way|form|sense|shape|respect|swoop|place
        not one bit|iota|jot|whit; one jump|step ahead; move|moves|moved|act|acts|speak|fell|rose as one
        not one to; one such *; one fine day; one bad apple
    """,
    "first": """
        at first; first and foremost; first of all; first things|thing|off; things first
        first come first served; first come , first served
        in the first place|instance; ^ first ,|:; and first ,; first @first; first class|order|line|principle
        for the first time; the first time that|when|in; from the first !to; the first of these|those
        from first to last
        the first to admit|suffer|go|fall|recover|react|say
        come first !in|among|of; safety|capital|clients|liquidity|risk first; put|puts|putting * first
        must|should|would|can|could|may|might|will first *; needs|need|wants|want to first *
        when|since|where|it|they|we|i|you|was|were|is|are|which|and|but first @done !first
        rule|strategy|model|signal|search|desk|it|we|they|fund|portfolio|committee first ~s|@done !first
        first begins|began|appears|looks|asks|checks|measures|estimates|needs|sells|buys
    """,
    "second": """
        ^ second ,|:; and second ,; second guess|guesses|guessed|guessing|thought|thoughts|opinion|opinions|nature|hand
        second wind|look|glance|sight|chance|chances|rate|order|fiddle|string|tier|line|home|person|reading|moment
        second coming|level|leg|stage|phase|wave; second to none; split second; a|the second @point !of
        in|for|within a second $
    """,
    "third": """
        ^ third ,|:; and third ,; third party|parties|country|countries
        !a third rate|world|person|degree|rail|way|estate
        third time lucky; a|the third @point !of
    """,
    "fourth": "^ fourth ,|:; and fourth ,; fourth estate",
    "fifth": "^ fifth ,|:; and fifth ,; fifth column|wheel",
    "sixth": "sixth sense",
    "seventh": "seventh heaven",
    "eleventh": "eleventh hour",
    "half": """
        half hearted|heartedly|heartedness|baked|life|lives|truth|truths|measure|measures|decent|wit|witted|asleep|awake
        half convinced|formed|finished|forgotten|remembered|understood|believed|mast|light
        half the battle|story|picture|fun|truth; clever by half; half full|empty; half an eye|ear
        half a loaf|mind; not half bad; six of one and half a dozen of the other; other half lives
    """,
    "halves": "by halves $",
    "halfway": "halfway house|decent; meet|meets|met * halfway; meet|meets|met * * halfway",
    "double": """
        double check|checks|checked|checking|edged|count|counts|counted|counting|down|blind|standard|standards|sided
        double entry|click|meaning|meanings|dealing|take|talk|think|whammy|dip|dips|dipping|bind|jeopardy|bottom|top|act
        double life|negative|taxation|taxed|speak|header; double as a|an|the; on the double $
    """,
    "doubles": "doubles as a|an|the; doubles down",
    "doubled": "doubled as a|an|the; doubled down",
    "doubling": "doubling as a|an|the; doubling down",
    "triple": "triple a|b|witching|check|checked|bottom|whammy",
    "twice": "think|thinks|thought|thinking twice; twice shy",
    "two": """
        in|of two minds; two way|sided|tailed|edged|faced; two sides of the same; two sides to every|the
        between two stools; two wrongs
        of two evils; two and two together; two birds; my|your|our two cents; two left feet; two to tango; no two ways
        between|of|than the two $
        between|of|than the two is|are|was|were|do|does|did|have|has|would|will|lies|lie|differs
        the two differ|are|were|agree|disagree|have|cannot|can|together|apart|of
    """,
    "three": "three cheers|ring",
    "four": "four corners|letter",
    "fours": "all fours",
    "five": "high five; take five $",
    "six": "deep six; six feet under; six of one",
    "sixes": "at sixes",
    "sevens": "and sevens",
    "seven": "magnificent seven !of; seven seas|deadly",
    "eight": "eight ball",
    "nine": "cloud nine; saves nine; whole nine yards; nine day wonder",
    "nines": "to the nines",
    "dozen": "dime a dozen; six of one and half a dozen of the other",
    "twenty": "hindsight is twenty twenty; twenty twenty hindsight",
    "forty": "forty winks",
    "thousand": "a thousand cuts|words",
    "million": "million dollar question; in a million years",
    "zero": """
        zero in on; zero sum|coupon|coupons|tolerance|emission|emissions; zero lower bound; non|ground|patient zero
        net zero emissions|target|targets|pledge|pledges|goal|goals|commitment|commitments|transition|pathway
    """,
    "zeros": "zeros in on",
    "couple": "to|can|could|must|should|would|may|will|we|they|you|not couple !of",
    "couples": "couples !of",
    "decades": "for|over|back|across|the decades; decades ago",
    "century": "turn of the century; century bond|bonds",
    "squared": "r|chi squared",
    "once": """
        at|all|for once; once more|again|upon|bitten; once and for; once in a while|blue
        !@one once @the|there; !@one once a|an * @moves|~ed; !@one once a|an * * @moves|~ed
        ^ once in a|an|the !@time; ^ once in * ,; was|were once a|an|the !@time
        !@one once * @moves|~ed; !@one once * * @moves|~ed; !@one once * * * @moves
        ^ once ~ed|~ing|known|built|set|chosen; was|were once ~ed|thought|seen|known|held|popular|common|true
        once popular|reliable|promising|fashionable|dependable
    """,
    "quarter": """
        each|every|per|this|that|last|next|previous|prior|current|following|calendar|same|any|most quarter !of
        given|fiscal|earnings|reporting|bad|good|calm|difficult|weak|strong quarter !of; no quarter
        the quarter $; the quarter was|is|in|when|that|after|before|as|and|but|began|saw|ended|ends; !a quarter end|ends
        end|start|close|beginning|course|rest of the quarter !of; during|within|over|throughout the quarter !of
        quarter to|on|over|by|after quarter; quarter to date
    """,
    "quarters": """
        in|from|over|across some|other|certain|many|most|several|all quarters; close|hind|living quarters
        calm|bad|good|weak|strong|quiet|difficult|rising|falling quarters
    """,
    "percent": "in|as percent !of; as a percent of",
    "cent": "in per cent !of; every cent $; every last cent",
    "cents": "my|your|our two cents",
    "percentage": "as a percentage; in|by percentage terms|points; percentage of|basis",
    "percentages": "in|as|of|by percentages",
    "bps": "in bps !of",
    "percentile": "by percentile",
    "percentiles": "by|across|between percentiles",
    "deciles": "by|across|between deciles",
    "quintiles": "by|across|between quintiles",
    "quartiles": "by|across|between quartiles",
    "green": "green bond|bonds|energy|transition|shoots|finance|investing",
    "red": "red flag|flags|herring|herrings|tape|ink; in|into the red",
}
"""Phrases by the word that they allow; `;` and line ends separate them."""

_TOKEN = re.compile(r"[a-z]+|'[a-z]+|[^\sa-z-]")
_BEGINNINGS = frozenset('.;:!?(")–')
_ENDS = frozenset(".,;:!?)'\"–")
_UNITS = frozenset(
    "percent per percentage percentages pct basis bp bps bip bips point points pip pips fold x % ‰ $ € £".split()
)


class _Words(NamedTuple):
    """The alternatives of one place in a phrase."""

    words: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()
    is_filler: bool = False

    def match(self, token: str) -> bool:
        if self.is_filler:
            return token.isalpha() and token not in _NO_FILLERS
        return token in self.words or (token.endswith(self.endings) and len(token) > 4)


class _Phrase(NamedTuple):
    words: tuple[_Words, ...]
    place: int
    """Position of the allowed word."""
    not_before: _Words
    not_after: _Words
    begins_clause: bool
    ends_clause: bool

    def match(self, tokens: Sequence[str], start: int) -> bool:
        """Whether the phrase stands at `tokens[start:]`; the tokens are padded with empty strings."""
        end = start + len(self.words)
        if start < 1 or end >= len(tokens):
            return False
        before, after = tokens[start - 1], tokens[end]
        return (
            all(each.match(token) for each, token in zip(self.words, tokens[start:end], strict=True))
            and not self.not_before.match(before)
            and not self.not_after.match(after)
            and (not self.begins_clause or not before or before in _BEGINNINGS)
            and (not self.ends_clause or not after or after in _ENDS)
            and not (tokens[end - 1] == tokens[start + self.place] and after in _UNITS)
        )


def find_allowed_phrases(lower: str) -> Iterator[tuple[int, int]]:
    """Return the words of allowed phrases in a folded lower-case text."""
    matches = list(_TOKEN.finditer(lower))
    tokens = ["", *(match[0] for match in matches), ""]
    phrases = _phrases()
    for n, token in enumerate(tokens):
        for phrase in phrases.get(token, ()):
            start = n - phrase.place
            if phrase.match(tokens, start) and not (token in _UNITS and re.match(r"[\d#%]", tokens[start - 1])):
                for place, each in enumerate(phrase.words, start):
                    if tokens[place] in each.words:  # a word that `*` stands for may be a number
                        yield matches[place - 1].span()


@cache
def _phrases() -> dict[str, tuple[_Phrase, ...]]:
    return {
        word: tuple(_parse(word, line.split()) for line in re.split(r"[;\n]", text) if line.strip())
        for word, text in _PHRASES.items()
    }


def _parse(word: str, line: list[str]) -> _Phrase:
    begins, ends = line[0] == "^", line[-1] == "$"
    not_before = _words(line[0][1:]) if line[0][0] == "!" else _Words()
    not_after = _words(line[-1][1:]) if line[-1][0] == "!" else _Words()
    words = tuple(_words(each) for each in line if each[0] not in "^$!")
    place = next(n for n, each in enumerate(words) if word in each.words)
    return _Phrase(words, place, not_before, not_after, begins, ends)


def _words(alternatives: str) -> _Words:
    if alternatives == "*":
        return _Words(is_filler=True)
    expanded = [
        word for each in alternatives.split("|") for word in (_SETS[each[1:]].split() if each[0] == "@" else [each])
    ]
    return _Words(
        frozenset(word for word in expanded if word[0] != "~"),
        tuple(word[1:] for word in expanded if word[0] == "~"),
    )
