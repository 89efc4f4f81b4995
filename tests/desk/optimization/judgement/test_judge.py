import re
from dataclasses import replace

import numpy as np
import pytest

from desk.optimization.answers import Decision, Explanation
from desk.optimization.caution_messages import CAUTIONS
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.judgement.historical_record import unlocked_days
from desk.optimization.judgement.judge import FEW_CRISES, matched_weight
from desk.optimization.limits import check_limits
from desk.optimization.repositories.trial_repository import series_address
from desk.optimization.request import Limit, Limits
from desk.optimization.result import OptimizationResult
from desk.optimization.search.search import evaluations_by_scenario
from desk.scenarios.schemas import HISTORY
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.mandate import Mandate
from quant.worlds.scenario import BUILT_IN, GBM_BANNER
from tests.soak_variants import a_few

SPREADSHEET = StrategyConfig(weight_function="inverse_vol", lookback_days=252, rebalancing="monthly")


@pytest.fixture(scope="module")
def result(judgement) -> OptimizationResult:
    return judgement.result


def utility(evaluation) -> float:
    return evaluation.metrics.utility.value


def test_the_holdout_affects_only_the_current_weight(
    prices, make_request, bend_prices, world, result, execute_search, judge_search
) -> None:
    first = world.market.holdout.start
    other = build_market(bend_prices(prices, first + 1), make_request())  # return t lies between the closes t and t + 1
    np.testing.assert_array_equal(other.asset[:first], world.market.asset[:first])
    assert (other.asset[first:] != world.market.asset[first:]).all()
    finished_search = execute_search(World(other, make_request()))
    shifted = judge_search(finished_search).result
    today = {f.id for f in set(shifted.figures) ^ set(result.figures)}
    assert today == {"today_weight", "today_current_rule_weight", "next_trade"}
    differing = set(result.caveats) ^ set(shifted.caveats)
    assert all("moves" in texts for texts in differing), "the gates count large moves over all of the data"
    assert shifted.next_step != result.next_step
    assert shifted.manifest.data_digest != result.manifest.data_digest

    def without_today(one: OptimizationResult) -> str:
        manifest = one.manifest.model_copy(update={"data_digest": ""})
        return one.model_copy(update={"next_step": None, "figures": (), "caveats": (), "manifest": manifest}).digest()

    assert without_today(shifted) == without_today(result)


def test_a_change_within_validate_reaches_the_verdict_and_no_trial(
    prices, make_request, bend_prices, world, result, execute_search, judge_search
):
    middle = (world.market.validate.start + world.market.validate.stop) // 2
    finished_search = execute_search(World(build_market(bend_prices(prices, middle), make_request()), make_request()))
    shifted = judge_search(finished_search).result
    assert shifted.luck != result.luck
    for field in ("finalists", "scenarios", "benefit", "premium", "parameter_error", "costs", "trials"):
        assert getattr(shifted, field) == getattr(result, field)
    same = {"series": ""}
    assert shifted.winner.model_copy(update=same) == result.winner.model_copy(update=same)
    assert shifted.winner.series != result.winner.series


def test_the_matched_weight_has_the_winners_training_volatility(world, finished_search) -> None:
    train = world.market.train
    for trial in finished_search.trials:
        weight = matched_weight(world, trial.config)
        constant = world.constant(weight, trial.config.rebalancing)
        excess = [r[0, train] for r in world.replay([trial.config, constant], end=train.stop).series]
        annual = [x.std(ddof=1) * 252**0.5 for x in excess]
        assert annual[0] == pytest.approx(annual[1], abs=1e-6)


def test_benchmarks_have_the_winners_dates_costs_and_frequency(world, result) -> None:
    rebalancing = result.winner.config.rebalancing
    visible = {b.name: b for b in result.benchmarks}
    weights = {
        "equity": 1.0,
        "cash": 0.0,
        "sixty_forty_cash": 0.6,
        "same_average_weight": result.winner.train.metrics.average_weight.value,
        "same_volatility": result.benefit.benchmark_weight,
    }
    for name, weight in weights.items():
        assert visible[name].config == world.constant(weight, rebalancing)
    assert visible["current_rule"].config == SPREADSHEET
    assert visible["sixty_forty_cash"].label == "60/40 cash"
    for benchmark in visible.values():
        assert benchmark.train.days == result.winner.train.days
        assert benchmark.validate_.days == world.market.validate.stop - world.market.validate.start
        assert [e.scenario for e in benchmark.evaluations] == [s.name for s in world.request.scenarios]
    assert visible["cash"].winner_minus_bps.value == pytest.approx(
        10_000 * sum(o.weight * utility(o.winner) for o in result.scenarios), rel=1e-9
    )
    assert visible["same_volatility"].winner_minus_bps == result.benefit.basis_points


