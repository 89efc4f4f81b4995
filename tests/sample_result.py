"""A made-up result that tests of reports, exports and guards share; no number in it was measured."""

import math
import random
from typing import Any

from desk.figures.figures import Figure, RenderedClaim, format_figure
from desk.optimization.answers import Decision, Explanation
from desk.optimization.attribution_schemas import NextStep
from desk.optimization.request import CURRENT_RULE, Limit, Limits, OptimizationRequest
from desk.optimization.result import (
    Benchmark,
    Benefit,
    Case,
    Counts,
    Crisis,
    Fact,
    Finalist,
    LimitCheck,
    Luck,
    Manifest,
    OptimizationResult,
    Plotted,
    ScenarioOutcome,
    Verdict,
    WorldStatistics,
    Year,
)
from quant.numeric.measured import Measured
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.mandate import Mandate
from quant.strategies.metrics import Metrics
from quant.strategies.trial import Trial
from quant.worlds.scenario import BUILT_IN
from tests.sample_evidence import out_of_sample, parameter_effects

WINNER = StrategyConfig(
    weight_function="inverse_vol",
    estimator="ewma_max",
    decay=0.94,
    rebalancing="weekly",
    no_trade_band=0.02,
)


SERIES_DIGEST = "a" * 64


def metrics(utility: float, volatility: float, weight: float, paths: int) -> Metrics:
    noise = 0.05 / math.sqrt(paths)
    values = {
        "utility": utility,
        "excess_return": utility + volatility**2,
        "geometric_return": utility + 0.03,
        "volatility": volatility,
        "sharpe": (utility + volatility**2) / max(volatility, 1e-3),
        "sharpe_pooled": (utility + volatility**2) / max(volatility, 1e-3) * 0.98,
        "max_drawdown": 1.6 * volatility,
        "max_drawdown_p80": 2.1 * volatility,
        "value_at_risk": 0.45 * volatility,
        "expected_shortfall": 0.62 * volatility,
        "turnover": 1.9,
        "cost": 0.0011,
        "average_weight": weight,
        "weight_volatility": 0.17,
        "largest_weight": 1.0,
        "loss_probability": 0.21,
        "drawdown_breach": 0.14,
        "locked_in_cash": 0.0,
    }
    return Metrics(**{name: Measured(value=value, error=noise) for name, value in values.items()})


def evaluation(
    config: StrategyConfig, scenario: str, utility: float, volatility: float, weight: float = 0.6
) -> Evaluation:
    paths, days = (1, 6237) if scenario == "history" else (1000, 1260)
    return Evaluation(
        config=config.digest(),
        scenario=scenario,
        paths=paths,
        days=days,
        metrics=metrics(utility, volatility, weight, paths),
    )


def constant(weight: float) -> StrategyConfig:
    return StrategyConfig(weight_function="constant", constant_weight=weight)


def outcomes() -> tuple[ScenarioOutcome, ...]:
    rows = [
        ("base_case", 0.333, 0.031, 0.0262, 0.10),
        ("bull_market", 0.10, 0.075, 0.0764, 0.095),
        ("bear_market", 0.067, -0.021, -0.0352, 0.114),
        ("high_volatility", 0.067, 0.001, -0.0071, 0.118),
        ("low_volatility", 0.10, 0.033, 0.0321, 0.074),
        ("history", 0.333, 0.034, 0.0296, 0.101),
    ]
    return tuple(
        ScenarioOutcome(
            scenario=name,
            weight=weight,
            winner=evaluation(WINNER, name, ours, volatility),
            benchmark=evaluation(constant(0.58), name, theirs, volatility),
            benefit_bps=Measured(value=(ours - theirs) * 1e4, error=6.0 if name != "history" else 55.0),
            timing_bps=Measured(value=(ours - theirs) * 5e3, error=6.0 if name != "history" else None),
            best_utility=ours + 0.0007,
            retention=None if name == "bull_market" else 0.93,
            regret_bps=7.0,
        )
        for name, weight, ours, theirs, volatility in rows
    )


def worlds() -> tuple[WorldStatistics, ...]:
    return tuple(
        WorldStatistics(
            scenario=scenario.name,
            mean=scenario.mu,
            volatility=scenario.sigma,
            sharpe=(scenario.mu - scenario.cash_rate) / scenario.sigma,
            worst_day=-0.3 * scenario.sigma,
            worst_month=-scenario.sigma,
        )
        for scenario in BUILT_IN
    )


