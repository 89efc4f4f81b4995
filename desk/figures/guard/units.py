"""Patterns for units, currencies, scales and dates next to a number, over folded lower-case text."""

import re
from typing import Literal, TypeAlias

NumberUnit: TypeAlias = Literal[
    "percent",
    "bps",
    "points",
    "permille",
    "currency",
    "multiple",
    "decades",
    "years",
    "quarters",
    "months",
    "weeks",
    "days",
    "time",
    "date",
    "ordinal",
    "plain",
    "code",
    "unread",
]

CURRENCIES: dict[str, str] = {
    "EUR": "eur|euros?|€",
    "USD": r"usd|us\s?dollars?|us\$|dollars?|bucks?|us-dollars?|\$",
    "GBP": "gbp|pounds?(?: sterling)?|quid|£",
    "CHF": r"chf|sfr\.?|swiss francs?|francs?",
    "JPY": "jpy|yen|¥",
    "CNY": "cny|rmb|yuan|renminbi",
    "INR": "inr|rupees?|₹",
    "KRW": "krw|₩",
    "RUB": "rub|roubles?|rubles?|₽",
    "SEK": "sek",
    "NOK": "nok",
    "DKK": "dkk|kroner?|kronor",
    "PLN": "pln|zloty",
    "AUD": r"aud|a\$",
    "CAD": r"cad|c\$",
    "BTC": "btc|₿",
}
_ANY_CURRENCY = "|".join(CURRENCIES.values())
BEFORE = re.compile(rf"(?:(?<![a-z0-9])(?:{_ANY_CURRENCY})|[¢₠-₿])[\s-]?$")
SIGN = re.compile(r"(?:(?<![\w%)\]])(?:[-–+~±]|\N{MINUS SIGN}\s?|[<>≤≥≈=]\s?)|\b(?:minus|negative)\s+)$")

