"""Explanation without a model: sentences chosen by comparisons, numbers by reference."""

from collections.abc import Iterator

from desk.figures.figures import Claim, Section
from desk.optimization.reading.findings import Findings, build_findings
from desk.optimization.result import OptimizationResult

AUTHOR = "template"


def template_claims(result: OptimizationResult) -> tuple[Claim, ...]:
    return findings_claims(build_findings(result))


def findings_claims(findings: Findings) -> tuple[Claim, ...]:
    """Return the explanation of any verdict, in reading order; every claim passes the guard."""
    ids = {figure.id for figure in findings.figures}
    sentences = _infeasible(ids) if findings.benefit is None else _judged(findings, ids)
    return tuple(Claim(section=section, text=text) for section, text in sentences)


def _infeasible(ids: set[str]) -> Iterator[tuple[Section, str]]:
    yield (
        "winner",
        "No configuration meets the mandate: each of the {{trials}} that were tried breaks at least a limit, "
        "so none is recommended.",
    )
    if "binding_limit" in ids:
        yield "why", "What stands in the way is {{binding_limit}}, which most of them break."
    if "feasible_with" in ids:
        yield (
            "what_would_change",
            "The configuration that comes closest to all limits would be feasible with {{feasible_with}}.",
        )
    elif "binding_limit" in ids:  # a result of an earlier version
        yield "what_would_change", "A looser value of {{binding_limit}} could make the mandate feasible."
    yield _data(ids)
    yield (
        "counter_argument",
        "A search tries only a part of what is possible, so a configuration outside the searched values might still "
        "meet the mandate; and a limit that so much breaks in simulated markets may be stricter than intended.",
    )


def _judged(findings: Findings, ids: set[str]) -> Iterator[tuple[Section, str]]:
    yield from _winner(findings)
    yield from _why(findings, ids)
    yield from _losses(findings, ids)
    yield from _costs(findings, ids)
    yield from _changes(findings, ids)
    yield from _luck(findings, ids)
    yield _data(ids)
    yield from _against(findings)


def _winner(findings: Findings) -> Iterator[tuple[Section, str]]:
    if findings.advice:
        yield "winner", findings.advice
    yield "winner", "Of the {{trials}} configurations that were tried the best is {{winner_name}}."
    opening = {
        "positive": "Over the scenarios and the training history its benefit over a constant weight of the same "
        "volatility is {{benefit_bps}}, after costs."
        if findings.colour == "red"
        else "It beats a constant weight of the same volatility after costs: the benefit is {{benefit_bps}}.",
        "unclear": "Whether it beats a constant weight of the same volatility is open: after costs the benefit is "
        "{{benefit_bps}}, and its interval runs from {{benefit_low_bps}} to {{benefit_high_bps}}.",
        "negative": "It does not beat a constant weight of the same volatility: after costs the benefit is "
        "{{benefit_bps}}.",
    }
    yield "winner", opening[findings.benefit or "unclear"]
    timing = (
        "Timing alone earns {{benefit_timing_bps}}: so much is left when the constant weight is matched anew in every "
        "scenario, and the rest is the level of exposure."
    )
    if any(figure.id == "benefit_worlds_bps" for figure in findings.figures):
        timing += (
            " History alone: the benefit on the training days, without the simulated worlds, is "
            "{{benefit_history_bps}}. Simulation alone: the benefit in the simulated worlds, without the training "
            "days, is {{benefit_worlds_bps}}."
        )
    yield "winner", timing
    if any(figure.id == "timing_simulated_bps" for figure in findings.figures):
        yield (
            "winner",
            "In the simulated scenarios alone timing earns {{timing_simulated_bps}}; what the training history adds to "
            "that was chosen with hindsight.",
        )
    if findings.shallower:
        yield (
            "winner",
            "Its mean maximum drawdown is smaller than the benchmark's; the difference is {{benefit_drawdown_points}}.",
        )
    else:
        yield (
            "winner",
            "It does not make falls shallower: the benchmark's mean maximum drawdown less its own is "
            "{{benefit_drawdown_points}}.",
        )


def _why(findings: Findings, ids: set[str]) -> Iterator[tuple[Section, str]]:
    if "driver_1_share" in ids:
        text = (
            "What mattered most was {{driver_1}}: alone it explains {{driver_1_share}} of the differences between the "
            "configurations."
        )
        if "driver_2_share" in ids:
            text += " Next came {{driver_2}}, which explains {{driver_2_share}}."
        if "interaction_share" in ids:
            text += (
                " The pair of parameters that interacts most is {{interaction_pair}}; its interaction share is "
                "{{interaction_share}}."
            )
        yield "why", text
    else:
        yield (
            "why",
            "No parameter alone explains the differences between the configurations that were tried.",
        )
    if findings.on_a_plateau is True:
        yield (
            "why",
            "Neighbouring configurations score almost as well, so the choice does not hang on an exact setting.",
        )
    if findings.on_a_plateau is False:
        yield (
            "why",
            "Neighbouring configurations score clearly worse, so the choice hangs on its exact settings.",
        )
    if findings.several_indistinguishable:
        yield (
            "why",
            "Of the finalists, {{indistinguishable}} cannot be told apart; the steadiest of them was chosen.",
        )


