"""Lexicon of what a number measures: phrases in groups of mutually exclusive features."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from quant.strategies.metrics import METRICS

CONCEPT = "concept"
_GROUPS = """
concept
  benefit: benefit*, advantage*, outperform*, beat, beats, beating, ahead, behind, gain, gains, gained, earn, earns, \
earned, more than, less than, lag, lags, better than, worse than, minus that of, edge, extra, lead, \
improve*, adds, added
  timing: timing, timed, timing earns, timing alone earns, timing gains, earned by timing, benefit of timing
  regret: regret*, forgone, forgoes
  retention: retention, retains, retained, share of the best utility, share of the best
  target volatility: target volatility, target, volatility target, targeted volatility
  tracking error: tracking error
  target error: distance of, from target, misses its target, away from its target
  expected return: expected return, expected yearly return, mean return, mean yearly return
  upside: return given up, given up, gives up, gave up, upside
  cost of a trade: cost of a trade, cost per trade, assumed to cost, cost of each trade, \
assumed cost*, for each trade, per trade, each trade
  break-even cost: cost of a trade that uses the advantage up, uses the advantage up, break-even cost*, break even
  trade: next trade, trade to make, buys, sells
  deflated Sharpe ratio: deflated sharpe ratio, deflated sharpe, deflated ratio, deflated, \
skill, more than luck
  luck of the winner: luck of the winner, so good a winner
  luck of the best: luck of the best, looks so good, look so good
  reversal: chance of reversal, fails in the others, fails on the other
  probabilistic Sharpe ratio: probabilistic sharpe ratio, probabilistic sharpe
  overfitting: overfit*, probability of overfitting, probability of backtest overfitting
  significance: p-value, p value, significance, significant, superior predictive ability
  track record: track record
  trials tried: tried, trial, trials, configurations, candidates, variants, attempts
  trials left: trials left, left of the budget, trials remain, remain, remaining
  dropped early: dropped, screened
  paths: >paths, simulated paths, number of paths
  evaluations: evaluations
  plans: search plans, >plans
  scenarios: number of scenarios, scenarios whose number is, >scenarios
  length of a path: years of each path, length of each path, length is, path runs, paths run
  indistinguishable finalists: cannot be told, told apart, indistinguishable, within noise
  calmer share: calmer
  distance from the mean: distance of the price, above its mean, below its mean
  what a limit allows: allows, allowed, permits, at most by the mandate
  what a limit measures: measures, measured, is checked at, breached
  limit that binds: binds, binding, stands in the way, cannot be done, looser value
  limit: limit, limits
  explained share: explain, explains, explained, accounts for
  interaction: interact, interacts, interaction*
  best value: best value*
  range of the objective: expected objective
  parameter that mattered: mattered, matters, mattered most, matters most, \
next came, next comes, most important
  case: case, cases
  benchmark rule: rule called, compared with
  beta: beta
  alpha: alpha
  skewness: skewness, skewed
  kurtosis: kurtosis
  correlation: correlation*
  diversification: diversif*
  risk share: risk share*, share of the risk, share of risk, contribution*, contributes
  recovery: recover, recovery, recovers
  noise: sampling noise
  wealth: wealth is, wealth of, worth, ends with
  ruin: ruin
  goal: goal
  calendar year: calendar year, year of
  day: day, days, date, dates, first day, last day
  prices: prices are, data come from, data are from, prices come from, prices used, source
  winner: winner is, winner was, winning configuration, best is, best was, best of them, chosen configuration, \
is the winner
  weight function: weight function, function of the winner
  scenario: scenario, world, does best in, does worst in, weakest in, strongest in
  verdict: verdict, colour
  name of the request: request, mandate is called, strategy is called, name
bound
  lower end: lower end, low end, smallest, lowest, lower bound, lower limit, minimum, first day, begin, begins, began, \
start, starts, started
  upper end: upper end, high end, largest, highest, upper bound, upper limit, maximum, last day, ends, ended
rank
  worst: worst, does worst in, weakest in, weakest, least, poorest, hardest
  best: strongest, strongest in, does best, does best in, gains most, earns most, best scenario, best benefit
place
  mattered most: most important, mattered most, matters most, foremost, chief, first, main
  next came: next came, next comes, second, runner-up
  after that: third, after that
subject
  the winner: winner, winner is, is the winner, winner was, winner's, winning configuration, strategy, own
  the benchmark: benchmark, constant weight, constant weight of, constant weight of the same volatility, \
constant weight that matches the target volatility, volatility-matched constant weight, volatility-matched benchmark
  the asset: asset, risky asset, equity alone
  the current rule: current rule, spreadsheet
  the market: price, market
