"""What is said of things beyond the desk: that it cannot, why, and the nearest thing that it can."""

import re
from typing import Final

ELSE: Final = "That is nothing this desk can do: it searches, judges and explains rules for the share of risky assets."
DECLINES: Final = {
    "No, this desk cannot buy or sell, because it has no access to a market; it can show the next trade that a rule "
    "implies.": "buy|sell|order|execute|broker|transfer|wire",
    "Nobody can tell that from past prices, so this desk makes no forecast; it can describe the market today, or "
    "simulate what may come.": r"forecast|predict\w*|next year|outlook|tomorrow|crystal|"
    r"(?:will|going to) .*(?:rise|fall|up|down|crash)",
    "This desk cannot handle options or futures, because it holds only cash and assets with daily prices; it can show "
    "what a fall of the market would cost.": "options?|futures|derivatives?|hedge|put",
    "This desk cannot answer that, because it knows prices only; it can describe what the prices did.": "tax|legal|"
    "dividends?|earnings|news|election|fed",
    "This desk has no prices of that, because only the index and some stocks are bundled; it can work with prices that "
    "you import.": "bitcoin|crypto|ethereum|gold|silver|oil|commodity|real estate|euro stoxx|dax|nasdaq|ftse|msci|"
    "emerging|small caps|corporate bonds",
    "A chat sends nothing to others, because it may only compute; the pages of a run have its reports.": "mail|"
    "e-mail|email|send|slack|pdf|powerpoint|upload|download|publish|twitter",
    "A chat cannot do that, because a person decides it on the pages of the desk; it can show your results.": "delete|"
    r"erase|password|approv\w*|permission|admin|override|bypass",
}
"""By text, the words that it answers."""


def decline(message: str) -> str:
    """The first text whose words the message contains."""
    found = (text for text, words in DECLINES.items() if re.search(rf"\b(?:{words})\b", message, re.IGNORECASE))
    return next(found, ELSE)
