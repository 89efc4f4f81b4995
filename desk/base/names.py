"""Names that a person gives to what is kept: cleaned, compared without regard to case, safe in a key."""

import hashlib
import re
import unicodedata

from desk.base.errors import InvalidInput

LONGEST = 64


def cleaned(field: str, name: str) -> str:
    """`name` on one line, without what cannot be seen."""
    text = " ".join(unicodedata.normalize("NFKC", name).split())
    if not text or len(text) > LONGEST or not text.isprintable():
        raise InvalidInput(field, name[:LONGEST], allowed=f"1 to {LONGEST} printable characters")
    return text


def key_of(name: str) -> str:
    """The same for names that differ in case alone."""
    return hashlib.sha256(name.casefold().encode()).hexdigest()[:32]


def identifier(field: str, name: str) -> str:
    """`name` as an identifier: lower case, words joined by underscores."""
    plain = unicodedata.normalize("NFKD", cleaned(field, name)).encode("ascii", "ignore").decode().lower()
    found = "_".join(re.findall(r"[a-z0-9]+", plain))
    if not found:
        raise InvalidInput(field, name, allowed="a name with a letter or a digit")
    return (found if found[0].isalpha() else f"own_{found}")[:LONGEST]
