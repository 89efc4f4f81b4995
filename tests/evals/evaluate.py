"""`make evals`: the evaluation cases with the configured model and the scripted ones, into docs/evals.md.

The rows of other models stay as they were measured. `make evals ARGS="--failures"` prints what each failed development
case lacks; failures of held-out cases are never printed.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from agents.build import system_prompt
from agents.models.factory import NamedModel, make_models
from agents.models.prices import FREE
from agents.table import AGENTS
from api.settings import read_model_options
from desk.governance.usage import Usage
from quant.numeric.frozen import Frozen
from tests.evals.answers import Judged, judge
from tests.evals.cases import FOLDER, KINDS, Case, Part, load_cases
from tests.evals.scripted_models import SCRIPTED, scripted_model

ROWS = FOLDER / "rows.json"
PAGE = Path(__file__).parents[2] / "docs" / "evals.md"
AT_ONCE = 8
"""Concurrent calls of a model."""

Prompts = Callable[[str], str]
"""The system prompt of an agent, by its name."""


class Score(Frozen):
    passed: int
    cases: int

    @property
    def rate(self) -> str:
        return f"{self.passed}/{self.cases}"


class Row(Frozen):
    """The scores of one model, by kind and part, with what its calls used."""

    model: str
    measured: str
    scores: dict[str, dict[Part, Score]]
    harmful: int
    """Answers from which the guard would release a text that a case forbids."""
    input_tokens: int
    output_tokens: int
    dollars: float | None


def evaluate(
    model: NamedModel, cases: Mapping[Part, Sequence[Case]], prompt_of: Prompts, *, failures: bool = False
) -> Row:
    """Every case once; prompts are read by `prompt_of`."""
    prompts = {name: prompt_of(name) for name in AGENTS}
    pairs: list[tuple[Part, Case]] = [(part, case) for part, listed in cases.items() for case in listed]
    with ThreadPoolExecutor(AT_ONCE if model.tags is not None else 1) as pool:
        judged = list(pool.map(lambda pair: judge(pair[1], model, prompts[pair[1].agent]), pairs))
    if failures:
        for (part, case), answer in zip(pairs, judged, strict=True):
            if answer.problems and part == "development":
                print(f"  {case.id}: {'; '.join(answer.problems)}: {case.text or case.given}")
    usage = sum((answer.usage for answer in judged), Usage(dollars=0.0 if model.price is not None else None))
    return Row(
        model=model.name,
        measured=datetime.now(UTC).date().isoformat(),
        scores={kind: {part: _score(kind, part, pairs, judged) for part in get_args(Part)} for kind in KINDS},
        harmful=sum(answer.harmful for answer in judged),
        input_tokens=usage.input_tokens + usage.cached_tokens + usage.written_tokens,
        output_tokens=usage.output_tokens,
        dollars=usage.dollars,
    )


def _score(kind: str, part: Part, pairs: Sequence[tuple[Part, Case]], judged: Sequence[Judged]) -> Score:
    chosen = [
        not answer.problems
        for (each, case), answer in zip(pairs, judged, strict=True)
        if (each, case.kind) == (part, kind)
    ]
    return Score(passed=sum(chosen), cases=len(chosen))


def scripted_rows(cases: Mapping[Part, Sequence[Case]], prompt_of: Prompts) -> list[Row]:
    return [evaluate(NamedModel(name, scripted_model(name), price=FREE), cases, prompt_of) for name in SCRIPTED]


def current_prompt(agent: str) -> str:
    return system_prompt(AGENTS[agent])  # pyright: ignore[reportArgumentType]


def page(rows: Iterable[Row]) -> str:
    """docs/evals.md."""
    columns = [f"{kind}, {part.replace('_', '-')}" for kind in KINDS for part in get_args(Part)]
    lines = [
        "# Evaluations",
        "",
        "Made by `make evals`, which asks the configured model (`MODEL`) and three scripted ones, and keeps the rows",
        "of other models. A case asks one agent once and checks its answer; half of the cases are held out: they are",
        "never used while prompts or the embedded planner change, and their failures are never printed. The cases are",
        "in [tests/evals](../tests/evals), written from the specification and the [glossary](glossary.md); the last",
        "56 of each half are messages of managers that were written without sight of the program.",
        "",
        *(f"- *{kind}*: {meaning}" for kind, meaning in KINDS.items()),
        "",
        "The scripted models are the embedded planner with habits. *Obedient* follows the rules of its prompt, and no",
        "others; *careless* breaks every third one; *hostile* breaks all. *Released* counts answers from which the",
        "guard would let a forbidden text through to a reader.",
        "",
        f"| model | {' | '.join(columns)} | released | tokens in, out | dollars | measured |",
        f"|---|{'---:|' * (len(columns) + 3)}---|",
    ]
    for row in rows:
        rates = [row.scores[kind][part].rate for kind in KINDS for part in get_args(Part)]
        dollars = "unknown" if row.dollars is None else f"{row.dollars:.4f}"
        tokens = f"{row.input_tokens:,}, {row.output_tokens:,}"
        lines.append(f"| {row.model} | {' | '.join(rates)} | {row.harmful} | {tokens} | {dollars} | {row.measured} |")
    return "\n".join([*lines, ""])


def main(arguments: Sequence[str]) -> None:
    cases: dict[Part, Sequence[Case]] = {part: load_cases(part) for part in get_args(Part)}
    model = make_models(read_model_options()).common.models[0]
    stored: list[Any] = json.loads(ROWS.read_text(encoding="utf-8")) if ROWS.exists() else []
    rows = {row["model"]: Row.model_validate(row) for row in stored}
    own = evaluate(model, cases, current_prompt, failures="--failures" in arguments)
    for row in (own, *scripted_rows(cases, current_prompt)):
        rows[row.model] = row
        total = [score for parts in row.scores.values() for score in parts.values()]
        print(f"{row.model}: {sum(s.passed for s in total)} of {sum(s.cases for s in total)} cases passed")
    ROWS.write_text(json.dumps([row.model_dump() for row in rows.values()], indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(rows.values()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
