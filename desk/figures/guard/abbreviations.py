"""Abbreviations and names with single letters, dots, ampersands or slashes that a claim may contain."""

import re

_WITH_SIGNS = (
    "S&P P&L P&Ls M&A R&D Q&A Q&As G&A SG&A T&Cs D&O AT&T H&M e.g. i.e. E.g. I.e. Cf. a.k.a. p.a. a.m. p.m. N.B. P.S. "
    "U.S. U.S.A. U.K. E.U. U.N. D.C. J.P. viz. cf."
).split()
_LETTER_WORDS = (
    "p-value p-values t-stat t-stats t-statistic t-statistics t-test t-tests t-ratio t-distribution z-score z-scores "
    "z-test F-test F-tests F-statistic x-axis y-axis U-turn U-turns U-shaped V-shaped W-shaped L-shaped K-shaped "
    "S-shaped J-curve S-curve U-shape V-shape R-squared T-bill T-bills T-bond T-bonds T-note T-notes A-share A-shares "
    "B-share B-shares H-share H-shares e-mail e-mails e-commerce k-means h-index g-spread g-spreads z-spread z-spreads"
).split()
_ROMAN_LETTERS = "CD CDs MD MDs DM DMs CI CIs CV CVs MC ML DC MV MI MIs DL CM CC DD".split()
"""Acronyms whose letters are Roman numerals."""
_BEFORE_PRONOUN = (
    "that and but so as if when where which what why how because since although though while whereas or than before "
    "after until unless whether here today do would should can may thing one then"
).split()
_VERBS = (
    "would am was have had do did cannot can could may might must should shall will see think expect prefer recommend "
    "suggest believe consider suspect read take took know knew want wish hope fear doubt trust say said call find "
    "found note noted assume assumed judge regard treat rate weigh favour favor lean place put give gave keep kept "
    "hold make made use used look looked ask asked argue advise caution warn conclude compare compared checked check "
    "tested test tried try choose chose leave left set need mean feel understand offer propose rely remain stand stop "
    "start started ran run searched rank ranked worry admit concede grant interpret discount ignore omit dismiss "
    "reject welcome like dislike agree disagree mention report speak summarise summarize refer draw reach wrote write "
    "worked work zoom cut sell buy turn also only still never simply merely therefore personally generally usually "
    "rarely often again urge maintain stress concur foresee struggle lack question notice learn stick discuss "
    "held saw met went came got get go pay paid turn move plan intend want wonder accept base based hesitate "
    "aim follow welcome repeat insist defer appreciate respect enjoy regret hear imagine guess really fully "
    "firmly strongly merely certainly [a-z]{3,}ed"
).split()
_PRONOUN = (
    r"(?:(?<=^)|(?<=[.;:!?(,\"'“”‘’—–…]\s)|(?<=[—–(“\"‘'])|"
    + "|".join(rf"(?<=\b(?i:{word})\s)" for word in _BEFORE_PRONOUN)
    + r")I(?=['’](?:d|m|ve|ll)\b|\s(?:"
    + "|".join(_VERBS)
    + r")(?:n['’]t)?\b|\s(?:don|won|can)['’]t\b)"
)
"""The pronoun, between the beginning of a clause and a verb; elsewhere it may be a Roman numeral."""
_NO_UNIT = (
    r"(?!\s?(?:percent|per\scent|bps?|basis|points?|pct|times|years?|months?|days?|out|"
    r"of\sthe\s(?!fund|firm|desk|bank|board|team|client))\b)"
)
_ABBREVIATION = re.compile(
    r"(?=[A-Z&/(]|[a-z][-‑. ]|class|plan|viz|cf)(?:"  # where any of them begins: most places end here
    r"(?<![\w&.])(?:"
    + "|".join(re.escape(word) for word in sorted(_WITH_SIGNS, key=len, reverse=True))
    + r")(?![\w&])|"
    + r"(?<![\w-])(?:"
    + "|".join(re.escape(word).replace(r"\-", "[-‑ ]") for word in sorted(_LETTER_WORDS, key=len, reverse=True))
    + r")(?![\w-])|"
    + rf"(?<![\w&-])(?:{'|'.join(sorted(_ROMAN_LETTERS, key=len, reverse=True))})(?![\w&-]){_NO_UNIT}|"
    + r"(?<![\w-])IV(?=\s(?:rank|percentile|skew|surface|signal|term|crush)\b)|"
    + r"\b(?:[Pp]lan|[Cc]lass)\s[AB](?![\w&-])|\b[Cc]lass\s[A-Z](?=\s(?:shares?|units?|stock|fund)\b)|"
    + r"(?<=[A-Za-z]\s)&(?=\s[A-Za-z])|(?<=[A-Za-z]{2})/(?=[A-Za-z]{2})|"
    + r"(?<=[A-Za-z])\((?:s|es)\)(?![A-Za-z])|"
    + _PRONOUN
    + r")"
)


def mask_abbreviations(text: str) -> str:
    """Replace each abbreviation by a plain word and each sign between words by a space."""
    return _ABBREVIATION.sub(_plain, text)


def _plain(match: re.Match[str]) -> str:
    if match[0] == "I":
        return "we"
    return "term" if match[0][0].isalpha() else " "