def test_the_benefit_is_the_weighted_sum_of_its_scenarios(result) -> None:
    assert sum(o.weight for o in result.scenarios) == pytest.approx(1.0)
    total = sum(o.weight * o.benefit_bps.value for o in result.scenarios)
    assert result.benefit.basis_points.value == pytest.approx(total, rel=1e-9)
    error = sum((o.weight * (o.benefit_bps.error or 0.0)) ** 2 for o in result.scenarios) ** 0.5
    assert result.benefit.basis_points.error == pytest.approx(error, rel=1e-9)
    for outcome in result.scenarios:
        gain = utility(outcome.winner) - utility(outcome.benchmark)
        assert outcome.benefit_bps.value == pytest.approx(10_000 * gain, rel=1e-6)


@pytest.mark.parametrize(
    "goal", a_few(["robust_utility", "sharpe", "worst_case", "cvar_utility"], "robust_utility", "worst_case")
)
def test_retention_and_regret_are_against_the_best_trial_and_the_worse_of_cash_and_equity(
    world, finished_search, judge_search, goal
) -> None:
    other_world = replace(world, request=world.request.model_copy(update={"goal": goal}))
    result = judge_search(finished_search, world=other_world).result
    assert result.winner is not None
    anchors = {b.name: b for b in result.benchmarks if b.name in ("equity", "cash")}
    for s, outcome in enumerate(result.scenarios):
        pairs = [a.train if outcome.scenario == HISTORY else a.evaluations[s] for a in anchors.values()]
        worse = min(utility(e) for e in pairs)
        own = utility(outcome.winner)
        assert outcome.best_utility >= own - 1e-15
        assert outcome.regret_bps == pytest.approx(10_000 * (outcome.best_utility - own), abs=1e-9)
        if outcome.retention is not None:
            offered = outcome.best_utility - worse
            assert outcome.retention == pytest.approx((own - worse) / offered, rel=1e-9)
    champions = {f.digest for f in result.finalists}
    assert result.winner.digest in champions


def test_the_verdict_names_what_failed(result) -> None:
    assert result.verdict.colour in ("green", "amber", "red")
    if result.verdict.colour == "red":
        assert result.verdict.headline.startswith("No configuration can be told apart from a constant weight")
    signs = {case.benefit_bps.value > 0 for case in result.premium}
    assert result.depends_on_premium == (len(signs) > 1)
    assert ("sign of its benefit" in result.verdict.reason) == result.depends_on_premium
    assert ("validation years" in result.verdict.reason) == (result.luck.validate_advantage_bps <= 0)
    choice = next(f for f in result.finalists if f.digest == result.winner.digest)
    assert ("plateau" in result.verdict.reason) != choice.plateau_passed
    assert result.caveats[0] == FEW_CRISES


def test_the_history_behind_the_charts_is_winner_benchmark_asset_weights_cash_and_days(world, judgement) -> None:
    part = unlocked_days(world)
    history = judgement.history
    assert judgement.result.history_series == series_address(history)
    assert history.shape == (7, part.stop - part.start)
    winner = judgement.result.winner
    records = world.replay([winner.config, world.constant(judgement.result.benefit.benchmark_weight)]).series[
        :, :, part
    ]
    np.testing.assert_array_equal(history[0], records[0, 0])
    np.testing.assert_array_equal(history[3], records[0, 1])
    np.testing.assert_array_equal(history[5], world.market.cash[part])
    np.testing.assert_array_equal(history[6].astype("datetime64[D]"), world.market.dates[part])


def test_limits_are_shown_for_the_winner_on_fresh_paths_and_bind_where_they_excluded(
    world, finished_search, judge_search
) -> None:
    falls = sorted(t.evaluation("bear_market").metrics.value_at_risk.value for t in finished_search.trials)
    limits = Limits(
        value_at_risk=Limit(bound=falls[9] + 1e-4, scenarios=("bear_market",)),
        leverage=Limit(bound=2.0, scenarios=("base_case",)),
    )
    limited = replace(world, request=world.request.model_copy(update={"limits": limits}))
    result = judge_search(finished_search, world=limited).result
    visible = {c.limit: c for c in result.limits}
    assert visible["value_at_risk"].binds
    assert not visible["leverage"].binds
    assert all(c.passed for c in result.limits)
    outcome = next(o for o in result.scenarios if o.scenario == "bear_market")
    assert visible["value_at_risk"].statistic == outcome.winner.metrics.value_at_risk.value
    assert sum(not t.feasible for t in result.trials) == 2


