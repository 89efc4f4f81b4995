"""A request's window and split decide which days are searched, and nothing of the other days."""

import asyncio
from datetime import date

import numpy as np
import pytest
from pydantic import ValidationError

from api.cli.commands.optimize import parse_request
from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices
from desk.market.prices import Prices
from desk.optimization.inputs.market_data import build_market
from desk.optimization.request import OptimizationRequest

FIRST, LAST = date(1995, 1, 1), date(2015, 12, 31)


@pytest.fixture(scope="module")
def prices() -> Prices:
    return asyncio.run(BundledPrices().load("sp500"))


def request_of(**fields: object) -> OptimizationRequest:
    return OptimizationRequest.model_validate(fields)


def test_only_the_days_of_the_window_are_used(prices: Prices) -> None:
    market = build_market(prices, request_of(first_day=FIRST, last_day=LAST))
    inside = (prices.dates >= np.datetime64(FIRST)) & (prices.dates <= np.datetime64(LAST))
    whole = build_market(prices, request_of())
    np.testing.assert_array_equal(market.dates, prices.dates[inside][1:])
    np.testing.assert_array_equal(market.asset, whole.asset[np.isin(whole.dates, market.dates)])
    assert market.data_digest != whole.data_digest
    assert market.prices_digest == whole.prices_digest == prices.digest
    assert any("ends on 2015-12-31" in caveat for caveat in market.caveats)
    assert any("begins on 1995-01-03" in caveat for caveat in market.caveats)
    assert not any("window" in caveat for caveat in whole.caveats)


def test_the_shares_of_the_split_divide_the_days(prices: Prices) -> None:
    market = build_market(prices, request_of(split={"training": 0.45, "validation": 0.3}))
    days = market.dates.size
    assert market.holdout.stop == days
    assert market.holdout.start == pytest.approx(0.75 * days, abs=1)
    assert market.train.stop == pytest.approx(0.45 * days, abs=1)
    assert market.validate == slice(market.train.stop, market.holdout.start)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": {"training": 0.7, "validation": 0.2}}, "expected a sum of at most 0.8"),
        ({"split": {"training": 0.3}}, "greater than or equal to 0.4"),
        ({"first_day": "2010-01-01", "last_day": "2009-01-01"}, "expected first_day < last_day"),
    ],
)
def test_windows_and_splits_out_of_bounds_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        request_of(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"first_day": date(2030, 1, 1)}, "days within the prices, 1990-01-02 to 2022-12-28"),
        ({"first_day": date(2019, 1, 1)}, "at least .* a locked holdout of 504"),
    ],
)
def test_windows_without_enough_days_are_refused(prices: Prices, fields: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        build_market(prices, request_of(**fields))


def test_a_request_without_a_window_is_stored_as_before() -> None:
    assert not {"first_day", "last_day", "split"} & request_of().model_dump().keys()
    stored = request_of(first_day=FIRST, split={"training": 0.5}).model_dump_json()
    assert OptimizationRequest.model_validate_json(stored).first_day == FIRST


def test_the_command_line_sets_window_and_split() -> None:
    arguments = ["--from", "1995-01-01", "--to", "2015-12-31", "--training", "0.5", "--validation", "0.25"]
    request = parse_request(arguments)
    assert (request.first_day, request.last_day) == (FIRST, LAST)
    assert (request.split.training, request.split.validation) == (0.5, 0.25)
