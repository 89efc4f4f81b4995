"""The guard: checks every claim of an agent and renders figures into it.

A claim may contain plain English words, references such as `{{benefit_bps}}` and names of the request, and nothing
else: no digit of any script, no number word, no unit, no markup. A reference must name the quantity that its sentence
describes. The check is an allowlist: a false rejection costs a round, a leaked number costs the reader's trust.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from desk.figures.figures import Claim, Figure, RenderedClaim, format_figure
from desk.figures.guard.number_words import within_one_edit
from desk.figures.guard.numbers import find_unexplained
from desk.figures.guard.quantities import REFERENCE, wrong_quantities
from quant.numeric.frozen import Frozen

MAX_CLAIMS = 20

_POSSESSED = re.compile(REFERENCE.pattern + r"(?:['’]s(?![A-Za-z]))?")
_BEFORE = frozenset(" (\"'“‘")
_AFTER = re.compile(r"['’]s(?![A-Za-z])|[.,;:!?)\"'”’]*(?:\s|$)")
_PLAIN = re.compile(r"[A-Za-z .,;:!?()'\"“”‘’–—-]")
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
_SPELLED_OUT = re.compile(r"(?<![A-Za-z])[A-Za-z](?:[^A-Za-z]+[A-Za-z](?![A-Za-z])){2,}")
_GLUED = re.compile(r"[A-Za-z][.,;:!?()][A-Za-z]")
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")

_UNITS = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fourty fifty sixty seventy eighty ninety".split()
_LARGE = "hundred thousand million billion trillion quadrillion lakh crore googol".split()
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth eigth ninth nineth tenth eleventh twelfth twelvth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth "
    "fortieth fiftieth sixtieth seventieth eightieth ninetieth hundredth thousandth millionth billionth"
).split()
_CARDINALS = ["zero", *_UNITS, *_TEENS, *_TENS, *_LARGE]
_OTHERS = (
    "nil naught nought aught half halves halve halved halving quarter quarters dozen dozens couple couples pair pairs "
    "once twice thrice single double doubled doubles doubling doubly triple tripled triples tripling triply treble "
    "trebled quadruple quadrupled quintuple sextuple septuple octuple tenfold twofold decade decades century "
    "centuries millennium millennia fortnight fortnightly biannual biennial bimonthly biweekly semiannual "
    "semiannually trimester semester percent percents percentage percentages percentile percentiles pct pc bp bps "
    "bip bips basispoint basispoints cent cents pip pips permille mille myriad umpteen grand thou mil "
    "squared cubed threescore fourscore threequarters tithe tierce duo trio quartet quintet sextet octet dyad triad "
    "tetrad hat-trick nada zilch "
    "i ii iii iv vi vii viii ix xi xii xiii xiv xv xvi xvii xviii xix xx xxi xxv xxx xl lx xc"
).split()
_FOREIGN = (
    "eins zwei zwo drei vier funf fuenf sechs sieben acht neun zehn elf zwolf zwoelf zwanzig dreissig vierzig funfzig "
    "fuenfzig sechzig siebzig achtzig neunzig hundert tausend halb drittel viertel prozent "
    "un deux trois quatre cinq sept huit neuf dix onze douze treize quatorze quinze seize vingt trente quarante "
    "cinquante soixante cent moitie tiers demi "
    "uno dos tres cuatro cinco seis siete ocho nueve diez doce trece catorce quince veinte treinta cuarenta cincuenta "
    "sesenta setenta ochenta noventa ciento cien mitad tercio doble triple medio "
    "due tre quattro cinque sei sette otto nove dieci dodici venti trenta quaranta cinquanta sessanta settanta "
    "ottanta novanta mezzo doppio um dois quatro sete oito dez vinte cinquenta cem metade dobro "
    "ichi ni san shi roku shichi hachi kyu juu hyaku sen odin dva tri chetyre pyat shest sem vosem devyat desyat"
).split()
_HARMLESS = frozenset({"due", "tri", "sen", "ni", "san", "sem", "sei", "shi", "venti", "mix", "acht"})
"""Words that look like a foreign or Roman number but are English, or too short to mislead."""

_MORPHEMES = sorted(
    {*_CARDINALS, *_ORDINALS, "half", "fold", "and", "th", "ths", "s", "ty", "teen"},
    key=len,
    reverse=True,
)
_COMPOSED = re.compile(f"(?:{'|'.join(_MORPHEMES)})+")
_PARTS = frozenset({"and", "ands", "fold", "folds", "s", "sands", "th"})
_NUMBER_WORDS = (
    frozenset([*_CARDINALS, *_ORDINALS, *_OTHERS, *_FOREIGN]) | {f"{w}s" for w in _ORDINALS + _CARDINALS}
) - _HARMLESS
_LONG = tuple(w for w in [*_CARDINALS, *_ORDINALS] if len(w) >= 6)
_HIDDEN = re.compile("|".join(w for w in _LONG if w not in {"second", "eighty"}))
_LONG_OF = {length: tuple(w for w in _LONG if abs(len(w) - length) <= 1) for length in range(5, 16)}
"""Long number words, by the length of a word that may be one edit away."""
_NEAR_A_NUMBER = frozenset({"weighty", "thirsty", "fourths", "minion", "pillion", "mullion", "seconds", "season"})
_REVERSING = frozenset({"minus", "negative", "plus", "times", "over"})
"""Words that change the number of the reference that follows."""
_UNIT_WORDS = frozenset(
    "a an per of and or to year years yearly month months week weeks day days point points eur usd gbp chf jpy euro "
    "euros dollar dollars pounds k m mn bn x about around some".split()
)
_COLOUR = re.compile(r"\b(?:green|amber|red)\b", re.IGNORECASE)
RECITED_WORDS = 8
"""Number of consecutive words that a claim may not share with the prompt."""
_MEASURE = re.compile(
    r"[%‰$€£¥]|\d\s*(?:percent|per\s?cent|pct|bps?|basis|points?|eur|usd|gbp|chf|euros?|dollars?|k|mn?|bn|x|times|fold)\b",
    re.IGNORECASE,
)
"""A number with a unit, or money: never part of a name."""


class Draft(Frozen):
    """The explainer's answer: claims in reading order, whose numbers are references to listed figures."""

    claims: Annotated[tuple[Claim, ...], Field(min_length=1, max_length=MAX_CLAIMS)]


