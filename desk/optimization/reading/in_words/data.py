"""The prices of a result in sentences: the days used, the locked ones, and the years that a question names."""

import re

from desk.base.text import plural
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.optimization.result import OptimizationResult
from quant.performance.crises import HISTORICAL_WINDOWS

_YEAR = re.compile(r"\b(?:19|20)\d{2}\b")
_LEAST = 4
"""Letters of a word that names a crisis."""


def describe_data(result: OptimizationResult, message: str) -> tuple[Figure, ...]:
    """The days used and the locked ones, whether dividends are in the prices, and what `message` asks about."""
    sheet = Sheet("explain_result", "data")
    manifest = result.manifest
    first, end, last = manifest.first_day, manifest.validate_end, manifest.last_day
    locked = f"; the later ones, to {last}, are the locked holdout and took no part" if last > end else ""
    sheet.say("days_sentence", f"The search used the prices from {first} to {end}{locked}.")
    sheet.say(
        "split_sentence",
        f"Training used the days to {manifest.train_end}, validation those after it to {end}"
        f"{f', and the days from then to {last} are the locked holdout' if last > end else ''}.",
    )
    if last > end:
        sheet.say(
            "holdout_sentence",
            f"The days after {end}, to {last}, are the holdout and took no part: how the winner did there shows once "
            "the holdout is opened.",
        )
    asked = _asked(message)
    if asked:
        places = [_place(name, days, first, end) for name, days in asked.items()]
        sheet.say("asked_sentence", f"{'; '.join(places)}: the search used the prices from {first} to {end}{locked}.")
    dividends = next((text for text in result.caveats if "dividends" in text), None)
    if dividends is not None:
        sheet.say("dividends_sentence", dividends)
    return sheet.figures


def describe_work(result: OptimizationResult) -> tuple[Figure, ...]:
    """How much was computed."""
    sheet, counts = Sheet("explain_result", "work"), result.counts
    sheet.say(
        "sentence",
        f"The search tried {plural(counts.trials, 'configuration')} in {plural(counts.scenarios, 'scenario')}, each on "
        f"{plural(counts.paths, 'simulated path')} of {plural(counts.years, 'year')}.",
    )
    if counts.screened:
        sheet.say("screened_sentence", f"After few paths {plural(counts.screened, 'configuration')} were dropped.")
    return sheet.figures


def _asked(message: str) -> dict[str, tuple[str, str]]:
    """The years and crises that the message names, with their first and last days."""
    words = {word for word in re.findall(r"[a-z]+", message.casefold()) if len(word) >= _LEAST}
    years = {year: (f"{year}-01-01", f"{year}-12-31") for year in _YEAR.findall(message)}
    crises = {
        each.name: (each.first, each.last)
        for each in HISTORICAL_WINDOWS
        if words & {*re.findall(r"[a-z]+", each.name.casefold())} - _PLAIN
    }
    return years | crises


_PLAIN = {*"crisis summer october august april debt long term capital management inflation end".split()}
"""Words of the names of crises that do not name one."""


def _place(name: str, days: tuple[str, str], first: str, end: str) -> str:
    start, stop = days
    if start > end or stop < first:
        return f"{name} took no part"
    return f"{name} was used{' in part' if start < first or stop > end else ''}"
