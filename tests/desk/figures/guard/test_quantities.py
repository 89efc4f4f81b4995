"""Typical sentences about every figure of a result: the named quantity must be that of the reference."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.figures.figures import Claim, Figure, format_figure
from desk.figures.guard.claims import check, codes
from desk.optimization.judgement.result_figures import result_figures
from tests.sample_result import sample_result

FIGURES = result_figures(sample_result())
KNOWN = {figure.id: figure for figure in FIGURES}


def refusals(text: str) -> tuple[str, ...]:
    return codes(check(Claim(section="why", text=text), FIGURES))


RIGHT = """
The benefit is {{benefit_bps}}.
The winner keeps {{benefit_bps}} more than a constant weight of the same volatility.
It beats the benchmark by {{benefit_bps}}, with an interval from {{benefit_low_bps}} to {{benefit_high_bps}}.
After costs the strategy earns {{benefit_bps}} over a constant weight of the same volatility.
The winner is {{winner_name}}, which was chosen from {{trials}} configurations.
{{winner_name}} beats the volatility-matched benchmark by {{benefit_bps}}.
{{trials}} configurations were tried, and {{winner_name}} is the winner.
Its volatility on the training history was {{winner_volatility}}, and its Sharpe ratio {{winner_sharpe}}.
Its deepest fall was {{winner_max_drawdown}} on the training history.
Most of it is the rebalancing: {{driver_1}} accounts for {{driver_1_share}} of the variation.
In the bear market the benefit is {{in_bear_market_benefit_bps}}.
In the bull market it gains {{in_bull_market_benefit_bps}}, while its regret there is {{in_bull_market_regret_bps}}.
Where markets are rough, in the bear market scenario, the advantage grows to {{in_bear_market_benefit_bps}}.
The weakest scenario is {{worst_scenario}}, with a benefit of {{worst_scenario_bps}}.
It does best in {{best_scenario}}, where the benefit is {{best_scenario_bps}}.
Its turnover is {{winner_turnover}} of its wealth a year, which costs {{winner_cost_bps}}.
Trading costs of {{winner_cost_bps}} are modest given the turnover of {{winner_turnover}}.
If trading costs were higher, the benefit would lie between {{costs_low_bps}} and {{costs_high_bps}}.
Under {{costs_2_label}} the benefit is {{costs_2_bps}}.
Depending on the equity premium, the benefit ranges from {{premium_low_bps}} to {{premium_high_bps}}.
With {{parameter_error_0_label}}, the benefit would be {{parameter_error_0_bps}}.
The deflated Sharpe ratio of the active return is {{active_deflated_sharpe}}, which is not convincing.
The deflated Sharpe ratio, which accounts for the number of trials, is {{active_deflated_sharpe}}.
The probability of backtest overfitting is {{overfitting}}, somewhere between {{overfitting_low}} and \
{{overfitting_high}}.
On the validation window the advantage was {{validate_advantage_bps}}.
Counting earlier searches, {{ledger_trials}} trials were ever made on these prices.
A track record of {{minimum_track_record_years}} would be needed.
The walk-forward advantage is {{walk_forward_bps}}.
In purged cross-validation the median advantage is {{cross_validation_median_bps}}.
The probabilistic Sharpe ratio is {{probabilistic_sharpe}}.
The pair of parameters that interact most is {{interaction_pair}}.
The training window ends on the last day {{train_end}}; every day after {{validate_end}} is locked.
The data come from {{data_source}}.
Simplicity speaks against it: a constant weight of {{benchmark_weight}} would do nearly as well.
Against the current rule, {{versus_current_rule_label}}, the advantage is {{versus_current_rule_bps}}.
The mandate's target volatility is {{target_volatility}}.
The average drawdown is shallower than the benchmark's by {{benefit_drawdown_points}}.
Drawdowns shrink by {{benefit_drawdown_points}} on average compared with the benchmark: that is the difference.
The worst calendar year was {{worst_year}}.
In {{worst_year}}, its worst calendar year, the winner returned {{worst_year_winner}}.
The significance against the benchmark is {{spa_p}}.
The verdict is {{verdict_colour}} because luck cannot be excluded.
{{indistinguishable}} finalists are within noise of each other.
On the training history its largest weight was {{winner_largest_weight}} and its average weight \
{{winner_average_weight}}.
The simulation used {{paths}} paths in each of {{scenario_count}} scenarios.
Trades are assumed to cost {{transaction_cost}}.
In the request {{request_name}} the target volatility is {{target_volatility}}.
""".strip().split("\n")

WRONG = """
The turnover is {{benefit_bps}}.
The benefit is {{winner_turnover}}.
The advantage is {{walk_forward_bps}}.
The walk-forward advantage is {{benefit_bps}}.
The deflated Sharpe ratio is {{probabilistic_sharpe}}.
The benefit is {{in_bear_market_benefit_bps}}.
In the bear market the benefit is {{in_bull_market_benefit_bps}}.
In the bear market the benefit is {{benefit_bps}}.
In the bear market its turnover is {{winner_turnover}}.
In a recession with falling markets the benefit is {{benefit_bps}}.
The interval of the benefit runs from {{benefit_high_bps}} to {{benefit_low_bps}}.
The lower end of the benefit is {{benefit_high_bps}}.
The benefit is {{benefit_low_bps}}.
On the validation window the benefit is {{benefit_bps}}.
The benefit over everything is {{validate_advantage_bps}}.
The benchmark's volatility was {{winner_volatility}}.
The probability of overfitting is {{active_deflated_sharpe}}.
The deflated Sharpe ratio is {{overfitting}}.
The Sharpe ratio is {{active_deflated_sharpe}}.
The deflated Sharpe ratio is {{winner_sharpe}}.
Depending on trading costs the benefit lies between {{premium_low_bps}} and {{premium_high_bps}}.
The average weight is {{winner_largest_weight}}.
The largest weight is {{benchmark_weight}}.
What mattered most was {{driver_2}}.
What mattered most was {{driver_1}}, which explains {{driver_2_share}}.
The expected shortfall is {{winner_value_at_risk}}.
Of {{indistinguishable}} configurations that were tried, none is better.
{{trials}} scenarios were simulated.
Its return is {{benefit_bps}}.
Investors lose {{benefit_bps}} by it.
It costs {{benefit_bps}}.
The drawdown is {{winner_volatility}}.
Its fall was {{fact_tracking_error}}.
The regret is {{benefit_bps}}.
It is certain: {{overfitting}}.
Nothing is like {{benefit_bps}}.
The prices begin on the day {{last_day}}.
The current rule's drawdown was {{winner_max_drawdown}}.
The winner beats holding cash by {{versus_equity_bps}}.
The holdout gave {{benefit_bps}}.
Timing alone earns {{benefit_bps}}.
The worst year brought the winner a return of {{worst_year_benchmark}}.
Under {{winner_name}} the benefit is {{costs_2_bps}}.
""".strip().split("\n")


@pytest.mark.parametrize("text", [line for line in RIGHT if line])
def test_a_sensible_sentence_is_released(text: str) -> None:
    assert check(Claim(section="why", text=text), FIGURES) == []


@pytest.mark.parametrize("text", WRONG)
def test_a_sentence_about_something_else_is_refused(text: str) -> None:
    assert refusals(text) == ("wrong_quantity",)


def test_the_refusal_names_the_quantity_and_what_to_refer_to_instead() -> None:
    [problem] = check(Claim(section="why", text="In the bull market the benefit is {{benefit_bps}}."), FIGURES)
    assert KNOWN["benefit_bps"].quantity in problem
    assert "{{in_bull_market_benefit_bps}}" in problem


def test_the_refusal_says_what_is_missing() -> None:
    [problem] = check(Claim(section="why", text="Nothing is like {{benefit_bps}}."), FIGURES)
    assert "name benefit next to it" in problem
    text = "The {{costs_low_bps}} is a benefit."
    assert "say lower end, transaction costs" in check(Claim(section="why", text=text), FIGURES)[0]


def test_a_quantity_without_a_known_word_is_named_by_its_label() -> None:
    figures = [
        Figure(id="gamma", quantity="convexity of the overlay", value=0.3, unit="ratio", source="x"),
        Figure(id="vega", quantity="sensitivity of the overlay", value=0.4, unit="ratio", source="x"),
    ]
    assert check(Claim(section="why", text="The convexity of the overlay is {{gamma}}."), figures) == []
    assert check(Claim(section="why", text="The convexity of the overlay is {{vega}}."), figures)
    assert check(Claim(section="why", text="The overlay is {{vega}}."), figures)


WORDS = st.sampled_from(
    "the benefit|its volatility|turnover|on the validation window|in the bear market|the lower end of|the benchmark's|"
    "the winner's|between|and|from|to|deepest fall|is|was|,|, while|; in the bull market|costs|. It is|trials|"
    "the probability of overfitting|weight|of|in the scenario|equity premium|average|largest".split("|")
)
NUMBERS = [figure for figure in FIGURES if not isinstance(figure.value, str)]
REFERENCES = st.sampled_from([f"{{{{{figure.id}}}}}" for figure in NUMBERS])


@settings(max_examples=80, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=8), REFERENCES, st.lists(WORDS, max_size=4), st.sampled_from(NUMBERS))
def test_no_other_number_replaces_a_reference(before, reference, after, other) -> None:
    sentence = " ".join([*before, "{}", *after]).replace(" ,", ",").replace(" ;", ";").replace(" .", ".")
    own = KNOWN[reference[2:-2]]
    if (
        refusals(sentence.format(reference))
        or own.quantity == other.quantity
        or format_figure(own) == format_figure(other)
    ):
        return
    assert "wrong_quantity" in refusals(sentence.format(f"{{{{{other.id}}}}}"))
