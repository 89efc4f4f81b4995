"""`python -m tests.doubles.bedrock.listed_models`: writes the table of docs/models.md.

Every model id that langchain-aws lists for Bedrock is created by the factory and calls a tool of the double, or is
refused with the reason.
"""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from langchain_aws.data import _profiles as profiles
from langchain_core.messages import HumanMessage

from agents.models.bedrock import base_model
from agents.models.factory import NamedModel, make_models
from agents.models.options import BEDROCK, ModelOptions
from agents.models.prices import read_prices
from desk.base.errors import InvalidInput
from tests.doubles.bedrock.clients import CREDENTIALS, REGION, look
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.replies import call

HEADING = """# Models on Amazon Bedrock

Made by `make models`. It lists every model that the installed langchain-aws describes, without its regions: each of its
ids was created by the model factory and called a tool of the Bedrock double, which refuses what Bedrock refuses, or was
refused before any call. *Tool choice* is what agents ask for: a model that cannot be forced to call a tool chooses, and
an answer without a tool goes to the next model. *Cached from* is the shortest prompt, in tokens, that Bedrock caches.
Prices are dollars per million tokens of global endpoints, see [language models](language-models.md#prices); a model
whose price is unknown can be used with budgets in tokens only.

| model | ids | tool choice | streamed | cached from | input | output |
|---|---:|---|---|---:|---:|---:|"""

LISTED: tuple[str, ...] = tuple(getattr(profiles, "_PROFILES"))  # noqa: B009 - the package has no public list


class Outcome(NamedTuple):
    """What became of a model id: its created model and the tool choice of its call, or the reason of the refusal."""

    model: NamedModel | None
    choice: str = ""
    streamed: bool = False
    refusal: str = ""


def outcomes_of(ids: Sequence[str], double: Double) -> dict[str, Outcome]:
    """Create the models, with one client, and let each call one tool of the double, the endpoint of the environment."""
    refused: dict[str, Outcome] = {}
    created: dict[str, NamedModel] = {}
    while len(created) + len(refused) < len(ids):
        first, *others = [BEDROCK + id_ for id_ in ids if id_ not in refused]
        try:
            models = make_models(ModelOptions(model=first, fallbacks=tuple(others), region=REGION)).common.models
        except InvalidInput as error:
            refused[str(error.value)] = Outcome(None, refusal=str(error))
        else:
            created = {model.name.removeprefix(BEDROCK): model for model in models}
    return {id_: refused.get(id_) or _called(created[id_], id_, double) for id_ in ids}


def _called(model: NamedModel, id_: str, double: Double) -> Outcome:
    answer = model.chat.bind_tools([look], tool_choice="any").invoke([HumanMessage("Look.")])
    assert [each["name"] for each in answer.tool_calls] == ["look"]
    received = double.received[-1]
    assert received.model == id_
    choice = next(iter(received.body["toolConfig"].get("toolChoice", {"none": {}})))
    return Outcome(model, choice, streamed=received.operation == "ConverseStream")


def rows(outcomes: dict[str, Outcome]) -> Iterator[str]:
    """One line per model; the outcomes of its ids are the same."""
    prices = read_prices()
    bases: dict[str, list[str]] = {}
    for id_ in outcomes:
        bases.setdefault(base_model(id_, None, "MODEL"), []).append(id_)
    for base, ids in sorted(bases.items()):
        first = outcomes[ids[0]]
        if first.model is None:
            reason = first.refusal.partition("; expected")[0].partition("' ")[2]
            yield f"| `{base}` | {len(ids)} | refused: {reason} | | | | |"
            continue
        cache, price = first.model.cache, prices.of(base)
        cells = [
            f"`{base}`",
            str(len(ids)),
            {"any": "forced", "auto": "free", "none": "free, by default"}[first.choice],
            "yes" if first.streamed else "no",
            "" if cache is None else f"{cache.minimum:,}",
            *(("unknown", "unknown") if price is None else (f"{price.input:g}", f"{price.output:g}")),
        ]
        yield f"| {' | '.join(cells)} |"


def serve() -> Double:
    """A double whose models call the tool."""
    return Double(lambda _: call("look", where="top"))


def main() -> None:
    with serve() as double:
        os.environ |= {name.upper(): value for name, value in CREDENTIALS.items()}
        os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = double.url
        outcomes = outcomes_of(LISTED, double)
    print(HEADING, *rows(outcomes), sep="\n")


if __name__ == "__main__":
    main()
