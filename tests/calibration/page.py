"""The page of the verdict's error rates, docs/verdict.md."""

import math
from collections.abc import Mapping, Sequence

from tests.calibration.families import FAMILIES

Row = Mapping[str, object]


def share(rows: Sequence[Row], colours: set[str]) -> tuple[float, float]:
    """Share of `rows` with one of `colours`, and its standard error."""
    rate = sum(row["colour"] in colours for row in rows) / len(rows)
    return rate, math.sqrt(rate * (1.0 - rate) / len(rows))


def percent(value: tuple[float, float]) -> str:
    rate, error = value
    return f"{100 * rate:.1f} ± {100 * error:.1f}"


def render_page(rows: Sequence[Row], digest: str) -> str:
    lines = [f"rows of code {digest}", "", "| family | histories | green | amber | red |", "|---|---|---|---|---|"]
    for family in FAMILIES:
        own = [row for row in rows if row["family"] == family.name and "seed" in row]
        if own:
            rates = " | ".join(percent(share(own, {colour})) for colour in ("green", "amber", "red"))
            best = next(
                (f"{row['best_t']:.1f}" for row in rows if row["family"] == family.name and "best_t" in row), ""
            )
            lines.append(f"| {family.title} {best} | {len(own)} | {rates} |")
    return "\n".join(lines) + "\n"
