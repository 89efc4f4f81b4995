"""Prices by model id, and the cost of answers."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agents.models.factory import make_models
from agents.models.options import BEDROCK, ModelOptions
from agents.models.prices import FREE, Price, PriceTable, check_priced, read_prices, usage_of
from desk.base.errors import InvalidInput
from desk.governance.budgets import Budgets
from tests.graphs.bedrock_runs import point_at

CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"
APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
GLOBAL, REGIONAL = (3.0, 15.0), (3.3, 16.5)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9")


def price_of(name: str, prices: PriceTable | None = None, **options: Any) -> Price | None:
    models = make_models(ModelOptions(model=name, region="us-east-1", **options), offline=True, prices=prices)
    return models.common.models[0].price


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        (f"global.{CLAUDE}", {}, GLOBAL),
        (CLAUDE, {}, REGIONAL),
        *((f"{region}.{CLAUDE}", {}, REGIONAL) for region in ("us", "eu", "apac", "us-gov", "jp", "au", "ca")),
        (f"{ARN}global.{CLAUDE}", {}, GLOBAL),
        (f"{ARN}eu.{CLAUDE}", {}, REGIONAL),
        (APPLICATION, {"base_model": CLAUDE}, REGIONAL),
        (APPLICATION, {"base_model": f"global.{CLAUDE}"}, GLOBAL),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", {}, (1.1, 5.5)),
        ("global.anthropic.claude-opus-4-5-20251101-v1:0", {}, (5.0, 25.0)),
        ("us.amazon.nova-micro-v1:0", {}, (0.035, 0.14)),
        ("amazon.nova-lite-v1:0", {}, (0.06, 0.24)),
        ("apac.amazon.nova-pro-v1:0", {}, (0.8, 3.2)),
        ("us.amazon.nova-premier-v1:0", {}, (2.5, 12.5)),
        ("openai.gpt-oss-120b-1:0", {}, (0.15, 0.6)),
        (f"global.{CLAUDE}", {"service_tier": "flex"}, GLOBAL),
    ],
)
def test_a_price_is_found_by_the_id_behind_the_name(model, options, expected):
    price = price_of(BEDROCK + model, **options)
    assert price is not None
    assert (price.input, price.output) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (f"{BEDROCK}anthropic.claude-x", {}),
        (f"{BEDROCK}amazon.nova-pro-v9:0", {}),
        (BEDROCK + CLAUDE, {"service_tier": "priority"}),
        (BEDROCK + CLAUDE, {"service_tier": "reserved"}),
    ],
)
def test_a_model_or_a_tier_that_is_not_listed_has_no_price(name, options):
    assert price_of(name, **options) is None


def test_the_embedded_planner_is_free():
    assert price_of("embedded") == FREE


def test_the_table_has_a_date_and_a_source():
    table = read_prices()
    assert date(2026, 1, 1) <= table.as_of <= date(2030, 1, 1)
    assert "not read from AWS" in table.source


OWN = """
as_of = 2026-10-01
source = "our contract"
tiers = { priority = 1.75 }
[[prices]]
model = "anthropic.claude-sonnet-4-5*"
input = 2.0
output = 10.0
[[prices]]
model = "openai:gpt-4o"
input = 2.5
output = 10.0
"""


def test_own_prices_take_precedence(tmp_path: Path):
    file = tmp_path / "prices.toml"
    file.write_text(OWN)
    table = read_prices(file)
    assert table.as_of == date(2026, 10, 1)
    assert table.of(CLAUDE) == Price(input=2.0, output=10.0)
    assert table.of("openai:gpt-4o") == Price(input=2.5, output=10.0)
    assert table.of(CLAUDE, tier="priority") == Price(input=3.5, output=17.5)
    assert price_of(f"{BEDROCK}us.amazon.nova-pro-v1:0", table) == read_prices().of("amazon.nova-pro-v1:0")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (None, "cannot be read"),
        ("as_of = ", "is not TOML"),
        (OWN.replace("2.0", "-2.0"), "prices.0.input"),
        (OWN.replace("2.0", "nan"), "prices.0.input"),
        (OWN.replace("output", "outptu"), "prices.0.output"),
        (OWN.replace("as_of = 2026-10-01", ""), "as_of"),
        (OWN.replace("1.75", "0"), "tiers.priority"),
        ("\0", "is not TOML"),
    ],
)
def test_an_unusable_price_table_is_refused_with_the_name_of_its_setting(text, part, tmp_path: Path):
    file = tmp_path / "prices.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_prices(file)
    message = str(caught.value)
    assert message.startswith("MODEL_PRICES: ")
    assert part in message
    assert message.endswith("; expected a file like agents/models/prices.toml")


def metadata_of(**details: int) -> dict[str, Any]:
    return {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100, "input_token_details": details}


PRICE = Price(input=4.0, output=20.0, cache_read=0.4, cache_write_5m=5.0, cache_write_1h=8.0)


@pytest.mark.parametrize(
    ("metadata", "cached_for", "tokens", "dollars"),
    [
        (metadata_of(), "5m", (1000, 0, 0, 100), 4.0 + 2.0),
        (metadata_of(cache_read=600), "5m", (400, 600, 0, 100), 1.6 + 0.24 + 2.0),
        (metadata_of(cache_read=600, cache_creation=300), "5m", (100, 600, 300, 100), 0.4 + 0.24 + 1.5 + 2.0),
        (metadata_of(cache_read=600, cache_creation=300), "1h", (100, 600, 300, 100), 0.4 + 0.24 + 2.4 + 2.0),
        # Bedrock reports each duration and a sum of zero
        (metadata_of(cache_creation=0, ephemeral_5m_input_tokens=200), "1h", (800, 0, 200, 100), 3.2 + 1.0 + 2.0),
        (metadata_of(cache_creation=0, ephemeral_1h_input_tokens=200), "5m", (800, 0, 200, 100), 3.2 + 1.6 + 2.0),
        (metadata_of(cache_read=1200), "5m", (0, 1200, 0, 100), 0.48 + 2.0),
    ],
)
def test_each_kind_of_token_has_its_price(metadata, cached_for, tokens, dollars):
    usage = usage_of(metadata, PRICE, cached_for)
    assert (usage.input_tokens, usage.cached_tokens, usage.written_tokens, usage.output_tokens) == tokens
    assert usage.dollars == pytest.approx(dollars / 1000)
    assert usage_of(metadata, None, cached_for) == usage.model_copy(update={"dollars": None})


def test_a_missing_cache_price_equals_the_input_price():
    plain = Price(input=4.0, output=20.0)
    usage = usage_of(metadata_of(cache_read=600, cache_creation=300), plain)
    assert usage.dollars == pytest.approx((4.0 + 2.0) / 1000)
    assert usage_of(
        metadata_of(cache_creation=300), Price(input=4.0, output=20.0, cache_write_5m=5.0), "1h"
    ).dollars == (pytest.approx((2.8 + 1.5 + 2.0) / 1000)), "an hour costs no less than five minutes"


def test_an_answer_without_token_counts_has_no_cost_unless_it_is_free():
    assert usage_of(None, PRICE).dollars is None
    assert usage_of(None, FREE).dollars == 0.0


@pytest.mark.parametrize("name", ["run_dollars", "agent_dollars", "user_dollars"])
def test_a_budget_of_dollars_needs_a_price_for_every_model(name):
    with pytest.raises(InvalidInput, match=f"^BUDGET_{name.upper()}: the price of 'a', 'b' is unknown"):
        check_priced(Budgets.model_validate({name: 1.0}), ["a", "b"])
    check_priced(Budgets.model_validate({name: 1.0}), [])
    check_priced(Budgets(run_tokens=1, agent_tokens=1, user_tokens=1), ["a", "b"])