def plotted_trials() -> tuple[Plotted, ...]:
    chance = random.Random(7)
    functions = (
        "inverse_vol",
        "inverse_vol_squared",
        "linear_decay",
        "sigmoid",
        "merton",
        "cppi",
        "trend_overlay",
    )
    return tuple(
        Plotted(
            number=number,
            digest=WINNER.digest() if number == 71 else f"{number:064x}",
            objective=0.0301 if number == 71 else 0.029 - abs(chance.gauss(0, 0.005)),
            volatility=(volatility := 0.10 if number == 71 else chance.uniform(0.06, 0.14)),
            excess_return=0.043 if number == 71 else 0.36 * volatility + chance.gauss(0, 0.003),
            drawdown=1.6 * volatility,
            feasible=volatility < 0.13,
            screened=False,
            weight_function=functions[number % len(functions)],
        )
        for number in range(100)
    )


def cases(rows: list[tuple[str, float, float, bool]]) -> tuple[Case, ...]:
    other = constant(0.5).digest()
    return tuple(
        Case(
            label=label,
            winner=WINNER.digest() if same else other,
            same_winner=same,
            benefit_bps=Measured(value=value, error=error),
        )
        for label, value, error, same in rows
    )


def luck() -> Luck:
    return Luck(
        trials=100,
        ledger_trials=340,
        observations=6649,
        winner_p=0.11,
        single_step_p=0.24,
        active_t=1.9,
        active_utility_bps=44.0,
        active_error_bps=23.2,
        mean_block=27,
        own_benchmarks=2,
        loss=0.22,
        validate_t=0.4,
        probabilistic_sharpe=0.96,
        sharpe=0.47,
        deflated_sharpe=0.91,
        active_sharpe=0.31,
        active_deflated_sharpe=0.72,
        overfitting=0.24,
        overfitting_low=0.05,
        overfitting_high=0.55,
        overfitting_sharpe=0.31,
        dropped_rows=9,
        logits=tuple((-4 + 0.5 * k, max(0, round(900 * math.exp(-((k - 9.5) ** 2) / 14)))) for k in range(17)),
        spa_p=0.08,
        minimum_track_record_years=21.4,
        effective_trials=7.3,
        validate_advantage_bps=31.0,
    )


def benchmarks() -> tuple[Benchmark, ...]:
    rows: list[tuple[Any, str, float, float]] = [
        ("equity", "100% equity", 1.0, 88.0),
        ("cash", "Cash", 0.0, 210.0),
        ("same_average_weight", "Constant weight equal to the winner's average", 0.61, 41.0),
        ("same_volatility", "Constant weight of the same volatility", 0.58, 38.0),
        ("sixty_forty_cash", "60/40 cash", 0.6, 40.0),
        ("current_rule", "Current rule: 12-month inverse volatility, monthly", 0.62, 22.0),
    ]
    return tuple(
        Benchmark(
            name=name,
            label=label,
            config=constant(weight),
            evaluations=tuple(
                evaluation(constant(weight), s.scenario, 0.02 * weight, 0.17 * weight, weight) for s in outcomes()[:-1]
            ),
            train=evaluation(constant(weight), "history", 0.028 * weight, 0.17 * weight, weight),
            validate_=evaluation(constant(weight), "history", 0.03 * weight, 0.16 * weight, weight),
            winner_minus_bps=Measured(value=gain, error=6.0),
        )
        for name, label, weight, gain in rows
    )


def figures() -> tuple[Figure, ...]:
    return (
        Figure(
            id="benefit_bps",
            quantity="benefit over the volatility-matched constant weight",
            value=38.0,
            unit="bps",
            error=6.0,
            source="result.benefit.basis_points",
        ),
        Figure(
            id="bear_benefit",
            quantity="benefit in the bear market",
            value=142.0,
            unit="bps",
            error=9.0,
            source="result.scenarios.bear_market.benefit_bps",
        ),
        Figure(
            id="bull_benefit",
            quantity="benefit in the bull market",
            value=-14.0,
            unit="bps",
            error=5.0,
            source="result.scenarios.bull_market.benefit_bps",
        ),
        Figure(
            id="active_dsr",
            quantity="deflated Sharpe ratio of the active return",
            value=0.72,
            unit="probability",
            source="result.luck.active_deflated_sharpe",
        ),
        Figure(
            id="cost_a_year", quantity="cost a year", value=11.0, unit="bps", source="result.winner.evaluations.cost"
        ),
    )


