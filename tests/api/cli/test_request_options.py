import json

import pytest

from api.accepted_values import accepted_values, split_path
from api.cli.options import PATHS
from api.cli.request_options import request_from
from desk.base.errors import InvalidInput
from desk.optimization.request import OptimizationRequest
from desk.scenarios.schemas import HISTORY
from quant.worlds.scenario import BUILT_IN

DEFAULT_BANDS = OptimizationRequest().space.no_trade_band


@pytest.mark.parametrize("option", PATHS)
def test_every_option_sets_a_field_that_exists_and_states_its_range(option):
    assert accepted_values(split_path(PATHS[option])) != "see the documentation"


def test_without_options_the_request_is_the_default():
    assert request_from({}, None) == OptimizationRequest()


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"target_vol": "0.0"}, ["--target-vol", "0", "0.05 to 0.2"]),
        ({"target_vol": "10.0"}, ["--target-vol", "10", "10% is written 0.1"]),
        ({"target_vol": "nan"}, ["--target-vol", "nan", "0.05 to 0.2"]),
        ({"target_vol": "inf"}, ["--target-vol", "inf", "0.05 to 0.2"]),
        ({"min_weight": "0.8", "max_weight": "0.5"}, ["--min-weight 0.8", "--max-weight 0.5", "<="]),
        (
            {"weight_function": ["sigmoida"]},
            ["--weight-function", "'sigmoida'", "sigmoid", "merton"],
        ),
        ({"worlds": "real"}, ["--worlds", "'real'", "calibrated, seed, historical"]),
        ({"estimator": ["vix"]}, ["--estimator", "'vix'", "ewma_max"]),
        ({"lookback": ["5"]}, ["--lookback", "5", "10 to 504"]),
        ({"lookback_months": ["25"]}, ["--lookback-months", "25", "1 to 24"]),
        (
            {"var": "0.05", "expected_shortfall": "0.03"},
            ["--var 0.05", "--expected-shortfall 0.03", ">="],
        ),
        ({"max_drawdown": "20.0"}, ["--max-drawdown 20", "20% is written 0.20"]),
        ({"max_drawdown": "-0.1"}, ["--max-drawdown", "-0.1", "above 0"]),
        ({"max_volatility_error": "2"}, ["--max-volatility-error 2", "above 0, below 1", "written 0.03"]),
        ({"drawdown_tolerance": "0.1"}, ["--drawdown-tolerance", "--max-drawdown"]),
        ({"max_leverage": "0.1", "min_weight": "0.3"}, ["--max-leverage 0.1", "--min-weight 0.3"]),
        (
            {"max_change": "0.05", "no_trade_band": ["0.0", "0.1"]},
            ["--no-trade-band 0.1", "--max-change 0.05", "bands below 0.05", "--max-change above 0.1"],
        ),
        (
            {"prices": "prices.csv", "dividend_yield": "0.03"},
            ["--dividend-yield", "0.03", "total return", "--price-index"],
        ),
        ({"name": ""}, ["--name", "''", "1 to 120 characters"]),
        ({"name": "x" * 121}, ["--name", "1 to 120 characters"]),
        ({"trials": "1000000000000000000000000000000"}, ["--trials", "10 to 5000"]),
        ({"seed": "-1"}, ["--seed", "-1", "0 to below"]),
        ({"paths": "1"}, ["--paths", "1", "100 to 100000"]),
        ({"scenarios": ["base_case,crash"]}, ["--scenarios", "'crash'", "bear_market"]),
        ({"scenarios": ["cycle"]}, ["every probability is 0"]),
        ({"scenarios": ["base_case", "base_case"]}, ["repeat a name"]),
        ({"engine": "sabr"}, ["--engine", "'sabr'", "heston"]),
        ({"premium_power": "3"}, ["--premium-power", "3", "0, 1, 2"]),
        ({"free": ["risk_aversion"]}, ["--free", "'risk_aversion'", "target_volatility"]),
    ],
)
def test_a_refusal_names_the_option_the_value_and_what_is_allowed(given, parts):
    with pytest.raises(InvalidInput) as refusal:
        request_from(given, None)
    for part in parts:
        assert part in str(refusal.value)
    assert "expected " in str(refusal.value)
    assert "PydanticUndefined" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_all_errors_are_reported_at_once():
    with pytest.raises(InvalidInput) as refusal:
        request_from({"trials": "1", "seed": "-1", "target_vol": "3"}, None)
    assert [line.partition(":")[0] for line in str(refusal.value).splitlines()] == [
        "--target-vol",
        "--trials",
        "--seed",
    ]


def test_options_reach_the_request():
    request = request_from(
        {
            "target_vol": "0.12",
            "lookback": ["21"],
            "lookback_months": ["12"],
            "weight_function": ["cppi", "merton"],
            "scenarios": ["bear_market, bull_market"],
            "engine": "merton",
            "paths": "500",
            "max_drawdown": "0.2",
            "drawdown_tolerance": "0.1",
            "premium_power": "2",
            "free": ["target_volatility"],
        },
        None,
    )
    assert request.mandate.target_volatility == 0.12
    assert request.space.lookback_days == (21, 252)
    assert request.space.weight_functions == ("cppi", "merton")
    assert [(s.name, s.engine, s.paths) for s in request.scenarios] == [
        ("bear_market", "merton", 500),
        ("bull_market", "merton", 500),
    ]
    assert request.limits.max_drawdown is not None
    assert request.limits.max_drawdown.tolerated == 0.1
    assert request.limits.max_drawdown.scenarios == ("bear_market", HISTORY)
    assert 0.10 in request.space.target_volatility