def check(claim: Claim, figures: Iterable[Figure], permitted: Iterable[str] = ()) -> list[str]:
    """Return the violations of `claim` as `code: correction`; empty if it may be released.

    `permitted` are names and dates of the request, which are allowed as they are; a number is never permitted.
    """
    figures = tuple(figures)
    text = _mask_names(claim.text, permitted)
    words = REFERENCE.sub(" ", text)
    problems = [
        *_references(text, {figure.id for figure in figures}),
        *_characters(words),
        *_number_words(text),
        *_hidden_words(words),
        *_colours(words),
    ]
    return problems or list(_quantities(text, figures))


def render(claim: Claim, figures: Iterable[Figure]) -> RenderedClaim:
    """Replace each reference by its figure; the claim must have passed `check`."""
    figures_by_id = {figure.id: figure for figure in figures}
    references = tuple(dict.fromkeys(REFERENCE.findall(claim.text)))
    text = REFERENCE.sub(lambda match: format_figure(figures_by_id[match[1]]), claim.text)
    return RenderedClaim(section=claim.section, text=text, figures=references, template=claim.text)


def split_by_figures(claim: RenderedClaim, figures: Iterable[Figure]) -> list[tuple[str, Figure | None]]:
    """Split a released text at its figures; one piece without a figure if the text differs from its rendering."""
    figures_by_id = {figure.id: figure for figure in figures}
    pieces: list[tuple[str, Figure | None]] = []
    for n, piece in enumerate(REFERENCE.split(claim.template)):  # every other piece is the id of a reference
        figure = figures_by_id.get(piece) if n % 2 else None
        text = format_figure(figure) if figure else f"{{{{{piece}}}}}" if n % 2 else piece
        if text:
            pieces.append((text, figure))
    return pieces if "".join(text for text, _ in pieces) == claim.text else [(claim.text, None)]


def violations(claims: Sequence[Claim], figures: Sequence[Figure], permitted: Iterable[str] = ()) -> list[str]:
    """Return the violations of a whole draft, with claim numbers for the model that corrects them.

    A claim without violations is rendered and checked again: any number that no figure explains is a violation.
    """
    names = tuple(permitted)
    return [
        f"{violation} (claim {n})"
        for n, claim in enumerate(claims, 1)
        for violation in check(claim, figures, names) or _unexplained(claim, figures, names)
    ]


def recited_claims(claims: Sequence[Claim], prompt: str) -> list[str]:
    """Return a violation for each claim that repeats a passage of the prompt."""
    prompt_phrases = set(_word_sequences(prompt))
    return [
        f"recited: say it in words of your own (claim {n})"
        for n, claim in enumerate(claims, 1)
        if not prompt_phrases.isdisjoint(_word_sequences(claim.text))
    ]


def codes(problems: Iterable[str]) -> tuple[str, ...]:
    """Return the codes of violations, without text of the draft."""
    return tuple(dict.fromkeys(problem.split(":")[0] for problem in problems))


def _unexplained(claim: Claim, figures: Sequence[Figure], permitted: Sequence[str]) -> list[str]:
    """Second check: find numbers in the rendered sentence that no figure explains."""
    rendered_claim = render(claim, figures)
    claim_figures = [figure for figure in figures if figure.id in rendered_claim.figures]
    numbers = find_unexplained(rendered_claim.text, claim_figures, permitted)
    return [f"unexplained_number: {number.text!r} comes from no figure; refer to one" for number in numbers]


