"""Holdings by asset against a money account and pandas; contributions sum to the rule's own return and risk."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.performance.attribution import Holdings, attribute, track_holdings
from quant.strategies.choices import InnerPortfolio, Rebalancing
from quant.strategies.config import StrategyConfig
from quant.strategies.history import History, build_history, replay
from quant.strategies.mandate import Mandate
from quant.strategies.rules import lay_out
from tests.quant.strategies.accounts import simulate_account

START, DAYS = 300, 420
ROWS: tuple[Rebalancing, ...] = ("daily", "weekly", "monthly", "quarterly")


def random_history(seed: int, inner: InnerPortfolio | None, *, bonded: bool = False) -> History:
    rng = np.random.default_rng(seed)
    count = 1 if inner is None else 3
    dates = np.arange("2001-01-01", 2 * DAYS, dtype="datetime64[D]")
    dates = dates[np.is_busday(dates)][:DAYS]
    scale = np.linspace(0.006, 0.02, count)
    assets = scale * (0.6 * rng.standard_normal((DAYS, 1)) + 0.8 * rng.standard_normal((DAYS, count))) + 3e-4
    cash = 1e-4 * (1.0 + np.sin(np.arange(DAYS) / 50.0))
    past = build_history(dates, assets, cash, inner=inner)
    bonds = 1e-4 + 0.003 * rng.standard_normal(DAYS) if bonded else np.empty(0)
    return History(past.dates, past.returns, past.cash, past.legs, past.mix, past.trades, bonds=bonds)


def track(config: StrategyConfig, mandate: Mandate, past: History) -> tuple[Holdings, np.ndarray]:
    record = replay(
        lay_out([config], mandate),
        past,
        start=START,
        end=DAYS,
        lag=mandate.decision_lag,
        risk_aversion=mandate.risk_aversion,
    ).series[0]
    return holdings_of(past, record, mandate), record


def holdings_of(past: History, record: np.ndarray, mandate: Mandate) -> Holdings:
    single = past.legs.size == 0
    return track_holdings(
        record,
        assets=past.returns[:, None] if single else past.legs,
        mix=np.ones((past.returns.size, 1)) if single else past.mix,
        cash=past.cash,
        bonds=past.bonds,
        start=START,
        lag=mandate.decision_lag,
        cost=mandate.transaction_cost_bps / 1e4,
        borrow_spread=mandate.borrow_spread_bps / 1e4,
    )


configs = st.builds(
    StrategyConfig,
    weight_function=st.just("inverse_vol"),
    estimator=st.just("rolling"),
    lookback_days=st.sampled_from((10, 63)),
    rebalancing=st.sampled_from(("daily", "weekly", "monthly")),
    no_trade_band=st.sampled_from((0.0, 0.03)),
)


@given(configs, st.sampled_from((None, "equal_weight", "inverse_volatility")), st.booleans(), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_weights_and_trades_are_those_of_a_money_account(
    config: StrategyConfig, inner: InnerPortfolio | None, bonded: bool, seed: int
) -> None:
    past, mandate = random_history(seed, inner, bonded=bonded), Mandate(max_weight=1.6, max_change=0.5)
    holdings, _ = track(config, mandate, past)
    account = simulate_account(
        config,
        mandate,
        past.returns,
        past.cash,
        past.trades[ROWS.index(config.rebalancing)],
        start=START,
        legs=past.legs if inner else None,
        mix=past.mix if inner else None,
        bonds=past.bonds if bonded else None,
    )
    count = account.positions.shape[1]
    np.testing.assert_allclose(holdings.weights[:, :count], account.positions[START:], atol=1e-11)
    traded = np.abs(account.traded[START : DAYS - 1])
    traded[0] += account.positions[START]
    np.testing.assert_allclose(holdings.trades[:, :count], traded, atol=1e-11)


@given(configs, st.sampled_from((None, "equal_weight", "inverse_volatility")), st.booleans(), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_parts_sum_to_the_excess_return_of_every_day(
    config: StrategyConfig, inner: InnerPortfolio | None, bonded: bool, seed: int
) -> None:
    past, mandate = random_history(seed, inner, bonded=bonded), Mandate(max_weight=1.6, borrow_spread_bps=300.0)
    holdings, record = track(config, mandate, past)
    whole = (holdings.gains - holdings.costs).sum(axis=1) - holdings.borrowing
    np.testing.assert_allclose(whole, record[0, START : DAYS - 1], atol=1e-13)
    charged = holdings.costs.sum(axis=1) + holdings.borrowing
    np.testing.assert_allclose(charged, record[3, START : DAYS - 1], rtol=0.06, atol=1e-13)


@pytest.mark.parametrize("bonded", [False, True])
def test_contributions_sum_to_the_return_and_risk_that_pandas_computes(bonded: bool) -> None:
    past, mandate = random_history(4, "risk_parity", bonded=bonded), Mandate(max_weight=1.5)
    config = StrategyConfig(weight_function="inverse_vol", estimator="rolling", lookback_days=21, rebalancing="weekly")
    holdings, record = track(config, mandate, past)
    result = attribute(holdings)
    whole = pd.Series(record[0, START : DAYS - 1])
    assert result.excess_return == pytest.approx(252 * whole.mean(), abs=1e-12)
    assert result.volatility == pytest.approx(np.sqrt(252) * whole.std(), abs=1e-12)
    assert sum(a.excess_return for a in result.assets) + result.borrowing_return == pytest.approx(
        result.excess_return, abs=1e-14
    )
    assert sum(a.volatility for a in result.assets) + result.borrowing_volatility == pytest.approx(
        result.volatility, abs=1e-14
    )
    parts = pd.DataFrame(holdings.gains - holdings.costs)
    expected = np.sqrt(252) * parts.apply(lambda part: part.cov(whole)) / whole.std()
    np.testing.assert_allclose([a.volatility for a in result.assets], expected, atol=1e-12)
    assert len(result.assets) == 3 + bonded
    assert [a.average_weight for a in result.assets] == pytest.approx(list(holdings.weights[:-1].mean(axis=0)))
    assert [a.cost for a in result.assets] == pytest.approx(list(252 * holdings.costs.mean(axis=0)))
    assert [a.traded for a in result.assets] == pytest.approx(list(252 * holdings.trades.mean(axis=0)))
    assert result.borrowing_return == pytest.approx(-252 * holdings.borrowing.mean(), abs=1e-15)


def test_only_the_weight_after_the_last_close_looks_at_the_last_day_of_the_record() -> None:
    past, mandate = random_history(9, "equal_weight"), Mandate()
    config = StrategyConfig(weight_function="constant", constant_weight=0.5, rebalancing="daily")
    holdings, record = track(config, mandate, past)
    record[0, -1] = record[2, -1] = record[3, -1] = np.nan
    legs = past.legs.copy()
    legs[-1] = np.nan
    changed = History(past.dates, past.returns, past.cash, legs, past.mix, past.trades)
    again = holdings_of(changed, record, mandate)
    np.testing.assert_array_equal(again.weights, holdings.weights)
    np.testing.assert_allclose(holdings.weights[-1], 0.5 / 3.0, atol=1e-15)


def test_a_rule_in_cash_has_no_contributions() -> None:
    past = random_history(2, "equal_weight")
    config = StrategyConfig(weight_function="constant", constant_weight=0.0, rebalancing="monthly")
    result = attribute(track(config, Mandate(), past)[0])
    assert (result.excess_return, result.volatility) == (0.0, 0.0)
    assert {a.volatility for a in result.assets} == {0.0}


def test_records_that_do_not_fit_are_refused() -> None:
    past = random_history(1, "equal_weight")
    for days in (START + 1, DAYS + 2):
        with pytest.raises(DataError, match=f"covers {days} days"):
            holdings_of(past, np.zeros((4, days)), Mandate())
    empty = Holdings(np.zeros((2, 1)), *np.zeros((3, 1, 1)), borrowing=np.zeros(1))
    with pytest.raises(DataError, match="at least 2"):
        attribute(empty)
