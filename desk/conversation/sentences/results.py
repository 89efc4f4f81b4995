"""Sentences about searches and their stored results."""

from collections.abc import Iterable, Iterator

from desk.conversation.answers import (
    FinishedSearch,
    KeptList,
    OpenedHoldout,
    ResultComparison,
    ResultExplanation,
    RunList,
    SearchEstimate,
)
from desk.conversation.sentences.aspects import Sentence, answering_first, asks
from desk.conversation.sentences.topic_leads import TOLD_BY, lead_of
from desk.figures.figures import Claim
from desk.figures.guard.quantities import REFERENCE
from desk.optimization.reading.ranking import Ranking
from desk.optimization.reading.topics import Topic, topic_claims

_NO_WINNER = "No configuration meets the mandate, so there is no winner of which that could be said."
_OF_A_WINNER = frozenset[Topic](
    {
        *("why", "where_it_loses", "scenario", "costs", "premium", "parameter_error", "probabilities", "luck"),
        *("benchmarks", "years", "next_trade", "assets", "what_would_change"),
    }
)
_LUCKY = ", which luck may explain"
_MOST = 3
"""Number of differences in the text; the table contains all."""


def describe_estimate(result: SearchEstimate, message: str) -> Iterator[str]:  # noqa: ARG001  (the same signature as the others)
    yield "{{estimate_sentence}}"
    yield "Nothing was launched."


def describe_search(result: FinishedSearch, message: str) -> Iterator[Claim]:  # noqa: ARG001  (the same signature as the others)
    yield from topic_claims(result.findings, "summary")


def describe_explanation(result: ResultExplanation, message: str) -> Iterable[str | Claim]:
    if result.topic == "ranking" and result.ranking is not None:
        return _describe_ranking(result.ranking, message)
    if result.topic == "plateau" and result.ranking is not None:
        return _describe_plateau(result, result.ranking, message)
    if result.topic == "alternative":
        return _describe_alternative(result)
    if result.findings.benefit is None and result.topic in _OF_A_WINNER:
        return (_NO_WINNER,)
    figures = (*result.findings.figures, *result.withheld)  # of the latter only the ids are read
    findings = result.findings.model_copy(update={"figures": figures})
    claims = topic_claims(findings, result.topic, result.detail)
    lead = lead_of(findings, result.topic, message)
    if lead is None:
        return claims
    told = {id_ for reference in REFERENCE.findall(lead) for id_ in (reference, *TOLD_BY.get(reference, ()))}
    return (lead, *(claim for claim in claims if not told.issuperset(REFERENCE.findall(claim.text) or [claim.text])))


def _describe_ranking(ranking: Ranking, message: str) -> Iterator[str]:
    winner = next((row for row in ranking.ranked if row.winner), None)
    if winner is None:
        yield _NO_WINNER
        return
    ids = {figure.id for figure in ranking.figures}
    alike = (
        "Of the finalists, {{rank_within_noise}} cannot be told from the best, itself included: their order among "
        "themselves is chance."
        if ranking.within_noise > 1
        else "The best finalist is ahead of all others by more than chance explains."
    )
    if "rank_third_sentence" in ids and asks("third", message):
        yield from ("{{rank_third_sentence}}", alike)
    elif "rank_second_sentence" in ids and asks("second", message):
        yield from ("{{rank_second_sentence}}", alike)
    elif asks("ahead", message):
        yield from (alike, "{{rank_best_sentence}}")
    else:
        yield from ("{{rank_best_sentence}}", alike)
    if winner.place > 1:
        yield (
            "It does not stand at the top of the table: among those that cannot be told apart the steadiest was taken, "
            "whose neighbours score best."
        )
    if any(not row.finalist.feasible for row in ranking.ranked):
        yield "Finalists that break a limit stand last, and cannot win."


def _describe_plateau(result: ResultExplanation, ranking: Ranking, message: str) -> Iterator[str]:
    winner = next((row for row in ranking.ranked if row.winner), None)
    if winner is None or result.findings.on_a_plateau is None:
        yield _NO_WINNER
        return
    if not winner.finalist.plateau_neighbours:
        yield "The configuration that won has no neighbours: none of its settings is a number that could be moved."
        return
    steady = "Little changes: the" if asks("sensitive", message) else "The"
    fragile = "It is sensitive: the" if asks("sensitive", message) else "The"
    yield (
        f"{steady} winner stands on a plateau, where configurations beside it, with a setting moved a "
        "little, score almost as well."
        if result.findings.on_a_plateau
        else f"{fragile} winner stands on a peak, where configurations beside it, with a setting moved a "
        "little, score clearly worse, so do not expect its full advantage to come again."
    )
    yield (
        "The objective of the winner is {{rank_winner_objective}}, and the median objective of the configurations "
        "beside it is {{rank_winner_plateau}}."
    )
    if ranking.within_noise > 1:
        yield "Where finalists cannot be told apart, the steadiest is taken: the middle of a plateau, not its peak."


