"""Puts the sentence that a message asks for first: aspects of a result and the words that ask for each."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple

_THAN: Final = (
    r"(?:than|beat\w*|against|versus|vs\.?|outperform\w*|compared (?:to|with)) (?:just |simply |an? |the |plain )*"
    r"(?:holding |owning |buying )?(?:the )?"
)
ASPECTS: Final = {
    "own": r"my|mine|our|saved?|stored?|kept",
    "kind": r"kinds?|types?|(?:what|which) (?:strateg\w+|rules?)|can|offer|available",
    "safer": r"safer?|safest|risky|riskier|calmer|dangerous",
    "than_equity": _THAN + r"(?:index|market|shares|stocks|equit\w+|s&p(?: ?500)?|buy.and.hold|full(?:y)? invest\w*)",
    "correlation": r"correlat\w*|move together|diversif\w*",
    "beta": r"beta",
    "concentration": r"adds? (?:the )?(?:more|most)|more risk|concentrat\w*|"
    r"contribut\w*|biggest (?:risk|position)|(?:share|most|source) of (?:the |my )?risk|"
    r"where does the risk|which (?:holding|stock|asset|position)",
    "ruin": r"run(?:s|ning)? (?:out|dry)|last(?:s|ed|ing)?|ruin|broke|deplete\w*|exhausted|survive\w*|outlive\w*",
    "goal": r"reach\w*|goal|get (?:to|from)|hit|target|becomes?|turns? into|grows? to|make it to|double|"
    r"end (?:up )?with at least",
    "count": r"how (?:often|many)|number of|share of|losing|negative",
    "losing_years": r"(?:which|what|in what) (?:calendar )?years?\b.*\b(?:lose|lost|loss|losses|negative|red)",
    "fee": r"fees?|charges?|ter|expense ratio",
    "loss_size": r"how (?:much|bad|low|far)[\w ,.%]*(?:lose|loss|down|less|get)|worst case|bad (?:case|luck)",
    "loss": r"lose|losing|loss|less than (?:i|we) (?:paid|put)",
    "certainty_of_risk": r"rely|trust\w*|back-?tests?|did (?:it|that|the var) hold",
    "reverse": r"what would it take|most likely way|reverse|probab\w+|chances?|how likely|odds",
    "fall": r"if (?:the )?(?:s&p|index|market|shares|equities|stocks)[\w &]* "
    r"(?:falls?|fell|drop(?:s|ped)?|crash\w*|loses?|lost|decline[sd]?|slump(?:s|ed)?)",
    "shortfall": r"cvar|es|expected shortfall|shortfall|tail loss|average loss|mean loss",
    "tail": r"var|cvar|es|value at risk|shortfall|lose|losing|loss|tail|9\d(?:\.\d+)? ?(?:%|per ?cent)|"
    r"(?:one|a|per|next|ten|bad|worst|\d+) ?-?(?:day|session|week|month)s?(?! rule)",
    "crisis": r"cris[ei]s|lehman|dot ?-?com|covid\w*|pandemic|2008|2020|2000|1998",
    "drawdown": r"drawdown\w*|recover\w*|peak|deepest|underwater|how deep|max dd|mdd|fall(?:s|en)?|fell",
    "sharpe": r"sharpe|risk ?-?adjusted",
    "year": r"(?:worst|best|calendar|which|bad|good) years?|year by year|by year",
    "weight": r"weight|exposure|invested (?:now|today)|hold(?:s|ing)? (?:now|today)|position",
    "timing": r"timing|constant weight|same (?:volatility|risk)|matched",
    "versus": r"beat\w*|better|worse|outperform\w*|benchmark|against|versus|vs|index|than|worth|still (?:hold|work)s?",
    "shares": r"how much|split|(?<!equal )weights?|hold(?:s|ing)?|allocate|invest|divide|put|distribut\w*|shares",
    "fallen": r"below|drawdown\w*|peak|crash\w*|cris[ei]s|correction|fall(?:en)?|fell|down",
    "trend": r"(?:up|down)?-?trend\w*|momentum|rising|falling|up or down|direction",
    "cost": r"costs?|turnover|expens\w*|how much trading|trade often",
    "phase": r"bull\w*|bear\w*|regime|where do we stand",
    "turbulence": r"turbulen\w*|stress\w*|two states",
    "most": r"most|more|which|rank\w*|riskiest|calmest|wildest|compare\w*|versus|vs",
    "volatility": r"nervous|jumpy|volatil\w*|vol|swing\w*|fluctuat\w*|calm\w*|risky",
    "growth": r"growth|grew|grow|returns?|returned|earn\w*|made|gain\w*|perform\w*",
    "lose_money": r"(?:lose|loses|losing) (?:us |me )?money|make a loss|negative (?:return|growth)s?|in the red",
    "return_assumed": r"returns?|premium|drift|mu",
    "volatility_assumed": r"volatil\w*|vol|sigma",
    "less_assumed": r"lower|less|smaller|halv\w+|shrinks?|falls?|drops?|overestimated|too (?:high|optimistic)",
    "more_assumed": r"higher|more|larger|rises?|grows?|underestimated|too (?:low|pessimistic)",
    "assumed": r"(?:assum|charg)(?:ed?|ing|ptions?)|"
    r"(?:what|which)(?: \w+)? (?:costs?|fees?) (?:did|do|are|were|is|was)",
    "double": r"doubl\w*|twice|2 ?x|x ?2|two times",
    "free": r"without (?:any )?(?:trading )?costs?|for free|free of cost|(?:no|zero) (?:trading )?costs?|"
    r"(?:were|was|is|be) free",
    "chance": r"how likely|probab\w+|chances?|odds|risk of break\w+|how often",
    "anyway": r"anyway|ignor\w+|if (?:i|we) switch|all the same|regardless",
    "multiple": r"doubl\w*|twice|tripl\w*|times|higher|\d+ ?x|x\d+|without costs|free",
    "third": r"third|3rd|top three|top 3|podium",
    "second": r"second|runner ?-?up|next best|2nd|number two|after the winner",
    "ahead": r"ahead|clear(?:ly)?|noise|apart|as good|just as|how many|close|tied?|difference|order",
    "trade": r"how much|trades?|buy|sell|amount|size",
    "now": r"weight|hold(?:s|ing)?|invested|exposure|position",
    "switch": r"switch\w*|change (?:to|over|our|my|the rule)|should (?:i|we) change|adopt|move over|go for it|"
    r"worth (?:it|the)|recommend\w*|should (?:i|we)|take it",
    "overfit": r"over-? ?fit\w*|curve-? ?fit\w*|data-? ?min\w*|reversal|fitted",
    "unseen": r"out-? ?of-? ?sample|unseen|validation|later (?:days|years)|fresh days|afterwards|since then|held out",
    "significant": r"significan\w*|p-?values?|statistically",
    "failed": r"which (?:tests?|criteri\w+|checks?)|tests?|criteri\w+|not green|turn green",
    "sixty_forty": r"60 ?[/-] ?40|sixty.forty|balanced",
    "same_average": r"average|mean (?:weight|exposure)",
    "current_rule": r"current|present|existing|incumbent|status quo|(?:12|twelve).month|(?:our|my) (?:own )?rule|"
    r"(?:what|rule|one) (?:that )?(?:we|i) (?:do|have|use|run|follow)",
    "equity": r"buy.and.hold|full(?:y)? invest\w*|stay\w* invested|100%|index|market|shares|stocks|equit(?:y|ies)|"
    r"s&p(?: ?500)?",
    "cash": r"cash|t-?bills?|treasury|money market|deposits?",
    "rule": r"which (?:of the )?(?:\d+ )?(?:rules?|strateg\w+|configurations?|variants?|one)|who won|what won|on top|"
    r"parameters|settings|look.?back|window|"
    r"(?:winning|best|chosen) (?:rule|strategy|configuration)|what (?:rule|strategy|configuration)|"
    r"(?:what|how) does (?:it|the winner|the rule|that rule) (?:do|work)|rebalanc\w*",
    "turnover": r"turnover|how (?:much|often) (?:does|did|do|would|will) [\w ]*trad(?!ing)\w*|"
    r"trades? (?:a|per) year",
    "simpler": r"simpl\w*|easier|as well|less complicated",
    "sensitive": r"what if|what happens|sensitiv\w*|slightly|different\w*|chang\w*|instead|mov\w*|fragile|robust\w*",
    "best_place": r"best|strongest|shine\w*|gains? most|(?:do|does|works?) well",
    "best": r"best|good|strongest|highest",
    "worst": r"worst|bad|weakest|lowest",
    "binding": r"bind\w*|which limits?|rule[sd]? out",
    "source": r"where (?:does|do) (?:the (?:prices|data)|they|it) come|source|provider|come from|whose|"
    r"which (?:index|prices)",
    "dividends": r"dividends?|total returns?|price index",
    "holdout": r"(?:how|what)\b(?!.*\b(?:train|split)).*\b(?:do|did|does|perform\w*|fared?|returns?|earn\w*)\b.*\b"
    r"(?:held (?:back|out)|hold-?out|locked|sealed)",
    "split": r"train\w*|held? (?:back|out)|locked|holdout|validat\w+|in-? ?sample",
    "cheap": r"eat\w*|depend\w*|cheap\w*|survive\w*|advantage|benefit|still|hang\w*|left|worth|\d+ ?(?:bps?|basis)",
    "certainty": r"how (?:sure|certain|confident|safe|solid|firm|strong|good|definite|precise)|sure|"
    r"certain\w*|trust\w*|reli\w+|confiden\w+|believe|wrong|mistaken|depend\w*|credib\w+|"
    r"conclusive|uncertain\w*|doubt\w*|accura\w+|evidence|final|bet|faith|stake|error|founded|convinc\w+",
    "favour": r"favou?r|pros|speaks? for|case for|arguments? for|advantages?|positives|merits?|miss|give up|"
    r"if i don'?t",
    "colour": r"why|reasons?|grounds|because|justif\w+|red|amber|green|colour|color|light|tests?|criteri\w+|"
    r"fail\w*|decid\w+|led to|behind|based|rest|explain the|arrive",
}
"""Words that ask for an aspect; the first aspect that has a sentence decides."""


class Sentence(NamedTuple):
    """A sentence about a result and the aspects that it answers."""

    text: str
    about: str
    on_demand: bool = False
    """Whether it is left out if it is not asked for."""


def answering_first(sentences: Iterable[str | Sentence], message: str) -> list[str]:
    """The texts in order, those of the aspect that the message asks for before all others."""
    listed = [each if isinstance(each, Sentence) else Sentence(each, "") for each in sentences]
    asked = next(
        (name for name in ASPECTS if any(name in s.about.split() for s in listed) and asks(name, message)), None
    )
    told = [s for s in listed if not s.on_demand or asked in s.about.split()]
    return [s.text for s in sorted(told, key=lambda s: asked not in s.about.split())]


def asks(aspect: str, message: str) -> bool:
    """Whether the message asks for an aspect."""
    return _pattern(aspect).search(message) is not None


@cache
def _pattern(aspect: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{ASPECTS[aspect]})\b", re.IGNORECASE)
