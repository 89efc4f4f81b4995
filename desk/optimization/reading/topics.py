"""Explains a stored result by topic: sentences chosen by comparisons, numbers by reference."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from desk.base.text import spaced
from desk.figures.figures import Claim, Figure, Section
from desk.optimization.reading.findings import Findings
from desk.optimization.reading.template import findings_claims

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
    "where_it_loses": ("where_it_loses",),
    "costs": ("costs",),
    "what_would_change": ("what_would_change",),
    "luck": ("luck",),
    "data": ("data",),
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


def _scenario(ids: set[str], detail: str | None) -> Iterator[str]:
    place = spaced(detail or "")
    label = f"the scenario {place}" if re.fullmatch(r"[a-z ]+", place) else "this scenario"
    yield f"In {label} the benefit is {{{{in_{detail}_benefit_bps}}}}."
    if f"in_{detail}_regret_bps" in ids:
        yield f"The regret in {label}, what the best of all trials earns more there, is {{{{in_{detail}_regret_bps}}}}."
    if f"in_{detail}_retention" in ids:
        yield (f"The share of the best utility that the winner keeps in {label} is {{{{in_{detail}_retention}}}}.")


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
    values = {figure.id: figure.value for figure in figures}
    places = [n for n in range(len(figures)) if f"limit_{n}_name" in values]
    if not places:
        yield "The mandate sets no limits, so none can bind."
    elif "binding_limit" in values:
        yield "The limit that binds is {{binding_limit}}."
    elif all(float(values[f"limit_{n}_statistic"]) <= float(values[f"limit_{n}_allowed"]) for n in places):
        yield "No limit binds: the winner keeps every limit."
    for n in places[:_SPOKEN]:
        yield (
            f"What {{{{limit_{n}_name}}}} measures in {{{{limit_{n}_scenario}}}} is {{{{limit_{n}_statistic}}}}; "
            f"it allows {{{{limit_{n}_allowed}}}}."
        )
    if len(places) > _SPOKEN:
        yield "The table shows the others."
    if any(figure.unit == "probability" for figure in figures):
        yield "For a limit on drawdowns these are chances that it is broken on the way."


def _benchmarks(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    for id_ in sorted(ids):
        match = re.fullmatch(r"versus_(\w+)_bps", id_)
        if match:
            label = f"{{{{versus_{match[1]}_label}}}}"
            yield f"The utility of the winner minus that of the benchmark {label} is {{{{{id_}}}}}."
    if "own_series_bps" in ids:
        yield "The utility of the winner minus that of the benchmark {{own_series_label}} is {{own_series_bps}}."


def _years(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    for name in ("asked", "worst", "best"):
        if f"years_{name}_sentence" in ids:
            yield f"{{{{years_{name}_sentence}}}}"
    if "worst_year" in ids:
        yield (
            "Its worst calendar year against the benchmark was {{worst_year}}, with a return of the winner of "
            "{{worst_year_winner}} and a return of the benchmark of {{worst_year_benchmark}}."
        )
    yield "The report shows every calendar year and every crisis."


def _next_trade(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    yield "The day of the latest price is {{as_of}}; the risky weight of the winner that day is {{today_weight}}."
    yield (
        "The risky weight of the current rule that day is {{today_current_rule_weight}}; to follow the winner, the "
        "next trade is {{next_trade}} of wealth."
    )
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
    yield "That is what the winner holds, not an order: nothing is traded here."


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
    yield (
        "The search tried {{trials}} configurations in {{scenario_count}} scenarios, each on {{paths}} simulated "
        "paths; the length of each path is {{path_years}}."
    )
    yield ("Evaluations on all paths: {{evaluations}}. Configurations that were dropped after few paths: {{screened}}.")


def _report(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    if "report_sentence" in ids:
        yield "{{report_sentence}}"
    yield "The report has all charts, tables and tests of the result, and the page of each number."


def _beginner(ids: set[str], detail: str | None) -> Iterator[str]:  # noqa: ARG001
    for name in ("verdict", "luck", "benefit", "fall"):
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
    "benchmarks": _benchmarks,
    "years": _years,
    "next_trade": _next_trade,
    "assets": _assets,
    "computed": _computed,
    "report": _report,
    "beginner": _beginner,
}