def _describe_alternative(result: ResultExplanation) -> Iterator[str]:
    other = result.alternative
    assert other is not None
    name = "{{alternative_function}}"
    match other.standing:
        case "won":
            yield f"It won: the weight function is {name}; the winning configuration is {{{{alternative_winner}}}}."
        case "indistinguishable":
            yield (
                f"The weight function {name} is as good as the winner as far as can be told: its best configuration, "
                "{{alternative_best}}, is behind by a distance of {{alternative_behind}} on fresh paths, which chance "
                "explains."
            )
            yield "The winner was taken since its neighbours score better; choosing the other would be no mistake."
        case "behind":
            yield (
                f"The weight function {name} lost: its best configuration, {{{{alternative_best}}}}, is behind by a "
                f"distance of {{{{alternative_behind}}}} {'on fresh paths' if other.fresh_paths else 'in sample'}."
            )
            yield (
                "That is more than chance explains."
                if other.distinguishable
                else "Whether chance explains that distance cannot be told: it was measured only in the search itself."
            )
        case "infeasible":
            yield "{{alternative_infeasible_sentence}}"
        case "screened":
            yield (
                f"The weight function {name} was dropped early: after few paths all its configurations were far "
                "behind, so they were not scored on all of them."
            )
        case "not_tried":
            yield (
                f"The weight function {name} was allowed, but the search did not propose it; more configurations, or a "
                "search of that function alone, would tell."
            )
        case "not_searched":
            if other.function == "constant" and result.findings.benefit is not None:
                yield (
                    "A constant weight is what the winner is measured against: over that of the same volatility its "
                    f"benefit after costs is {{{{benefit_bps}}}}{_LUCKY if result.findings.colour == 'red' else ''}."
                )
                return
            yield f"The weight function {name} was not among those that were searched; ask for it in a new search."


def describe_comparison(result: ResultComparison, message: str) -> Iterator[str]:  # noqa: ARG001  (the same signature as the others)
    comparison = result.comparison
    if comparison.identical:
        yield "Both results are the same to the last bit."
        return
    won = [figure.id for figure in comparison.figures if figure.id in {"compare_winner_first", "compare_winner_second"}]
    if comparison.same_winner:
        yield "The winner is the same in both."
    else:
        yield "They have different winners." if len(won) > 1 else "A winner was not found in both."
    if any(figure.id == "compare_benefit_change" for figure in comparison.figures):
        yield (
            "The benefit of the latter less the former, over the volatility-matched constant weight, is "
            "{{compare_benefit_change}}."
        )
    yield from _describe_changes(len(comparison.changes))
    if not comparison.same_data:
        yield "The prices differ."
    if not comparison.same_code:
        yield "The program that computed them differs."
    if not comparison.same_decisions:
        yield "The agents decided otherwise."
    if not comparison.same_seed and comparison.same_data and len(comparison.changes) == 1:
        yield "Only the seed differs, so all that came out otherwise is chance."


def _describe_changes(changes: int) -> Iterator[str]:
    for n in range(1, min(changes, _MOST) + 1):
        yield (
            f"A setting that differs is {{{{compare_change_{n}_setting}}}}. In the former result that differing "
            f"setting has the value {{{{compare_change_{n}_first}}}}. In the latter result that differing setting has "
            f"the value {{{{compare_change_{n}_second}}}}."
        )
    if changes > _MOST:
        yield "The table names the other differences."
    if not changes:
        yield "Both requests are the same."


def describe_runs(result: RunList, message: str) -> Iterator[str]:  # noqa: ARG001  (the same signature as the others)
    if not result.runs:
        yield "There is no run yet."
        return
    yield "{{run_list_sentence}}"
    yield "Name a run by the beginning of its id to ask about it."


def describe_kept(result: KeptList, message: str) -> list[str]:
    rules = [Sentence("{{kept_rules_sentence}}", "kind")] if result.what == "strategies" else []
    return answering_first([Sentence("{{kept_sentence}}", "own"), *rules], message)


def describe_holdout(result: OpenedHoldout, message: str) -> Iterator[str]:  # noqa: ARG001  (the values are not shown to agents)
    yield (
        "The benefit of the winner on the holdout, which no search had seen, over the matched constant weight is "
        "{{holdout_advantage_bps}}."
    )
    yield "The holdout begins on the day {{holdout_first_day}}, and it ends on the day {{holdout_last_day}}."
    yield "So short a time holds few crises, and luck is a large part of such a difference."
    yield "The locked holdout was opened; it cannot be closed again, and every later report says so."