def test_an_infeasible_verdict_names_the_limit_that_binds_and_counts_trials_once(
    world, finished_search, judge_search
) -> None:
    trials = [t for t in finished_search.trials if t.train.metrics.turnover.value > 0.1]
    limits = Limits(
        turnover=Limit(bound=1e-6, scenarios=("base_case", "bear_market", HISTORY)),
        leverage=Limit(bound=2.0),
    )
    limited = replace(world, request=world.request.model_copy(update={"limits": limits}))
    judgement = judge_search(finished_search, world=limited, trials=trials)
    result = judgement.result
    assert (result.verdict.colour, result.verdict.binding_limit) == ("infeasible", "turnover")
    assert result.winner is None
    assert result.benefit is None
    assert judgement.history is None
    assert f"broken by {len(trials)} of {len(trials)} trials" in result.verdict.reason
    # the limit is shown with as many decimals as it takes to differ from what was found
    assert "where 0.000001 times wealth is allowed" in result.verdict.reason
    assert {c.limit for c in result.limits if c.binds} == {"turnover"}
    assert len(result.trials) == len(trials)


def test_an_infeasible_verdict_says_which_limits_would_be_feasible(world, finished_search, judge_search) -> None:
    """Judged again with the limits of the sentence, the same trials have a winner."""
    trials = finished_search.trials
    least = min(t.evaluation("base_case").metrics.turnover.value for t in trials)
    limits = Limits(
        turnover=Limit(bound=least * 0.99999, scenarios=("base_case",)),
        value_at_risk=Limit(bound=1e-5, scenarios=("base_case",)),
    )
    limited = replace(world, request=world.request.model_copy(update={"limits": limits}))
    reason = judge_search(finished_search, world=limited).result.verdict.reason
    needed = dict(re.findall(r"(turnover|value at risk) of at least ([\d.]+)", reason))
    eased = limits.model_copy(
        update={
            "turnover": Limit(bound=float(needed["turnover"]) * 1.001, scenarios=("base_case",))
            if "turnover" in needed
            else limits.turnover,
            "value_at_risk": Limit(bound=float(needed["value at risk"]) / 100, scenarios=("base_case",)),
        }
    )
    again = replace(world, request=world.request.model_copy(update={"limits": eased}))
    assert any(
        all(check.passed for check in check_limits(again.request, evaluations_by_scenario(trial))) for trial in trials
    )


def test_limits_that_only_fresh_paths_break_make_a_verdict_too(world, finished_search, judge_search) -> None:
    """The search saw a shortfall at the bound; fresh paths show a larger one."""
    trial = finished_search.trials[1]
    bound = trial.evaluation("base_case").metrics.expected_shortfall.value
    limits = Limits(expected_shortfall=Limit(bound=bound, scenarios=("base_case",)))
    limited = replace(world, request=world.request.model_copy(update={"limits": limits}))
    result = judge_search(finished_search, world=limited, trials=[trial]).result
    assert (result.verdict.colour, result.verdict.binding_limit) == ("infeasible", "expected_shortfall")
    assert "broken by 1 of 1 trials" in result.verdict.reason


def test_a_winner_that_may_hold_nothing_is_judged(prices, make_request, execute_search, judge_search) -> None:
    request = make_request(mandate=Mandate(max_weight=0.0))
    result = judge_search(execute_search(World(build_market(prices, request), request))).result
    assert result.benefit.benchmark_weight == 0.0
    assert result.benefit.basis_points.value == pytest.approx(0.0, abs=1e-9)
    assert result.verdict.colour == "red"


@pytest.mark.parametrize(
    ("engines", "banner"),
    [
        (("gbm", "heston"), True),
        (("bootstrap", "heston"), False),
        pytest.param(("gbm", "gbm"), True, marks=pytest.mark.soak),
        pytest.param(("heston", "merton"), False, marks=pytest.mark.soak),
    ],
)
def test_simulations_with_constant_volatility_have_a_warning(
    world, finished_search, judge_search, engines, banner
) -> None:
    scenarios = tuple(s.model_copy(update={"engine": e}) for s, e in zip(world.request.scenarios, engines, strict=True))
    changed = replace(world, request=world.request.model_copy(update={"scenarios": scenarios}))
    caveats = judge_search(finished_search, world=changed, trials=finished_search.trials[:2]).result.caveats
    assert (GBM_BANNER in caveats) == banner
    assert any("mean block of 40" in text for text in caveats) == ("bootstrap" in engines)