world
  a bear market: bear, bear market, falling markets, markets fall, crash, crashes
  a bull market: bull, bull market, calm rise, rising markets, markets rise
  the base case: base case
period
  the training history: training history, training window, training, in sample
  the validation window: validation window, validation, out of sample, out-of-sample, unseen data
  the cross-validation: cross-validation, cross validation, purged cross-validation
  the walk-forward: walk-forward, walk forward, chosen anew, choice made anew
  the locked holdout: holdout, locked
  the latest: latest, end of the training window, at its end, that day, today, today's, now
  the whole window: whole window, long run, long-run
simulation
  simulated: simulated, simulations
basis
  its own return: own return
scope
  ever: ever, earlier searches, all searches
assumption
  transaction costs: cost, costs, transaction cost*, cost of a trade, trading cheaply
  the premium: premium, equity premium
  the parameters: otherwise than assumed, expected return and volatility, parameters are wrong, parameter error
  the probabilities: probabilities, scenario probabilities
data
  the prices: prices, history, data, series
measure
  a difference: difference, smaller, shallower, less that, less its own, minus
  an average: average, mean, on average
"""
"""Each group, with its features and their phrases; `*` ends a stem, `>` requires a number before the phrase.

The concepts that are metrics of a configuration have their phrases in `METRICS`.
"""

_SAYS_NOTHING = (
    "of the same volatility, same volatility, equal volatility, after costs, after all costs, net of costs, "
    "most of the time, at least a, in every case, in any case, so many trials, luck of the best, current drawdown, "
    "bear a, bear the, bear in mind, to bear, cannot bear, can bear, must bear"
)
"""Phrases that belong to no group although their words would match one."""


OPTIONAL = frozenset({"the winner", "the training history", "the market"})
"""Features of a figure that its sentence may omit."""
DEMANDED = ("subject", "period", "bound", "rank", "place", "simulation", "basis", "scope", "assumption")
"""Groups whose feature a sentence must state."""
STRICT = ("bound", "world", "period", "basis", "scope")
"""Groups in which a sentence must not state a feature that its figure lacks."""

_SMALL = frozenset(
    "the a an of in on at to by for is was were are it its that which and or with from as be all".split()
)
AGAINST = "against"
_COMPARING = re.compile(
    r"\b(?:over|than|against|versus|beats?|beating|ahead of|behind|minus|from|to)\s+(?:that of\s+)?(?:the\s+|an?\s+)?$"
)
"""Phrases after which a subject is the one compared with."""


class Mention(NamedTuple):
    """A phrase in a text that states a feature of what is measured."""

    start: int
    end: int
    group: str
    feature: str


def mentions(text: str) -> Iterator[Mention]:
    """Find the mentions in `text`, longest phrases first; numbers are written as `#`."""
    lower = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    for match in _pattern().finditer(lower):
        for group, feature, follows in _PHRASES[match.lastindex - 1][1] if match.lastindex else ():
            if follows and not lower[: match.start()].rstrip().endswith("#"):
                continue
            is_comparand = group == "subject" and _COMPARING.search(lower[: match.start()])
            yield Mention(match.start(), match.end(), AGAINST if is_comparand else group, feature)


def stems(text: str) -> Iterator[str]:
    """Return the stems of the content words of `text`."""
    for word in re.findall(r"[a-z]+(?:['’-][a-z]+)*", text.lower()):
        if word not in _SMALL:
            yield re.sub(r"(?:['’]s|ing|ed|es|s)$", "", word) if len(word) > 4 else word


def _parse_groups() -> list[tuple[str, list[tuple[str, str, bool]]]]:
    phrases: dict[str, list[tuple[str, str, bool]]] = {phrase.strip(): [] for phrase in _SAYS_NOTHING.split(",")}
    rows = [(CONCEPT, metric.concept, metric.words) for metric in METRICS.values() if metric.words]
    group = ""
    for line in _GROUPS.strip().splitlines():
        if not line.startswith(" "):
            group = line
            continue
        feature, _, words = line.strip().partition(": ")
        rows.append((group, feature, words))
    for group, feature, words in rows:
        for spelling in words.split(", "):
            phrase = spelling.removeprefix(">")
            phrases.setdefault(phrase, []).append((group, feature, phrase != spelling))
    return sorted(phrases.items(), key=lambda item: (-len(item[0]), item[0]))


_PHRASES = _parse_groups()


@cache
def _pattern() -> re.Pattern[str]:  # cached: compiling takes a tenth of a second
    return re.compile(
        r"(?<![a-z0-9-])(?:"
        + "|".join(f"({re.escape(p).replace(chr(92) + '*', '[a-z]*')})" for p, _ in _PHRASES)
        + r")(?![a-z])"
    )
