"""Learns the weights of the planner's second opinion from the labelled texts, into `agents/planner/language`.

    python -m tests.agents.planner.training [--check]

A text counts for the ability that is expected, and less for each other one that is right for it. With `--check` nothing
is written, and the exit code is 1 if the stored weights are not those that the texts give.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

from agents.planner.language.lexicon import LEXICON
from agents.planner.language.opinion import HERE, NONE, Opinion, features
from agents.planner.language.reading import read
from agents.planner.language.understanding import Past, understand
from quant.numeric.arrays import Floats
from tests.agents.planner.labelled_texts import load
from tests.agents.planner.scoring import RESULT, focus_after

TEXTS = Path(__file__).parent / "texts"
EXPECTED, PENALTY, RAREST, ROUNDS = 0.6, 20.0, 3, 2_000
"""Share of the expected ability beside others that are right; inverse of the quadratic penalty; messages in which a
word occurs at least; most rounds of the optimizer, which has converged before."""
STEPS = 127
STEPS_APART, ROUNDS_AGAIN = 3, 10
"""Steps by which weights may differ, since sums of floats differ between machines; rounds from the stored weights,
where the loss of other texts has no minimum: one changed label moves a weight by more than ten steps."""
BEHIND_NAMES = ("questions.txt", "typical_questions.txt", "typical_wishes.txt")
"""Questions and wishes after a search, each behind its topic or tool; those of the first are answered at once."""


class Example(NamedTuple):
    known: frozenset[str]
    meanings: tuple[str, ...]
    """The expected one first."""


def meaning_of(call: dict[str, Any]) -> str:
    """The topic of a question about a result, any other tool, or `none`."""
    return call["arguments"].get("topic", "summary") if call["tool"] == "explain_result" else call["tool"] or "none"


def examples(texts: Path) -> list[Example]:
    """The labelled texts after what their conversations did before, and the typical questions and wishes."""
    rows = [example for path in sorted(texts.glob("*.jsonl")) for item in load(path) for example in _examples(item)]
    for line in "".join((texts / file).read_text(encoding="utf-8") for file in BEHIND_NAMES).splitlines():
        name, _, text = line.partition(" | ")
        rows += [Example(features(read(text, RESULT, LEXICON), last, LEXICON), (name.partition(":")[0],))
                 for last in (None, "optimize", "explain")]  # fmt: skip
    return rows


def _examples(item: dict[str, Any]) -> Iterator[Example]:
    """A text without messages before it counts after a search as well."""
    focus, before = RESULT, list[Past]()
    for message in item["before"]:
        did = understand(message, focus, before, opinion=NONE).calls
        before.append(Past(asked=message, did=tuple((call.tool, call.arguments) for call in did)))
        for call in did:
            focus = focus_after(focus, call)
    meanings = tuple(map(meaning_of, (item["expected"], *item["also_right"])))
    for last in (focus.last,) if item["before"] else (None, "optimize"):
        yield Example(features(read(item["text"], focus, LEXICON), last, LEXICON), meanings)


def learned(rows: Sequence[Example], start: Opinion | None = None, rounds: int = ROUNDS) -> Opinion:
    """The logistic regression with the least penalized loss, its weights rounded to whole steps.

    A `start` with the same words and meanings is where the optimizer begins; the loss is convex.
    """
    counts = Counter(word for row in rows for word in row.known)
    words = tuple(sorted(word for word, count in counts.items() if count >= RAREST))
    meanings = tuple(sorted({meaning for row in rows for meaning in row.meanings}))
    rarity = np.array([np.log((1 + len(rows)) / (1 + counts[word])) + 1.0 for word in words])
    blank = Opinion(words, rarity, meanings, np.zeros((len(words) + 1, len(meanings))))
    inputs = np.array([blank.row(row.known) for row in rows])
    targets = np.zeros((len(rows), len(meanings)))
    for target, row in zip(targets, rows, strict=True):
        names = dict.fromkeys(row.meanings)
        for name in names:
            target[meanings.index(name)] += (1.0 - EXPECTED) / len(names)
        target[meanings.index(row.meanings[0])] += EXPECTED

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(blank.weights.shape)
        scores = inputs @ weights[:-1] + weights[-1]
        scores -= scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        errors = np.exp(logs) - targets
        slope = np.vstack([inputs.T @ errors + weights[:-1] / PENALTY, errors.sum(axis=0)])
        return float((weights[:-1] ** 2).sum() / (2.0 * PENALTY) - (targets * logs).sum()), slope.ravel()

    same = start is not None and (start.words, start.meanings) == (words, meanings)
    begin = start.weights if start is not None and same else blank.weights
    found = minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": rounds})
    weights = found.x.reshape(blank.weights.shape)
    step = float(np.abs(weights).max()) / STEPS
    return Opinion(words, rarity, meanings, np.rint(weights / step) * step)


def store(opinion: Opinion, path: Path = HERE) -> None:
    """Write the weights as whole numbers of steps."""
    step = float(np.abs(opinion.weights).max()) / STEPS
    words, meanings = (np.array([*map(ord, "\n".join(rows))]) for rows in (opinion.words, opinion.meanings))
    weights = np.rint(opinion.weights / step).astype(np.int8)
    np.savez_compressed(
        path, words=words.astype(np.uint16), meanings=meanings.astype(np.uint8), weights=weights, step=step,
        rarity=opinion.rarity.astype(np.float32),
    )  # fmt: skip


def up_to_date(stored: Opinion, rows: Sequence[Example]) -> bool:
    """Whether the optimizer, which begins at the stored weights, stays there."""
    again = learned(rows, stored, ROUNDS_AGAIN)
    if (again.words, again.meanings) != (stored.words, stored.meanings):
        return False
    step = np.abs(stored.weights).max() / STEPS
    return bool(np.abs(again.weights - stored.weights).max() <= STEPS_APART * step)


def main(arguments: Sequence[str], texts: Path = TEXTS, path: Path = HERE) -> int:
    rows = examples(texts)
    if "--check" in arguments:
        if up_to_date(Opinion.load(path), rows):
            return 0
        print(f"{path.name} is not what the labelled texts give: run make opinion")
        return 1
    store(learned(rows), path)
    print(json.dumps({"words": len(Opinion.load(path).words), "meanings": Opinion.load(path).meanings}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
