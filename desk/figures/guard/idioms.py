"""English idioms in which "one", "second", "half", "once" or "quarter" is no number."""

import re

_MEASURE = (
    r"(?:percent|per|percentage|basis|bps?|point|hundred|thousand|million|billion|dozen|half|third|quarter|fifth|tenth|"
    r"year|month|week|quarters?|decade|euro|dollar)"
)
_NOUNS = (
    r"reason|caveat|thing|side|hand|way|day|off|sided|tailed|stop|word|final|last|argument|explanation|concern|risk|"
    r"objection|weakness|advantage|option|possibility|example|kind|sort|piece|part|direction|eye|counter-argument|answer|"
    r"exception|consequence|question|lesson|point to|place"
)
_VERBS = (
    r"can|cannot|could|may|might|must|should|would|will|has|had|is|was|does|wants?|needs?|sees?|thinks?|looks?|holds?|"
    r"who|that|which"
)
_FIGURE = (
    r"(?:\d|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|every|"
    r"an?\s+(?:half|third|quarter|hundred|thousand|million)|oh|zero|one)\b"
)
_NO_MORE = rf"(?!\s+(?:in|to|and|or|point|out\s+of)\s+{_FIGURE})"
"""Continuations that make "the one" a number: one in five, one to two."""
IDIOM = re.compile(
    "|".join(
        (
            r"\b(?:no|any|every|each|every last|this|that|which|the|another|other|same|wrong|right|better|worse|single)"
            r"[\s-]one\b"
            rf"(?!\s+{_MEASURE}\b){_NO_MORE}(?:'s)?",
            r"\b(?:an?|the|my|your|our|its|their)\s+[a-z-]{3,16}\s+one\b"
            r"(?='|[.,;:!?]|\s+(?:that|which|than|with|and|or|but|in|for|to|is|was|"
            rf"would)\b|$){_NO_MORE}",
            rf"\bthe\s+[a-z-]{{3,16}}\s+one\b(?=\s+[a-z])(?![\s-]+{_MEASURE}\b){_NO_MORE}",
            r"\bone(?:\s+or\s+(?:the\s+other|another|other|more))\b",
            r"\bone(?:\s+of\s+(?:the|them|these|those|its|his|her|our|their|many|several|us)\b)(?!\s+\d)",
            r"\bone(?:'s|self|\s+another|\s+and\s+the\s+same|[\s-]to[\s-]one|\s+by\s+one|\s+at\s+a\s+time|\s+more\b|"
            r"\s+such\b)",
            rf"\bone[\s-](?:{_NOUNS}|{_VERBS})\b(?!\s+(?:percent|per cent|basis))",
            r"\bat\s+one\s+time\b|\b(?:square|day|back to square)\s+one\b|\bone\s+fell\s+swoop\b|\bnot\s+one\s+of\b",
            r"\bfirst\b(?![\s-]+(?:half|third|quarter|quartile|quintile|decile|percentile|century|decade|of (?:january|"
            r"february|march|april|may|june|july|august|september|october|november|december)))",
            r"(?:^|[.;:!?]\s+|\band\s+)(?:second|third|fourth|fifth),",
            r"\bthe\s+(?:second|third)(?=\s+(?:is|was|concerns|one|reason|caveat|concern|argument|point|objection|risk|"
            r"question|condition)\b)",
            r"\bsecond[\s-](?:guess\w*|opinions?|thoughts?|nature|hand|look|wind|chance|guard|approval|reason|to none|"
            r"rate|order|person|time|step|line|place|fiddle|caveat|concern|argument|objection|sight|string|tier)\b",
            r"\ba\s+second(?!\s+(?:third|half|quarter|percent|percentile))\b|\bevery\s+second\s+counts\b",
            r"\bsecond(?=ed|ing|ary)",
            r"\bthird[\s-](?:part(?:y|ies)|reason|person|caveat|concern|argument|way|world|time lucky)\b",
            r"\bhalf[\s-](?:hearted\w*|baked|life|lives|truths?|measures?|the (?:battle|story))\b|"
            r"\bbetter\s+half\b",
            r"\bdouble[\s-](?:check\w*|edged|count\w*|down|blind|standards?|sided|entry|click|meaning)\b|"
            r"\bdoubling\s+down\b",
            r"\btriple[\s-](?:a|b|witching)\b|\bzero[\s-](?:sum|coupon|in\s+on)\b|\bnon-?zero\b|\bnet[\s-]zero\b",
            r"\bthink(?:s|ing)?\s+twice\b|\bin\s+two\s+minds\b|\btwo[\s-](?:way|sided|tailed|edged|faced)\b",
            r"\b(?:between|of|than)\s+the\s+two\b(?=[.,;:!?)]|$|\s+(?:is|are|was|were|do|does|did|have|has|would|will|lies?|"
            r"differs?)\b)|\bthe\s+two(?=\s+(?:differ|are|were|agree|disagree|have|cannot|can|of them|together|"
            r"apart)\b)",
            r"\bcloud\s+nine\b|\bsixth\s+sense\b|\bthe\s+couple\b|\beleventh\s+hour\b|\bseventh\s+heaven\b",
        )
    )
)
ONCE = re.compile(
    r"\bonce(?=\s+(?:(?:in\s+)?(?:an?|every|each|per)\s+(?:day|week|month|quarter|year|decade|century|generation|lifetime|"
    r"hundred|thousand|dozen))|(?<=only )once\b|(?<=just )once\b|(?<=exactly )once\b)|"
    r"\b(?:happened|occurred|fell|lost|failed|broke|hit|did so) once(?=\s*(?:[.,;:!?]|in\b|$))"
)
"""Uses of "once" as a count."""
QUARTER = re.compile(
    r"(?:(?<=\ba )|(?<=\ba-)|(?<=\bone )|(?<=\bone-)|(?<=\bfirst )|(?<=\bthird )|(?<=\bfourth )|(?<=\bhalf-)|"
    r"(?<=\bthan ))quarter\b(?<!once a quarter)(?<!times a quarter)|\bquarter(?=[\s-]+of\b|[\s-](?:percent|point))"
)
"""Uses of "quarter" as a fraction instead of three months."""
OTHERS = re.compile(
    r"\b(?:(?:single|double|triple)[\s-]digits?|a\s+pair\s+of|pairs\s+of|(?:mid|low|high)[\s-]+(?:teens|twenties|thirties|forties|"
    r"fifties|sixties|seventies|eighties|nineties)|(?:top|bottom|best|worst|lowest|highest|upper|lower)[\s-]+(?:decile|quintile|"
    r"quartile|tercile|percentile)|(?:of|to|at|near|above|below|than|is|exceeds|exceeded|equals)\s+unity|"
    r"orders?\s+of\s+magnitude|(?:ranked|ranks|rank|came|comes|finished|finishes|placed)\s+first|"
    r"a\s+score\s+of\s+years)\b"
)
