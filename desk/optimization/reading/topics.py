"""Explains a stored result by topic: sentences chosen by comparisons, numbers by reference."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from desk.figures.figures import Claim, Figure, Section
from desk.optimization.reading.findings import Findings
from desk.optimization.reading.template import findings_claims, luck_sentences

Topic: TypeAlias = Literal[
    "summary",
    "ranking",
    "why",
    "where_it_loses",
    "scenario",
    "costs",
    "premium",
    "parameter_error",
    "probabilities",
    "limits",
    "luck",
    "benchmarks",
    "plateau",
    "alternative",
    "counter_argument",
    "years",
    "data",
    "next_trade",
    "assets",
    "what_would_change",
    "computed",
    "report",
    "beginner",
]
"""Topics of a question on a result; `alternative` asks why another weight function did not win, `assets` what each of
several assets contributes."""


_SECTIONS: Mapping[Topic, tuple[Section, ...]] = {
    "why": ("why",),
    "what_would_change": ("what_would_change",),
    "counter_argument": ("counter_argument",),
}
"""Topics that are parts of the whole explanation."""
_SHORT: Mapping[Section, int] = {
    "winner": 3,
    "luck": 1,
    "where_it_loses": 1,
    "what_would_change": 1,
    "why": 1,
    "counter_argument": 1,
}
"""Parts of a summary in order, with the number of sentences of each."""


def topic_claims(findings: Findings, topic: Topic, detail: str | None = None) -> tuple[Claim, ...]:
    if topic == "summary":
        return tuple(_summary(findings))
    if topic in _SECTIONS:
        return tuple(claim for claim in findings_claims(findings) if claim.section in _SECTIONS[topic])
    ids = {figure.id for figure in findings.figures}
    if topic == "luck":
        return tuple(Claim(section="answer", text=text) for text in luck_sentences(findings))
    if topic in _CASES:
        return tuple(Claim(section="answer", text=text) for text in _cases(findings.figures, topic))
    if topic == "limits":
        return tuple(Claim(section="answer", text=text) for text in _limits(findings.figures))
    sentences = tuple(Claim(section="answer", text=text) for text in _SENTENCES[topic](ids, detail))
    if topic == "next_trade" and findings.benefit is not None:  # what to do comes before how much
        advice = next(claim for claim in findings_claims(findings) if claim.section == "winner")
        what, colon, _ = advice.text.partition(":")
        return (Claim(section="answer", text=f"{what}."), *sentences) if colon and "{{" not in what else sentences
    return sentences


def _summary(findings: Findings) -> Iterator[Claim]:
    claims = findings_claims(findings)
    if findings.benefit is None:
        yield from claims
        return
    for section, most in _SHORT.items():
        yield from [claim for claim in claims if claim.section == section][:most]


def _scenario(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    yield from _known(ids, "scenario_benefit_sentence", "scenario_growth_sentence", "scenario_best_sentence")


def _known(ids: set[str], *sentences: str) -> Iterator[str]:
    """References to the sentences that the result holds."""
    yield from (f"{{{{{id_}}}}}" for id_ in sentences if id_ in ids)


def _cases(figures: Sequence[Figure], group: Topic) -> Iterator[str]:
    yield _CASES[group]
    labels = {figure.id: str(figure.value) for figure in figures}
    for n in range(len(figures)):
        label = labels.get(f"{group}_{n}_label")
        if label is None:
            return
        case = f"{{{{{group}_{n}_label}}}}"
        condition = f"{_IF[label]} ({case})," if label in _IF else f"With {case}"
        yield f"{condition} the benefit is {{{{{group}_{n}_bps}}}}."


def _limits(figures: Sequence[Figure]) -> Iterator[str]:
    ids = {figure.id for figure in figures}
    if "limits_kept_sentence" not in ids:
        yield "The limit that binds is {{binding_limit}}." if "binding_limit" in ids else _NO_LIMITS
        return
    yield from _known(ids, *(f"limits_{name}_sentence" for name in ("kept", "chance", "binding")))
    places = [n for n in range(len(figures)) if f"limits_{n}_sentence" in ids]
    yield from (f"{{{{limits_{n}_sentence}}}}" for n in places[:_SPOKEN])
    if len(places) > _SPOKEN:
        yield "The table shows the others."


_NO_LIMITS = "The mandate sets no limits, so none can bind."


def _benchmarks(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    yield from _known(ids, "benchmarks_same_volatility_sentence", "benchmarks_all_sentence")
    if "own_series_bps" in ids:
        yield "The utility of the winner minus that of the benchmark {{own_series_label}} is {{own_series_bps}}."


def _costs(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    if {"winner_turnover", "winner_cost_bps", "transaction_cost"} <= ids:
        yield (
            "On the training history the costs of the winner were {{winner_cost_bps}}, with a turnover of "
            "{{winner_turnover}} of wealth a year, at an assumed {{transaction_cost}} for each trade."
        )
    yield from _known(ids, "costs_range_sentence")


def _where_it_loses(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    yield from _known(ids, "extremes_worst_sentence", "extremes_behind_sentence", "extremes_best_sentence")
    if {"worst_year", "worst_year_winner", "worst_year_benchmark"} <= ids:
        yield (
            "On real prices its worst calendar year against the benchmark was {{worst_year}}, when the winner "
            "returned {{worst_year_winner}} and the benchmark {{worst_year_benchmark}}."
        )


def _data(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    yield from _known(ids, "data_days_sentence")
    if "data_source" in ids:
        yield "The prices are {{data_source}}."
    yield from _known(ids, "data_dividends_sentence")
    if "held_beside" in ids:
        yield "What is held beside the risky assets is {{held_beside}}."
    yield "Such a history holds few crises, whatever the colour of the verdict."


def _years(ids: set[str], detail: str | None) -> Iterator[str]:
    yield from _known(ids, *(f"years_{name}_sentence" for name in ("asked", "worst", "best", "count")))
    if "worst_year" in ids and detail is None:
        yield (
            "Its worst calendar year against the benchmark was {{worst_year}}, with a return of the winner of "
            "{{worst_year_winner}} and a return of the benchmark of {{worst_year_benchmark}}."
        )
    yield "The report shows every calendar year and every crisis."


def _next_trade(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    yield from _known(ids, "next_step_weight_sentence", "next_step_trade_sentence")
    if "safe_leg" in ids:
        yield "The name of the bond, which holds the rest, is {{safe_leg}}."
        yield (
            "Today's weight of the bond is {{safe_today_weight}}, and the next trade of the bond is "
            "{{safe_next_trade}} of wealth."
        )
    for n in _asset_places(ids, "step_{}_asset")[:_SPOKEN]:
        yield (
            f"For the asset {{{{step_{n}_asset}}}} today's weight is {{{{step_{n}_today_weight}}}}, and the next "
            f"trade of that asset is {{{{step_{n}_next_trade}}}} of wealth."
        )
    yield "Nothing is traded here: this is no order."


def _assets(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    places = _asset_places(ids, "asset_{}_name")
    if not places:
        yield "The risky leg of this result is a single asset, so all of its risk and return come from there."
        return
    for n in places[:_SPOKEN]:
        yield (
            f"The average weight of the asset {{{{asset_{n}_name}}}} is {{{{asset_{n}_average_weight}}}}; the "
            f"contribution of that asset to volatility is {{{{asset_{n}_volatility}}}}."
        )
    yield "The table shows what each asset adds to return and risk and what its trades cost; the parts sum up."


def _asset_places(ids: set[str], pattern: str) -> list[int]:
    """Places of the assets that have a figure of this id."""
    return [n for n in range(len(ids)) if pattern.format(n) in ids]


def _computed(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    yield from _known(ids, "work_sentence", "work_screened_sentence")


def _report(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    if "report_sentence" in ids:
        yield "{{report_sentence}}"
    yield "The report has all charts, tables and tests of the result, and the page of each number."


def _beginner(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    for name in ("verdict", "rule", "luck", "benefit", "fall"):
        if f"beginner_{name}_sentence" in ids:
            yield f"{{{{beginner_{name}_sentence}}}}"


_CASES: Mapping[Topic, str] = {
    "premium": "The premium may move with volatility in several ways, and nobody can verify which.",
    "parameter_error": "Expected return and volatility may turn out otherwise than assumed.",
    "probabilities": "The weights of the scenarios are a judgement; others were tried as well.",
}
_IF = {
    "premium proportional to volatility to the power 0": "If the premium stays the same whatever volatility does",
    "premium proportional to volatility to the power 1": "If the premium grows as volatility does",
    "premium proportional to volatility to the power 2": "If the premium grows faster than volatility",
}
"""Plain wording of the case labels."""
_SPOKEN = 4
"""Maximum limits or assets in the text; the table lists all."""

_SENTENCES: Mapping[Topic, Callable[[set[str], str | None], Iterator[str]]] = {
    "scenario": _scenario,
    "where_it_loses": _where_it_loses,
    "costs": _costs,
    "data": _data,
    "benchmarks": _benchmarks,
    "years": _years,
    "next_trade": _next_trade,
    "assets": _assets,
    "computed": _computed,
    "report": _report,
    "beginner": _beginner,
}