@pytest.mark.parametrize("worlds", ["calibrated", "historical", "seed"])
def test_the_worlds_are_chosen_by_name(worlds):
    assert request_from({"worlds": worlds}, None) == OptimizationRequest(worlds=worlds)


def test_the_cycle_keeps_its_engine():
    request = request_from({"scenarios": ["base_case", "cycle"], "engine": "bootstrap"}, None)
    assert [s.engine for s in request.scenarios] == ["bootstrap", "regime_switching"]


def test_a_price_file_is_its_own_universe():
    assert request_from({"prices": "mine.csv"}, None).universe == "file"
    assert request_from({"prices": "mine.csv", "universe": "file:A"}, None).universe == "file:A"


def test_a_request_file_round_trips(tmp_path):
    path = tmp_path / "request.json"
    request = OptimizationRequest(name="Ours", trials=50)
    path.write_text(request.model_dump_json())
    assert request_from({}, str(path)) == request
    changed = request_from({"trials": "20", "paths": "300", "name": "Theirs"}, str(path))
    assert (changed.trials, changed.name, {s.paths for s in changed.scenarios}) == (
        20,
        "Theirs",
        {300},
    )
    path.write_text("{}")
    assert len(request_from({"years": "3"}, str(path)).scenarios) == len(BUILT_IN)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("{", ["line 1, column 2"]),
        ("", ["line 1, column 1"]),
        ("[]", ["an object with name"]),
        ('{"mandat": {}}', ["mandat", "mandate (did you mean it?)"]),
        (
            '{"mandate": {"target_volatility": NaN}}',
            ["mandate.target_volatility", "nan", "0.05 to 0.2"],
        ),
        ('{"mandate": {"target_volatility": 1e999}}', ["mandate.target_volatility", "inf"]),
        (
            '{"mandate": {"target_volatility": 10}}',
            ["mandate.target_volatility", "10% is written 0.1"],
        ),
        (
            '{"mandate": {"min_weight": 0.9, "max_weight": 0.1}}',
            ["min_weight 0.9", "max_weight 0.1"],
        ),
        ('{"trials": "many"}', ["trials", "'many'", "10 to 5000"]),
        ('{"trials": ' + "9" * 5000 + "}", ["too large"]),
        ('{"trials": 20, "trials": 30}', ["'trials' appears twice"]),
        ("[" * 100_000, ["too large"]),
        ('{"scenarios": []}', ["scenarios", "at least one"]),
        (
            json.dumps(
                {"start": [{"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63}] * 21}
            ),
            ["start: it has 21; expected at most 20"],
        ),
        ('{"space": {"lookback_days": [5]}}', ["space.lookback_days[0]", "5", "10 to 504"]),
        (json.dumps({"name": "x" * 1_000_001}), ["too large"]),
    ],
)
def test_a_broken_request_file_is_refused(tmp_path, content, parts):
    path = tmp_path / "request.json"
    path.write_text(content)
    with pytest.raises(InvalidInput) as refusal:
        request_from({}, str(path))
    for part in parts:
        assert part in str(refusal.value)


def test_a_missing_request_file_is_rejected(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "binary"):
        with pytest.raises(InvalidInput, match="--request"):
            request_from({}, str(path))


def test_options_together_with_a_request_file_are_rejected(tmp_path):
    path = tmp_path / "request.json"
    path.write_text("{}")
    with pytest.raises(InvalidInput, match="--cost-bps, --target-vol cannot accompany a request file"):
        request_from({"target_vol": "0.1", "cost_bps": "3", "trials": "20"}, str(path))


def test_a_largest_change_leaves_out_the_default_bands_that_it_never_exceeds():
    for change, bands in (("0.02", (0.0,)), ("0.05", (0.0, 0.02)), ("0.1", (0.0, 0.02, 0.05)), ("0.11", DEFAULT_BANDS)):
        request = request_from({"max_change": change}, None)
        assert request.space.no_trade_band == bands
        assert OptimizationRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    ("options", "estimators"),
    [
        ({"lookback": ["21"]}, ("rolling", "downside")),
        ({"lookback_months": ["1"]}, ("rolling", "downside")),
        ({"decay": ["0.94"]}, ("ewma", "ewma_max")),
        ({"lookback": ["21"], "decay": ["0.94"]}, ("rolling", "ewma", "ewma_max", "downside")),
        ({"lookback": ["21"], "estimator": ["garch", "rolling"]}, ("garch", "rolling")),
        ({"rebalancing": ["monthly"]}, ("rolling", "ewma", "ewma_max", "downside")),
    ],
)
def test_a_lookback_or_decay_leaves_the_estimators_that_have_one(options, estimators):
    assert request_from({"weight_function": ["inverse_vol"], **options}, None).space.estimators == estimators


def test_a_dividend_yield_accrues_on_the_index_or_on_a_price_index():
    assert request_from({"dividend_yield": "0.03"}, None).dividend_yield == 0.03
    request = request_from({"prices": "prices.csv", "price_index": True, "dividend_yield": "0.03"}, None)
    assert (request.price_index, request.dividend_yield) == (True, 0.03)
