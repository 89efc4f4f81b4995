"""Lists of what a person has beside results: strategies, portfolios, data sets and assets."""

from desk.base.text import join_words, plural
from desk.conversation.answers import Kept, KeptList
from desk.conversation.universes import BUNDLED
from desk.figures import labels
from desk.figures.sheet import Sheet
from desk.market.prices import PriceSource
from desk.portfolios.repository import list_portfolios
from desk.strategies.repository import list_strategies
from quant.strategies.family import FAMILY
from store.store import Store

NOUNS: dict[Kept, str] = {
    "strategies": "saved strategy",
    "portfolios": "stored portfolio",
    "data": "data set",
    "assets": "asset",
}
HINTS: dict[Kept, str] = {
    "strategies": "Save one with: save it as Core.",
    "portfolios": "Portfolios are stored on the page of portfolios.",
    "data": "Data is imported on the page of data.",
    "assets": "Data is imported on the page of data.",
}


async def list_kept(store: Store, owner: str, prices: PriceSource, what: Kept) -> KeptList:
    """The names of `what`, with a sentence that counts them."""
    rows = await _rows(store, owner, prices, what)
    sheet = Sheet("list_saved", "kept")
    sheet.say("sentence", _sentence(what, [name for name, _ in rows]))
    if what == "strategies":
        rules = join_words([labels.function_label(name) for name in FAMILY])
        sheet.say("rules_sentence", f"{len(FAMILY)} kinds of rules can be evaluated and searched: {rules}.")
    for n, (name, detail) in enumerate(rows, 1):
        sheet.add(f"{n}_name", f'name at place "{n}" of the list', name, "text")
        sheet.add(f"{n}_detail", f'description at place "{n}" of the list', detail, "text")
    return KeptList(what=what, count=len(rows), figures=sheet.figures)


async def _rows(store: Store, owner: str, prices: PriceSource, what: Kept) -> list[tuple[str, str]]:
    match what:
        case "strategies":
            saved = await list_strategies(store, owner)
            return [(each.name, labels.strategy_label(each.rule.config)) for each in saved]
        case "portfolios":
            page = await list_portfolios(store, owner)
            return [(each.name, plural(len(each.assets or each.holdings), "asset")) for each in page.portfolios]
        case "data":
            names = [name for name in await prices.universes() if name not in BUNDLED]
            facts = [(name, await prices.facts(name)) for name in names]
            return [(name, f"{len(fact.assets)} series" if fact else "") for name, fact in facts]
        case "assets":
            loaded = [(name, (await prices.load(name)).assets) for name in BUNDLED]
            return [(asset, f"bundled, in {name}") for name, assets in loaded for asset in assets]


def _sentence(what: Kept, names: list[str]) -> str:
    noun = NOUNS[what]
    if not names:
        return f"You have no {noun} yet. {HINTS[what]}"
    count = f"{len(names)} {noun}" if len(names) == 1 else f"{len(names)} {_plural(noun)}"
    have = "There are" if what == "assets" else "You have"
    return f"{have} {count}{' with prices' if what == 'assets' else ''}: {', '.join(names)}."


def _plural(noun: str) -> str:
    return f"{noun.removesuffix('y')}ies" if noun.endswith("gy") else f"{noun}s"
