"""Folds text to its appearance: digits of any script to ASCII, look-alikes to Latin, invisible characters removed."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

MINUS = "\N{MINUS SIGN}"

_AS = {
    **dict.fromkeys("‐‑‒﹣－֊⸺·"[:6], "-"),
    **dict.fromkeys("–—―‒", "–"),
    **dict.fromkeys("⁻₋−➖", MINUS),
    **dict.fromkeys("‘’ʼ＇`´′ʹ", "'"),
    **dict.fromkeys("٪﹪％", "%"),
    **dict.fromkeys("⁄∕÷", "/"),
    **dict.fromkeys("٫·", "."),
    **dict.fromkeys("٬，、", ","),
    **dict.fromkeys("✕✖⨯", "×"),
    "\u2800": " ",
    "\u3164": "",
    "\u115f": "",
    "\u1160": "",
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "ı": "i",
    "ℓ": "l",
    "∞": "∞",
}
_LOOK_ALIKES = (
    ("аᴀɑα", "a"),
    ("ЬьВвβ", "b"),
    ("сϲ", "c"),
    ("ԁɗ", "d"),
    ("еєҽεҿ", "e"),
    ("ɡց", "g"),
    ("һНнհ", "h"),
    ("іιӏɪ", "i"),
    ("јʝ", "j"),
    ("кκΚК", "k"),
    ("ΙІ", "I"),
    ("мΜМ", "m"),
    ("пηήΝ", "n"),
    ("оοσօΟОՕ", "o"),
    ("рρΡР", "p"),
    ("ԛզ", "q"),
    ("гᴦ", "r"),
    ("ѕʂꜱЅ", "s"),
    ("тτΤТ", "t"),
    ("υսц", "u"),
    ("ѵνѴ", "v"),
    ("ԝωшѡԜ", "w"),
    ("хχΧХ", "x"),
    ("уγүΥУ", "y"),
    ("ᴢΖ", "z"),
    ("А", "A"),
    ("Α", "A"),
    ("Β", "B"),
    ("СϹ", "C"),
    ("ЕΕ", "E"),
    ("Η", "H"),
)
_LETTERS = {look: letter for looks, letter in _LOOK_ALIKES for look in looks}
_NAMED_LETTER = re.compile(r"\b(?:LETTER|SYMBOL) (?:SMALL CAPITAL |DOTLESS |TURNED |REVERSED |OPEN )*([A-Z])\b")
_NAMED_NUMBER = re.compile(
    r"\b(ZERO|ONE|TWO|THREE|FOUR|FIVE|SIX|SEVEN|EIGHT|NINE|TEN|ELEVEN|TWELVE|HUNDRED|HALF|QUARTER|FIRST|SECOND|"
    r"THIRD)\b|DIE FACE-(\d)"
)
_NAMES = {
    name: value
    for value, name in enumerate("ZERO ONE TWO THREE FOUR FIVE SIX SEVEN EIGHT NINE TEN ELEVEN TWELVE".split())
} | {"HUNDRED": 100, "FIRST": 1, "SECOND": 2, "THIRD": 3}
_TOKEN = re.compile(r"[^\s!-/:-@\[-`{-~–—“”‘’]+")
_TAG = re.compile(r"</?(?:b|i|u|s|em|strong|sub|sup|span|br|wbr|mark|small|code)\s*/?>", re.IGNORECASE)


@dataclass(frozen=True)
class FoldedText:
    """Folded text; `text[k]` comes from the character at `places[k]` of the original."""

    text: str
    places: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the position of `text[start:end]` in the original."""
        return self.places[start], self.places[end - 1] + 1


@lru_cache(maxsize=16)
def fold(text: str) -> FoldedText:
    if text.isascii() and text.isprintable() and "<" not in text:
        return FoldedText(text, range(len(text)))
    looks: list[str] = []
    places: list[int] = []
    hidden = {place for tag in _TAG.finditer(text) for place in range(*tag.span())}
    for place, character in enumerate(text):
        look = "" if place in hidden else fold_character(character)
        if look[:1] in {"^", " "} and looks[-1:] and _drops_prefix(looks, look, text[place - 1]):
            look = look[1:]
        looks.extend(look)
        places.extend([place] * len(look))
    return FoldedText("".join(looks), tuple(places))


def _drops_prefix(looks: list[str], look: str, before: str) -> bool:
    """Whether to drop a prefix: superscripts share one `^`, and a fraction needs a space only after a digit."""
    return not looks[-1].isdigit() if look[0] == " " and look != " " else look[0] == "^" and _is_superscript(before)


def _is_superscript(character: str) -> bool:
    return unicodedata.decomposition(character).startswith("<super>")


@lru_cache(maxsize=4096)
def fold_character(character: str) -> str:
    """Fold one character to the plainest characters that look like it."""
    if character.isascii():
        return character if character.isprintable() or character.isspace() else ""
    if character in _AS:
        return _AS[character]
    if character in _LETTERS:
        return _LETTERS[character]
    category = unicodedata.category(character)
    if category in {"Mn", "Me", "Mc", "Cf", "Cc", "Cn"}:
        return ""
    if category in {"Zs", "Zl", "Zp"}:
        return " "
    return _of_number(character, category) or _of_letter(character, category)


def _of_number(character: str, category: str) -> str:
    value = unicodedata.numeric(character, None)
    if value is not None and category[0] == "N":
        number = Fraction(value).limit_denominator(1000)
        if number.denominator != 1:
            return f" {number.numerator}/{number.denominator}"
        return f"^{number}" if _is_superscript(character) else str(number)
    if category[0] == "S" and (match := _NAMED_NUMBER.search(unicodedata.name(character, ""))):
        return match[2] or str(_NAMES.get(match[1], " 1/2" if match[1] == "HALF" else " 1/4"))
    return ""


def _of_letter(character: str, category: str) -> str:
    plain = unicodedata.normalize("NFKD", character)
    if plain != character:
        return "".join(map(fold_character, plain))
    if category[0] in "LS" and (match := _NAMED_LETTER.search(unicodedata.name(character, ""))):
        name = unicodedata.name(character)
        letter = match[1] if "CAPITAL" in name and "SMALL CAPITAL" not in name else match[1].lower()
        return letter if "LATIN" in name or category[0] == "S" else character
    return character


def foreign_words(text: str) -> Iterator[tuple[int, int]]:
    """Find words in non-Latin letters, except single Greek letters, which are symbols."""
    for word in _TOKEN.finditer(text):
        strange = [c for c in word[0] if (c.isalpha() or "\u2801" <= c <= "\u28ff") and not _is_latin(c)]
        if strange and not (len(word[0]) == 1 and unicodedata.name(word[0], "").startswith("GREEK")):
            yield word.span()


@lru_cache(maxsize=4096)
def _is_latin(character: str) -> bool:
    return character.isascii() or "LATIN" in unicodedata.name(character, "") or character in "ªºµ"
