"""User-given names of stored objects: normalized, compared case-insensitively, safe in a key."""

import hashlib
import re
import unicodedata

from desk.base.errors import InvalidInput

MAX_LENGTH = 64


def clean_name(field: str, name: str) -> str:
    """Normalize `name` to one line of printable characters."""
    text = " ".join(unicodedata.normalize("NFKC", name).split())
    if not text or len(text) > MAX_LENGTH or not text.isprintable():
        raise InvalidInput(field, name[:MAX_LENGTH], allowed=f"1 to {MAX_LENGTH} printable characters")
    return text


def name_key(name: str) -> str:
    """Return a key that is equal for names that differ only in case."""
    return hashlib.sha256(name.casefold().encode()).hexdigest()[:32]


def identifier(field: str, name: str) -> str:
    """Convert `name` to a snake_case identifier."""
    plain = unicodedata.normalize("NFKD", clean_name(field, name)).encode("ascii", "ignore").decode().lower()
    snake_case = "_".join(re.findall(r"[a-z0-9]+", plain))
    if not snake_case:
        raise InvalidInput(field, name, allowed="a name with a letter or a digit")
    return (snake_case if snake_case[0].isalpha() else f"own_{snake_case}")[:MAX_LENGTH]
