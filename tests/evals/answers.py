"""One answer of a model to a case, and the properties of the case that it lacks."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, ValidationError

from agents.messages import fence, stop_of, without_thinking
from agents.models.factory import NamedModel
from agents.models.prices import usage_of
from agents.table import AGENTS
from desk.conversation.context import message_figures
from desk.conversation.focus import Focus
from desk.conversation.wishes import StrategyWish
from desk.figures.figures import Claim, collect_figures
from desk.figures.guard.claims import REFERENCE, check
from desk.governance.usage import Usage
from desk.optimization.request import OptimizationRequest
from graphs.assistant import question_text
from tests.evals.cases import Case
from tests.evals.results import RESULT, TASKS, content_of, tool_results

FOCI = {
    "nothing": Focus(),
    "optimization": Focus(run="4e1f00aa", previous_run="9b2c11dd", request=OptimizationRequest(), last="optimize"),
    "evaluation": Focus(strategy=StrategyWish(template="twelve_month_rule"), last="evaluate"),
}


class Judged(NamedTuple):
    """What an answer lacks, whether a number or an obeyed text would reach a reader, and its usage."""

    problems: list[str]
    harmful: bool
    usage: Usage


def judge(case: Case, model: NamedModel, prompt: str) -> Judged:
    """Ask the model once, as the agent's loop does after the tools have returned, and check its answer."""
    agent = AGENTS[case.agent]
    tools: list[Any] = [*agent.tools(), agent.answer]
    message = model.chat.bind_tools(tools, tool_choice="any").invoke(messages_of(case, prompt))
    assert isinstance(message, AIMessage)
    usage = usage_of(message.usage_metadata, model.price)
    calls = without_thinking(message.tool_calls)
    if stop_of(message) != "answered" or not calls:
        return Judged(["no tool call"], harmful=False, usage=usage)
    answer = next((call["args"] for call in calls if call["name"] == agent.answer.__name__), None)
    problems = [*_call_problems(case, calls), *_text_problems(case, calls)]
    if answer is None:
        return Judged(problems, harmful=False, usage=usage)
    try:
        typed = agent.answer.model_validate(answer)
    except ValidationError as error:
        return Judged([*problems, f"invalid: {error.error_count()} errors"], harmful=False, usage=usage)
    released, refused = _claims(case, typed)
    problems += [*_field_problems(case, typed), *refused, *_figure_problems(case, released)]
    harmful = any(text in claim.text for claim in released for text in case.expected.absent)
    return Judged(problems, harmful=harmful, usage=usage)


def messages_of(case: Case, prompt: str) -> list[BaseMessage]:
    """The conversation before the answer; results stand between tags, as in a run."""
    calls = tool_results(case.agent, case.given)
    if case.agent == "assistant":
        task = question_text(case.text, FOCI[case.after], ())
    else:
        task = TASKS[case.agent].format(colour=case.given.get("colour", "green"))
    messages: list[BaseMessage] = [SystemMessage(prompt), HumanMessage(task)]
    if calls:
        made = [{"name": tool, "args": arguments, "id": f"c{n}"} for n, (tool, arguments, _) in enumerate(calls)]
        messages.append(AIMessage("", tool_calls=made))
        messages += [
            ToolMessage(fence(content_of(tool, result, case.text)), tool_call_id=f"c{n}", name=tool)
            for n, (tool, _, result) in enumerate(calls)
        ]
    return messages


def _call_problems(case: Case, calls: Sequence[Any]) -> list[str]:
    expected, answer = case.expected, AGENTS[case.agent].answer.__name__
    called = sorted({call["name"] for call in calls} - {answer})
    problems: list[str] = []
    wanted = [set(name.split("|")) for name in expected.tools]
    missing = [sorted(names) for names in wanted if names.isdisjoint(called)]
    extra = [name for name in called if not any(name in names for names in wanted)]
    if missing:
        problems.append(f"calls {called}, not {missing}")
    if extra:
        problems.append(f"calls {extra}")
    arguments = json.dumps([call["args"] for call in calls if call["name"] != answer], ensure_ascii=False).lower()
    problems += [f"does not quote {quote!r}" for quote in expected.quotes if quote.lower() not in arguments]
    return problems


def _text_problems(case: Case, calls: Sequence[Any]) -> list[str]:
    text = json.dumps([[call["name"], call["args"]] for call in calls], ensure_ascii=False)
    return [f"contains {absent!r}" for absent in case.expected.absent if absent in text]


def _field_problems(case: Case, answer: BaseModel) -> list[str]:
    fields, expected = answer.model_dump(mode="json"), case.expected
    problems: list[str] = []
    if expected.outcome and fields.get("outcome") not in expected.outcome:
        problems.append(f"outcome is {fields.get('outcome')}")
    for name, wanted in expected.fields.items():
        value = fields.get(name)
        if isinstance(wanted, list):
            problems += [f"{name} lacks {item}" for item in wanted if item not in (value or [])]
        elif value != wanted:
            problems.append(f"{name} is {value}")
    return problems


def _claims(case: Case, answer: BaseModel) -> tuple[list[Claim], list[str]]:
    """The claims that the guard releases, and what it refuses."""
    figures = [figure for *_, result in tool_results(case.agent, case.given) for figure in collect_figures(result)]
    if case.agent == "assistant":
        figures += message_figures(case.text)
    elif case.agent == "explainer":
        figures += RESULT.figures
    claims: Sequence[Claim] = dict(answer).get("claims", ())
    checked = [(claim, check(claim, figures)) for claim in claims]
    refused = [f"claim refused: {problem.partition(':')[0]}" for _, problems in checked for problem in problems]
    return [claim for claim, problems in checked if not problems], refused


def _figure_problems(case: Case, released: Sequence[Claim]) -> list[str]:
    cited = {name for claim in released for name in REFERENCE.findall(claim.text)}
    return [f"does not cite {figure}" for figure in case.expected.figures if figure not in cited]
