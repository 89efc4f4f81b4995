"""Numbers that are part of a measure's name, as in "95% VaR" and "one-day"."""

import re
from collections.abc import Iterator

from agents.planner.language.amounts import Amount
from agents.planner.language.form import Form


def levels(form: Form) -> Iterator[Amount]:
    """The confidence levels and horizons that every report contains anyway."""
    r = form.reading
    for amount in r.amounts:
        before, after = r.folded[max(0, amount.start - 26) : amount.start], r.folded[amount.end : amount.end + 18]
        beside = re.search(
            r"(?:\bvar|value at risk|shortfall|\bes|cvar|confidence|level)(?: at| of| with| over| for|"
            r",)*(?: the| a)?\s*$",
            before,
        ) or re.match(
            r"[ -]*(?:and \d+%? ?|confidence |level |, ?)*(?:var\b|value at risk|cvar|es\b|expected shortfall|"
            r"confidence)",
            after,
        )
        level = amount.unit in ("percent", "plain") and amount.value in (95.0, 99.0)
        horizon = (
            amount.unit == "time"
            and amount.value in (1.0, 10.0, 21.0)
            and re.search(r"d\b|day|session", amount.text.lower())
        )
        if beside and (level or horizon):
            yield amount
