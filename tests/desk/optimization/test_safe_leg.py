"""A bond as the safe leg of a request: loading, common sessions, the market, evaluations and the result."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from desk.base.errors import Conflicting, InvalidInput
from desk.compute.container.job_files import pack_prices, unpack_prices
from desk.conversation.tables import build_exhibits
from desk.figures.guard.claims import check
from desk.market.prices import Prices
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market, load_prices
from desk.optimization.judgement.judge import matched_weight
from desk.optimization.reading.chart_schemas import Provenance
from desk.optimization.reading.charts import ChartData, build_charts
from desk.optimization.reading.findings import build_findings
from desk.optimization.reading.history import History
from desk.optimization.reading.in_words.next_step import describe_next_step
from desk.optimization.reading.template import template_claims
from desk.optimization.reading.topic_sentences import topic_sentences
from desk.optimization.reading.topics import topic_claims
from desk.optimization.request import OptimizationRequest
from desk.optimization.scenario_checks import check_bond, check_paths, require_passed
from desk.portfolios.stress_schemas import StressRequest
from desk.scenarios.repository import built_in_catalog
from desk.strategies.evaluation import run_evaluation
from desk.strategies.evaluation_details import evaluate_with_catalog
from desk.strategies.evaluation_schemas import EvaluationRequest
from desk.strategies.strategy_risk import assess_strategy, assess_winner
from desk.strategies.templates import Rule
from quant.numeric.units import DAYS
from quant.strategies.config import StrategyConfig
from quant.strategies.mandate import Mandate
from quant.worlds.bond_proxy import par_bond_history
from quant.worlds.scenario import BUILT_IN
from tests.desk.optimization.fixed_prices import FixedPrices, index_and_bond
from tests.sample_result import sample_result

MONTHLY = StrategyConfig(weight_function="inverse_vol", lookback_days=63, rebalancing="monthly")
SMALL = BUILT_IN[0].model_copy(update={"paths": 128, "years": 1})


@pytest.fixture(scope="module")
def legs(prices: Prices) -> Prices:
    return index_and_bond(prices)


@pytest.fixture(scope="module")
def yields(prices: Prices) -> Prices:
    """Daily yields in percent, below zero now and then."""
    steps = np.random.default_rng(1).normal(0.0, 0.06, prices.dates.size)
    levels = 1.5 + np.cumsum(steps - 0.004 * np.cumsum(steps) / np.sqrt(np.arange(1, steps.size + 1)))
    return replace(prices, assets=("Y10",), closes=np.clip(levels, -0.8, 12.0)[:, None], price_index=False)


@pytest.fixture(scope="module")
def market_of(legs, make_request):
    def build(**changes):
        request = make_request(**{"universe": "mine", "scenarios": (SMALL,), "safe": "BOND"} | changes)
        return World(build_market(asyncio.run(load_prices(FixedPrices({"mine": legs}), request)), request), request)

    return build


def load(tables: dict[str, Prices], **changes) -> Prices:
    return asyncio.run(
        load_prices(FixedPrices(tables), OptimizationRequest.model_validate({"universe": "mine"} | changes))
    )


def test_a_request_for_cash_is_the_one_that_it_was() -> None:
    assert "safe" not in OptimizationRequest().model_dump()
    assert OptimizationRequest(safe="cash").content_digest() == OptimizationRequest().content_digest()
    named = OptimizationRequest(safe="BOND")
    assert OptimizationRequest.model_validate(named.model_dump()) == named
    assert named.content_digest() != OptimizationRequest().content_digest()


@pytest.mark.parametrize("universe", ["mine", "mine:EQ", "mine:EQ,BOND"])
def test_the_bond_is_no_risky_asset(legs, universe) -> None:
    loaded = load({"mine": legs}, universe=universe, safe="BOND")
    assert loaded.assets == ("EQ",)
    assert loaded.safe is not None
    assert loaded.safe.name == "BOND"
    np.testing.assert_array_equal(loaded.safe.levels, legs.closes[:, 1])


def test_only_common_sessions_of_two_data_sets_stay(prices, legs) -> None:
    keep = np.ones(prices.dates.size, dtype=bool)
    keep[[500, 900]] = False
    bond = replace(
        legs, dates=legs.dates[keep][3:], assets=("X", "BOND"), closes=legs.closes[keep][3:], calendar="XLON"
    )
    loaded = load({"mine": prices, "bonds": bond}, safe="bonds:BOND")
    np.testing.assert_array_equal(loaded.dates, prices.dates[keep][3:])
    assert loaded.safe is not None
    np.testing.assert_array_equal(loaded.safe.levels, legs.closes[keep, 1][3:])
    assert "2 sessions without BOND are left out" in loaded.notes
    build_market(loaded, OptimizationRequest(universe="mine", safe="bonds:BOND"))


def test_a_file_of_two_columns_is_an_index_and_a_bond(legs, tmp_path: Path) -> None:
    rows = [f"{day},{a!r},{b!r}" for day, (a, b) in zip(legs.dates, legs.closes.tolist(), strict=True)]
    path = tmp_path / "legs.csv"
    path.write_text("\n".join(["date,EQ,BOND", *rows]), encoding="utf-8")
    for universe in ("file", "EQ", "file:EQ"):
        loaded = load({}, universe=universe, prices_file=str(path), safe="BOND")
        assert loaded.assets == ("EQ",)
        assert loaded.safe is not None
        np.testing.assert_array_equal(loaded.safe.levels, legs.closes[:, 1])


def test_a_column_of_yields_is_no_risky_asset(legs, tmp_path: Path) -> None:
    yields = 3.0 + np.cumsum(np.random.default_rng(2).normal(0.0, 0.01, legs.dates.size))
    rows = [
        f"{day},{a!r},{y!r}" for day, a, y in zip(legs.dates, legs.closes[:, 0].tolist(), yields.tolist(), strict=True)
    ]
    path = tmp_path / "yields.csv"
    path.write_text("\n".join(["date,EQ,Y10", *rows]), encoding="utf-8")
    for safe in ("yield:Y10", "yield:file:Y10"):
        loaded = load({}, universe="file", prices_file=str(path), safe=safe)
        assert loaded.assets == ("EQ",)
        assert loaded.safe is not None
        assert loaded.safe.yields
        np.testing.assert_array_equal(loaded.safe.levels, yields)


@pytest.mark.parametrize(
    ("safe", "reason"),
    [
        ("OTHER", "OTHER is not in"),
        ("mine:EQ,BOND", "it names 2 series"),
        ("euro:BOND", "it is in EUR, the prices in USD"),
        ("only:BOND", "BOND is the only asset"),
        ("yield:monthly", "31 days apart, and a daily history needs daily yields"),
        ("yield:fractions", "yields lie between -5 and 25 percent"),
        ("yield:", "it names no series"),
    ],
)
def test_what_is_no_safe_leg_is_refused(legs, yields, safe, reason) -> None:
    tables = {
        "mine": legs,
        "euro": replace(legs, currency="EUR"),
        "only": legs.select(["BOND"]),
        "monthly": replace(yields, dates=np.arange("1990-01", "2000-01", dtype="M8[M]"), closes=yields.closes[:120]),
        "fractions": replace(yields, closes=yields.closes * 100.0),
    }
    universe, _, safe = ("only", "", "BOND") if safe == "only:BOND" else ("mine", "", safe)
    with pytest.raises(InvalidInput, match=reason):
        load(tables, universe=universe, safe=safe)


def test_yields_are_a_par_bond_of_ten_years(prices, yields) -> None:
    loaded = load({"mine": prices, "yields": yields}, safe="yield:yields")
    market = build_market(loaded, OptimizationRequest(universe="mine", safe="yield:yields"))
    assert market.bond is not None
    expected = par_bond_history(prices.dates, yields.closes[:, 0] / 100.0, years=10).returns
    np.testing.assert_array_equal(market.bond.returns, expected)
    assert any("10-year par bond computed from the yields Y10. A proxy" in caveat for caveat in market.caveats)
    request = OptimizationRequest(universe="mine", safe="yield:yields", scenarios=(SMALL,))
    (evaluation,) = World(market, request).evaluate(
        [StrategyConfig(weight_function="constant", constant_weight=0.0)], SMALL
    )
    volatility = expected[: market.train.stop].std() * 252**0.5
    assert evaluation.metrics.volatility.value == pytest.approx(volatility, rel=0.05)


def test_another_bond_is_another_data_set_and_other_prices_of_it_too(legs, make_request) -> None:
    request = make_request(safe="BOND")
    digests = []
    for factor in (1.0, 1.0001):
        closes = legs.closes.copy()
        closes[500, 1] *= factor
        loaded = load({"mine": replace(legs, closes=closes)}, safe="BOND")
        market = build_market(loaded, request)
        assert market.prices_digest == load({"mine": legs.select(["EQ"])}).digest
        digests.append(market.data_digest)
    assert digests[0] != digests[1]


def test_history_holds_the_bond_with_what_the_rule_leaves(market_of, legs) -> None:
    world = market_of()
    part = world.market.train
    mix = world.constant(0.6, "daily")
    record = world.replay([mix]).series[0, :, part]
    returns = legs.closes[1:] / legs.closes[:-1] - 1.0
    gross = 0.6 * returns[part, 0] + 0.4 * returns[part, 1] - world.market.cash[part]
    drift = np.abs(returns[part, 0] - returns[part, 1]) * 0.24
    costs = 2.0 * drift * world.request.mandate.transaction_cost_bps / 10_000
    np.testing.assert_allclose(record[0][1:], (gross - costs)[1:], atol=2e-6)


def test_the_correlation_of_a_scenario_counts(market_of) -> None:
    world = market_of()
    mix = world.constant(0.6)
    volatilities = [
        world.evaluate([mix], SMALL.model_copy(update={"bond_correlation": rho}))[0].metrics.volatility.value
        for rho in (-0.4, 0.0, 0.4)
    ]
    assert volatilities == sorted(volatilities)
    assert volatilities[2] - volatilities[0] > 0.01


@pytest.mark.parametrize("engine", ["bootstrap", "conditional_bootstrap", "replay"])
def test_drawn_days_of_the_bond_are_training_days(market_of, legs, bend_prices, engine) -> None:
    scenario = SMALL.model_copy(update={"engine": engine})
    world = market_of(scenarios=(scenario,))
    bent = bend_prices(legs, world.market.train.stop + 1)
    other = build_market(load({"mine": bent}, safe="BOND"), world.request)
    first, second = (World(market, world.request).bond(scenario) for market in (world.market, other))
    assert first is not None
    assert second is not None
    assert first.rows.size > 0
    np.testing.assert_array_equal(first.rows, second.rows)


def test_a_constant_mix_is_its_own_benchmark(market_of) -> None:
    """In simulated worlds and on history; the bond alone is not, where another mix of its volatility is better."""
    world = market_of(goal="benefit")
    mixes = [world.constant(weight) for weight in (0.4, 0.6, 1.0)]
    for evaluation in world.evaluate(mixes, SMALL):
        assert evaluation.metrics.benefit is not None
        assert abs(evaluation.metrics.benefit.value) < 2e-4
    part = world.market.train
    for config, record in zip(mixes, world.replay(mixes).series, strict=True):
        metrics = world.on_history(config, record, part).metrics
        assert metrics.benefit is not None
        assert abs(metrics.benefit.value) < 2e-4
        assert matched_weight(world, config) == pytest.approx(config.constant_weight, abs=0.01)
    alone = world.constant(0.0)
    metrics = world.on_history(alone, world.replay([alone]).series[0], part).metrics
    assert metrics.benefit is not None
    assert metrics.benefit.value < -0.005
    assert 0.2 < matched_weight(world, alone) < 0.6


def test_a_remote_machine_gets_the_bond(legs) -> None:
    loaded = load({"mine": legs}, safe="BOND")
    unpacked = unpack_prices(pack_prices(loaded), loaded.digest)
    assert unpacked.safe is not None
    assert loaded.safe is not None
    assert (unpacked.safe.name, unpacked.safe.yields) == ("BOND", False)
    np.testing.assert_array_equal(unpacked.safe.levels, loaded.safe.levels)


@pytest.mark.parametrize("engine", ["heston", "merton", "bootstrap"])
@pytest.mark.parametrize("correlation", [-0.4, 0.4])
def test_both_legs_pass_the_gate_with_the_correlation_of_their_scenario(market_of, engine, correlation) -> None:
    scenario = SMALL.model_copy(update={"engine": engine, "bond_correlation": correlation})
    world = market_of(scenarios=(scenario,))
    moments = {moment.name: moment for moment in check_bond(world, scenario)}
    assert {name for name, moment in moments.items() if moment.passed} == {"bond mean", "bond correlation"}
    assert moments["bond correlation"].simulated == pytest.approx(correlation, abs=0.05)
    assert moments["bond volatility"].simulated == pytest.approx(moments["bond volatility"].implied, rel=0.02)


def test_a_bond_of_another_correlation_fails_the_gate(market_of) -> None:
    world = market_of()
    stated = SMALL.model_copy(update={"bond_correlation": 0.4})
    [check] = check_paths(world).scenarios
    moments = tuple(
        moment.model_copy(update={"implied": stated.bond_correlation, "passed": False})
        if moment.name == "bond correlation"
        else moment
        for moment in check.moments
    )
    with pytest.raises(InvalidInput, match="the correlation of the legs of its paths is"):
        require_passed(check.model_copy(update={"moments": moments}))


@pytest.fixture(scope="module")
def judgement_with_bond(market_of, execute_search, judge_search):
    return judge_search(execute_search(market_of(trials=10)))


def test_the_weight_before_a_trade_has_drifted_with_both_legs(judgement_with_bond) -> None:
    result = judgement_with_bond.result
    history = History(*judgement_with_bond.history)
    assert len(judgement_with_bond.history) == 8
    assert history.safe is not None
    request = result.manifest.request
    material = ChartData(request, (), result.trials, result, history, 5_000)
    provenance = Provenance(job="r1", as_of="2022-12-28", data_version="d", code_version="c", result_digest="r")
    weights = build_charts(material, provenance, only=["weights"]).weights
    assert weights is not None
    assert weights.safe is not None
    np.testing.assert_allclose(np.add(weights.strategy, weights.safe), 1.0, atol=1e-5)
    dates = history.dates()
    assert weights.rebalance_count > 20
    for trade in weights.rebalances:
        day = int(np.searchsorted(dates, np.datetime64(trade.date)))
        held = history.winner_weight[day]
        risky = held * (1.0 + history.asset[day] + history.cash[day])
        bond = (1.0 - held) * (1.0 + history.safe[day])
        # the chart's returns are net of the costs of the day before, up to 7 basis points with both legs
        assert trade.before == pytest.approx(risky / (risky + bond), abs=1e-3)


def test_the_result_names_both_legs(judgement_with_bond) -> None:
    result = judgement_with_bond.result
    assert any("BOND has the volatility of its training days" in caveat for caveat in result.caveats)
    assert not any("With a cash leg" in caveat for caveat in result.caveats)
    labels = {benchmark.name: benchmark.label for benchmark in result.benchmarks}
    assert labels["sixty_forty"] == "60/40 BOND"
    assert labels["bond"] == "All in BOND"
    assert not {"cash", "sixty_forty_cash"} & set(labels)
    step = result.next_step
    assert step is not None
    assert step.safe is not None
    assert step.safe.name == "BOND"
    assert step.today_weight + step.safe.today_weight == pytest.approx(1.0)
    assert step.safe.next_trade == pytest.approx(-step.next_trade)
    assert {"safe_leg", "safe_today_weight", "safe_next_trade"} <= {figure.id for figure in result.figures}


def test_the_answer_about_the_next_trade_names_both_legs(judgement_with_bond) -> None:
    result = judgement_with_bond.result
    rivals = topic_sentences(result, "benchmarks")
    figures = (*result.figures, *rivals, *describe_next_step(result))
    findings = build_findings(result).model_copy(update={"figures": figures})
    claims = [*topic_claims(findings, "next_trade"), *topic_claims(findings, "benchmarks"), *template_claims(result)]
    text = " ".join(claim.text for claim in claims)
    assert all(f"{{{{{name}}}}}" in text for name in ("safe_leg", "safe_next_trade", "benchmarks_all_sentence"))
    assert any("60/40 in the bond" in str(figure.value) for figure in rivals)
    assert [problem for claim in claims for problem in check(claim, figures)] == []


def test_a_quick_evaluation_holds_the_bond_beside_the_strategy(legs) -> None:
    rule = Rule(config=StrategyConfig(weight_function="constant", constant_weight=0.0, rebalancing="monthly"))
    run = asyncio.run(run_evaluation(FixedPrices({"mine": legs}), rule, universe="mine", safe="BOND"))
    evaluation, bond = run.evaluation, legs.closes[:, 1]
    days = np.flatnonzero((legs.dates >= run.world.market.dates[run.part][0]) & (legs.dates <= last_day(run)))
    growth = bond[days[-1]] / bond[days[0] - 1]
    metrics = evaluation.held[0].history.metrics
    assert (1.0 + metrics.geometric_return.value) ** (days.size / DAYS) == pytest.approx(growth, rel=1e-9)
    assert [held.subject for held in evaluation.held] == ["strategy", "same_volatility", "sixty_forty", "equity"]
    world, part = run.world, run.part
    sixty_forty = world.constant(0.6, "monthly")
    assert evaluation.held[2].history == world.on_history(sixty_forty, world.replay([sixty_forty]).series[0], part)
    assert all(year.mixed == year.sixty_forty for year in evaluation.years)
    labels = {row[0] for exhibit in build_exhibits(evaluation) for row in exhibit.rows}
    assert "60/40 in the bond" in labels
    assert not any("60/40 in cash" in label for label in labels)
    detailed = asyncio.run(
        evaluate_with_catalog(
            built_in_catalog(),
            FixedPrices({"mine": legs}),
            EvaluationRequest(config=rule.config, universe="mine", safe="BOND"),
        )
    )
    assert detailed.held == evaluation.held
    assert detailed.lines.wealth["strategy"][-1] == pytest.approx(growth, rel=1e-9)
    assert detailed.lines.wealth.keys() == {"strategy", "same_volatility", "sixty_forty", "equity"}


def test_a_strategy_borrows_cash_and_sells_no_bond(legs) -> None:
    """Half as much again in equity loses half as much again when the bond falls, and nothing is gained on a bond."""
    source = FixedPrices({"mine": legs, "sp500": legs.select(["EQ"])})

    def loss(weight: float) -> float:
        config = StrategyConfig(weight_function="constant", constant_weight=weight, rebalancing="daily")
        rule = Rule(config=config, mandate=Mandate(max_weight=1.5))
        stress = StressRequest(shocks={"BOND": -0.1})
        risk = asyncio.run(assess_strategy(source, rule, "mine", stress=stress, safe="BOND"))
        assert risk.factor_stress is not None
        return risk.factor_stress.loss

    assert loss(1.5) == pytest.approx(1.5 * loss(1.0), rel=1e-9)
    assert loss(0.0) == pytest.approx(0.1, rel=1e-9)


def test_a_shock_of_a_series_that_is_called_like_a_leg_is_refused(legs, prices) -> None:
    named = replace(prices.select(prices.assets[:1]), assets=("risky leg",))
    source = FixedPrices({"mine": legs, "sp500": legs.select(["EQ"]), "other": named})
    rule = Rule(config=MONTHLY)
    with pytest.raises(InvalidInput, match=r"stress\.shocks: a leg has this name"):
        asyncio.run(
            assess_strategy(source, rule, "mine", stress=StressRequest(shocks={"risky leg": -0.1}), safe="BOND")
        )


def test_the_risk_of_a_winner_on_other_prices_than_those_of_its_job_is_refused(prices) -> None:
    result = sample_result()
    source = FixedPrices({result.manifest.request.universe: prices})
    with pytest.raises(Conflicting, match="prices have changed"):
        asyncio.run(assess_winner(source, result))


def last_day(run) -> np.datetime64:
    return run.world.market.dates[run.part][-1]


def test_the_risk_of_a_strategy_counts_its_bond(legs) -> None:
    """A rule that holds the bond alone has the bond's risk, and a shock of the bond costs its whole weight."""
    rule = Rule(config=StrategyConfig(weight_function="constant", constant_weight=0.0, rebalancing="monthly"))
    source = FixedPrices({"mine": legs, "sp500": legs.select(["EQ"])})
    risk = asyncio.run(assess_strategy(source, rule, "mine", safe="BOND"))
    held = asyncio.run(run_evaluation(source, rule, universe="mine", safe="BOND")).evaluation.held[0]
    figures = {figure.id: figure.value for figure in risk.figures}
    assert figures["risk_volatility"] == pytest.approx(held.history.metrics.volatility.value, rel=1e-3)