def _word_sequences(text: str) -> Iterator[tuple[str, ...]]:
    words = [word.lower() for word in _WORD.findall(text)]
    return zip(*(words[n:] for n in range(RECITED_WORDS)), strict=False)


def _colours(words: str) -> Iterator[str]:
    for word in dict.fromkeys(_COLOUR.findall(words)):
        yield f"verdict: {word!r} is a colour that code gives; refer to {{{{verdict_colour}}}}"


def _references(text: str, figure_ids: set[str]) -> Iterator[str]:
    for match in REFERENCE.finditer(text):
        if match[1] not in figure_ids:
            yield f"unknown_reference: {match[0]} names no figure of this run"
        before, after = text[: match.start()], text[match.end() :]
        if (before and before[-1] not in _BEFORE) or not _AFTER.match(after):
            yield f"glued_reference: put a space around {match[0]}"
        previous = _WORD.findall(before)
        if previous and previous[-1].lower() in _REVERSING:
            yield f"changed_reference: {previous[-1]!r} before {match[0]} would change its number"
    if re.search(r"[{}]", REFERENCE.sub(" ", text)):
        yield "malformed_reference: write a reference as two braces, an id, two braces"


def _quantities(text: str, figures: Sequence[Figure]) -> Iterator[str]:
    for figure, correction in wrong_quantities(text, figures):
        yield f'wrong_quantity: {{{{{figure.id}}}}} is "{figure.quantity}"; {correction}'


def _mask_names(text: str, permitted: Iterable[str]) -> str:
    """Replace each permitted name in `text` by a plain word."""
    names = sorted({name.strip() for name in permitted if _is_name(name.strip())}, key=len, reverse=True)
    for name in names:
        text = re.sub(rf"(?<![\w{{.,+−-]){re.escape(name)}(?![\w%}}]|[.,/-]\w)", _masked_name, text)
    return text


def _masked_name(match: re.Match[str]) -> str:
    """Keep a name of plain words, such as a scenario: it tells what the sentence is about."""
    plain = match[0].replace("_", " ")
    in_words = re.fullmatch(r"[A-Za-z]+(?: [A-Za-z]+)+", plain) and not _COLOUR.search(plain)
    return plain if in_words and not any(_number_words(plain)) else "Name"


def _is_name(text: str) -> bool:
    """Whether a string of the request is a name or a date, and not a number in disguise."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return True
    if "{" in text or "}" in text or _MEASURE.search(text):
        return False
    words = [word.lower() for word in _WORD.findall(text)]
    return any(not _is_number_word(word) and not _is_roman(word) and word not in _UNIT_WORDS for word in words)


def _characters(words: str) -> Iterator[str]:
    for character in dict.fromkeys(c for c in words if not _PLAIN.fullmatch(c) and c not in "{}"):
        if _is_numeral(character):
            yield f"digit: {character!r} is a number of your own; refer to a figure"
        else:
            yield f"character: {unicodedata.name(character, hex(ord(character)))} is not allowed; write plain words"


def _is_numeral(character: str) -> bool:
    looks = character + unicodedata.normalize("NFKC", character)
    return any(unicodedata.numeric(c, None) is not None or unicodedata.category(c)[0] == "N" for c in looks)


def _number_words(text: str) -> Iterator[str]:
    words = _WORD.findall(_POSSESSED.sub(" . ", text))
    for previous, word in zip(["", *words], words, strict=False):
        bare = re.sub(r"['’].*", "", word)
        if bare.lower() == "one" and previous.lower() == "no":
            continue
        if _is_number_word(bare) or _is_roman(bare):
            yield f"number_word: {word!r} is a number in words; refer to a figure"


@lru_cache(maxsize=4096)
def _is_number_word(word: str) -> bool:
    lower = word.lower()
    if lower in _NUMBER_WORDS or (_COMPOSED.fullmatch(lower) and lower not in _PARTS):
        return True
    if lower.endswith("fold") and lower not in {"manifold", "unfold", "fold", "scaffold"}:
        return True
    if lower in _NEAR_A_NUMBER:
        return False
    near = _LONG_OF.get(len(lower), ())
    return _HIDDEN.search(lower) is not None or any(within_one_edit(lower, number) for number in near)


def _is_roman(word: str) -> bool:
    if len(word) == 1:
        return word not in {"a", "A"}
    return word.lower() not in _HARMLESS and _ROMAN.fullmatch(word.upper()) is not None


def _hidden_words(words: str) -> Iterator[str]:
    if _SPELLED_OUT.search(words):
        yield "spelled_out: letters are set apart; write words"
    if _GLUED.search(words) or re.search(r"\b(?:www|https?|mailto|javascript)\b", words, re.IGNORECASE):
        yield "link: punctuation joins two words; write plain sentences without addresses"
    for word in re.findall(r"[A-Za-z]+(?:[-–—'’.][A-Za-z]+)+", words):
        if _is_number_word(re.sub(r"[^A-Za-z]", "", word)):
            yield f"number_word: {word!r} is a number in words; refer to a figure"