def explanation() -> Explanation:
    known = {figure.id: figure for figure in figures()}
    rows = [
        (
            "winner",
            "The winner keeps {} more than a constant weight of the same volatility.",
            "benefit_bps",
        ),
        (
            "why",
            "It sells early when volatility rises, and earns {} where markets fall.",
            "bear_benefit",
        ),
        ("where_it_loses", "In a calm rise its benefit is {}.", "bull_benefit"),
        ("costs", "Trading costs {}.", "cost_a_year"),
        (
            "luck",
            "The probability that the active return is skill is {}: luck is not excluded.",
            "active_dsr",
        ),
        (
            "counter_argument",
            "A constant weight is simpler, and the advantage of {} may not last.",
            "benefit_bps",
        ),
    ]
    claims = tuple(
        RenderedClaim(
            section=section,
            text=text.format(format_figure(known[id_])),
            figures=(id_,),
            template=text.format(f"{{{{{id_}}}}}"),
        )
        for section, text, id_ in rows
    )
    return Explanation(claims=claims, author="embedded planner (rule-based)")


def facts() -> tuple[Fact, ...]:
    rows: list[tuple[str, str, float | None, Any, float | None]] = [
        ("upside_given_up", "Upside given up", 0.021, "fraction", None),
        ("recovery", "Longest recovery", 731.0, "days", 1402.0),
        ("break_even_cost", "Break-even cost of a trade", 24.0, "bps", None),
        ("tracking_error", "Tracking error", 0.041, "fraction", None),
        ("average_leverage", "Average weight", 0.61, "weight", 0.58),
        ("maximum_leverage", "Largest weight", 1.0, "weight", 0.58),
        ("alpha", "Alpha", 0.006, "fraction", 0.0),
        ("beta", "Beta", 0.53, "ratio", 0.58),
        ("skewness", "Skewness of daily returns", -0.41, "ratio", -0.27),
        ("target_error", "Volatility-target error (noise floor 0.7 points)", 1.4, "points", None),
    ]
    return tuple(Fact(name=n, label=label, value=v, unit=u, benchmark=b) for n, label, v, u, b in rows)


def manifest(request: OptimizationRequest) -> Manifest:
    decisions = (
        Decision(
            agent="risk_manager",
            ordinal=0,
            author="embedded planner (rule-based)",
            answer={"concerns": ["none"], "claims": []},
        ),
        Decision(
            agent="market_analyst",
            ordinal=0,
            author="embedded planner (rule-based)",
            answer={"regime": "normal", "trend": "flat", "tilts": [], "claims": []},
        ),
        Decision(
            agent="optimizer",
            ordinal=0,
            author="embedded planner (rule-based)",
            answer={"action": "search"},
            rejected=("b" * 64,),
        ),
    )
    return Manifest(
        request=request,
        data_digest="1" * 64,
        rates_digest="2" * 64,
        data_source="bundled: sp500 (price index)",
        first_day="1990-01-02",
        train_end="2009-10-19",
        validate_end="2016-05-24",
        last_day="2022-12-28",
        code_version="3" * 64,
        decisions=decisions,
    )


def winner() -> Trial:
    return Trial(
        number=71,
        round=4,
        origin="sampler",
        config=WINNER,
        digest=WINNER.digest(),
        screened=False,
        evaluations=tuple(o.winner for o in outcomes()[:-1]),
        train=outcomes()[-1].winner,
        series=SERIES_DIGEST,
    )


def finalists() -> tuple[Finalist, ...]:
    other = StrategyConfig(weight_function="inverse_vol", estimator="ewma", decay=0.96, rebalancing="weekly")
    rows = [
        (WINNER, 0.0301, 0.0, True),
        (other, 0.0299, 0.0002, True),
        (CURRENT_RULE, 0.0271, 0.003, False),
    ]
    return tuple(
        Finalist(
            digest=config.digest(),
            config=config,
            objective=objective,
            behind_best=Measured(value=behind, error=0.0002),
            indistinguishable=near,
            plateau_median=objective - 0.0003,
            plateau_neighbours=5,
            plateau_passed=near,
            offsets_bps=(-9.0, 6.0) if near else None,
            feasible=near,
            breaches=() if near else ("max_drawdown",),
        )
        for config, objective, behind, near in rows
    )


