"""Numbers, strategies and limits as text, for the terminal and the report."""

from desk.base.text import MINUS, number, plural, sentence_case, title
from desk.governance.usage import Usage
from desk.optimization.attribution_schemas import AssetShare, AssetStep, Attribution, NextStep
from desk.optimization.benchmark_schemas import SeriesBenchmark
from desk.optimization.judgement.result_figures import simulated_timing
from desk.optimization.mandate_limits import LIMITS
from desk.optimization.reading.explanation import HINDSIGHT, Evidence, build_evidence, error_sources
from desk.optimization.request import LimitName
from desk.optimization.result import Benefit, Fact, LimitCheck, Manifest, OptimizationResult, WorldStatistics
from desk.optimization.worlds import describe_worlds
from desk.scenarios.schemas import HISTORY
from quant.numeric.measured import Measured
from quant.numeric.units import BASIS_POINTS
from quant.performance.statistics import StatisticUnit
from quant.strategies.choices import ESTIMATORS, REBALANCING, Rebalancing
from quant.strategies.config import StrategyConfig
from quant.strategies.family import ACTIVE, FAMILY
from quant.strategies.metrics import Metric

_SMALLEST_SHOWN = 5e-5
"""Fraction below which a percentage with two decimals is 0."""


def percent(value: float, digits: int = 1, *, signed: bool = False) -> str:
    return number(100 * value, digits, signed=signed) + "%"


def bps(value: float, *, signed: bool = True) -> str:
    return number(value, 0, signed=signed) + " bps"


def fact(value: float | None, unit: str) -> str:
    """A value of a `Fact` in its unit; a dash where there is none."""
    if value is None:
        return "–"
    match unit:
        case "fraction" | "weight":
            return percent(value)
        case "bps":
            return bps(value, signed=False)
        case "points":
            return number(value, 1) + " points"
        case "days":
            return number(value) + " sessions"
        case "years":
            return number(value, 1) + " years"
        case _:
            return number(value, 2)


def series_statistic(value: float | None, unit: StatisticUnit) -> str:
    """A value of a tear sheet in its unit; a dash where there is none."""
    if value is None:
        return "–"
    match unit:
        case "percent" | "probability":
            return percent(value, 2 if abs(value) < 0.0995 else 1)
        case "days":
            return number(value) + " days"
        case "years":
            return number(value, 1)
        case "count":
            return number(value, 0 if value == round(value) else 1)
        case "ratio":
            return number(value, 2) if value == 0.0 or abs(value) >= 0.005 else f"{value:.2g}".replace("-", MINUS)


def fact_row(item: Fact) -> tuple[str, str, str]:
    return item.label, fact(item.value, item.unit), fact(item.benchmark, item.unit)


def metric(row: Metric, value: Measured | None) -> str:
    """A metric in its unit; a dash where a stored result lacks it."""
    if value is None:
        return "–"
    match row.unit:
        case "percent":
            return percent(value.value, 2, signed=True) if row.signed else percent(value.value)
        case "weight":
            return percent(value.value)
        case "probability":
            return percent(value.value, 0)
        case "bps":
            return bps(BASIS_POINTS * value.value, signed=False)
        case "ratio":
            return number(value.value, 2)


def evidence(result: OptimizationResult) -> list[tuple[str, str, str]]:
    """The label of each rule of the verdict, its statistic, and what green requires."""
    return [(item.label, _statistic(item), f"green {item.requirement}") for item in build_evidence(result)]


def _statistic(item: Evidence) -> str:
    if item.value is None:  # it cannot be computed, or an older result lacks it
        return "–"
    match item.unit:
        case "percent":
            return percent(item.value, item.digits)
        case "bps":
            return bps(item.value)
        case "ratio":
            return number(item.value, item.digits)


def limit_value(name: LimitName, value: float) -> str:
    match LIMITS[name].unit:
        case "probability" | "percent":
            return percent(value)
        case "bps":
            return bps(value, signed=False)
        case "multiple":
            return f"{number(value, 2)} x"


