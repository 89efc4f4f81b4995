"""The guard: checks every claim of an agent and renders figures into it.

A claim contains English prose, references such as `{{benefit_bps}}` and names of the request, and nothing else: no
number in any form, no unit, no markup. What looks like a number is allowed by name only: idioms in
`allowed_phrases`, abbreviations in `abbreviations`. A reference must name the quantity that its sentence describes.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from pydantic import Field

from desk.figures.figures import WHOLE_SENTENCE, Claim, Figure, RenderedClaim, format_figure
from desk.figures.guard.abbreviations import mask_abbreviations
from desk.figures.guard.allowed_phrases import find_allowed_phrases
from desk.figures.guard.numbers import find_numbers, find_unexplained, is_name
from desk.figures.guard.quantities import REFERENCE, wrong_quantities
from desk.figures.guard.unicode import fold
from quant.numeric.frozen import Frozen

MAX_CLAIMS = 20

_BEFORE = frozenset(" (\"'“‘—")
_AFTER = re.compile(r"['’]s(?![A-Za-z])|[.,;:!?)\"'”’—–…]*(?:\s|$)|—")
_PUNCTUATION = frozenset(" .,;:!?()'\"“”‘’–—-‑…\u00a0")
_MARKS = re.compile(r"(?<!\S)(?!(?:\.\.\.|--)(?!\S))[.–—‑-]{2,}(?!\S)")
"""Dots and dashes by themselves, other than an ellipsis or a dash: Morse code, or a tally."""
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
_SPELLED_OUT = re.compile(r"(?<![A-Za-z])[A-Za-z](?:[^A-Za-z]+[A-Za-z](?![A-Za-z])){2,}")
_GLUED = re.compile(r"[A-Za-z][.,;:!?()…][A-Za-z]")
_ADDRESS = re.compile(r"\b(?:www\b|(?:https?|mailto|javascript|ftp|file):)", re.IGNORECASE)
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_REVERSING = frozenset({"minus", "negative", "plus", "times", "over"})
"""Words that change the number of the reference that follows."""
_TURNS_OVER = re.compile(r"\bturn(?:s|ed|ing)? over\s+$", re.IGNORECASE)
_CHANGING = re.compile(r"[\s–-]*(times|plus|minus|divided|multiplied|raised|to the power)\b", re.IGNORECASE)
"""Words that change the number of the reference before them."""
_SIGN = re.compile(r"(?:-|\b(?:is|was|be|are|were|of|at|by|to|from|than|about)\s+–)\s*$")
"""A dash that reads as the sign of the reference after it."""
_COLOURS = frozenset({"green", "amber", "red"})
RECITED_WORDS = 8
"""Number of consecutive words that a claim may not share with the prompt."""


class Draft(Frozen):
    """The explainer's answer: claims in reading order, whose numbers are references to listed figures."""

    claims: Annotated[tuple[Claim, ...], Field(min_length=1, max_length=MAX_CLAIMS)]


def check(claim: Claim, figures: Iterable[Figure], permitted: Iterable[str] = ()) -> list[str]:
    """Return the violations of `claim` as `code: correction`; empty if it may be released.

    `permitted` are names and dates of the request, which are allowed as they are; a number is never permitted.
    """
    figures = tuple(figures)
    named_text = _mask_names(claim.text, permitted)
    prose = mask_abbreviations(REFERENCE.sub(" # ", named_text.replace("#", "\N{FULLWIDTH NUMBER SIGN}")))
    problems = [
        *_references(named_text, {figure.id for figure in figures}),
        *_characters(prose),
        *_letters(prose),
        *_numbers(prose),
        *_colours(prose),
    ]
    return problems or list(_quantities(named_text, figures))


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


