"""Names that the user defines, and names that contain numbers or signs."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from agents.planner.language.amounts import ONES, fold
from agents.planner.language.words import Mark
from quant.strategies.family import FAMILY

FUNCTIONS: Final = sum(not row.benchmark for row in FAMILY.values())
COUNT: Final = "|".join([str(FUNCTIONS), *ONES.split()[FUNCTIONS : FUNCTIONS + 1]])
"""The number of weight functions, in digits and as a word."""
SPECIAL: Final = (
    (r"\bs ?(?:&|and|n) ?p(?:[ -]?(?:500|five hundred))?(?:'s)?\b(?: index)?|\bsp[ -]?500\b|"
    r"\bspx\b(?: index)?|\bgspc\b", "asset", "sp500"),
    (r"\b(?:all |the |our |your )*(?:20|twenty)(?: bundled| single| big| large| us)? (?:stocks|names|"
    r"shares|equities|companies)\b", "asset", "stocks"),
    (r"\bj&j\b|\bjohnson & johnson\b", "asset", "JNJ"),
    (r"\bprocter & gamble\b|\bp&g\b", "asset", "PG"),
    (r"\b(?:12|twelve|1|one)[ -]?(?:months?|m|years?)[ -](?:vol |volatility |excel |rolling |lookback |"
    r"inverse )?(?:rule|spreadsheet|template|"
    r"inverse[ -]vol(?:atility)? rule)\b|\btwelve_month_rule\b", "template", "twelve_month_rule"),
    (r"\b(?:(?:my |our |the )?(?:excel|spreadsheet) with )?(?:the |my |our )?rule of (?:12|twelve) months\b",
     "template", "twelve_month_rule"),
    (r"\bcppi[ _-]?90\b(?! ?%)", "template", "cppi_90"),
    (r"\b(?:(?:all|the|these|those|your|every|all of the|across) ?(?:the )?(?:six|6)|"
        r"all)(?: the)?(?: built-in| bundled|"
    r" of the)? (?:scenarios|worlds|markets)\b", "scenario", "all"),
    (r"\b(?:all|the)? ?(?:five|5) (?:default |usual |weighted )?scenarios\b", "scenario", "default"),
    (r"\ball(?: the)? (?:weight |weighting )?(?:functions|rules)\b|"
    rf"\b(?:all )?(?:{COUNT}) (?:weight |weighting )?(?:functions|rules)\b",
     "function", "all"),
    (r"\b(?:the |my |our |these |those |both )?(?:last |latest |previous )?two (?:runs|results|"
    r"optimi[sz]ations)\b", "reference", "previous"),
    *(
        (rf"\bengines?\b\s?(?:is|=|:|of|set to|to|should be|will be|->|→)?\s?{words}\b|"
            rf"\b{words}(?: jump)?(?: as (?:the |path |an )*(?:engine|model|simulator)|[ -](?:path |"
            rf"simulation )?engine)\b",
         "engine", value)
        for value, words in (("merton", "merton"), ("garch", "garch"), ("regime_switching", "regime[ "
            "-]switch(?:ing)?"), ("bootstrap", "(?:block )?bootstrap"))
    ),
    # not "for the benefit of my clients"
    (r"(?:(?<=\bfor )|(?<=\bfor the )|(?<=(?:imise|imize) )|(?<=(?:imise|imize) the )|(?<=(?:imising|imizing) )|"
     r"(?<=(?:imising|imizing) the ))benefits?\b(?! (?:of|from|to|that)\b)|"
     r"\b(?:goal|objective)(?: is|:| =|=| of| to be| to)? (?:the )?benefit\b|"
     r"\bbenefit as (?:the |a |my |our )?(?:goal|objective)\b", "goal", "benefit"),
    (r"\b(?:what is|what's|whats|how (?:big|large|much|high) is) (?:the|its) benefit\b"
     r"(?! (?:of|from|in) (?!the (?:winner|result|strategy|rule)))", "topic", "benchmarks"),
    (r"\b1\s?/\s?n\b", "method", "equal_weight"),
    (r"(?<![\w.])(?:1|one)\s?(?:/|over)\s?(?:(?:σ|sigma|vol(?:atility)?)\s?(?:²|\^\s?2|\*\*2|squared)|var\b|"
        r"variance|the variance)",
     "function", "inverse_vol_squared"),
    (r"(?<![\w.])(?:1|one)\s?(?:/|over)\s?(?:σ|sigma\b|vol(?:atility)?\b)", "function", "inverse_vol"),
    (r"\b(?:corr(?:elation)?|rho)\s?\((?:equity|equities|stocks?)\s?[,/-]\s?bonds?\)|"
     r"ρ\s?(?:\((?:equity|equities|stocks?)\s?[,/-]\s?bonds?\))?", "slot", "correlation"),
    (r"\b(?:n_|#)?trials\b(?=\s?=)", "slot", "trials"),
    (r"\bl(?=\s?[=∈])", "slot", "lookback"),
    (r"\bt(?=\s?=)", "slot", "years"),
    (r"\bv_?0(?=\s?=)", "slot", "amount"),
    (r"\b(?:c|tc)(?=\s?=)", "slot", "transaction_cost"),
    (r"\b(?:var|es|cvar)[ _-]?(?:95|99)(?:\s?%)?(?=\s?(?:[<=≤]|at most|below|under|of|max))", "level", "level"),
    (r"\b(?:a )?bull(?:ish)? or (?:a )?bear(?:ish)?(?: market)?\b|"
        r"\b(?:a )?bear(?:ish)? or (?:a )?bull(?:ish)?(?: market)?\b",
     "do", "analyse_market"),
    (r"\btop[ -](?:three|five|ten|\d{1,2})\b|\b(?:three|five|ten|\d{1,2}) best\b", "topic", "ranking"),
    (r"\b(?:high|low)[ -]vol(?:atility)? regime\b(?: or (?:in )?(?:a |the )?(?:low|"
        r"high)(?:[ -]vol(?:atility)?)?(?: one)?)?", "do", "analyse_market"),
    (r"\bwhat (?:all |else |exactly )?(?:can|could|do|would) (?:you|u)(?: \w+){0,2} do\b(?! (?:about|with|if|"
        r"for the|to))", "do", "help"),
    *((rf"\breb(?:al(?:ance|ancing)?)?(?:\s?[:=]\s?|\s){letter}\b", "rebalancing", value) for letter, value in
      (("d", "daily"), ("w", "weekly"), ("m", "monthly"), ("q", "quarterly"))),
    (r"\bin (?:a|one|two|three|four|five|a few|few|a couple of|\d) (?:short |simple |plain )?(?:sentences?|"
        r"lines?|words|bullets?|bullet points|paragraphs?)\b", "topic", "summary"),
    (r"\btl;?\s?dr\b", "topic", "summary"),
    (r"\bpr?\((?=[^)]*[<>a-z])", "topic", "probabilities"),
    (r"(?:#|\bnumber |\bno\.? ?)(?:1|one)\b|\btop ?1\b", "winner", "winner"),
    (r"\b(?:start(?:ing)? )?(?:from|at) (?:zero|square one|nought)\b|\bscrap (?:that|it|this|everything)\b",
     "fresh", "fresh"),
    (r"(?:^|(?<=\s))(?:\(?\d\)|\d\.(?=\s[a-z]))(?=\s)", "item", "item"),
    (r"\bconstant(?:ly)?(?: share| weight| exposure| allocation| mix)?(?: of)?(?= (?:[\d.,]+|[a-z-]+) ?(?:%|"
        r"percent|per cent|pct))",
     "template", "constant_weight"),
    (r"\b(?:every|each|on)? ?(?:mon|tues|wednes|thurs|fri)days?\b(?= (?:rebal|close))|"
     r"\b(?:every|each) (?:mon|tues|wednes|thurs|fri)day\b|\bon (?:mon|tues|wednes|thurs|fri)days\b",
     "rebalancing", "weekly"),
    (r"\b(?:oil|bank|pharma|tech|energy|consumer|drug|retail|big oil|utility|airline|car|chip)s? (?:names|"
        r"stocks|companies|majors|giants|shares)\b|"
     r"\bthe (?:oils|banks|pharmas|drugmakers|retailers|techs)\b", "sector", "sector"),
)  # fmt: skip
"""Names that contain numbers or signs: pattern, kind, value."""
SPLIT: Final = re.compile(
    r"(?<![\w/.])(\d{1,3})\s?[/:]\s?(\d{1,3})(?:\s?[/:]\s?(\d{1,3}))?(?![\w/])|\b(?:sixty[ /-]forty|"
    r"fifty[ /-]fifty|seventy[ /-]thirty|eighty[ /-]twenty|50-50|60-40|70-30|80-20|90-10|40-60|30-70)\b"
)
RUN: Final = re.compile(
    r"(?<=\brun )#?(?=[0-9a-f]*\d)(?=\d*[a-f]|\d{5})[0-9a-f]{3,64}\b|(?<=\bresult )#?(?=[0-9a-f]*\d)[0-9a-f]{3,64}\b|"
    r"(?<=\bvs )(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{4,64}\b|"
    r"(?<=\bruns )(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{4,64}\b|"
    r"\b(?!\d+[bd]\b|\d+e\d+\b)(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{4,64}\b"
)
_TO_END = (
    r"(?=\s*(?:[,;:?!]|-\s|\.+(?:[\s?!]|$)|$|(?<![-\w])(?:with|but|and|like|based|from|off|which|please|pls|using|"
    r"for|then|so|to me|now|basically|thanks|thank|cheers|where|whose|in|it's|has|having|at)\b))"
)
_NAME = rf"(?P<name>'[^']+'|\"[^\"]+\"|[^\s,;:?!'\"](?:[^,;:?!'\"]|'(?=s\b))*?){_TO_END}"
NAMING: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:called|named|titled|entitled|labelled|labeled|dubbed) (?:it )?{_NAME}",
        rf"\b(?:call|name|label|title|dub) (?:this one|that one|it|this|that|that one|the one|the (?:run|"
        rf"result|strategy|"
        rf"scenario|rule|search|one|optimization|new one)) (?:as )?{_NAME}",
        rf"\b(?:save|keep|store|remember|bookmark|file|saved|stored|record)\b[^.;,]{{0,40}}?\b(?:as|"
        rf"under(?: the name)?(?: of)?) (?!(?:the|a) name\W*$){_NAME}",
        r"\b(?:new|own|add|create|define|make|build|set up)(?: a| an| me| one| my)?(?: new|"
        r" own)? scenario(?: named| called)?,? "
        r"(?!(?:name|like|with|where|based|from|off|that|and|for|of|in|which|having|please|is|has|at|on|using|"
        r"to)\b)(?P<name>[a-z0-9][\w-]*(?: [\w-]+)?)\s?[:=]",
        rf"\b(?:load|pull up|open|bring up|fetch|retrieve|get|show|run|use|evaluate|look at|see)(?: me|"
        rf" us)? (?:my |the |our )?"
        rf"(?:saved|stored)(?: one| strategy| rule| config)?(?:,|:| called| named)? (?!(?:it|it's|its|"
        rf"strategy|one|rule|strategies|runs?|results?|as|under|called|named)\b){_NAME}",
        rf"\b(?:i'd|i will|i'll|we'd|we'll|i would|i shall|to be) call(?:ed)? (?!it\b|this\b|that\b){_NAME}",
        rf"\b(?:under the name(?: of)?|by the name(?: of)?|with the name|name:) {_NAME}",
        rf"\b(?:copy|clone|duplicate)\b[^.;,]{{0,40}}?\b(?:to|as|into) {_NAME}",
        r"\bscenario (?P<name>'[^']+'|\"[^\"]+\")",
        rf"^\s*(?:please )?(?:load|reload|pull up saved|open saved) (?:the |my )?(?!.*\b(?:saved|stored|"
        rf"called|named)\b)(?:saved )?(?:strategy )?{_NAME}",
        r"\b(?:load|saved|reload|saved strategy|my) (?:strategy )?(?P<name>'[^']+'|\"[^\"]+\"|v\d+\b)",
        r"(?<![\w'])(?P<name>'[^']{2,60}'|\"[^\"]{2,60}\")(?!\w)",
    )
)


def special_names(folded: str, text: str, own_scenarios: Sequence[str]) -> Iterator[Mark]:
    """The marks that are found before amounts, because their names contain numbers or signs."""
    for pattern in NAMING:
        for match in pattern.finditer(folded):
            start, end = match.span("name")
            name_text = text[start:end].strip().strip("'\"‘’“”")
            if match["name"] not in ("before", "well", "is", "usual", "it", "the", "a", "it is", "last time"):
                yield Mark("name", name_text, start, end, text[start:end])
    for name in own_scenarios:
        pattern = r"[\s_-]+".join(re.escape(part) for part in re.split(r"[\s_-]+", fold(name)))
        for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", folded):
            yield Mark("scenario", name, *match.span(), match[0])
    for pattern, kind, value in SPECIAL:
        for match in re.finditer(pattern, folded):
            yield Mark(kind, value, *match.span(), match[0])
    for match in SPLIT.finditer(folded):
        yield Mark("split", match[0], *match.span(), match[0])
    for match in RUN.finditer(folded):
        yield Mark("run", match[0].lstrip("#"), *match.span(), match[0])
