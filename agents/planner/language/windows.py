"""The days that a message names."""

from typing import Final

from agents.planner.language.form import Form

FROM: Final = frozenset("since from after starting between".split())
UNTIL: Final = frozenset("until till to through before".split())
THROUGH: Final = frozenset("come comes came get gets got go gone went live lived been".split())
"""Words before "through 2008" that make it the time itself."""


def window_of(form: Form) -> dict[str, str]:
    """The first and the last day of the prices: "since 2005", "from March 2005 to 2015", of an evaluation "in 2008"."""
    dates = form.all("date")
    if len(dates) > 2:
        form.ask("Which days are the first and the last of the prices?")
        return {}
    form.use(*dates)
    if len(dates) == 2:
        form.take("sense", "between")
        return {"first_day": dates[0].text, "last_day": dates[1].text}
    window: dict[str, str] = {}
    for day in dates:
        words = [word.text for word in form.reading.words[max(0, day.first - 2) : day.first]]
        before = words[-1] if words else ""
        if before in FROM | UNTIL and not (before == "through" and words[0] in THROUGH):
            window["first_day" if before in FROM else "last_day"] = day.text
        elif form.offer in ("evaluate", "assess_risk"):
            window = {"first_day": day.text, "last_day": day.text}
        else:
            form.ask("Is the date the first or the last day of the prices?")
    return window