def _losses(findings: Findings, ids: set[str]) -> Iterator[tuple[Section, str]]:
    if "worst_scenario_bps" in ids:
        if findings.loses_in_a_scenario:
            yield (
                "where_it_loses",
                "It is weakest in the scenario {{worst_scenario}}, where the benefit is {{worst_scenario_bps}}.",
            )
        else:
            yield (
                "where_it_loses",
                "It is behind the benchmark in no scenario; it gains least in the scenario {{worst_scenario}}, where "
                "the benefit is {{worst_scenario_bps}}.",
            )
    if {"worst_year", "worst_year_winner", "worst_year_benchmark"} <= ids:
        yield (
            "where_it_loses",
            "On real prices its worst calendar year against the benchmark was {{worst_year}}, when the winner "
            "returned {{worst_year_winner}} and the benchmark {{worst_year_benchmark}}.",
        )


def _costs(findings: Findings, ids: set[str]) -> Iterator[tuple[Section, str]]:
    yield (
        "costs",
        "On the training history its turnover was {{winner_turnover}} of wealth a year and its costs were "
        "{{winner_cost_bps}}, at an assumed {{transaction_cost}} for each trade.",
    )
    if "costs_low_bps" in ids:
        tail = (
            "so it does not hang on trading cheaply."
            if findings.survives_double_costs
            else "so the result depends on trading cheaply."
        )
        yield (
            "costs",
            "Between trading for free and the highest costs that were tried, the benefit lies between "
            f"{{{{costs_low_bps}}}} and {{{{costs_high_bps}}}}, {tail}",
        )


def _changes(findings: Findings, ids: set[str]) -> Iterator[tuple[Section, str]]:
    if "premium_low_bps" in ids:
        opening = (
            "The answer depends on an assumption that nobody can verify, how the equity premium moves with volatility: "
            if findings.depends_on_premium
            else "The sign of the benefit does not depend on how the equity premium moves with volatility: "
        )
        yield (
            "what_would_change",
            opening + "over the cases that were tried the benefit lies between {{premium_low_bps}} and "
            "{{premium_high_bps}}.",
        )
    if "parameter_error_low_bps" in ids:
        tail = "it stays positive." if findings.survives_parameter_error else "it does not stay positive in every case."
        yield (
            "what_would_change",
            "If expected return and volatility turn out otherwise than assumed, the benefit lies between "
            f"{{{{parameter_error_low_bps}}}} and {{{{parameter_error_high_bps}}}}; {tail}",
        )


def _luck(findings: Findings, ids: set[str]) -> Iterator[tuple[Section, str]]:
    tests, unseen = ([*texts] for texts in (_tests(ids), _unseen(findings, ids)))
    for texts in (tests, unseen):
        if texts:
            yield "luck", " ".join(texts)


def luck_sentences(findings: Findings) -> list[str]:
    """What the explanation says of luck, each sentence by itself."""
    ids = {figure.id for figure in findings.figures}
    return [*_tests(ids), *_unseen(findings, ids)]


def _tests(ids: set[str]) -> Iterator[str]:
    if "winner_p" in ids:
        yield (
            "The verdict is {{verdict_colour}}. The probability that chance alone ends with so good a winner is "
            "{{winner_p}}."
        )
        yield "The chance of reversal, that what is chosen in some years fails in the others, is {{loss}}."
    elif "single_step_p" in ids:
        yield (
            "The verdict is {{verdict_colour}}. The probability that chance alone makes something look so good is "
            "{{single_step_p}}."
        )


def _unseen(findings: Findings, ids: set[str]) -> Iterator[str]:
    """What days that the choice did not use say."""
    if findings.validated is not None:
        verb = "also" if findings.validated else "did not"
        beat = "beat" if not findings.validated else "beats"
        yield (
            f"On the validation window, which the search never used, it {verb} {beat} the benchmark: the difference "
            "is {{validate_advantage_bps}}."
        )
    if "walk_forward_bps" in ids:
        yield (
            "Had the choice been made anew at the end of each year, the walk-forward advantage over the following "
            "years would be {{walk_forward_bps}}."
        )
    if "cross_validation_below_zero" in ids:
        yield (
            "In purged cross-validation the median advantage is {{cross_validation_median_bps}}; the share of negative "
            "outcomes is {{cross_validation_below_zero}}."
        )


def _data(ids: set[str]) -> tuple[Section, str]:
    days = {"data_source", "first_day", "last_day", "validate_end"}
    if not days <= ids:
        return "data", "The data set holds few crises, whatever the colour of the verdict."
    beside = " What is held beside the risky assets is {{held_beside}}." if "held_beside" in ids else ""
    return (
        "data",
        "The prices are {{data_source}}; their days run from {{first_day}} to {{last_day}}." + beside + " Every day "
        "after {{validate_end}} is locked and took no part. Such a history holds few crises, whatever the colour of "
        "the verdict.",
    )


def _against(findings: Findings) -> Iterator[tuple[Section, str]]:
    yield (
        "counter_argument",
        "Simplicity speaks against it: a constant weight of {{benchmark_weight}} carries the same volatility, "
        "needs no estimate, and cannot be wrong about the regime.",
    )
    if findings.colour == "green" and not findings.depends_on_premium:
        yield (
            "counter_argument",
            "The advantage also rests on volatility staying predictable from its recent past; a market that gaps "
            "without warning would take it away.",
        )
    elif findings.depends_on_premium:
        yield (
            "counter_argument",
            "If investors are paid more for bearing risk when markets are rough, cutting the weight at such times "
            "gives that payment away.",
        )
    else:
        yield (
            "counter_argument",
            "The evidence does not exclude that the whole advantage is the luck of a wide search.",
        )
