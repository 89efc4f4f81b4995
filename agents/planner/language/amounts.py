"""Finds the amounts of a message: numbers with their units, each as a literal quote."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final


@dataclass(frozen=True)
class Amount:
    """A number with its unit; `text` is the quote."""

    text: str
    start: int
    end: int
    value: float
    unit: str
    """percent, bps, money, time, multiple, share, factor, points, count or plain; `m` may be million or months."""
    years: bool = False
    per: str = ""
    """The period after the number, such as `a month` or `per year`."""
    range_: bool = False


ONES: Final = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
SMALL: Final = {
    **{word: float(n) for n, word in enumerate(f"{ONES} seventeen eighteen nineteen".split())},
    **{word: 10.0 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)},
    "fourty": 40.0,
}
SCALES: Final = {
    "hundred": 1e2, "dozen": 12.0, "thousand": 1e3, "grand": 1e3, "k": 1e3, "million": 1e6, "mln": 1e6, "mn": 1e6,
    "mm": 1e6, "mio": 1e6, "mil": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9,
}  # fmt: skip
SHARES: Final = {
    "third": 1 / 3, "thirds": 1 / 3, "quarter": 0.25, "quarters": 0.25, "half": 0.5, "halves": 0.5, "fifth": 0.2,
    "fifths": 0.2, "tenth": 0.1, "tenths": 0.1,
}  # fmt: skip
VULGAR: Final = {"½": 0.5, "¼": 0.25, "¾": 0.75, "⅓": 1 / 3, "⅔": 2 / 3}
MULTIPLES: Final = {
    "double": 2.0, "doubled": 2.0, "doubling": 2.0, "twice": 2.0, "triple": 3.0, "tripled": 3.0, "treble": 3.0,
    "quadruple": 4.0, "halve": 0.5, "halved": 0.5, "thrice": 3.0,
}  # fmt: skip
CURRENCY: Final = r"eur|usd|gbp|chf|[€$£]"
CURRENCIES: Final = (
    r"(?:us )?dollars?|euros?|eur|usd|gbp|chf|pounds?(?: sterling)?|sterling|quid|(?:swiss )?francs?|bucks|[€$£]"
)
UNITS: Final = {
    "percent": r"%(?!\w)|percentage points?|per ?cent|pct|pc\b",
    "bps": r"bps?|basis points?|bips",
    "money": CURRENCIES,
    "time": r"calendar years?|trading days?|years?|yrs?|y|months?|mths?|mos?|weeks?|wks?|business days?|days?|d|"
    r"sessions?|"
    r"quarters?|decades?|trading years?",
    "factor": r"x|times|fold",
    "points": r"points?|pts|notches",
    "count": r"(?:different |other |built-in |bundled |single )?(?:scenarios?|worlds?|functions?|rules?|"
    r"methods?|engines?|estimators?|stocks?|shares|assets?|"
    r"names?|runs?|results?|strategies|companies|titles|holdings|positions)",
}
_WORD = "|".join(sorted((*SMALL,), key=len, reverse=True))
_SCALE = r"hundred|dozen|thousand|grand|million|mln|billion|bn|mio"
_SMALL = rf"(?:{_WORD})(?:[ -](?:{_WORD})\b)*"
_SPELLED = (
    rf"(?:minus |negative )?(?:(?:half|a quarter of) an? (?:{_SCALE})|"
    rf"(?:(?:{_SMALL})|an?(?= (?:{_SCALE}|decade)))(?: point (?:{_WORD})(?: (?:{_WORD}))*)?(?: and a (?:half|"
    rf"quarter))?"
    rf"(?:[ -](?:(?:{_SCALE})(?: and(?= (?:{_WORD})))?|(?:{_SMALL})|and a half))*|an?(?= decade)|"
    rf"(?:(?<=lookback )|(?<=lookback of )|(?<=window of )|(?<=window )|(?<=look back )|"
    rf"(?<=lookback is )|(?<=lookback to ))an?(?= (?:year|month|week|quarter)))"
)
_DIGITS = (
    rf"(?:\b(?:minus|"
    rf"negative) (?=[\d.]))?(?<![\w.])[-+]?(?:{CURRENCY})?\s?(?:\d{{1,3}}(?:[,'’]\d{{3}})+(?!\d)|"
    rf"\d{{1,3}}(?: \d{{3}})*? 000(?!\d)|\d+)(?:[.,]\d+|[½¼¾⅓⅔])?|[½¼¾⅓⅔]|(?<![\w.])[-+]?\.\d+"
)
_FRACTION = (
    r"(?<!once )(?<!every )\b(?:an?|one|two|three)[ -](?:thirds?|quarters?|fifths?|tenths?|halves)\b|"
    r"\bhalf\b(?! an? (?:hundred|thousand|million|billion|mln|bn|dozen)\b)(?: an? (?=percent|year|per cent|pct))?"
)
_UNIT = "|".join(rf"(?P<{name}>{unit})" for name, unit in UNITS.items())
NUMBER: Final = re.compile(
    rf"(?:(?P<prefix>{CURRENCY})\s?)?"
    rf"(?:(?P<multiple>(?<![\w])(?<!\d )[x×] ?\d+(?:\.\d+)?(?=\s*(?:[?!.,;)]|$|please|pls|costs?\b))|"
    rf"\b(?:{'|'.join(MULTIPLES)})\b)|(?P<share>{_FRACTION})|(?P<digits>{_DIGITS})|"
    rf"\b(?P<spelled>{_SPELLED})(?![a-z]))"
    rf"(?:[ -]?(?P<scale>{_SCALE}|k|mn|mm|mil|m)(?![a-z])(?:\.(?= ?(?:{CURRENCIES})))?)?"
    rf"(?:[ -]?(?:of an? )?(?:{_UNIT})(?![a-z]))?"
    r"(?P<per>,? ?(?:a|an|per|each|every|/|p\.?) ?(?:month|mth|mo\b|year|annum|week|day|quarter|m\b\.?|a\b\.?)|"
    r" (?:monthly|annually|yearly|weekly)(?! (?:rebal|lookback|ewma)))?"
)
FOLDED: Final = str.maketrans("’‘“”–—−‑´`\u00a0\u202f", "''\"\"----''  ")


def fold(text: str) -> str:
    """Lower case with plain quotes and dashes; every character keeps its position."""
    folded = "".join(low if len(low := c.lower()) == 1 else c for c in text.translate(FOLDED))
    return re.sub(r"\bw/o\b", " no", folded)


def amounts_in(folded: str) -> tuple[Amount, ...]:
    """All amounts of a folded text, in order."""
    amounts = [amount for match in NUMBER.finditer(folded) if (amount := _amount(match, folded))]
    return tuple(_ranged(amounts, folded))


def _amount(match: re.Match[str], folded: str) -> Amount | None:
    units = [name for name in UNITS if match[name]]
    unit = units[0] if units else "plain"
    scale, end = match["scale"], match.start("per") if match["per"] else match.end()
    text = folded[match.start() : end]
    lone = unit == "plain" and not scale
    if match["multiple"]:
        value = MULTIPLES.get(match["multiple"]) or float(match["multiple"].lstrip("x× "))
        return Amount(text, match.start(), end, value, "multiple")
    if match["share"]:
        return _share(match, end, unit)
    body = match["digits"] or match["spelled"]
    if lone and body == "one" and not match["prefix"]:
        return None
    value = _value(body) * SCALES.get(scale or "", 1.0)
    if match["prefix"] or (match["digits"] and re.match(CURRENCY, match["digits"].lstrip("+-"))):
        unit = "money"
    elif scale == "m" and unit == "plain":
        unit = "m"
    years = (bool(match["time"]) and match["time"][0] == "y") or "decade" in (match["time"] or "")
    start = match.start() + len(text) - len(text.lstrip())
    return Amount(text.strip(), start, end, value, unit, years, (match["per"] or "").strip(" ,"))


def _share(match: re.Match[str], end: int, unit: str) -> Amount:
    words = re.findall(r"[a-z]+", match["share"])
    share = next(SHARES[word] for word in words if word in SHARES)
    value = share * SMALL.get(words[0], 1.0) if words[0] not in SHARES else share
    start = match.start() + len(match[0]) - len(match[0].lstrip())
    return Amount(match.string[start:end], start, end, value, "share" if unit == "plain" else unit)


def _value(body: str) -> float:
    body = (
        re.sub(rf"{CURRENCY}|(?<=minus) |(?<=negative) ", "", body)
        .replace("minus", "-")
        .replace("negative", "-")
        .strip()
        if re.search(r"\d", body)
        else body
    )
    digits = re.sub(r"[,'](?=\d{3}(?!\d))", "", body).replace(",", ".").replace(" ", "")
    if digits[-1:] in VULGAR:
        return float(digits[:-1] or 0) + VULGAR[digits[-1]]
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", digits):
        return float(digits)
    return _spelled(re.findall(r"[a-z]+", body))


def _spelled(words: Sequence[str]) -> float:
    total, group, decimals = 0.0, 0.0, 0.0
    for word in words:
        if word == "point":
            decimals = 0.1
        elif decimals and word in SMALL:
            group, decimals = group + SMALL[word] * decimals, decimals / 10
        elif word in SMALL:
            group += SMALL[word]
        elif word == "half":
            group += 0.5
        elif word == "quarter":
            group += 0.25
        elif word in ("hundred", "dozen"):
            group = (group or 1.0) * SCALES[word]
        elif word in SCALES:
            total, group = total + (group or 1.0) * SCALES[word], 0.0
    sign = -1.0 if words and words[0] in ("minus", "negative") else 1.0
    return sign * (total + group or (1.0 if words and words[0] in ("a", "an") else 0.0))


def _ranged(amounts: Sequence[Amount], folded: str) -> Iterator[Amount]:
    tied: set[int] = set()
    for n, (left, right) in enumerate(pairwise(amounts)):
        between = folded[left.end : right.start]
        open_ = folded[: left.start].rstrip().endswith(("between", "from"))
        if (
            re.fullmatch(r"\s*-\s*|\s+to\s+|\s+through\s+", between)
            or (open_ and re.fullmatch(r"\s+and\s+", between))
            or (right.text.startswith("-") and not between)
        ):
            tied |= {n, n + 1}
    for n, amount in enumerate(amounts):
        yield replace(amount, range_=n in tied)