def _references(text: str, figure_ids: set[str]) -> Iterator[str]:
    for match in REFERENCE.finditer(text):
        if match[1] not in figure_ids:
            yield f"unknown_reference: {match[0]} names no figure of this run"
        before, after = text[: match.start()], text[match.end() :]
        if (before and before[-1] not in _BEFORE) or not _AFTER.match(after):
            yield f"glued_reference: put a space around {match[0]}"
        previous = _WORD.findall(before)
        if previous and previous[-1].lower() in _REVERSING and not _TURNS_OVER.search(before):
            yield f"changed_reference: {previous[-1]!r} before {match[0]} would change its number"
        if _SIGN.search(before):
            yield f"changed_reference: the dash before {match[0]} reads as its sign"
        if following := _CHANGING.match(after):
            yield f"changed_reference: {following[1]!r} after {match[0]} would change its number"
    if re.search(r"[{}]", REFERENCE.sub(" ", text)):
        yield "malformed_reference: write a reference as two braces, an id, two braces"


def _quantities(text: str, figures: Sequence[Figure]) -> Iterator[str]:
    whole = REFERENCE.fullmatch(text.strip())
    if whole and any(figure.id == whole[1] and figure.quantity == WHOLE_SENTENCE for figure in figures):
        return  # a sentence that code wrote, and nothing beside it that could misname it
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
    in_words = re.fullmatch(r"[A-Za-z]+(?: [A-Za-z]+)+", plain) and not _COLOURS & set(plain.lower().split())
    return plain if in_words and not find_numbers(plain) else "Name"


def _is_name(text: str) -> bool:
    """Whether a string of the request is a name or a date, and not a number in disguise."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return True
    return not re.search(r"[{}]", text) and is_name(text)


def _characters(prose: str) -> Iterator[str]:
    for character in (c for c in dict.fromkeys(prose) if not _is_plain(c)):
        if _is_numeral(character):
            yield f"digit: {character!r} is a number of your own; refer to a figure"
        else:
            yield f"character: {unicodedata.name(character, hex(ord(character)))} is not allowed; write plain words"
    for match in _MARKS.finditer(prose):
        yield f"character: {match[0]!r} are marks without a word; write plain words"


def _is_plain(character: str) -> bool:
    """Whether a character is a Latin letter, with or without an accent, or ordinary punctuation."""
    if character.isascii():
        return character.isalpha() or character in _PUNCTUATION or character in "#{}"
    is_letter = "\u00c0" <= character <= "\u017f" and character.isalpha()
    has_accent = is_letter and unicodedata.normalize("NFD", character)[0].isascii()
    return character in _PUNCTUATION or has_accent or character in "æÆøØœßłŁ"


def _is_numeral(character: str) -> bool:
    looks = character + unicodedata.normalize("NFKC", character)
    return any(unicodedata.numeric(c, None) is not None or unicodedata.category(c)[0] == "N" for c in looks)


def _letters(prose: str) -> Iterator[str]:
    """Report letters that may be numerals or the parts of a word, and words joined to an address."""
    plain = fold(prose).text
    for word in _WORD.findall(plain):
        bare = word.split("'")[0]
        if (len(bare) == 1 and bare not in {"a", "A"}) or (len(bare) > 1 and _is_roman(bare)):
            yield f"number_word: {word!r} may be read as a number; write words or refer to a figure"
    if _SPELLED_OUT.search(plain):
        yield "spelled_out: letters are set apart; write words"
    if _GLUED.search(plain) or _ADDRESS.search(plain):
        yield "link: punctuation joins two words; write plain sentences without addresses"


def _is_roman(word: str) -> bool:
    """Whether a word is a Roman numeral, or consists of letters that look like digits."""
    if re.fullmatch(r"[lIO]{2,}", word):
        return word != "Ill"
    return word not in {"mix", "Mix"} and _ROMAN.fullmatch(word.upper()) is not None


def _numbers(prose: str) -> Iterator[str]:
    for number in find_numbers(prose):
        if any(map(_is_numeral, number.text)):
            continue  # `_characters` reports its digits
        yield f"number_word: {number.text!r} is a number in words; refer to a figure"


def _colours(prose: str) -> Iterator[str]:
    lower = fold(prose).text.lower()
    allowed = list(find_allowed_phrases(lower))
    for match in re.finditer(r"[a-z]+", lower):
        if match[0] in _COLOURS and not any(s <= match.start() and match.end() <= e for s, e in allowed):
            yield f"verdict: {match[0]!r} is a colour that code gives; refer to {{{{verdict_colour}}}}"