def limit_checks(*, passed: bool) -> tuple[LimitCheck, ...]:
    return tuple(
        LimitCheck(
            limit="max_drawdown",
            scenario=scenario,
            statistic=statistic if passed else 0.56,
            allowed=0.20,
            bound=0.20,
            passed=passed,
            binds=not passed or scenario == "history",
        )
        for scenario, statistic in (("base_case", 0.14), ("history", 0.19))
    )


def sample_result(**changes: Any) -> OptimizationResult:
    chance = random.Random(3)
    years = tuple(
        Year(
            year=year,
            winner=(r := chance.gauss(0.05, 0.09)),
            benchmark=0.9 * r - 0.002,
            asset=1.7 * r,
            partial=year == 2016,
        )
        for year in range(1991, 2017)
    )
    request = OptimizationRequest(
        name="Balanced <script>alert(1)</script>",
        goal="robust_utility",  # the metrics above hold no benefit
        mandate=Mandate(),
        limits=Limits(max_drawdown=Limit(bound=0.20)),
        scenarios=BUILT_IN,
    ).on_data(volatility=0.18, mean=0.1)
    result = OptimizationResult(
        manifest=manifest(request),
        verdict=Verdict(
            colour="amber",
            advice="Do not switch yet: luck alone could give as much to the best of 340 tries.",
            headline="Better than the benchmark, but luck is not excluded",
            reason="11.0% of searches in a world without skill end with so good a winner, not below 5%.",
        ),
        counts=Counts(
            trials=100,
            screened=0,
            scenarios=5,
            paths=1000,
            years=5,
            evaluations=500,
            path_days=630_000_000,
            stopped="budget",
            plans=2,
        ),
        benefit=Benefit(
            basis_points=Measured(value=38.0, error=6.0),
            low=-8.9,
            high=84.9,
            history_error_bps=23.2,
            total=Measured(value=38.0, error=23.9),
            drawdown_points=Measured(value=2.1, error=0.1),
            benchmark_weight=0.58,
            timing_bps=Measured(value=11.0, error=5.0),
            history_bps=Measured(value=44.0, error=69.6),
            worlds_bps=Measured(value=35.0, error=9.0),
        ),
        winner=winner(),
        worlds=worlds(),
        scenarios=outcomes(),
        finalists=finalists(),
        benchmarks=benchmarks(),
        premium=cases([("p = 0", 71.0, 6.0, True), ("p = 1", 38.0, 6.0, True), ("p = 2", -44.0, 7.0, False)]),
        depends_on_premium=True,
        parameter_error=cases(
            [
                ("expected return two points lower", 61.0, 6.0, True),
                ("expected return two points higher", 15.0, 6.0, True),
                ("volatility a fifth lower", 12.0, 5.0, True),
                ("volatility a quarter higher", 66.0, 8.0, True),
            ]
        ),
        probabilities=cases([("equal", 44.0, 6.0, True), ("analyst", 38.0, 6.0, True), ("cycle", 52.0, 11.0, True)]),
        costs=cases([("0 x cost", 49.0, 6.0, True), ("1 x cost", 38.0, 6.0, True), ("2 x cost", 27.0, 6.0, True)]),
        next_step=NextStep(
            as_of="2016-05-24",
            today_weight=0.71,
            current_rule_weight=0.83,
            next_trade=-0.12,
            next_rebalancing="2016-05-27",
        ),
        limits=limit_checks(passed=True),
        facts=facts(),
        years=years,
        crises=(
            Crisis(name="Dot-com", start="2000-03-24", end="2002-10-09", winner=-0.19, benchmark=-0.27, asset=-0.49),
            Crisis(
                name="Financial crisis",
                start="2007-10-09",
                end="2009-03-09",
                winner=-0.16,
                benchmark=-0.33,
                asset=-0.57,
            ),
        ),
        luck=luck(),
        out_of_sample=out_of_sample(WINNER.digest()),
        importance={"rebalancing": 0.41, "estimator": 0.27, "weight_function": 0.22, "no_trade_band": 0.10},
        parameter_effects=parameter_effects(),
        trials=plotted_trials(),
        caveats=(
            "The bundled S&P 500 series is a price index; a dividend yield of 2% a year is assumed.",
            "One history holds few crises.",
        ),
        history_series=SERIES_DIGEST,
        figures=figures(),
        explanation=explanation(),
    )
    return result.model_copy(update=changes)
