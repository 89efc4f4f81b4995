"""The legs of a request as figures: what is held beside the risky assets, what cash earns, and the window asked for."""

from collections.abc import Iterator

from desk.figures.figures import Figure, Unit
from desk.optimization.request import BUNDLED_CASH, CASH, OptimizationRequest, cash_rate

LEG_ROWS = {
    "held_beside": "Held beside the risky assets",
    "cash_earns": "Cash earns",
    "converted_by": "Converted by",
    "own_benchmark": "Benchmark of your own",
    "window_first_day": "Not before",
    "window_last_day": "Not after",
}
"""Labels of the figures in a table."""


def leg_figures(request: OptimizationRequest, source: str) -> Iterator[Figure]:
    """What `request` states otherwise than the default; sources begin with `source`."""
    rate = cash_rate(request.cash)
    cash = None if request.cash == BUNDLED_CASH else request.cash if rate is None else f"{rate:.2%} a year"
    rows: tuple[tuple[str, str, str | None, Unit, str], ...] = (
        ("held_beside", "what is held beside the risky assets", _other(request.safe, CASH), "text", "safe"),
        ("cash_earns", "what cash earns", cash, "text", "cash"),
        ("converted_by", "exchange rate that converts the prices", request.exchange_rate, "text", "exchange_rate"),
        ("own_benchmark", "series that the winner is compared with", request.benchmark, "text", "benchmark"),
        ("window_first_day", "beginning of the chosen price window", _day(request.first_day), "date", "first_day"),
        ("window_last_day", "end of the chosen price window", _day(request.last_day), "date", "last_day"),
    )
    for id_, quantity, value, unit, field in rows:
        if value is not None:
            yield Figure(id=id_, quantity=quantity, value=value, unit=unit, source=f"{source}.{field}")


def _other(value: str, default: str) -> str | None:
    return None if value == default else value


def _day(day: object) -> str | None:
    return None if day is None else str(day)
