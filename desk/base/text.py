"""Numbers, counts and identifiers as text for people."""

from collections.abc import Sequence

MINUS = "\N{MINUS SIGN}"


def number(value: float, digits: int = 0, *, signed: bool = False) -> str:
    """A number with a real minus sign; no negative zero."""
    value = round(value, digits) + 0.0
    text = f"{abs(value):,.{digits}f}"
    if value < 0:
        return MINUS + text
    return f"+{text}" if signed and value > 0 else text


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{number(count)} {noun}" + ("" if count == 1 else "s")


def spaced(name: str) -> str:
    """`base_case` as `base case`."""
    return name.replace("_", " ")


def title(name: str) -> str:
    """`base_case` as `Base case`."""
    return spaced(name).capitalize()


def sentence_case(text: str) -> str:
    """`text` with a capital at its beginning, the rest as it is."""
    return text[:1].upper() + text[1:]


def join_words(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def shortened(text: str, length: int = 120) -> str:
    """`text`, cut with an ellipsis beyond `length` characters."""
    return text if len(text) <= length else text[: length - 3] + "..."
