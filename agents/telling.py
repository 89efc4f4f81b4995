"""What the embedded planner says of a tool's result: sentences chosen by comparisons, numbers by reference."""

from collections.abc import Callable, Iterator, Mapping

from pydantic import BaseModel

from tools.chat import Refusal
from tools.explaining import Compared, Explained, Listed, Opened
from tools.figures import Claim
from tools.launching import Estimated, Launched
from tools.topics import topic_claims

_FAILED = "A tool did not take what was asked of it, so nothing was computed; please ask otherwise."


def told(tool: str, content: str, *, failed: bool) -> Iterator[Claim]:
    if failed:
        yield Claim(section="answer", text=_FAILED)
        return
    kind, tell = _TOLD[tool]
    if '"refused"' in content[:12]:
        yield from _claims(_refused(Refusal.model_validate_json(content)))
    else:
        yield from tell(kind.model_validate_json(content))


def _refused(refusal: Refusal) -> Iterator[str]:
    yield "That cannot be done as it was asked: {{refusal}}."
    if any(figure.id == "refusal_allowed" for figure in refusal.figures):
        yield "What is allowed there: {{refusal_allowed}}."


def _estimated(result: Estimated) -> Iterator[str]:  # noqa: ARG001  (as every teller)
    yield (
        "The search would try {{estimate_trials}} configurations, in scenarios whose number is "
        "{{estimate_scenarios}}, each of {{estimate_paths}} simulated paths."
    )
    yield (
        "The evaluations that it would take number {{estimate_evaluations}}; the seconds on this machine are about "
        "{{estimate_seconds}}."
    )
    yield "Nothing was launched."


def _launched(result: Launched) -> tuple[Claim, ...]:
    return topic_claims(result.findings, "summary")


def _explained(result: Explained) -> tuple[Claim, ...]:
    return topic_claims(result.findings, result.topic, result.detail)


def _compared(result: Compared) -> Iterator[str]:
    comparison = result.comparison
    if comparison.identical:
        yield "The two results are the same to the last bit."
        return
    if not comparison.changes:
        yield "The two requests are the same."
    if not comparison.same_data:
        yield "The prices differ."
    if not comparison.same_code:
        yield "The program that computed them differs."
    if not comparison.same_decisions:
        yield "The agents decided otherwise."


def _listed(result: Listed) -> Iterator[str]:
    if not result.runs:
        yield "There is no run yet."


def _opened(result: Opened) -> Iterator[str]:  # noqa: ARG001
    yield "The locked holdout was opened; it cannot be closed again, and every later report says so."


def _sentences(tell: Callable[..., Iterator[str]]) -> Callable[..., Iterator[Claim]]:
    return lambda result: _claims(tell(result))


def _claims(texts: Iterator[str]) -> Iterator[Claim]:
    return (Claim(section="answer", text=text) for text in texts)


_TOLD: Mapping[str, tuple[type[BaseModel], Callable[..., Iterator[Claim] | tuple[Claim, ...]]]] = {
    "run_optimization": (Launched, _launched),
    "estimate_optimization": (Estimated, _sentences(_estimated)),
    "explain_result": (Explained, _explained),
    "compare_results": (Compared, _sentences(_compared)),
    "list_results": (Listed, _sentences(_listed)),
    "open_holdout": (Opened, _sentences(_opened)),
}
