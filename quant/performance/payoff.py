"""Wins and losses of a series of returns, period by period."""

from dataclasses import dataclass

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.performance.ratios import over


@dataclass(frozen=True, kw_only=True)
class Payoff:
    """Wins are returns above 0 and losses below; None where there are none to divide by."""

    win_rate: float | None
    """Wins over wins and losses; returns of 0 do not count."""
    average_return: float | None
    """Mean of the returns other than 0."""
    average_win: float | None
    """Mean of the wins."""
    average_loss: float | None
    """Mean of the losses, negative."""
    payoff_ratio: float | None
    """`average_win` over `average_loss`, without sign; also called win/loss ratio."""
    profit_ratio: float | None
    """(`average_win` / number of wins) over (`average_loss` / number of losses), without sign."""
    profit_factor: float | None
    """Sum of the wins over the sum of the losses, without sign."""
    common_sense_ratio: float | None
    """`profit_factor` times the tail ratio."""
    cpc_index: float | None
    """`profit_factor` times `win_rate` times `payoff_ratio`."""
    kelly: float | None
    """`win_rate` - (1 - `win_rate`) / `payoff_ratio`: the stake of a bet with these odds."""
    max_consecutive_wins: int
    max_consecutive_losses: int


@compiled
def _wins_and_losses(r: Floats) -> tuple[int, int, float, float, int, int]:
    """Numbers and sums of wins and losses, and the longest run of each."""
    wins = 0
    losses = 0
    up = 0.0
    down = 0.0
    longest_up = 0
    longest_down = 0
    run_up = 0
    run_down = 0
    for t in range(r.size):
        won = r[t] > 0.0
        loss = r[t] < 0.0
        wins += won
        losses += loss
        up += max(r[t], 0.0)
        down += min(r[t], 0.0)
        run_up = run_up + 1 if won else 0
        run_down = run_down + 1 if loss else 0
        longest_up = max(longest_up, run_up)
        longest_down = max(longest_down, run_down)
    return wins, losses, up, down, longest_up, longest_down


def win_rate(r: Floats) -> float | None:
    """Share of the returns other than 0 that are positive; None if all are 0."""
    wins, losses, *_ = _wins_and_losses(r)
    return over(wins, wins + losses)


def average_win_and_loss(r: Floats) -> tuple[float | None, float | None]:
    """Mean of the positive returns, and of the negative ones; None where there are none."""
    wins, losses, up, down, *_ = _wins_and_losses(r)
    return over(up, wins), over(down, losses)


def product(*factors: float | None) -> float | None:
    """The product, unless a factor is missing."""
    result = 1.0
    for factor in factors:
        if factor is None:
            return None
        result *= factor
    return result


def payoff(r: Floats, tail_ratio: float | None) -> Payoff:
    """`Payoff` of checked returns."""
    wins, losses, up, down, longest_up, longest_down = _wins_and_losses(r)
    rate = over(wins, wins + losses)
    win, loss = over(up, wins), over(down, losses)
    ratio = None if win is None or loss is None else -win / loss
    factor = over(up, -down)
    return Payoff(
        win_rate=rate,
        average_return=over(up + down, wins + losses),
        average_win=win,
        average_loss=loss,
        payoff_ratio=ratio,
        profit_ratio=None if ratio is None else ratio * losses / wins,
        profit_factor=factor,
        common_sense_ratio=product(factor, tail_ratio),
        cpc_index=product(factor, rate, ratio),
        kelly=None if rate is None or ratio is None else rate - (1.0 - rate) / ratio,
        max_consecutive_wins=longest_up,
        max_consecutive_losses=longest_down,
    )
