"""The winner beside each benchmark, in sentences."""

from desk.base.text import join_words, number
from desk.figures.figures import Figure, format_measured
from desk.figures.sheet import Sheet
from desk.optimization.result import Benchmark, OptimizationResult
from quant.numeric.measured import Measured

RIVALS = {
    "equity": "full investment",
    "cash": "cash alone",
    "bond": "the bond alone",
    "same_average_weight": "a constant weight of the same average",
    "same_volatility": "a constant weight of the same volatility",
    "sixty_forty_cash": "60/40 in cash",
    "sixty_forty": "60/40 in the bond",
    "current_rule": "the current rule",
}
"""Each benchmark inside a sentence."""


def describe_benchmarks(result: OptimizationResult) -> tuple[Figure, ...]:
    """A sentence for each benchmark, `benchmarks_NAME_sentence`, and one for all of them."""
    sheet = Sheet("explain_result", "benchmarks")
    advantages = {b.name: _advantage(b, result) for b in result.benchmarks}
    doubtful = result.verdict.colour == "red"
    for name, advantage in advantages.items():
        sheet.say(f"{name}_sentence", _sentence(RIVALS[name], advantage, doubtful=doubtful))
    rest = {RIVALS[name]: advantage for name, advantage in advantages.items() if name != "same_volatility"}
    if rest:
        sheet.say("all_sentence", _all(rest))
    simpler = {name: a for name, a in advantages.items() if name not in ("cash", "bond")}
    if simpler:
        closest = min(simpler, key=lambda name: simpler[name].value)
        ahead = _sign(simpler[closest]) < 0
        sheet.say(
            "closest_sentence",
            f"{'A simpler rule did better' if ahead else 'No simpler rule did better'}: "
            f"{_closest(RIVALS[closest], simpler[closest])}, after costs and a charge for risk.",
        )
    return sheet.figures


def _closest(rival: str, advantage: Measured) -> str:
    match _sign(advantage):
        case 1:
            return f"the winner is ahead of {rival}, the best of them, by {_bps(advantage)}"
        case -1:
            return f"{rival} is ahead of the winner by {_bps(advantage)}"
        case _:
            return f"{rival}, the best of them, cannot be told from the winner"


def _advantage(benchmark: Benchmark, result: OptimizationResult) -> Measured:
    """The advantage over a benchmark; that over the matched constant weight has the error of the one history too."""
    if benchmark.name == "same_volatility" and result.benefit is not None:
        return result.benefit.total or result.benefit.basis_points
    return benchmark.winner_minus_bps


def _sentence(rival: str, advantage: Measured, *, doubtful: bool) -> str:
    match _sign(advantage):
        case 1:
            caution = " (with hindsight, and luck may explain it)" if doubtful else ""
            return f"The winner beats {rival} by {_bps(advantage)}, after costs and a charge for risk{caution}."
        case -1:
            verdict, size = f"does not beat {rival}", f"it is behind by {_bps(advantage)}"
        case _:
            verdict, size = f"cannot be told from {rival}", f"the difference is {_bps(advantage, signed=True)}"
    return f"The winner {verdict}: after costs and a charge for risk {size}."


def _all(rest: dict[str, Measured]) -> str:
    ahead = [f"{rival} by {_short(a)}" for rival, a in rest.items() if _sign(a) > 0]
    behind = [f"{rival} by {_short(a)}" for rival, a in rest.items() if _sign(a) < 0]
    alike = [rival for rival, a in rest.items() if not _sign(a)]
    parts = [
        *([f"is ahead of {join_words(ahead)}"] if ahead else []),
        *([f"is behind {join_words(behind)}"] if behind else []),
        *([f"cannot be told from {join_words(alike)}"] if alike else []),
    ]
    return f"Of the other benchmarks, a year and in the same terms, the winner {'; it '.join(parts)}."


def _sign(advantage: Measured) -> int:
    """The sign beyond two errors and beyond what is shown."""
    if abs(advantage.value) <= 2.0 * (advantage.error or 0.0) or not round(advantage.value):
        return 0
    return 1 if advantage.value > 0.0 else -1


def _bps(advantage: Measured, *, signed: bool = False) -> str:
    value = advantage.value if signed else abs(advantage.value)
    return format_measured(Measured(value=value, error=advantage.error), "bps")


def _short(advantage: Measured) -> str:
    return f"{number(abs(advantage.value))} bps"