def limit_row(check: LimitCheck) -> tuple[str, str, str, str, str]:
    """The limit, its scenario, the value, the bound, and whether the limit holds."""
    if LIMITS[check.limit].unit == "probability":
        value = f"P(breach) {percent(check.statistic, 0)}"
        bound = f"at most {percent(check.allowed, 0)} beyond {100 * check.bound:.4g}%"
    else:
        value = limit_value(check.limit, check.statistic)
        bound = f"at most {limit_value(check.limit, check.allowed)}"
    state = "✔ holds" if check.passed else "✖ broken"
    return (
        LIMITS[check.limit].label,
        title(check.scenario),
        value,
        bound,
        state + (", excluded trials" if check.binds else ""),
    )


def dollars(value: float | None) -> str:
    """US dollars, with four decimals below one; None is an unknown price."""
    if value is None:
        return "price unknown"
    return "$" + number(value, 4 if 0.0 < value < 1.0 else 2)


def tokens(usage: Usage) -> str:
    """The tokens of some answers and their price."""
    if not usage.tokens:
        return "no tokens"
    counts = {
        "in": usage.input_tokens,
        "from the cache": usage.cached_tokens,
        "to the cache": usage.written_tokens,
        "out": usage.output_tokens,
    }
    parts = ", ".join(f"{number(count)} {what}" for what, count in counts.items() if count)
    return f"{plural(usage.tokens, 'token')} ({parts}), {dollars(usage.dollars)}"


def usage_line(usage: Usage) -> str:
    """Answers of models with their tokens, price and time, in one line."""
    retries = f", {number(usage.retries)} calls made again" if usage.retries else ""
    return f"{plural(usage.answers, 'answer')}{retries}, {tokens(usage)}, {number(usage.seconds, 1)} s"


def _frequency(rebalancing: Rebalancing) -> str:
    days = REBALANCING[rebalancing].days
    return rebalancing if days == 1 else f"{rebalancing} (every {days} sessions)"


def _estimator(config: StrategyConfig) -> str:
    match ESTIMATORS[config.estimator].length:
        case "lookback_days":
            return f"{config.estimator}, {config.lookback_days} sessions"
        case "decay":
            return f"{config.estimator}, decay {config.decay:g}"
        case None:
            return config.estimator


def shape(config: StrategyConfig) -> list[tuple[str, str]]:
    """The parameters that take effect, as (name, value)."""
    rows = [("Weight function", FAMILY[config.weight_function].title)]
    if FAMILY[config.weight_function].volatility:
        rows.append(("Estimator", _estimator(config)))
    rows.append(("Rebalancing", _frequency(config.rebalancing)))
    if config.no_trade_band:
        rows.append(("No-trade band", percent(config.no_trade_band, 0)))
    rows += [
        (title(name), value if isinstance(value, str) else f"{value:g}")
        for name in ACTIVE[config.weight_function]
        if (value := getattr(config, name)) is not None
    ]
    if config.target_volatility is not None:
        rows.append(("Target volatility", percent(config.target_volatility)))
    if config.inner is not None:
        rows.append(("Inner portfolio", title(config.inner)))
    return rows


def sentence(config: StrategyConfig) -> str:
    """The strategy in one line."""
    (_, function), *others = shape(config)
    plain = ("Estimator", "Rebalancing", "Target volatility")
    parts = [value if name in plain else f"{name.lower()} {value}" for name, value in others]
    return ", ".join([function, *parts]).capitalize()


def benefit(result: OptimizationResult) -> str:
    """The benefit in one sentence, or the limit that no strategy meets."""
    if result.benefit is None:
        limit = result.verdict.binding_limit
        binding = f"; what binds: {LIMITS[limit].label.lower()}" if limit else ""
        return f"None of {result.counts.trials} strategies meets the limits{binding}"
    b = result.benefit
    red = result.verdict.colour == "red"
    rule = next((each for each in result.benchmarks if each.name == "current_rule"), None)
    against_rule = f"{_ahead(rule.winner_minus_bps.value)} your current rule, and " if rule else ""
    return (
        f"{HINDSIGHT if red else 'Gain'}: after costs the winner is {against_rule}{_ahead(b.basis_points.value)} "
        f"a constant weight of {percent(b.benchmark_weight, 0)} in the risky asset, which has the same volatility"
        + ("" if red else f" ({interval(b)})")
    )


def _ahead(basis_points: float) -> str:
    """An advantage in words, such as "120 bps a year ahead of"."""
    return f"{number(abs(basis_points), 0)} bps a year {'behind' if basis_points < 0 else 'ahead of'}"