def test_the_next_step_is_the_way_from_the_current_rule_to_the_winner(world, result) -> None:
    step = result.next_step
    assert step.as_of == str(world.market.dates[-1])
    assert step.next_trade == pytest.approx(step.today_weight - step.current_rule_weight)
    last = world.market.dates.size
    position = world.replay([result.winner.config, SPREADSHEET], end=last + 1).series[:, 1, last]
    assert [step.today_weight, step.current_rule_weight] == pytest.approx(list(position))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Another"},
        {"seed": 4},
        {"trials": 13},
        {"goal": "sharpe"},
        {"stopping": "converged"},
        {"universe": "stocks"},
        {"dividend_yield": 0.01},
        {"cash_rate_after": 0.01},
        {"mandate": Mandate(risk_aversion=3.0)},
        {"limits": Limits(leverage=Limit(bound=2.0))},
        {"scenarios": BUILT_IN[:1]},
        {"current_rule": SPREADSHEET.model_copy(update={"lookback_days": 251})},
    ],
)
def test_the_digest_changes_with_every_field_of_the_request(result, changes) -> None:
    request = result.manifest.request.model_copy(update=changes)
    manifest = result.manifest.model_copy(update={"request": request})
    assert result.model_copy(update={"manifest": manifest}).digest() != result.digest()


def test_the_digest_covers_answers_and_authors_but_not_the_file_path(result) -> None:
    here = result.manifest.request.model_copy(update={"prices_file": "/here/prices.csv"})
    there = result.manifest.request.model_copy(update={"prices_file": "/there/prices.csv"})
    results = [
        result.model_copy(update={"manifest": result.manifest.model_copy(update={"request": r})}) for r in (here, there)
    ]
    assert results[0].digest() == results[1].digest()
    by = [result.model_copy(update={"explanation": Explanation(claims=(), author=a)}) for a in ("one", "other")]
    assert by[0].digest() != by[1].digest(), "who explained is part of the answer, and a replay repeats it"
    decision = Decision(agent="optimizer", ordinal=0, author="one", answer={"action": "stop"})
    manifest = result.manifest.model_copy(update={"decisions": (decision,)})
    assert result.model_copy(update={"manifest": manifest}).digest() != result.digest()


def test_the_same_request_gives_the_same_digest_and_the_last_price_another(
    prices, make_request, world, result, finished_search, execute_search, judge_search
) -> None:
    assert judge_search(execute_search(world)).result.digest() == result.digest()
    closes = prices.closes.copy()
    closes[-1] *= 1.0001
    other = World(build_market(replace(prices, closes=closes), make_request()), make_request())
    assert judge_search(finished_search, world=other).result.digest() != result.digest()


def test_the_seed_and_the_ledger_change_the_result(
    world, make_request, prices, result, finished_search, execute_search, judge_search
) -> None:
    seeded = World(world.market, make_request(seed=4))
    other = judge_search(execute_search(seeded)).result
    assert other.winner != result.winner
    assert other.luck.spa_p != result.luck.spa_p or other.luck != result.luck
    assert (
        judge_search(finished_search, ledger=500).result.luck.active_deflated_sharpe
        < result.luck.active_deflated_sharpe
    )


def test_timing_is_against_the_weight_that_has_the_winners_volatility_in_the_same_world(world, result) -> None:
    """A second way to it: that constant weight, evaluated on the paths of the finalists."""
    for outcome, scenario in zip(result.scenarios, world.request.scenarios, strict=False):
        invested = next(b for b in result.benchmarks if b.name == "equity")
        full = next(e for e in invested.evaluations if e.scenario == scenario.name).metrics.volatility.value
        weight = outcome.winner.metrics.volatility.value / full
        rule = world.constant(weight, result.winner.config.rebalancing)
        alone = world.simulate([rule], scenario, first_block=-(-world.paths // 64), keep_paths=True)
        gap = outcome.winner.metrics.utility.value - float(alone.utilities.mean())
        assert outcome.timing_bps.value == pytest.approx(10_000 * gap, rel=1e-6, abs=1e-6)
    assert result.scenarios[-1].timing_bps == result.scenarios[-1].benefit_bps


def test_the_result_warns_of_a_winner_whose_floor_a_fall_of_its_history_would_break(
    prices, make_request, execute_search, judge_search
) -> None:
    """Four times the fall of 27% within a month of 2008 is above 1; three times is below."""
    for multiplier, warns in ((3.0, False), (4.0, True)):
        space = SearchSpace(
            weight_functions=("cppi",), floor=(0.95,), multiplier=(multiplier,), rebalancing=("monthly",)
        )
        request = make_request(space=space, trials=10)
        search = execute_search(World(build_market(prices, request), request))
        caveats = judge_search(search).result.caveats
        assert any(c == f"About the winner: {CAUTIONS['gap_beyond_floor']}" for c in caveats) == warns
