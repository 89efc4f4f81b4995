"""The assistant's reply and the offers that it can make; code writes the text of an offer."""

from typing import Annotated, Literal

from pydantic import Field

from desk.conversation.wishes import MOST_NAMES, Offer
from desk.figures.figures import Claim
from desk.figures.guard.claims import MAX_CLAIMS
from quant.numeric.frozen import Frozen


class Reply(Frozen):
    """The assistant's answer: claims in reading order, whose numbers are references to what its tools returned."""

    outcome: Annotated[
        Literal["answered", "declined", "asked_back"],
        Field(description="declined: the desk cannot do it; asked_back: the question is not clear enough to act on"),
    ] = "answered"
    claims: Annotated[tuple[Claim, ...], Field(max_length=MAX_CLAIMS)] = ()
    offers: Annotated[
        tuple[Offer, ...], Field(max_length=MOST_NAMES, description="What can be asked instead, or next")
    ] = ()


OFFERS: dict[Offer, tuple[str, str]] = {
    "optimize": (
        "search a strategy for a mandate",
        "optimize the S&P 500 with 10% volatility and at most 20% drawdown, 100 trials",
    ),
    "estimate": ("say what a search would take", "what would 500 trials with 5,000 paths take?"),
    "evaluate": ("look at one strategy quickly", "does the 12-month rule still hold?"),
    "save_strategy": ("keep a strategy under a name", "save it as Core"),
    "scenarios": ("show the simulated worlds", "show me the bear market"),
    "add_scenario": (
        "add a world of your own",
        "add a scenario called 2022-like, like the bear market, with a bond correlation of 0.4",
    ),
    "assess_risk": ("assess the risk of a portfolio", "risk of 60% S&P 500 and 40% cash worth EUR 1m"),
    "compare_allocations": ("compare ways to mix stocks", "compare risk parity and HRP for AAPL, KO and XOM"),
    "analyse_market": ("read the regime of the market", "how volatile is the S&P 500?"),
    "simulate": (
        "simulate wealth over years",
        "simulate EUR 500k in the S&P 500 for 10 years, adding EUR 1,000 a month",
    ),
    "tearsheet": ("show the tear sheet of an asset, a portfolio or a result", "tear sheet of AAPL against the S&P 500"),
    "explain": ("explain a result", "why not sigmoid? and with double the costs? is it luck?"),
    "compare_results": ("say why two results differ", "why do the last two runs differ?"),
    "list_results": ("list your results", "list my runs"),
    "open_holdout": ("open the locked holdout, once, after an approval", "open the holdout"),
    "define_term": ("say what a term means", "what is expected shortfall?"),
}
"""Description and example message of each offer."""
FIRST_OFFERS: tuple[Offer, ...] = (
    "evaluate",
    "optimize",
    "estimate",
    "scenarios",
    "analyse_market",
    "assess_risk",
    "compare_allocations",
    "simulate",
    "tearsheet",
)
"""Offers whose example needs no earlier message and no earlier result."""