_UNITS: tuple[tuple[NumberUnit, str], ...] = (
    (
        "points",
        r"(?:%|percentage|percent|pct|vol(?:atility)?|index)[\s-]?(?:points?|pts?)|points? de pourcentage|"
        r"prozentpunkte?n?|(?:points?|pts?|pp|punt[oi]s?)",
    ),
    (
        "bps",
        r"basis[\s-]?(?:points?|pts?)|b\.?p\.?s?|bips?|pips?|basispunkte?n?|points? de base|puntos basicos|punti base|"
        r"hundredths of a percent",
    ),
    (
        "percent",
        r"%|per[\s-]?cents?|percents?|percentage|precent|perc\.?|pct\.?|p\.?c\.?|prozent\w*|pro[zc]ent\w*|pour[\s-]?cents?|"
        r"por[\s-]?cient?o|per[\s-]?cento|procent\w*|hundredths",
    ),
    ("permille", r"‰|‱|per[\s-]?mill?e|promille|pro mille"),
    ("multiple", r"x|×|-?fold|times|multiples?"),
    ("decades", r"decades?"),
    ("years", r"(?:years?|yrs?|jahren?|ans|annees?|anos|anni|y)(?:[\s-]olds?)?"),
    ("quarters", r"quarters|trimesters?"),
    ("months", r"months?|mths?|mos?|monaten?|mois|meses|mesi"),
    ("weeks", r"weeks?|wks?"),
    ("days", r"(?:trading |calendar |business )?days?|(?:trading )?sessions?|tagen?|jours|dias|giorni|d(?!['’])"),
    ("time", r"hours?|hrs?|minutes?|mins?|seconds?|secs?|ms|am|pm|o'clock"),
    ("currency", rf"{_ANY_CURRENCY}|cents?|pence|[¢₠-₿]"),
)
_OF_A: dict[str, str] = dict.fromkeys(("points", "bps", "percent"), r"(?:[\s-](?:of[\s-])?an?)?")
"""Joins a fraction and its unit: half a percent, a third of a point."""
AFTER = re.compile(
    "|".join(rf"(?P<{name}>{_OF_A.get(name, '')}[\s-]?(?:{pattern})(?![a-z0-9]))" for name, pattern in _UNITS)
)
SYMBOL = re.compile(r"\s*[%‰‱]")
ALONE = re.compile(
    r"(?<![a-z])(?:an?|few|several|some|many|another|couple(?: of)?|handful(?: of)?)[\s-]+(?:[a-z]+[\s-]+)?"
    r"(?:basis points?|bps?|bips?|percent(?:age points?)?|per cent|pct)(?![a-z])|"
    r"(?<![a-z])(?:full|whole)[\s-]+points?(?![a-z])|(?<![a-z])per[\s-](?:cent|mille?)(?![a-z])|"
    r"(?<![a-z])(?:percents?|percentages?|percentiles?|permille|promille|pct|pc|bps?|bips?|pips?|cents?|deciles?|quintiles?|"
    r"quartiles?|terciles?|trimesters?|semesters?)(?![a-z])|"
    r"(?<![a-z])(?:prosen\w*|procent\w*|prozent\w*|pour[\s-]?cents?|por[\s-]?cient?o|per[\s-]?cento|szazalek\w*|yuzde)"
    r"(?![a-z])"
)
"""A unit without a number before it."""
SCALED = re.compile(
    r"[\s-]?(?P<word>hundred|thousand|million|billion|trillion|lakh|crore|dozen|millionen|milliarden?|millions|milliards|"
    r"hundreds|thousands|billions|trillions|millones|milioni|mln|mio|mn|mm|bln|bn|tn|trn|mrd|grand|k|m|b|t)(?![a-z0-9])"
)
SCALE_VALUES: dict[str, float] = {
    **dict.fromkeys("hundred hundreds".split(), 1e2),
    **dict.fromkeys("thousand thousands grand k".split(), 1e3),
    **dict.fromkeys("million millions millionen millones milioni mln mio mn mm m".split(), 1e6),
    **dict.fromkeys("billion billions milliarden milliarde milliards bln bn mrd b".split(), 1e9),
    **dict.fromkeys("trillion trillions tn trn t".split(), 1e12),
    "lakh": 1e5,
    "crore": 1e7,
    "dozen": 12.0,
}

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?:1[89]|20)\d\d"
_COUNTED = (
    r"[\s-]?(?:paths?|trials?|simulations?|configurations?|scenarios?|evaluations?|runs?|trades?|observations?|samples?|"
    r"points?|stocks?|assets?|strategies|funds|plans?|returns|results)(?![a-z])"
)
_NOT_COUNTED = rf"(?!\d|[a-z]|[.,:/]\d|\s?[%‰‱€$£¥]|[\s-]?(?:{'|'.join(p for _, p in _UNITS)})(?![a-z0-9])|{_COUNTED})"
_BEGIN = r"(?<![\w.,$€£¥%])"
DATE = re.compile(
    "|".join(
        (
            rf"{_BEGIN}{_YEAR}[-/.](?:1[0-2]|0?[1-9])(?:[-/.](?:[12]\d|3[01]|0?[1-9])(?:t\d\d:\d\d(?::\d\d)?z?)?)?",
            rf"{_BEGIN}(?:[12]\d|3[01]|0?[1-9])([/.-])(?:1[0-2]|0?[1-9])\1(?:\d\d)?\d\d",
            rf"{_BEGIN}(?:[0-3]\d|[1-9])(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:,? {_YEAR})?",
            rf"(?<![\w]){_MONTH} (?:[0-3]\d|[1-9])(?!\d)(?:st|nd|rd|th)?(?:,? {_YEAR})?",
            rf"(?<![\w]){_MONTH}(?: of)?[, -]+{_YEAR}",
            rf"(?<!\w)q[1-4](?:[ /-]?'?{_YEAR})?",
            rf"{_BEGIN}{_YEAR}[ -]?[qh][1-4]",
            rf"(?<!\w)(?:h[12]|fy) ?'?(?:{_YEAR}|\d\d)",
            rf"{_BEGIN}(?:{_YEAR}s|'?[2-9]0s|'\d\d)(?![a-z0-9])",
            rf"{_BEGIN}(?<!-){_YEAR}",
            rf"(?<=[a-z]-){_YEAR}",
        )
    )
)
NOT_A_DATE = re.compile(_NOT_COUNTED)
"""What may follow a date: neither a unit nor a countable noun."""
