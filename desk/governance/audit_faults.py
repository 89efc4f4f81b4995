"""What the verification of the audit log finds."""

from quant.numeric.frozen import Frozen


class Fault(Frozen):
    """The first entry that fails the verification."""

    chain: str
    """Name of its chain, `anchors` for an anchor, empty for the single chain of earlier versions."""
    number: int
    """Number of the entry; 0 for the head of the chain."""
    at: str | None
    """Time that the entry states; it may be forged too."""
    wrong: str
    following: int
    """Number of entries after it in its chain, which remain unverified."""


class Unanchored(Frozen):
    """Entries that no anchor covers yet: together with the head, the end of their chain could be set back."""

    chain: str
    first: int
    last: int


class Mismatch(Exception):
    def __init__(self, chain: str, number: int, reason: str, text: str = "", following: int = 0) -> None:
        super().__init__(reason)
        self.chain = chain
        self.number = number
        self.text = text
        self.following = following