def benefit_parts(result: OptimizationResult) -> list[str]:
    """The interval of the benefit, its part by timing, and the drawdown avoided."""
    b = result.benefit
    if b is None:
        return []
    simulated = simulated_timing(result)
    alone = f"; by timing in the simulated worlds alone {bps(simulated.value)}" if simulated else ""
    more = "less" if b.drawdown_points.value >= 0 else "more"
    return [
        f"{bps(b.basis_points.value)} a year over that constant weight, {interval(b)}, {error_sources(b)}",
        *apart(result),
        f"by timing {bps(b.timing_bps.value)} of it{alone}",
        f"mean drawdown {number(abs(b.drawdown_points.value), 1)} points {more} than with that constant weight",
    ]


def apart(result: OptimizationResult) -> list[str]:
    """How history and simulated worlds make up the benefit; empty for results of earlier versions."""
    benefit = result.benefit
    if benefit is None or benefit.history_bps is None or benefit.worlds_bps is None:
        return []
    weight = next(outcome.weight for outcome in result.scenarios if outcome.scenario == HISTORY)
    return [
        f"the average of {measured_bps(benefit.history_bps)} on the training history, which counts "
        f"{percent(weight, 0)}, and {measured_bps(benefit.worlds_bps)} in the simulated worlds (± one standard error)"
    ]


def measured_bps(value: Measured) -> str:
    return bps(value.value) + ("" if value.error is None else f" ± {number(value.error, 0)}")


def worlds(result: OptimizationResult) -> str:
    """What the built-in scenarios follow, in one sentence."""
    request = result.manifest.request
    return sentence_case(f"worlds {describe_worlds(request.worlds, request.worlds_base)}")


def world_row(world: WorldStatistics) -> tuple[str, str, str, str, str, str]:
    """Name, mean, volatility, Sharpe ratio, and the usual worst day and month of a simulated world."""
    return (
        title(world.scenario),
        percent(world.mean, signed=True),
        percent(world.volatility),
        number(world.sharpe, 2, signed=True),
        percent(world.worst_day, signed=True),
        percent(world.worst_month, signed=True),
    )


def currency(manifest: Manifest) -> str:
    """The currency of prices and cash, and whether it is assumed."""
    request = manifest.request
    if request.prices_file is not None and request.currency is None and request.exchange_rate is None:
        return f"{manifest.currency}, assumed: the price file states none (--currency)"
    converted = f", converted by {request.exchange_rate}" if request.exchange_rate else ""
    return f"{manifest.currency}{converted}"


def series_benchmark(own: SeriesBenchmark) -> str:
    """The comparison with the benchmark series of the request, as a sentence."""
    return (
        f"{own.name}, your benchmark: {measured_bps(own.winner_minus_bps)} on history; its return over cash "
        f"{percent(own.excess_return, signed=True)}, volatility {percent(own.volatility)}, Sharpe ratio "
        f"{number(own.sharpe, 2)}, deepest fall {percent(own.max_drawdown)}; tracking error "
        f"{percent(own.tracking_error)}"
    )


def asset_steps(step: NextStep) -> tuple[AssetStep, ...]:
    """The next trade in each asset of several, and in the bond."""
    return (*step.assets, *(() if step.safe is None else (step.safe,)))


def asset_row(share: AssetShare) -> tuple[str, str, str, str, str, str, str]:
    """Name, average and largest weight, contributions to return and volatility, trades and costs a year."""
    return (
        share.name,
        percent(share.average_weight),
        percent(share.largest_weight),
        percent(share.excess_return, 2, signed=True),
        percent(share.volatility, 2, signed=True),
        number(share.traded, 2),
        bps(BASIS_POINTS * share.cost, signed=False),
    )


def attribution_total(attribution: Attribution) -> str:
    """The whole that the contributions sum to, as a sentence."""
    whole = (
        f"Together {percent(attribution.excess_return, 2, signed=True)} a year over cash after costs, volatility "
        f"{percent(attribution.volatility, 2)}, on the days of train and validate"
    )
    if attribution.borrowing_return > -_SMALLEST_SHOWN:
        return whole
    return f"{whole}; {percent(attribution.borrowing_return, 2, signed=True)} of it is the cost of borrowing"


def interval(benefit: Benefit) -> str:
    return f"95% interval {number(benefit.low, signed=True)} to {number(benefit.high, signed=True)}"
